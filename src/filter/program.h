// A filter: the classic BPF program that seccomp(2) runs, and its one pure evaluator.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "profile/verdict.h"
#include "syscalls/arch.h"

namespace whittle::filter {

using Program = std::vector<sock_filter>;

// seccomp_data for one call. `nr` is as a filter sees it (x32 with its bit). The instruction pointer
// is 0.
seccomp_data call(syscalls::Arch arch, std::uint32_t nr, const std::uint64_t (&args)[6]);

// SECCOMP_RET_* as a verdict (include/uapi/linux/seccomp.h). Unknown actions kill the process, as the
// kernel does.
profile::Verdict verdict_of(std::uint32_t return_value);

// What the kernel would answer (kernel/seccomp.c, net/core/filter.c). Asks the host nothing. Errors:
// a program that the kernel would not load (bad opcode, load out of bounds, jump past the end, no
// return, more than 4096 instructions).
Result<profile::Verdict> evaluate(std::span<const sock_filter> program, const seccomp_data& data);

// Stacked filters as a process has them, newest first as PTRACE_SECCOMP_GET_FILTER gives them: the
// most severe action wins; of equal ones the newest (seccomp(2)).
Result<profile::Verdict> evaluate_all(std::span<const Program> filters, const seccomp_data& data);

}  // namespace whittle::filter
