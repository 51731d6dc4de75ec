#include "cli/user.h"

#include "base/text.h"

namespace whittle::cli {

Result<User> read_user(const std::string& text) {
  const auto parts = split(text, ':');
  const auto uid = parse_u64(parts[0]);
  const auto gid = parts.size() == 2 ? parse_u64(parts[1]) : uid;
  if (parts.size() > 2 || !uid || !gid || *uid > 65534 || *gid > 65534) {
    return input_error("--user " + printable(text) + ": not UID or UID:GID", {},
                       "write it as 65534 or 1000:1000");
  }
  return User{static_cast<unsigned>(*uid), static_cast<unsigned>(*gid)};
}

}  // namespace whittle::cli
