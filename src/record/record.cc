#include "record/record.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "host/kernel.h"
#include "host/launch.h"
#include "record/ebpf_recorder.h"
#include "record/ptrace_recorder.h"
#include "record/refusals.h"
#include "record/session.h"

namespace whittle::record {

namespace {

constexpr double kGrace = 10;          // seconds from SIGTERM to SIGKILL
constexpr int kPollMilliseconds = 50;  // how often the end of the tree is looked for
constexpr double kCheckpointSeconds = 1;

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  std::string id;
  for (const unsigned char byte : bytes) id += format("{:02x}", byte);
  return id;
}

Result<host::Launched> launch_command(const RecordSpec& spec, evidence::Run& run) {
  host::LaunchSpec launch;
  TRY_ASSIGN(launch.program, find_program(spec.command.at(0)));
  launch.argv = spec.command;
  launch.filter = spec.filter;
  launch.output_to_stderr = spec.output_to_stderr;
  if (spec.filter && !host::kernel_facts().privileges.sys_admin) {
    launch.no_new_privileges = true;
    run.notes.emplace_back("no_new_privileges was on: set-id programs had no more privilege");
  }
  return host::launch(launch);
}

bool nothing_lost(const std::map<std::string, std::uint64_t>& lost) {
  for (const auto& [kind, count] : lost) {
    if (count != 0) return false;
  }
  return true;
}

// The eBPF way: what the kernel counted of one launched command.
class EbpfRecording {
 public:
  EbpfRecording(const RecordSpec& spec, Session& session, evidence::Run run)
      : spec_(spec), session_(session), run_(std::move(run)) {
    run_.source = "ebpf";
  }

  Result<evidence::Run> record() {
    TRY_ASSIGN(EbpfRecorder recorder, EbpfRecorder::open({}));
    if (spec_.filter) recorder.judge(judge_specs(*spec_.filter));
    TRY_ASSIGN(host::Launched child, launch_command(spec_, run_));
    TRY(recorder.add(child.pidfd(), EbpfRecorder::Start::kAtExec));
    session_.start();
    TRY(child.release());
    TRY(follow(recorder, child));
    TRY(take(recorder, run_));
    run_.complete = nothing_lost(run_.lost);
    if (recorder.live() != 0) {
      run_.notes.push_back(
          format("{} tasks were still running when the recording ended", recorder.live()));
    }
    return std::move(run_);
  }

 private:
  // Until the last task of the tree is gone, or the command has been stopped.
  Result<void> follow(EbpfRecorder& recorder, host::Launched& child) {
    double next_checkpoint = monotonic_seconds() + kCheckpointSeconds;
    double stop_asked = 0;
    bool ended = false;
    while (!ended || recorder.live() != 0) {
      recorder.set_phase(session_.phase());
      std::array<pollfd, 2> polled = {
          {{child.pidfd(), static_cast<short>(ended ? 0 : POLLIN), 0},
           {recorder.events_fd(), POLLIN, 0}}};
      // A short run must not wait for a long poll: the tree is gone soon after the command.
      ::poll(polled.data(), polled.size(),
             ended && run_seconds_since_end() < 0.2 ? 1 : kPollMilliseconds);
      recorder.drain();  // soon: a stack can be read only while its process is there
      if (!ended) {
        if (const auto status = child.poll()) {
          run_.exit = status->shell_code();
          ended = true;
          ended_at_ = monotonic_seconds();
        }
      }
      if (session_.stop_requested()) {
        if (ended) return {};
        recorder.set_phase(session_.phase());  // before the signal: what it causes is in it
        stop(child, stop_asked);
      }
      if (monotonic_seconds() >= next_checkpoint) {
        next_checkpoint = monotonic_seconds() + kCheckpointSeconds;
        evidence::Run checkpoint = run_;
        TRY(take(recorder, checkpoint));
        session_.checkpoint(checkpoint);
      }
    }
    return {};
  }

  double run_seconds_since_end() const { return monotonic_seconds() - ended_at_; }

  void stop(const host::Launched& child, double& asked) const {
    const double now = monotonic_seconds();
    if (asked == 0) {
      asked = now;
      ::kill(child.pid(), SIGTERM);
    } else if (now - asked > kGrace || SignalCatcher::caught() > 1) {
      ::kill(child.pid(), SIGKILL);
    }
  }

