// The ptrace backend: follows every thread and every child of a command, or of a process that runs
// already, and counts their system calls. Needs no privilege, only a kernel that lets us trace the
// process (ptrace(2)).
//
// What it sees is exact: nothing is sampled and nothing can overflow, because every call stops
// until it is counted. It costs the command two stops a call, and the slowness may lead a program
// into other paths than it takes at full speed: runs are marked `timing: perturbed`.
//
// NOTE: under a tracer without CAP_SYS_PTRACE the kernel starts set-id programs and programs with
// file capabilities without these privileges (security/commoncap.c, LSM_UNSAFE_PTRACE), so they
// behave otherwise than they would alone: lost "privilege" counts these starts, a note names the
// executables. Programs that trace others (debuggers, strace) cannot do
// so here.
#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "evidence/evidence.h"
#include "host/launch.h"
#include "record/collector.h"

namespace whittle::record {

// The functions are called by the thread that records; one that is empty is not called.
struct PtraceOptions {
  std::optional<double> time_limit;  // seconds; then the command is asked to stop
  // Asked every 100 ms or so. Once true the command is asked to stop: its first process gets
  // the stop signal, after that has gone the others too, and what is left after 10 seconds, or once
  // kill_requested says true, gets SIGKILL.
  std::function<bool()> stop_requested;
  std::function<bool()> kill_requested;
  int stop_signal = SIGTERM;
  // The phase now; without it: "startup". A call counts in the one in which it returns.
  std::function<std::string()> phase;
  // About once a second: what is known so far, calls under way included; `complete` is false.
  std::function<void(const evidence::Run&)> checkpoint;
  // record_ptrace_tree: once all tasks of the tree are attached to, with their number.
  std::function<void(std::size_t)> attached;
  // Whether a filter in force refused a call. Asked about calls that returned an error, their
  // own number, or nothing because the task died.
  // It then also fills in looked_at and comm.
  std::function<bool(Call&)> refused;
  // Whether the stack of the first occurrence of each call, and of each of its argument values, is
  // taken: some 0.1 ms each.
  bool stacks = true;
};

// Attaches to a child that waits in launch(), lets it go, and records from its own successful
// execve on, which is counted, until the last task of its tree has gone. The child is waited for
// here.
//
// The run says source, arch, kernel, started, duration, complete, lost, timing, exit, notes and
// syscalls; the caller fills in the rest. A call counts when it returns. exit and exit_group count
// at entry; a call in which its task dies counts once, without a result; execve counts under the
// ABI and the name by which it was made, whoever made it.
//
// lost: those of Collector::lost(), "tasks" (children that were made with CLONE_UNTRACED, which no
// tracer can follow), "privilege" (see above) and in "calls" those of an ABI that whittle does not
// know.
//
// Errors: the kernel refuses to trace (kind environment), or the command could not be started.
// REQUIRES: the calling thread has no other children; other threads may have.
Result<evidence::Run> record_ptrace(host::Launched child, const PtraceOptions& options);

// What the run of a command says that did not end when it was asked to.
std::string killed_note(double seconds_after_stop);

// Attaches to a running process, all its threads and all its descendants, and records from then on
// until the last of them has gone, or, when asked to stop or at the time limit, detaches from all:
// they go on as before, and stay stopped if a signal had stopped them. The same when we die.
// Nothing is ever sent to them.
//
// Attaching and detaching interrupt each task for a moment; a call that blocks is restarted, but
// the few that end with EINTR after any stop (signal(7): epoll_wait, semop, ...) do so here, too.
//
// The run is as above, and never complete: lost "late_start" is 1, for what came before was not
// seen; "tasks" also counts those that could not be attached to. `exit` is that of the process, if
// it ended.
//
// Errors: the process does not exist (kind input), it cannot be traced (kind environment).
// REQUIRES: as above.
Result<evidence::Run> record_ptrace_tree(pid_t process, const PtraceOptions& options);

}  // namespace whittle::record
