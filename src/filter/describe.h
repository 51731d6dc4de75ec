// A decision in words, for people.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "filter/decide.h"

namespace whittle::filter {

// The argument values of one path: "(arg0 & 0x7e020000) == 0", "arg0 == 0x2 and arg1 <= 0x9"; "any"
// when all go this way. `low` and `high` stand for the 32-bit halves of an argument, where a path
// asks for something of one half that can't be said of the whole. Values of arguments that have
// symbols in `syscall` are written with them: "arg0 == AF_ALG".
std::string path_text(const Path& path, std::string_view syscall = {});

// path_text() of each path that gets through, in the order of the decision.
std::vector<std::string> allowing_paths(const Decision& decision, std::string_view syscall = {});

// "allow", "allow when (arg0 & CLONE_NEWUSER) == 0, else errno EPERM". Of many ways only the first
// few are written, with the number of the others.
std::string decision_text(const Decision& decision, std::string_view syscall);

// The texts joined by "; or ", the first few of many: "A; or B (and 12 more)".
std::string some_of(std::span<const std::string> texts);

}  // namespace whittle::filter
