// Recording a command: chooses a backend, starts the command under the chosen filter, follows it to
// its end, and gives one run of evidence.
#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/program.h"
#include "host/exercises.h"
#include "host/prepared_run.h"
#include "record/ebpf_recorder.h"
#include "record/mark_pipe.h"
#include "record/ready.h"
#include "record/signals.h"

namespace whittle::record {

enum class Backend { kAuto, kEbpf, kPtrace };

struct RecordSpec {
  std::vector<std::string> command;
  Backend backend = Backend::kAuto;
  std::string under = "none";             // the name of `filter`, for the evidence
  std::optional<filter::Program> filter;  // in force from before the command's execve
  std::optional<ReadySpec> ready;         // until then the phase is "startup", after it "ready"
  double ready_limit = 60;                // seconds; not ready by then: a warning, and it goes on
  MarkPipe* marks = nullptr;              // the caller's; names phases while the command runs
  std::optional<double> time_limit;       // seconds; then the command is asked to stop
  std::optional<double> quiet;            // seconds without anything new; then likewise. With
                                          // `ready`: from then on, or from its limit
  int stop_signal = SIGTERM;              // by which it is asked to stop
  double stop_limit = 10;                 // seconds from then until it is killed
  bool output_to_stderr = false;          // the command's standard output
  bool keep_output = false;               // it is passed on nowhere: Recorded::output
  bool stacks = true;                     // those of first occurrences are kept
  // Called about once a second with what is known so far (complete is false), and the phase.
  std::function<void(const evidence::Run&, const std::string& phase)> checkpoint;
  // What the user should know while the command runs.
  std::function<void(const std::string&)> warn;
  // What is launched, when it is more than `command` natively under `filter`: a container, say.
  // `command` and `filter` are then not looked at, but for the evidence. eBPF for a container.
  host::PreparedRun* prepared = nullptr;
  // What is done with the command, on a thread of its own, once it is ready (at once without
  // `ready`, and never when it is not ready within its limit). Then the command is asked to stop.
  std::function<void(host::Running&)> drive;
  // eBPF only: a filter that the command will be under, or nearly that. The calls that it may
  // refuse are kept: Recorded::judged. The program is stopped before its first instruction, and
  // what filters it is really under is read back: Recorded::filters. A container needs it.
  std::optional<filter::Program> judged_by;
  // eBPF only, with `judged_by`: called while the program stands there.
  std::function<void(pid_t)> started;
  // ptrace only: called for each call that `filter` refused.
  std::function<void(const JudgedCall&)> refused;
};

struct Recorded {
  evidence::Run run;
  std::string backend;                   // "eBPF" or "ptrace"
  std::string reason;                    // why that one
  std::optional<double> ready_after;     // seconds until it was ready
  std::optional<ExitStatus> status;      // of the command, or the container
  bool asked_to_stop = false;            // by the stop signal
  bool killed = false;                   // since it did not stop within the limit
  double stopping = 0;                   // seconds from being asked to its end
  std::string output;                    // the last of it, when it is kept
  std::uint64_t output_dropped = 0;      // bytes before that
  std::vector<filter::Program> filters;  // those it was under; empty: it did not start, or unknown
  std::vector<JudgedCall> judged;
  std::vector<JudgeSpec> kept;  // what the recorder was asked to keep for that
};

// Whether we have the privilege for the eBPF backend.
bool may_use_ebpf();

// Which backend kAuto takes on this machine, and why, in words. With privilege it is always eBPF:
// if that then fails, the recording fails, and never falls back silently.
struct Choice {
  Backend backend = Backend::kEbpf;
  std::string reason;
};
Choice choose_backend(Backend wanted);

// A run with a fresh id that says what, when and where; everything observed is still empty.
evidence::Run new_run(const std::vector<std::string>& command, const std::string& under);

// Runs the command to its end. When a signal (SIGINT, SIGTERM, SIGHUP), a limit or quiet is to end
// it, the command is sent the stop signal; when it has gone, what it left behind is sent it, too;
// what is left after the stop limit, or when SIGINT or SIGTERM comes again, is sent SIGKILL. The
// run is returned all the same. What the command leaves behind without such an end is waited for.
// REQUIRES: we are single-threaded, and this is the main thread.
Result<Recorded> record(const RecordSpec& spec);

}  // namespace whittle::record
