// Recording a command: chooses a backend, starts the command under the chosen filter, follows it to
// its end, and gives one run of evidence.
#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/program.h"
#include "record/ebpf_recorder.h"

namespace whittle::record {

enum class Backend { kAuto, kEbpf, kPtrace };

// When the workload counts as ready: "tcp:HOST:PORT" (a connection is accepted) or "exec:COMMAND"
// (a shell command succeeds).
struct ReadySpec {
  enum class Kind { kTcp, kExec } kind = Kind::kTcp;
  std::string host;  // kTcp
  std::uint16_t port = 0;
  std::string command;  // kExec
};
Result<ReadySpec> parse_ready(std::string_view text);

struct RecordSpec {
  std::vector<std::string> command;
  Backend backend = Backend::kAuto;
  std::string under = "none";             // the name of `filter`, for the evidence
  std::optional<filter::Program> filter;  // in force from before the command's execve
  std::optional<ReadySpec> ready;         // until then the phase is "startup", after it "ready"
  std::optional<double> time_limit;       // seconds; then the command is asked to stop
  std::optional<double> quiet;            // seconds without anything new; then likewise
  bool output_to_stderr = false;          // the command's standard output
  // Called about once a second with what is known so far (complete is false).
  std::function<void(const evidence::Run&)> checkpoint;
  // ptrace only: called for each call that `filter` refused.
  std::function<void(const JudgedCall&)> refused;
};

struct Recorded {
  evidence::Run run;
  std::string backend;       // "eBPF" or "ptrace"
  std::string reason;        // why that one
  bool interrupted = false;  // a signal to us ended it
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

// While one lives, SIGINT, SIGTERM and SIGHUP are kept from killing us and counted instead.
class SignalCatcher {
 public:
  SignalCatcher();
  ~SignalCatcher();
  SignalCatcher(const SignalCatcher&) = delete;
  SignalCatcher& operator=(const SignalCatcher&) = delete;
  static int caught();  // how many came

 private:
  struct sigaction interrupt_ = {};
  struct sigaction terminate_ = {};
  struct sigaction hangup_ = {};
};

// Runs the command to its end. SIGINT and SIGTERM to us end it well: the command is sent SIGTERM,
// after 10 seconds SIGKILL, and the run is returned. REQUIRES: we are single-threaded.
Result<Recorded> record(const RecordSpec& spec);

}  // namespace whittle::record
