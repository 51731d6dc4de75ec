#include "deploy/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>

#include "base/text.h"
#include "base/write_all.h"

namespace whittle::deploy {

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

// One component. Without openat2 (before Linux 5.6) O_NOFOLLOW says the same of a single name.
int open_component(int directory, const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const long fd = ::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  return ::openat(directory, name.c_str(), flags | O_NOFOLLOW);
}

}  // namespace

tl::unexpected<Error> Directory::error(const char* what, const std::string& name,
                                       int errnum) const {
  std::string hint;
  if (errnum == EACCES || errnum == EPERM)
    hint = "it takes root, or a directory of one's own: --root";
  if (errnum == EROFS) hint = "the file system is mounted read-only";
  return errno_error(ErrorKind::kEnvironment, what, errnum,
                     name.empty() ? path_ : path_ + "/" + printable(name), std::move(hint));
}

Result<Directory> Directory::open(const std::string& path, Create create) {
  std::error_code failed;
  if (create == Create::kYes) {
    const std::filesystem::path whole(path);
    std::filesystem::path made;
    for (const auto& part : whole) {
      made /= part;
      if (::mkdir(made.c_str(), kDirectoryMode) == 0) ::chmod(made.c_str(), kDirectoryMode);
    }
  }
  UniqueFd fd(::open(path.c_str(), kOpenDirectory));
  if (fd.valid()) return Directory(std::move(fd), path);
  if (errno == ENOTDIR) return input_error("not a directory", path);
  return errno_error(ErrorKind::kEnvironment, "cannot open the directory", errno, path,
                     errno == EACCES || (errno == ENOENT && create == Create::kYes)
                         ? "it takes root, or a directory of one's own: --root"
                         : "");
}

Result<std::optional<Directory>> Directory::below(std::string_view relative, Create create) const {
  UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return error("cannot open", {}, errno);
  std::string path = path_;
  for (const std::string& part : split(relative, '/')) {
    if (part.empty()) continue;
    bool made = false;
    if (create == Create::kYes) {
      made = ::mkdirat(fd.get(), part.c_str(), kDirectoryMode) == 0;
      if (!made && errno != EEXIST) return error("cannot make the directory", part, errno);
    }
    UniqueFd next(open_component(fd.get(), part, kOpenDirectory));
    if (!next.valid()) {
      if (errno == ENOENT && create == Create::kNo) return std::optional<Directory>();
      if (errno == ELOOP || errno == ENOTDIR) {
        return input_error("not a directory, or a symbolic link, which is not followed",
                           path + "/" + printable(part),
                           "install into a directory that is really below the root");
      }
      return error("cannot open the directory", part, errno);
    }
    if (made && (::fchmod(next.get(), kDirectoryMode) != 0 || ::fsync(fd.get()) != 0)) {
      return error("cannot make the directory", part, errno);
    }
    fd = std::move(next);
    path += "/" + part;
  }
  return std::optional<Directory>(Directory(std::move(fd), std::move(path)));
}

