// The filters of a running process, as the kernel holds them.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/result.h"
#include "filter/program.h"

namespace whittle::filter {

// Newest first. Attaches with ptrace (PTRACE_SEIZE), stops the thread for the read, lets it go on
// as it was: running, or stopped when it was stopped. Needs CAP_SYS_ADMIN and no filter on
// ourselves (ptrace(2), PTRACE_SECCOMP_GET_FILTER), else an error of kind environment that says
// which.
Result<std::vector<Program>> read_back(pid_t pid);

}  // namespace whittle::filter
