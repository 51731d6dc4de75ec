// `whittle baseline capture`: see verb_baseline.cc.
#pragma once

#include "base/result.h"
#include "cli/verb.h"

namespace whittle::cli {

Result<int> capture_baseline(const Arguments& arguments);

}  // namespace whittle::cli