Result<std::optional<Directory::Entry>> Directory::entry(const std::string& name) const {
  struct stat info = {};
  if (::fstatat(fd_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::optional<Entry>();
    return error("cannot look at", name, errno);
  }
  return std::optional<Entry>(
      Entry{S_ISREG(info.st_mode), S_ISDIR(info.st_mode), info.st_mode & 07777U});
}

Result<std::optional<std::string>> Directory::read(const std::string& name,
                                                   std::size_t limit) const {
  // O_NONBLOCK: a fifo of that name would keep us waiting.
  const UniqueFd fd(
      open_component(fd_.get(), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::optional<std::string>();
    if (errno == ELOOP)
      return input_error("a symbolic link, which is not followed", path_ + "/" + name);
    return error("cannot read", name, errno);
  }
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return error("cannot look at", name, errno);
  if (!S_ISREG(info.st_mode)) return input_error("not a regular file", path_ + "/" + name);
  std::string content;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error("cannot read", name, errno);
    if (n == 0) return std::optional<std::string>(std::move(content));
    content.append(buffer.data(), static_cast<std::size_t>(n));
    if (content.size() > limit) {
      return input_error(format("larger than {} MiB", limit >> 20U), path_ + "/" + name);
    }
  }
}

std::string Directory::temporary_name() const {
  std::random_device random;
  return format("{}{:08x}{:08x}", kTemporaryPrefix, random(), random());
}

Result<Directory::Temporary> Directory::write_temporary(std::string_view content) const {
  Temporary temporary{temporary_name(), UniqueFd()};
  temporary.fd = UniqueFd(::openat(fd_.get(), temporary.name.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!temporary.fd.valid()) return error("cannot make a file in", {}, errno);
  auto written = write_all(temporary.fd.get(), content, path_);
  if (written && ::fchmod(temporary.fd.get(), kFileMode) != 0) {
    written = error("cannot set the mode of a file in", {}, errno);
  }
  if (!written) {
    ::unlinkat(fd_.get(), temporary.name.c_str(), 0);
    return tl::unexpected(written.error());
  }
  return temporary;
}

Result<void> Directory::flush(Temporary& temporary) const {
  if (::fsync(temporary.fd.get()) != 0) return error("cannot write to the disk in", {}, errno);
  temporary.fd.reset();
  return {};
}

Result<void> Directory::put(const Temporary& temporary, const std::string& name) const {
  return rename(temporary.name, *this, name);
}

Result<void> Directory::write(const std::string& name, std::string_view content) const {
  TRY_ASSIGN(Temporary temporary, write_temporary(content));
  auto written = flush(temporary);
  if (written) written = put(temporary, name);
  if (!written) {
    ::unlinkat(fd_.get(), temporary.name.c_str(), 0);
    return written;
  }
  return sync();
}

Result<void> Directory::rename(const std::string& name, const Directory& to,
                               const std::string& new_name) const {
  if (::renameat(fd_.get(), name.c_str(), to.fd(), new_name.c_str()) == 0) return {};
  return error("cannot move", name, errno);
}

Result<void> Directory::exchange(const std::string& name, const Directory& with,
                                 const std::string& other) const {
  if (::renameat2(fd_.get(), name.c_str(), with.fd(), other.c_str(), RENAME_EXCHANGE) == 0)
    return {};
  return error("cannot exchange", name, errno);
}

Result<void> Directory::link(const std::string& name, const Directory& to,
                             const std::string& new_name) const {
  // linkat() replaces nothing, rename() does.
  const std::string temporary = temporary_name();
  if (::linkat(fd_.get(), name.c_str(), to.fd(), temporary.c_str(), 0) != 0) {
    return error("cannot keep", name, errno);
  }
  if (::renameat(to.fd(), temporary.c_str(), to.fd(), new_name.c_str()) != 0) {
    const int errnum = errno;
    ::unlinkat(to.fd(), temporary.c_str(), 0);
    return error("cannot keep", name, errnum);
  }
  // rename() of two names of one file does nothing, and leaves both.
  ::unlinkat(to.fd(), temporary.c_str(), 0);
  return {};
}

Result<void> Directory::remove(const std::string& name) const {
  if (::unlinkat(fd_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return error("cannot remove", name, errno);
}

Result<void> Directory::set_mode(const std::string& name, unsigned mode) const {
  const UniqueFd fd(
      open_component(fd_.get(), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (fd.valid() && ::fchmod(fd.get(), mode) == 0) return {};
  return error("cannot set the mode of", name, errno);
}

Result<void> Directory::sync() const {
  if (::fsync(fd_.get()) == 0) return {};
  return error("cannot write the directory to the disk", {}, errno);
}

Result<std::vector<std::string>> Directory::names() const {
  // A description of its own: reading a directory moves the offset, which dup() would share.
  const int fd = ::openat(fd_.get(), ".", kOpenDirectory);
  if (fd < 0) return error("cannot list", {}, errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (stream == nullptr) return error("cannot list", {}, errno);
  std::vector<std::string> names;
  while (const dirent* one = ::readdir(stream.get())) {
    const std::string name = one->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> Directory::remove_temporaries() const {
  TRY_ASSIGN(const std::vector<std::string> all, names());
  for (const std::string& name : all) {
    if (name.starts_with(kTemporaryPrefix)) TRY(remove(name));
  }
  return {};
}

}  // namespace whittle::deploy
