// A decision in words, for people.
#pragma once

#include <string>
#include <vector>

#include "filter/decide.h"

namespace whittle::filter {

// The argument values of one path: "(arg0 & 0x7e020000) == 0", "arg0 == 0x2 and arg1 <= 0x9"; "any"
// when all go this way. `low` and `high` stand for the 32-bit halves of an argument, where a path
// asks for something of one half that can't be said of the whole.
std::string path_text(const Path& path);

// path_text() of each path that gets through, in the order of the decision.
std::vector<std::string> allowing_paths(const Decision& decision);

}  // namespace whittle::filter
