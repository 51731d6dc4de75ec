#include "record/record.h"

#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <map>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "host/kernel.h"
#include "host/launch.h"
#include "record/ebpf_recorder.h"
#include "record/orphans.h"
#include "record/ptrace_recorder.h"
#include "record/ptrace_run.h"
#include "record/refusals.h"
#include "record/session.h"

namespace whittle::record {

namespace {

constexpr double kKillLimit = 5;       // seconds that what was killed may take to go
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

Result<host::Launched> launch_command(const RecordSpec& spec, Session& session,
                                      evidence::Run& run) {
  host::LaunchSpec launch;
  TRY_ASSIGN(launch.program, find_program(spec.command.at(0)));
  launch.argv = spec.command;
  launch.filter = spec.filter;
  launch.output_to_stderr = spec.output_to_stderr;
  if (spec.filter && !host::kernel_facts().privileges.sys_admin) {
    launch.no_new_privileges = true;
    run.notes.emplace_back("no_new_privileges was on: set-id programs had no more privilege");
  }
  TRY(session.prepare(launch));
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
    TRY_ASSIGN(EbpfRecorder recorder, EbpfRecorder::open({.stacks = spec_.stacks}));
    if (spec_.filter) recorder.judge(judge_specs(*spec_.filter));
    TRY_ASSIGN(host::Launched child, launch_command(spec_, session_, run_));
    TRY(recorder.add(child.pidfd(), EbpfRecorder::Start::kAtExec));
    session_.start();
    TRY(child.release());
    TRY(follow(recorder, child));
    TRY(take(recorder, run_));
    run_.complete = nothing_lost(run_.lost);
    if (killed_at_ != 0) run_.notes.push_back(killed_note(killed_at_ - asked_at_));
    if (recorder.live() != 0) {
      run_.notes.push_back(
          format("{} still running when the recording ended", plural(recorder.live(), "task")));
    }
    return std::move(run_);
  }

 private:
  // Until the last task of the tree is gone, or will not go.
  Result<void> follow(EbpfRecorder& recorder, host::Launched& child) {
    double next_checkpoint = monotonic_seconds() + kCheckpointSeconds;
    while (ended_at_ == 0 || recorder.live() != 0) {
      recorder.set_phase(session_.phase());
      // A short run must not wait for a long poll: the tree is gone soon after the command.
      const bool just_ended = ended_at_ != 0 && monotonic_seconds() - ended_at_ < 0.2;
      session_.wait({ended_at_ == 0 ? child.pidfd() : -1, recorder.events_fd()},
                    just_ended ? 1 : kPollMilliseconds);
      recorder.drain();  // soon: a stack can be read only while its process is there
      look_at(child);
      if (session_.stop_requested()) {
        recorder.set_phase(session_.phase());  // before the signal: what it causes is in it
        end(child);
        if (ended_at_ != 0 && killed_at_ != 0 && monotonic_seconds() - killed_at_ > kKillLimit) {
          return {};
        }
      }
      if (monotonic_seconds() >= next_checkpoint) {
        next_checkpoint = monotonic_seconds() + kCheckpointSeconds;
        evidence::Run checkpoint = run_;
        TRY(take(recorder, checkpoint));
        session_.checkpoint(checkpoint);
      }
    }
    orphans_.reap(0);
    return {};
  }

  void look_at(host::Launched& child) {
    orphans_.reap(ended_at_ == 0 ? child.pid() : 0);
    if (ended_at_ != 0) return;
    const auto status = child.poll();
    if (!status) return;
    run_.exit = status->shell_code();
    ended_at_ = monotonic_seconds();
  }

  // The command is asked first, what it leaves behind when it has gone: it may need that to end.
  void end(const host::Launched& child) {
    if (asked_at_ == 0) {
      asked_at_ = monotonic_seconds();
      if (ended_at_ == 0) ::kill(child.pid(), spec_.stop_signal);
    }
    if (session_.kill_requested()) {
      if (killed_at_ == 0) killed_at_ = monotonic_seconds();
      orphans_.kill();
      if (ended_at_ == 0) ::kill(child.pid(), SIGKILL);
    } else if (ended_at_ != 0) {
      orphans_.ask(spec_.stop_signal);
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
  Orphans orphans_;
  double ended_at_ = 0;   // the command itself; 0: it runs
  double asked_at_ = 0;   // it was sent the stop signal; 0: it was not
  double killed_at_ = 0;  // likewise SIGKILL
};

Result<evidence::Run> record_by_ptrace(const RecordSpec& spec, Session& session,
                                       evidence::Run run) {
  TRY_ASSIGN(host::Launched child, launch_command(spec, session, run));
  session.start();
  std::vector<filter::Program> filters;
  if (spec.filter) filters.push_back(*spec.filter);
  PtraceRun recording(spec, session, std::move(run), std::move(filters));
  return recording.finish(record_ptrace(std::move(child), recording.options()));
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
  const bool ebpf = choice.backend == Backend::kEbpf;
  evidence::Run fresh = new_run(spec.command, spec.under);
  Result<evidence::Run> run = ebpf ? EbpfRecording(spec, session, std::move(fresh)).record()
                                   : record_by_ptrace(spec, session, std::move(fresh));
  session.finish();  // whatever went wrong: the command's output is the user's
  if (!run) return tl::unexpected(std::move(run).error());
  Recorded recorded;
  recorded.run = *std::move(run);
  recorded.backend = ebpf ? "eBPF" : "ptrace";
  recorded.reason = choice.reason;
  for (std::string& note : session.notes()) recorded.run.notes.push_back(std::move(note));
  recorded.ready_after = session.ready_after();
  return recorded;
}

}  // namespace whittle::record
