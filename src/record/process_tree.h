// Who is who among the running processes, by /proc.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace whittle::record {

// A line of /proc/PID/status without its key: status_field(pid, "State") is "S (sleeping)". Empty:
// there is no such task.
std::string status_field(pid_t task, std::string_view key);

// The path of what a task runs, printable; empty: it has ended, or is not ours to look at.
std::string executable_of(pid_t task);

// Whether a task has ended, be it that nobody has taken note yet (a zombie).
bool has_ended(pid_t task);

// The threads of a process; empty when there is none.
std::vector<pid_t> threads_of(pid_t process);

// The process and all its descendants that run at this moment, it first. Those that are made
// meanwhile may be missing: ask again. Children of one that has ended have another parent by then.
std::vector<pid_t> tree_of(pid_t process);

// The thread that traces a task; 0: none.
pid_t tracer_of(pid_t task);

}  // namespace whittle::record
