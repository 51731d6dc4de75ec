#include "trial/notify_trial.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "host/keeper.h"
#include "record/record.h"
#include "record/refusals.h"
#include "trial/judge.h"
#include "trial/notify_filter.h"
#include "trial/notify_server.h"

namespace whittle::trial {

namespace {

constexpr double kGrace = 10;  // seconds from the end of the command, or SIGTERM, to the next step

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

  Result<TrialReport> run() {
    const host::WorkloadRun& start = spec_.workload.run;
    host::LaunchSpec launch;
    TRY_ASSIGN(launch.program, find_program(start.command.at(0)));
    launch.argv = start.command;
    launch.no_new_privileges = start.no_new_privileges;
    launch.output_to_stderr = true;
    launch.filter = asking_program(program_);
    launch.listen = true;
    TrialReport report;
    report.filters = {program_};
    report.run = record::new_run(start.command, "profile");
    report.run.source = "notify";
    started_ = monotonic_seconds();
    TRY_ASSIGN(host::Kept kept, host::Kept::start(launch));
    NotifyServer server(std::move(kept.listener()), options());
    server.start();
    TRY(kept.started());
    follow(kept, server);
    server.finish();
    finish(kept, server, report);
    return report;
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
  void follow(host::Kept& kept, NotifyServer& server) {
    const record::SignalCatcher signals;
    double asked = 0;
    double ended = 0;
    while (true) {
      kept.update();
      if (kept.gone()) return;
      const double now = monotonic_seconds();
      if (ended == 0 && kept.status()) ended = now;
      if (asked == 0 && is_to_stop(now, ended)) {
        asked = now;
        asked_to_stop_ = ended == 0;
        ended_the_rest_ = ended != 0;
        server.set_phase("stop");
        if (ended == 0) kept.signal(SIGTERM);
      }
      // The command is asked first, what it leaves behind when it has gone.
      if (asked != 0 && ended != 0 && !std::exchange(asked_all_, true)) kept.signal_all(SIGTERM);
      if (asked != 0 && now - asked > kGrace) kept.kill();
      pollfd polled = {kept.events_fd(), POLLIN, 0};
      ::poll(&polled, 1, 50);
    }
  }

  bool is_to_stop(double now, double ended) const {
    if (record::SignalCatcher::caught() > 0) return true;
    if (spec_.time_limit) return now - started_ >= *spec_.time_limit;
    return ended != 0 && now - ended > kGrace;
  }

  void finish(const host::Kept& kept, const NotifyServer& server, TrialReport& report) const {
    evidence::Run& run = report.run;
    run.duration = monotonic_seconds() - started_;
    const ExitStatus status = kept.status().value_or(ExitStatus{});
    run.exit = status.shell_code();
    run.lost = server.lost();
    report.denials = server.denials();
    report.fallbacks = server.fallbacks();
    add_to_run(report.denials, run);
    add_to_run(report.fallbacks, run);
    run.complete = std::all_of(run.lost.begin(), run.lost.end(),
                               [](const auto& loss) { return loss.second == 0; });
    if (ended_the_rest_) {
      run.notes.emplace_back("what the command left behind did not end, and was ended");
    }
    host::ExerciseResult result;
    result.name = "run";
    result.detail = status.text();
    result.done = 1;
    result.seconds = run.duration;
    result.ok = status.success() || (asked_to_stop_ && status.shell_code() == 128 + SIGTERM);
    report.exercises.push_back(std::move(result));
  }

  const TrialSpec& spec_;
  const filter::Program& program_;
  double started_ = 0;
  bool asked_to_stop_ = false;   // the command
  bool ended_the_rest_ = false;  // what it left behind
  bool asked_all_ = false;
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
  return NotifyTrial(spec, program).run();
}

}  // namespace whittle::trial
