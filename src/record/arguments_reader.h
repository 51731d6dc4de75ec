// Argument values that are not in registers but in the memory of the calling task.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace whittle::record {

// `flags | exit_signal` of the struct clone_args at `address` in the memory of task `tid`, which is
// what clone(2) takes as its flags (include/uapi/linux/sched.h; kernel/fork.c keeps the two apart
// and checks that they share no bit). nullopt: it cannot be read, by us or by the kernel. REQUIRES:
// the task is stopped, and we may ptrace it.
std::optional<std::uint64_t> read_clone_flags(pid_t tid, std::uint64_t address);

}  // namespace whittle::record