  Result<void> take(EbpfRecorder& recorder, evidence::Run& run) const {
    TRY_ASSIGN(Snapshot snapshot, recorder.snapshot());
    run.syscalls = std::move(snapshot.syscalls);
    run.lost = std::move(snapshot.lost);
    run.duration = session_.seconds();
    if (spec_.filter) mark_refused(run, snapshot.judged, *spec_.filter);
    return {};
  }

  const RecordSpec& spec_;
  Session& session_;
  evidence::Run run_;
  double ended_at_ = 0;
};

// The name of a thread; empty once it is gone.
std::string comm_of(pid_t task) {
  const auto comm = read_file(format("/proc/{}/comm", task), 64);
  return comm ? printable(trim(*comm)) : std::string();
}

Result<evidence::Run> record_by_ptrace(const RecordSpec& spec, Session& session,
                                       evidence::Run run) {
  TRY_ASSIGN(host::Launched child, launch_command(spec, run));
  session.start();
  const auto complete_identity = [&run](evidence::Run& recorded) {
    recorded.id = run.id;
    recorded.under = run.under;
    recorded.command = run.command;
    recorded.notes.insert(recorded.notes.begin(), run.notes.begin(), run.notes.end());
  };
  PtraceOptions options;
  options.stop_requested = [&session] { return session.stop_requested(); };
  options.phase = [&session] { return session.phase(); };
  options.checkpoint = [&](const evidence::Run& so_far) {
    evidence::Run checkpoint = so_far;
    complete_identity(checkpoint);
    session.checkpoint(checkpoint);
  };
  if (spec.filter) {
    options.refused = [&spec](const Call& call) {
      JudgedCall judged = judged_call(call);
      if (!was_refused(*spec.filter, judged)) return false;
      judged.comm = comm_of(call.task);
      if (spec.refused) spec.refused(judged);
      return true;
    };
  }
  TRY_ASSIGN(evidence::Run recorded, record_ptrace(std::move(child), options));
  complete_identity(recorded);
  return recorded;
}

}  // namespace

evidence::Run new_run(const std::vector<std::string>& command, const std::string& under) {
  evidence::Run run;
  run.id = random_id();
  run.arch = syscalls::host_arch();
  utsname names = {};
  ::uname(&names);
  run.kernel = names.release;
  run.started = utc_timestamp();
  run.under = under;
  run.command = command;
  return run;
}

bool may_use_ebpf() {
  const host::Privileges privileges = host::kernel_facts().privileges;
  return privileges.initial_user_namespace &&
         (privileges.sys_admin || (privileges.bpf && privileges.perfmon));
}

Choice choose_backend(Backend wanted) {
  if (wanted == Backend::kEbpf) return {Backend::kEbpf, "asked for"};
  if (wanted == Backend::kPtrace) return {Backend::kPtrace, "asked for"};
  if (may_use_ebpf()) {
    return {Backend::kEbpf, "we have the privilege for it: exact, and at native speed"};
  }
  return {Backend::kPtrace, "eBPF needs CAP_BPF and CAP_PERFMON (root); timing is perturbed"};
}

Result<Recorded> record(const RecordSpec& spec) {
  const Choice choice = choose_backend(spec.backend);
  // Before anything is started: a typo in the command is no matter of backends.
  TRY(find_program(spec.command.at(0)));
  Session session(spec);
  Recorded recorded;
  recorded.reason = choice.reason;
  if (choice.backend == Backend::kEbpf) {
    recorded.backend = "eBPF";
    TRY_ASSIGN(recorded.run,
               EbpfRecording(spec, session, new_run(spec.command, spec.under)).record());
  } else {
    recorded.backend = "ptrace";
    TRY_ASSIGN(recorded.run, record_by_ptrace(spec, session, new_run(spec.command, spec.under)));
  }
  if (!session.became_ready()) {
    recorded.run.notes.emplace_back(
        "it never became ready: all that came before the stop counts as start-up");
  }
  recorded.interrupted = SignalCatcher::caught() > 0;
  return recorded;
}

}  // namespace whittle::record
