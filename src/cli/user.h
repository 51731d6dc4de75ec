// The user of --user, as verbs that run something take it.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace whittle::cli {

using User = std::pair<unsigned, unsigned>;  // uid, gid

// "UID" (the group is the same number) or "UID:GID", of 0 to 65534.
Result<User> read_user(const std::string& text);

}  // namespace whittle::cli
