#include "base/write_all.h"

#include <unistd.h>

#include <cerrno>

namespace whittle {

Result<void> write_all(int fd, std::string_view content, const std::string& place) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return errno_error(ErrorKind::kEnvironment, "cannot write", errno, place,
                         errno == ENOSPC ? "free some space or choose another output path" : "");
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace whittle
