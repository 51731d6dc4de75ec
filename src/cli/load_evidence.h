// Where verbs get their evidence from.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"

namespace whittle::cli {

// Each E of the command line, a file or "-" for standard input, in their order.
Result<std::vector<evidence::Evidence>> load_evidence(const std::vector<std::string>& paths);

}  // namespace whittle::cli
