// What can be read of a task that stands still: ptrace has stopped it, or it waits in a call.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "record/stacks.h"

namespace whittle::record {

// The name of a thread, printable; empty once it is gone.
std::string comm_of(pid_t task);

// Its user stack at the system call that it is in: registers and up to 32 KiB. What cannot be read
// is missing; without registers the address is 0. REQUIRES: the task is in a ptrace stop of ours.
CapturedStack capture_stack(pid_t tid);

// The same of a task that waits in the call, to which nobody is attached: seccomp has asked its
// supervisor. Of the registers only the stack pointer is known (/proc/TID/syscall; proc(5)), so a
// caller that keeps a frame pointer is the last frame that is found. `address`: the instruction
// pointer, as seccomp_data has it. `x86`: the call is one of the 32-bit ABI.
CapturedStack capture_waiting_stack(pid_t tid, std::uint64_t address, bool x86);

// The task has just passed execve (PTRACE_EVENT_EXEC). When its executable is set-user-id,
// set-group-id or has file capabilities, and the task did not get what they give: the path of the
// executable. Else empty, also where nobody gets it: the file system is mounted nosuid, the task
// lives in another user namespace, or had no_new_privileges by its own or our caller's will
// (`own_restriction`).
//
// The kernel takes these privileges from a program that is traced by somebody without
// CAP_SYS_PTRACE, or that has no_new_privileges (security/commoncap.c).
std::string privilege_lost_at_exec(pid_t tid, bool own_restriction);

// Whether no_new_privileges is set for a task.
bool has_no_new_privileges(pid_t task);

}  // namespace whittle::record
