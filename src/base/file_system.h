// Files: read with a limit, written whole or not at all, and temporary directories that go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace whittle {

// The whole content; "-" is standard input. Errors: missing, not readable, a directory, larger than
// `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit = 256U << 20U);

// Writes `content` to `path` through a temporary file beside it, fsync and rename, so that a reader
// or a crash sees the old file or the new one, never half of it. A symbolic link is followed: the
// file that it names is replaced. "-" writes to standard output. An existing file keeps its mode, a
// new one has 0644 less the umask.
Result<void> write_file(const std::string& path, std::string_view content);

// Fails with the error that write_file() would meet, as far as it can be known beforehand: the
// directory exists and takes new files, the path is no directory. Called before work whose result
// would be lost.
Result<void> check_writable(const std::string& path);

// A fresh directory under $TMPDIR or /tmp, mode 0700; removed with all that is in it when it goes.
// Does not cross into other file systems mounted below it; a bind mount of the same file system
// cannot be told apart, so whoever mounts below it unmounts first. Move-only.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> create(std::string_view prefix);
  ~TemporaryDirectory();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  // Gives the directory up: it stays where it is.
  void keep() { path_.clear(); }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  void remove();
  std::string path_;
};

}  // namespace whittle
