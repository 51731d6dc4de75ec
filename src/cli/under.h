// The filter under which a command is recorded (`--under`).
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "filter/program.h"
#include "profile/profile.h"

namespace whittle::cli {

// "fallbacks": everything allowed but clone3, which is answered ENOSYS on every ABI. "none": no
// filter. Anything else is a baseline, resolved for this machine and Docker's default capabilities.
Result<std::optional<filter::Program>> filter_to_record_under(const std::string& name);

// The same as a document, for a container: "none" is a filter that allows everything, since
// recording in one begins with its filter.
Result<profile::Profile> profile_to_record_under(const std::string& name);

}  // namespace whittle::cli
