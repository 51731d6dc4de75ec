#include "base/file_system.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/fd.h"
#include "base/text.h"
#include "base/write_all.h"

namespace whittle {

namespace {

Result<std::string> read_all(int fd, std::size_t limit, const std::string& place) {
  std::string content;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(ErrorKind::kInput, "cannot read", errno, place);
    if (n == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(n));
    if (content.size() > limit) {
      return input_error(format("larger than {} MiB", limit >> 20U), place);
    }
  }
}

std::string parent_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Follows symbolic links by hand, so that a link to a file that does not exist yet works too.
Result<std::string> resolve_links(std::string path) {
  for (int hops = 0; hops < 16; ++hops) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(path, error);
    if (error) return path;
    path = target.is_absolute() ? target.string()
                                : (std::filesystem::path(path).parent_path() / target).string();
  }
  return input_error("too many levels of symbolic links", path);
}

// A device, a pipe, a socket: what /dev/null, /dev/stdout or >(command) name. It is written into,
// since it cannot be replaced; and the text of such a link in /proc leads nowhere, so it is not
// followed.
bool is_special(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

constexpr const char* kOutputHint = "choose another path with -o";

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  if (path == "-") return read_all(STDIN_FILENO, limit, "standard input");
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error(ErrorKind::kInput, "cannot open", errno, path);
  return read_all(fd.get(), limit, path);
}

Result<void> write_file(const std::string& path, std::string_view content) {
  if (path == "-") return write_all(STDOUT_FILENO, content, "standard output");
  if (is_special(path)) {
    const UniqueFd device(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!device.valid()) return errno_error(ErrorKind::kInput, "cannot open", errno, path);
    return write_all(device.get(), content, path);
  }
  TRY_ASSIGN(const std::string target, resolve_links(path));
  struct stat existing = {};
  const bool exists = ::stat(target.c_str(), &existing) == 0;
  std::string temporary = target + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) {
    return errno_error(ErrorKind::kInput, "cannot write", errno, path, kOutputHint);
  }
  const auto finish = [&]() -> Result<void> {
    TRY(write_all(fd.get(), content, path));
    const mode_t mask = ::umask(0);
    ::umask(mask);
    const mode_t mode = exists ? existing.st_mode & 07777U : 0644U & ~mask;
    if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0 ||
        ::rename(temporary.c_str(), target.c_str()) != 0) {
      return errno_error(ErrorKind::kInput, "cannot write", errno, path, kOutputHint);
    }
    return {};
  };
  Result<void> done = finish();
  if (!done) ::unlink(temporary.c_str());
  return done;
}

Result<void> check_writable(const std::string& path) {
  if (path == "-") {
    const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
    const bool open_for_writing = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
    if (!open_for_writing) return environment_error("is closed", "standard output", kOutputHint);
    return {};
  }
  if (is_special(path)) return {};
  TRY_ASSIGN(const std::string target, resolve_links(path));
  struct stat info = {};
  if (::stat(target.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return input_error("is a directory", path, kOutputHint);
  }
  std::string probe = target + ".XXXXXX";
  const UniqueFd fd(::mkostemp(probe.data(), O_CLOEXEC));
  if (!fd.valid()) {
    return errno_error(ErrorKind::kInput, "cannot write", errno, path, kOutputHint);
  }
  ::unlink(probe.c_str());
  return {};
}

Result<TemporaryDirectory> TemporaryDirectory::create(std::string_view prefix) {
  const char* base = std::getenv("TMPDIR");
  std::string path = format("{}/{}.XXXXXX", base != nullptr && *base != 0 ? base : "/tmp", prefix);
  if (::mkdtemp(path.data()) == nullptr) {
    return errno_error(ErrorKind::kEnvironment, "cannot make a temporary directory", errno,
                       parent_of(path), "set TMPDIR to a directory that can be written");
  }
  return TemporaryDirectory(path);
}

TemporaryDirectory::~TemporaryDirectory() { remove(); }

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryDirectory& TemporaryDirectory::operator=(TemporaryDirectory&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

void TemporaryDirectory::remove() {
  if (path_.empty()) return;
  // FTW_MOUNT: a bind mount left below must never have its source emptied.
  ::nftw(
      path_.c_str(),
      [](const char* name, const struct stat*, int, struct FTW*) {
        ::remove(name);
        return 0;
      },
      16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
  path_.clear();
}

}  // namespace whittle
