// The ptrace backend: follows every thread and every child of a command and counts their system
// calls. Needs no privilege, only a kernel that lets us trace our own child (ptrace(2)).
//
// What it sees is exact: nothing is sampled and nothing can overflow, because every call stops
// until it is counted. It costs the command two stops a call, and the slowness may lead a program
// into other paths than it takes at full speed: runs are marked `timing: perturbed`.
//
// NOTE: under a tracer without CAP_SYS_PTRACE the kernel starts set-id programs and programs with
// file capabilities without these privileges (security/commoncap.c, LSM_UNSAFE_PTRACE), so they
// behave otherwise than they would alone. Programs that trace others (debuggers, strace) cannot do
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
  // Whether a filter in force refused a call. Asked about calls that returned an error, their
  // own number, or nothing because the task died.
  // It then also fills in looked_at and comm.
  std::function<bool(Call&)> refused;
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
// tracer can follow) and in "calls" those of an ABI that whittle does not know.
//
// Errors: the kernel refuses to trace (kind environment), or the command could not be started.
// REQUIRES: the calling thread has no other children; other threads may have.
Result<evidence::Run> record_ptrace(host::Launched child, const PtraceOptions& options);

// What the run of a command says that did not end when it was asked to.
std::string killed_note(double seconds_after_stop);

}  // namespace whittle::record
