// That a profile means in another form what it meant before.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/verb.h"
#include "profile/convert.h"

namespace whittle::cli {

// Reads what was made again and compares the filter of it, as the runtime of --runtime would load
// it, with that of what it is to mean: the document, or `made.meant` when something is lost. `p`
// names the document in errors. Errors: kind bug when it is not the same; input when it does not
// compile or can't be told.
Result<void> prove_conversion(const profile::Document& document, const std::string& p,
                              const profile::Conversion& made, profile::Target target,
                              const profile::ConvertSettings& settings, const Arguments& arguments);

}  // namespace whittle::cli
