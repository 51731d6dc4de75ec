// A directory that is held open, and the files in it, reached by the descriptor and their plain
// name: no symbolic link is followed, and nothing outside can be named. Whoever renames the
// directory, or puts a link in its place, while we work does not lead us elsewhere.
//
// File contents are put in place in three steps, so that a reader, a crash or a full disk sees the
// old file or the new one, never a part: a temporary file in the same directory, fsync, rename;
// then fsync of the directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace whittle::deploy {

// What our temporary files begin with. They are removed by whoever holds the lock of the store.
inline constexpr std::string_view kTemporaryPrefix = ".whittle-tmp-";

// Permissions that profiles and their directories get, whatever the umask.
inline constexpr unsigned kFileMode = 0644;
inline constexpr unsigned kDirectoryMode = 0755;

enum class Create { kNo, kYes };

// Move-only; a copy of the descriptor is its own directory.
class Directory {
 public:
  // `path` itself may go through links. With kYes missing directories are made.
  static Result<Directory> open(const std::string& path, Create create);
  // A directory below, "a/b"; "" is this one. No component may be a link (openat2(2),
  // RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS). nullopt: it is not there, and was not to be made.
  Result<std::optional<Directory>> below(std::string_view relative, Create create) const;

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

  struct Entry {
    bool regular = false;    // else something that we neither read nor replace
    bool directory = false;  // not a link to one
    unsigned mode = 0;       // permission bits
  };
  // nullopt: no such name.
  Result<std::optional<Entry>> entry(const std::string& name) const;
  // The content of a regular file; nullopt: no such name. Errors: a link, a directory, a device,
  // larger than `limit`.
  Result<std::optional<std::string>> read(const std::string& name, std::size_t limit) const;

  // A new file of that content with a name of its own, not yet on the disk for sure.
  struct Temporary {
    std::string name;
    UniqueFd fd;
  };
  Result<Temporary> write_temporary(std::string_view content) const;
  // Waits until the disk has it, and closes it.
  Result<void> flush(Temporary& temporary) const;
  // A flushed one under its name, in place of what had it. The directory is not synced.
  Result<void> put(const Temporary& temporary, const std::string& name) const;
  // All of write_temporary(), flush(), put() and sync().
  Result<void> write(const std::string& name, std::string_view content) const;

  Result<void> rename(const std::string& name, const Directory& to,
                      const std::string& new_name) const;
  // Both names keep a file, and change it for the other's at once (renameat2(2), RENAME_EXCHANGE).
  Result<void> exchange(const std::string& name, const Directory& with,
                        const std::string& other) const;
  // `new_name` becomes another name of the file, in place of what had it.
  Result<void> link(const std::string& name, const Directory& to,
                    const std::string& new_name) const;
  Result<void> remove(const std::string& name) const;  // gone already: no error
  Result<void> set_mode(const std::string& name, unsigned mode) const;
  Result<void> sync() const;
  // Sorted; without "." and "..".
  Result<std::vector<std::string>> names() const;
  // Removes temporary files that an interrupted run left.
  Result<void> remove_temporaries() const;

 private:
  Directory(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  tl::unexpected<Error> error(const char* what, const std::string& name, int errnum) const;
  std::string temporary_name() const;

  UniqueFd fd_;
  std::string path_;
};

}  // namespace whittle::deploy
