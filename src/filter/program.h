// A filter: the classic BPF program that seccomp(2) runs, and its one pure evaluator.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "profile/verdict.h"
#include "syscalls/arch.h"

namespace whittle::filter {

using Program = std::vector<sock_filter>;

bool same_program(const Program& a, const Program& b);  // of the same instructions

// seccomp_data for one call. `nr` is as a filter sees it (x32 with its bit). The instruction
// pointer is 0.
using Arguments = std::array<std::uint64_t, 6>;
seccomp_data call(syscalls::Arch arch, std::uint32_t nr, const Arguments& args);

// SECCOMP_RET_* as a verdict (include/uapi/linux/seccomp.h). Unknown actions kill the process, as
// the kernel does.
profile::Verdict verdict_of(std::uint32_t return_value);

// An arithmetic instruction on the accumulator: 32 bits, shifts by the low 5 bits of the operand.
// nullopt: division by zero, upon which the kernel ends the program with the value 0.
std::optional<std::uint32_t> alu(std::uint16_t code, std::uint32_t a, std::uint32_t operand);

// Whether a conditional jump goes to its `jt`.
bool branch_taken(std::uint16_t code, std::uint32_t a, std::uint32_t operand);

// The error of a program that the kernel would not load (seccomp_check_filter() of
// kernel/seccomp.c, bpf_check_classic() of net/core/filter.c): bad opcode, load out of bounds, jump
// past the end, no return, read of an unwritten memory slot, more than 4096 instructions.
Result<void> check(std::span<const sock_filter> program);

// What the kernel would answer. Asks the host nothing. Errors: those of check().
Result<profile::Verdict> evaluate(std::span<const sock_filter> program, const seccomp_data& data);
// The same for many calls of one program. REQUIRES: check() passed.
profile::Verdict evaluate_checked(std::span<const sock_filter> program, const seccomp_data& data);

// Stacked filters as a process has them, newest first: the most severe action wins; of equal ones
// the newest (seccomp(2)).
Result<profile::Verdict> evaluate_all(std::span<const Program> filters, const seccomp_data& data);

}  // namespace whittle::filter
