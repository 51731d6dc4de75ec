#include "record/ebpf_recording.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "filter/read_back.h"
#include "record/process_tree.h"
#include "record/ptrace_recorder.h"
#include "record/refusals.h"

namespace whittle::record {

namespace {

constexpr double kStartLimit = 30;     // seconds until the program under a filter starts
constexpr double kKillLimit = 30;      // seconds that what was killed may take to go
constexpr double kContainerGrace = 1;  // seconds after the first process, for the runtime to end
constexpr int kPollMilliseconds = 50;  // how often the end of the tree is looked for
constexpr double kCheckpointSeconds = 1;

bool nothing_lost(const std::map<std::string, std::uint64_t>& lost) {
  for (const auto& [kind, count] : lost) {
    if (count != 0) return false;
  }
  return true;
}

bool is_stopped(pid_t pid) { return status_field(pid, "State").starts_with('T'); }

void send(const UniqueFd& pidfd, int signal) {
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

}  // namespace

EbpfRecording::EbpfRecording(const RecordSpec& spec, Session& session, evidence::Run run)
    : spec_(spec), session_(session) {
  recorded_.run = std::move(run);
  recorded_.run.source = "ebpf";
}

Result<Recorded> EbpfRecording::record(EbpfRecorder& recorder, host::Launched child) {
  evidence::Run& run = recorded_.run;
  const bool under_filter = spec_.judged_by.has_value();
  if (under_filter) recorded_.kept = judge_specs(*spec_.judged_by);
  if (!under_filter && spec_.filter) recorded_.kept = judge_specs(*spec_.filter);
  if (!recorded_.kept.empty()) recorder.judge(recorded_.kept);
  if (under_filter) recorder.stop_at_exec();
  TRY(recorder.add(child.pidfd(), under_filter ? EbpfRecorder::Start::kUnderFilter
                                               : EbpfRecorder::Start::kAtExec));
  session_.start();
  TRY(child.release());
  if (under_filter) {
    TRY(wait_until_started(recorder, child));
  } else {
    main_ = child.pid();
    session_.set_main(main_);
  }
  TRY(follow(recorder, child));
  session_.ended(recorded_.status ? recorded_.status->text() : "it would not end");
  TRY(take(recorder, run));
  run.complete = nothing_lost(run.lost);
  if (killed_at_ != 0) run.notes.push_back(killed_note(killed_at_ - asked_at_));
  if (recorder.live() != 0) {
    run.notes.push_back(
        format("{} still running when the recording ended", plural(recorder.live(), "task")));
  }
  recorded_.asked_to_stop = asked_at_ != 0 && !session_.ended_by_itself();
  recorded_.killed = killed_at_ != 0;
  // A daemon has outlived the command that was started.
  const double end = ended_at_ > asked_at_ ? ended_at_ : monotonic_seconds();
  if (asked_at_ != 0) recorded_.stopping = end - asked_at_;
  return std::move(recorded_);
}

// Until the program stands stopped before its first instruction: then the filters that it is under
// are read, and it is let go. Nothing of that when it ends before it comes so far.
Result<void> EbpfRecording::wait_until_started(EbpfRecorder& recorder, host::Launched& child) {
  const double deadline = monotonic_seconds() + kStartLimit;
  while (recorder.stopped() == 0 || !is_stopped(recorder.stopped())) {
    if (child.poll()) return {};
    if (session_.stop_requested()) return {};
    if (monotonic_seconds() > deadline) {
      return environment_error("the program did not start within 30 seconds");
    }
    recorder.set_phase(session_.phase());
    session_.wait({child.pidfd()}, 1);
  }
  main_ = recorder.stopped();
  main_pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, main_, 0)));
  auto filters = filter::read_back(main_);
  if (filters && spec_.started) spec_.started(main_);
  session_.set_main(main_);
  send(main_pidfd_, SIGCONT);
  if (!filters) return tl::unexpected(std::move(filters).error());
  recorded_.filters = *std::move(filters);
  return {};
}

