#include "record/arguments_reader.h"

#include <sys/uio.h>

#include <array>

namespace whittle::record {

std::optional<std::uint64_t> read_clone_flags(pid_t tid, std::uint64_t address) {
  // flags, pidfd, child_tid, parent_tid, exit_signal
  std::array<std::uint64_t, 5> words{};
  const iovec local = {words.data(), sizeof(words)};
  const iovec remote = {reinterpret_cast<void*>(address), sizeof(words)};  // NOLINT: theirs
  const ssize_t n = ::process_vm_readv(tid, &local, 1, &remote, 1, 0);
  if (n != static_cast<ssize_t>(sizeof(words))) return std::nullopt;
  return words[0] | words[4];
}

}  // namespace whittle::record
