#include "trial/notify_trial.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "host/keeper.h"
#include "host/prepared_run.h"
#include "record/record.h"
#include "record/session.h"
#include "record/workload_recording.h"
#include "trial/common.h"
#include "trial/judge.h"
#include "trial/notify_filter.h"
#include "trial/notify_server.h"

namespace whittle::trial {

namespace {

// Adds refused calls, sorted by call, to the run, which shows nothing else.
void add_to_run(const std::vector<Denial>& calls, evidence::Run& run) {
  for (const Denial& call : calls) {
    const double time = call.first.time.value_or(0);
    auto seen = std::find_if(run.syscalls.begin(), run.syscalls.end(), [&](const auto& one) {
      return one.arch == call.arch && one.nr == call.nr;
    });
    if (seen == run.syscalls.end()) {
      evidence::Observation fresh;
      fresh.arch = call.arch;
      fresh.nr = call.nr;
      fresh.name = call.syscall;
      fresh.first = fresh.last = time;
      seen = run.syscalls.insert(seen, std::move(fresh));
    }
    seen->count += call.count;
    seen->refused += call.count;
    seen->first = std::min(seen->first, time);
    seen->last = std::max(seen->last, time);
  }
}

class NotifyTrial {
 public:
  NotifyTrial(const TrialSpec& spec, const filter::Program& program)
      : spec_(spec), program_(program) {}

  // What record_workload() has done with the command.
  Result<record::Recorded> run(const record::RecordSpec& spec, TrialReport& report) {
    record::Session session(spec);
    host::LaunchSpec launch = spec.prepared->launch();
    launch.output_to_stderr = spec.output_to_stderr;
    launch.filter = asking_program(program_);
    launch.listen = true;
    TRY(session.prepare(launch));
    record::Recorded recorded;
    recorded.run = record::new_run(spec.command, spec.under);
    recorded.run.source = "notify";
    started_ = monotonic_seconds();
    TRY_ASSIGN(host::Kept kept, host::Kept::start(launch));
    session.start();
    NotifyServer server(std::move(kept.listener()), options());
    server.start();
    TRY(kept.started());
    session.set_main(kept.pid());
    follow(kept, server, session, spec);
    server.finish();
    finish(kept, server, session, recorded);
    session.finish();
    session.give(recorded);
    report.denials = server.denials();
    report.fallbacks = server.fallbacks();
    add_to_run(report.denials, recorded.run);
    add_to_run(report.fallbacks, recorded.run);
    return recorded;
  }

 private:
  NotifyOptions options() const {
    NotifyOptions options;
    options.program = program_;
    options.enforce = spec_.mode == Mode::kEnforce;
    options.start = started_;
    options.is_fallback = [this](const Denial& call) {
      return is_fallback(spec_.profile, call.arch, call.syscall, call.args);
    };
    return options;
  }

  // Until the last process has gone.
  void follow(host::Kept& kept, NotifyServer& server, record::Session& session,
              const record::RecordSpec& spec) {
    while (true) {
      kept.update();
      if (kept.gone()) return;
      const std::string phase = session.phase();
      server.set_phase(phase);
      session.took_phase(phase);
      const double now = monotonic_seconds();
      if (ended_ == 0 && kept.status()) look_at_end(kept, session, spec, now);
      if (session.stop_requested() ||
          (!spec.drive && !spec.time_limit && ended_ != 0 && now - ended_ > spec.stop_limit)) {
        end(kept, server, session, spec, now);
      }
      session.wait({kept.events_fd()}, 50);
    }
  }

  // A command that leaves a daemon behind goes on as that.
  void look_at_end(const host::Kept& kept, record::Session& session, const record::RecordSpec& spec,
                   double now) {
    ended_ = now;
    const pid_t daemon = spec.drive && kept.status()->success() ? kept.main() : 0;
    if (daemon != 0) {
      session.set_main(daemon);
    } else {
      session.ended(kept.status()->text());
    }
  }

  // The command is asked first, what it leaves behind when it has gone.
  void end(host::Kept& kept, NotifyServer& server, const record::Session& session,
           const record::RecordSpec& spec, double now) {
    if (asked_ == 0) {
      asked_ = now;
      asked_to_stop_ = (ended_ == 0 || spec.drive) && !session.ended_by_itself();
      ended_the_rest_ = ended_ != 0;
      server.set_phase("stop");
      if (ended_ == 0) kept.signal(spec.stop_signal);
    }
    if (ended_ != 0 && !std::exchange(asked_all_, true)) kept.signal_all(spec.stop_signal);
    if (session.kill_requested() || now - asked_ > spec.stop_limit) {
      killed_ = true;
      kept.kill();
    }
  }

  void finish(const host::Kept& kept, const NotifyServer& server, record::Session& session,
              record::Recorded& recorded) const {
    evidence::Run& run = recorded.run;
    run.duration = monotonic_seconds() - started_;
    recorded.status = kept.status().value_or(ExitStatus{});
    session.ended(recorded.status->text());
    run.exit = recorded.status->shell_code();
    run.lost = server.lost();
    run.complete = std::all_of(run.lost.begin(), run.lost.end(),
                               [](const auto& loss) { return loss.second == 0; });
    recorded.asked_to_stop = asked_to_stop_;
    recorded.killed = killed_;
    if (asked_ != 0) recorded.stopping = monotonic_seconds() - asked_;
    if (ended_the_rest_ && !asked_to_stop_) {
      run.notes.emplace_back("what the command left behind did not end, and was ended");
    }
  }

  const TrialSpec& spec_;
  const filter::Program& program_;
  double started_ = 0;
  double ended_ = 0;             // the command; 0: it runs
  double asked_ = 0;             // it was to stop; 0: it was not
  bool asked_to_stop_ = false;   // the command, or its daemon
  bool ended_the_rest_ = false;  // what it left behind
  bool asked_all_ = false;
  bool killed_ = false;
};

}  // namespace

Result<void> check_for_notify(const TrialSpec& spec, const filter::Program& program) {
  if (spec.whole_evidence) {
    return input_error(
        "seccomp notification shows refused calls only, which is no evidence of a run", {},
        "leave out --evidence, or record by eBPF (root) or --via ptrace");
  }
  if (spec.mode == Mode::kEnforce && answers_trap(program)) {
    return input_error("the profile answers calls with a trap, which only the kernel itself can do",
                       {}, "use --via ptrace, or --mode log");
  }
  return {};
}

Result<TrialReport> run_by_notify(const TrialSpec& spec, const filter::Program& program) {
  TRY(check_for_notify(spec, program));
  TRY_ASSIGN(host::PreparedRun prepared,
             host::PreparedRun::prepare(spec.workload.run, {program, {}}));
  TrialReport report;
  report.filters = {program};
  NotifyTrial trial(spec, program);
  TRY_ASSIGN(record::Exercised exercised,
             record::record_workload(
                 spec.workload, record_spec_of(spec), prepared,
                 [&](const record::RecordSpec& each) { return trial.run(each, report); }));
  take_recorded(exercised, report);
  add_native_versions(prepared, report);
  return report;
}

}  // namespace whittle::trial