// Until the last task of the tree is gone, or will not go.
Result<void> EbpfRecording::follow(EbpfRecorder& recorder, host::Launched& child) {
  double next_checkpoint = monotonic_seconds() + kCheckpointSeconds;
  while (ended_at_ == 0 || recorder.live() != 0) {
    const std::string phase = session_.phase();
    recorder.set_phase(phase);
    look_at(recorder, child);  // who begins a phase drives the daemon of a command that has ended
    session_.took_phase(phase);
    // A short run must not wait for a long poll: the tree is gone soon after the command.
    const bool just_ended = ended_at_ != 0 && monotonic_seconds() - ended_at_ < 0.2;
    session_.wait({ended_at_ == 0 ? child.pidfd() : -1, recorder.events_fd()},
                  just_ended ? 1 : kPollMilliseconds);
    recorder.drain();  // soon: a stack can be read only while its process is there
    look_at(recorder, child);
    if (session_.stop_requested()) {
      recorder.set_phase(session_.phase());  // before the signal: what it causes is in it
      if (asked_at_ == 0) recorder.drain();  // what came since, while its process is there
      end(child);
      if (ended_at_ != 0 && killed_at_ != 0 && monotonic_seconds() - killed_at_ > kKillLimit) {
        return {};
      }
    }
    if (monotonic_seconds() >= next_checkpoint) {
      next_checkpoint = monotonic_seconds() + kCheckpointSeconds;
      evidence::Run checkpoint = recorded_.run;
      TRY(take(recorder, checkpoint));
      session_.checkpoint(checkpoint);
    }
  }
  orphans_.reap(0);
  return {};
}

void EbpfRecording::look_at(const EbpfRecorder& recorder, host::Launched& child) {
  orphans_.reap(ended_at_ == 0 ? child.pid() : 0);
  if (ended_at_ != 0) return;
  const auto status = child.poll();
  if (!status) return;
  recorded_.status = *status;
  recorded_.run.exit = status->shell_code();
  ended_at_ = monotonic_seconds();
  // A command that leaves a daemon behind goes on as that.
  const pid_t daemon =
      status->success() && !in_container() && recorder.live() != 0 ? orphans_.first() : 0;
  if (daemon != 0) {
    session_.set_main(daemon);
  } else {
    session_.ended(status->text());
  }
}

// The command is asked first, what it leaves behind when it has gone: it may need that to end.
void EbpfRecording::end(const host::Launched& child) {
  if (asked_at_ == 0) {
    asked_at_ = monotonic_seconds();
    if (main_ != 0 && main_pidfd_.valid()) {
      send(main_pidfd_, spec_.stop_signal);
    } else if (ended_at_ == 0) {
      ::kill(child.pid(), spec_.stop_signal);
    }
  }
  if (session_.kill_requested()) {
    kill(child);
  } else if (ended_at_ != 0) {
    orphans_.ask(spec_.stop_signal);
  } else if (in_container() && main_ != 0 && has_ended(main_)) {
    // crun waits for what the first process has left behind; runc would have killed that.
    if (monotonic_seconds() - asked_at_ > kContainerGrace) spec_.prepared->end();
  }
}

void EbpfRecording::kill(const host::Launched& child) {
  if (killed_at_ == 0) killed_at_ = monotonic_seconds();
  if (in_container()) {
    if (main_pidfd_.valid()) send(main_pidfd_, SIGKILL);
    if (!main_pidfd_.valid() || monotonic_seconds() - killed_at_ > kContainerGrace) {
      spec_.prepared->end();
    }
    return;
  }
  orphans_.kill();
  if (ended_at_ == 0) ::kill(child.pid(), SIGKILL);
}

Result<void> EbpfRecording::take(EbpfRecorder& recorder, evidence::Run& run) {
  TRY_ASSIGN(Snapshot snapshot, recorder.snapshot());
  run.syscalls = std::move(snapshot.syscalls);
  run.lost = std::move(snapshot.lost);
  run.duration = session_.seconds();
  // The newest filter is the one that was loaded for it.
  if (!recorded_.filters.empty()) {
    mark_refused(run, snapshot.judged, recorded_.filters.front());
  } else if (spec_.filter) {
    mark_refused(run, snapshot.judged, *spec_.filter);
  }
  recorded_.judged = std::move(snapshot.judged);
  return {};
}

}  // namespace whittle::record
