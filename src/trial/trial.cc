#include "trial/trial.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "filter/compile.h"
#include "filter/read_back.h"
#include "host/launch.h"
#include "host/runtime.h"
#include "record/ebpf_recorder.h"
#include "record/record.h"
#include "record/refusals.h"
#include "trial/judge.h"
#include "trial/notify_trial.h"

namespace whittle::trial {

namespace {

using profile::Action;
using syscalls::Arch;

filter::Flavour flavour_of(const std::string& runtime) {
  if (runtime == "runc") return filter::Flavour::kRunc;
  return runtime == "crun" ? filter::Flavour::kCrun : filter::Flavour::kNative;
}

constexpr double kGrace = 10;  // seconds from SIGTERM to SIGKILL

// The workload is to run as it was recorded.
std::vector<std::string> own_environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

bool is_stopped(pid_t pid) {
  std::ifstream status(format("/proc/{}/stat", pid));
  std::string text;
  std::getline(status, text);
  const auto end = text.rfind(')');
  return end != std::string::npos && end + 2 < text.size() && text[end + 2] == 'T';
}

// A container that the runtime leaves nothing of, whatever happens.
class ContainerCleanup {
 public:
  ContainerCleanup(const host::Runtime& runtime, const host::Bundle& bundle)
      : runtime_(runtime), bundle_(bundle) {}
  ~ContainerCleanup() { host::delete_container(runtime_, bundle_); }
  ContainerCleanup(const ContainerCleanup&) = delete;
  ContainerCleanup& operator=(const ContainerCleanup&) = delete;

 private:
  const host::Runtime& runtime_;
  const host::Bundle& bundle_;
};

void take_verdicts(const Judge& judge, TrialReport& report) {
  report.denials = judge.denials();
  report.fallbacks = judge.fallbacks();
  report.undecided = judge.undecided();
}

// Of a workload that has no exercises.
host::ExerciseResult run_result(std::string detail, double seconds) {
  host::ExerciseResult result;
  result.name = "run";
  result.detail = std::move(detail);
  result.done = 1;
  result.seconds = seconds;
  return result;
}

// One trial followed by eBPF: natively or in a container.
class EbpfTrial {
 public:
  explicit EbpfTrial(const TrialSpec& spec) : spec_(spec), start_(spec.workload.run) {}

  Result<TrialReport> run() {
    TRY_ASSIGN(const filter::Compiled expected,
               filter::compile(spec_.profile, flavour_of(start_.runtime)));
    judge_program_ = expected.program;
    if (start_.runtime.empty()) return run_native();
    TRY_ASSIGN(const host::Runtime runtime, host::find_runtime(start_.runtime));
    TRY(find_program(start_.command.at(0)));  // the files in the container are the host's
    host::ContainerSpec container;
    container.argv = start_.command;
    container.profile_json = spec_.mode == Mode::kLog
                                 ? profile::write_oci(log_mode_profile(spec_.profile))
                                 : spec_.profile_json;
    container.no_new_privileges = start_.no_new_privileges;
    container.uid = start_.uid.value_or(0);
    container.gid = start_.gid.value_or(0);
    container.environment = own_environment();
    std::error_code no_directory;
    container.directory = std::filesystem::current_path(no_directory).string();
    if (no_directory) container.directory = "/";
    TRY_ASSIGN(const host::Bundle bundle, host::Bundle::create(container));
    const ContainerCleanup cleanup(runtime, bundle);
    TRY_ASSIGN(host::LaunchSpec launch, host::run_spec(runtime, bundle));
    launch.output_to_stderr = true;
    end_container_ = [&] { host::delete_container(runtime, bundle); };
    return follow(launch);
  }

 private:
  Result<TrialReport> run_native() {
    host::LaunchSpec launch;
    TRY_ASSIGN(launch.program, find_program(start_.command.at(0)));
    launch.argv = start_.command;
    launch.no_new_privileges = start_.no_new_privileges;
    launch.output_to_stderr = true;
    launch.filter = judge_program_;
    if (spec_.mode == Mode::kLog) {
      TRY_ASSIGN(const filter::Compiled log,
                 filter::compile(log_mode_profile(spec_.profile), filter::Flavour::kNative));
      launch.filter = log.program;
    }
    return follow(launch);
  }

  Result<TrialReport> follow(const host::LaunchSpec& launch) {
    TRY_ASSIGN(record::EbpfRecorder recorder, record::EbpfRecorder::open({}));
    const std::vector<record::JudgeSpec> judged = record::judge_specs(judge_program_);
    recorder.judge(judged);
    recorder.stop_at_exec();
    TrialReport report;
    report.run = record::new_run(start_.command, "profile");
    report.run.source = "ebpf";
    const double start = monotonic_seconds();
    TRY_ASSIGN(host::Launched child, host::launch(launch));
    TRY(recorder.add(child.pidfd(), record::EbpfRecorder::Start::kUnderFilter));
    TRY(child.release());
    TRY_ASSIGN(const std::optional<ExitStatus> early, read_filters(recorder, child, report));
    const ExitStatus status = early ? *early : wait_for_end(recorder, child, start);
    report.run.duration = monotonic_seconds() - start;
    TRY_ASSIGN(record::Snapshot snapshot, recorder.snapshot());
    finish(report, std::move(snapshot), judged, status);
    return report;
  }

  // Waits until the program stands stopped before its first instruction, reads the filters that it
  // is under, and lets it go. Its exit status when it ended before it came so far.
  Result<std::optional<ExitStatus>> read_filters(const record::EbpfRecorder& recorder,
                                                 host::Launched& child, TrialReport& report) {
    const double deadline = monotonic_seconds() + 30;
    while (recorder.stopped() == 0 || !is_stopped(recorder.stopped())) {
      if (const auto status = child.poll()) return status;
      if (monotonic_seconds() > deadline) {
        return environment_error("the program did not start within 30 seconds");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    auto filters = filter::read_back(recorder.stopped());
    ::kill(recorder.stopped(), SIGCONT);
    if (!filters) return tl::unexpected(std::move(filters).error());
    report.filters = *std::move(filters);
    return std::optional<ExitStatus>();
  }

  ExitStatus wait_for_end(record::EbpfRecorder& recorder, host::Launched& child, double start) {
    const record::SignalCatcher signals;
    double asked = 0;
    while (true) {
      if (const auto status = child.poll()) return *status;
      const double now = monotonic_seconds();
      const bool stop = record::SignalCatcher::caught() > 0 ||
                        (spec_.time_limit && now - start >= *spec_.time_limit);
      if (stop && asked == 0) {
        asked = now;
        asked_to_stop_ = true;
        ::kill(recorder.stopped(), SIGTERM);
      } else if (asked != 0 && now - asked > kGrace) {
        ::kill(recorder.stopped(), SIGKILL);
        // Processes that the first one left behind keep crun's container going.
        if (now - asked > kGrace + 1 && end_container_) std::exchange(end_container_, {})();
      }
      std::array<pollfd, 2> polled = {
          {{child.pidfd(), POLLIN, 0}, {recorder.events_fd(), POLLIN, 0}}};
      ::poll(polled.data(), polled.size(), 50);
      recorder.drain();  // soon: a stack can be read only while its process is there
    }
  }

  void finish(TrialReport& report, record::Snapshot snapshot,
              const std::vector<record::JudgeSpec>& judged, const ExitStatus& status) {
    report.run.exit = status.shell_code();
    report.run.syscalls = std::move(snapshot.syscalls);
    report.run.lost = std::move(snapshot.lost);
    // Log mode is judged by the real profile's filter, not by the lenient one that was loaded.
    const bool log = spec_.mode == Mode::kLog;
    Judge judge(spec_.profile,
                log || report.filters.empty() ? std::vector<filter::Program>{judge_program_}
                                              : report.filters,
                judged, log ? Judge::By::kArguments : Judge::By::kResult);
    for (const record::JudgedCall& call : snapshot.judged) judge.add(call);
    judge.add_uncounted(report.run.syscalls, report.run.lost["judged"]);
    take_verdicts(judge, report);
    report.run.complete = std::all_of(report.run.lost.begin(), report.run.lost.end(),
                                      [](const auto& loss) { return loss.second == 0; });
    const bool stopped_as_asked = asked_to_stop_ && status.shell_code() == 128 + SIGTERM;
    host::ExerciseResult result = run_result(status.text(), report.run.duration);
    result.ok = !report.filters.empty() && (status.success() || stopped_as_asked);
    if (report.filters.empty()) {
      result.detail = format("the program did not start under the profile: {}", result.detail);
    }
    report.exercises.push_back(std::move(result));
  }

  const TrialSpec& spec_;
  const host::WorkloadRun& start_;
  filter::Program judge_program_;        // what the runtime is expected to load
  std::function<void()> end_container_;  // empty: natively, or done
  bool asked_to_stop_ = false;
};

// The way without privilege: natively, enforcing, followed by ptrace.
Result<TrialReport> run_by_ptrace(const TrialSpec& spec) {
  TRY_ASSIGN(filter::Compiled compiled, filter::compile(spec.profile, filter::Flavour::kNative));
  TrialReport report;
  report.filters = {compiled.program};
  Judge judge(spec.profile, report.filters, record::judge_specs(compiled.program),
              Judge::By::kResult);
  record::RecordSpec record_spec;
  record_spec.command = spec.workload.run.command;
  record_spec.backend = record::Backend::kPtrace;
  record_spec.under = "profile";
  record_spec.stacks = false;
  record_spec.filter = compiled.program;
  record_spec.time_limit = spec.time_limit;
  record_spec.output_to_stderr = true;
  record_spec.refused = [&](const record::JudgedCall& call) { judge.add(call); };
  TRY_ASSIGN(record::Recorded recorded, record::record(record_spec));
  report.run = std::move(recorded.run);
  take_verdicts(judge, report);
  const int code = report.run.exit.value_or(0);
  host::ExerciseResult result = run_result(format("exit status {}", code), report.run.duration);
  result.ok = code == 0 || (spec.time_limit && code == 128 + SIGTERM);
  report.exercises.push_back(std::move(result));
  return report;
}

}  // namespace

profile::Profile log_mode_profile(const profile::Profile& profile) {
  profile::Profile::Parts parts = profile.parts();
  parts.default_verdict = {Action::kAllow, 0};
  std::erase_if(parts.rules, [](const profile::Rule& rule) {
    return rule.verdict != profile::Verdict{Action::kErrno, ENOSYS};
  });
  // An ABI that is not listed would be killed, not let through.
  const std::set<std::string> listed(parts.architectures.begin(), parts.architectures.end());
  for (const Arch arch : {Arch::kX86_64, Arch::kX86, Arch::kX32}) {
    const std::string name(syscalls::oci_arch(arch));
    if (!listed.contains(name)) parts.architectures.push_back(name);
  }
  return profile::Profile(std::move(parts));
}

bool TrialReport::exercised() const {
  return !exercises.empty() &&
         std::all_of(exercises.begin(), exercises.end(), [](const auto& e) { return e.ok; });
}

bool TrialReport::pass() const {
  return exercised() && denials.empty() && undecided.empty() && run.complete;
}

namespace {

constexpr std::array<std::pair<Via, std::string_view>, 4> kVias = {{{Via::kAuto, "auto"},
                                                                    {Via::kEbpf, "ebpf"},
                                                                    {Via::kNotify, "notify"},
                                                                    {Via::kPtrace, "ptrace"}}};

Result<TrialReport> run_via_ebpf(const TrialSpec& spec) {
  if (!record::may_use_ebpf()) {
    const std::string what = spec.workload.run.runtime.empty()
                                 ? std::string("a trial by eBPF")
                                 : format("a trial in a {} container", spec.workload.run.runtime);
    return environment_error(what + " needs root (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN)", {},
                             "run as root, or use --runtime none --via notify, which needs no "
                             "privilege");
  }
  return EbpfTrial(spec).run();
}

Result<TrialReport> run_via_ptrace(const TrialSpec& spec) {
  if (spec.mode == Mode::kLog) {
    return input_error("by ptrace only refusals that happen are seen", {},
                       "use --mode enforce, or --via notify");
  }
  return run_by_ptrace(spec);
}

// Without the privilege for eBPF: the first way that can do what is asked.
Result<Via> choose_unprivileged(const TrialSpec& spec, const filter::Program& program) {
  if (check_for_notify(spec, program)) return Via::kNotify;
  if (spec.mode == Mode::kEnforce) return Via::kPtrace;
  return environment_error("evidence of a trial in log mode needs root (eBPF)", {},
                           "run as root, or leave out --evidence");
}

Result<TrialReport> run_natively(const TrialSpec& spec) {
  TRY_ASSIGN(const filter::Compiled compiled,
             filter::compile(spec.profile, filter::Flavour::kNative));
  Via via = spec.via;
  if (via == Via::kAuto) {
    TRY_ASSIGN(via, choose_unprivileged(spec, compiled.program));
  }
  TRY_ASSIGN(TrialReport report,
             via == Via::kNotify ? run_by_notify(spec, compiled.program) : run_via_ptrace(spec));
  report.via = via;
  return report;
}

}  // namespace

std::string_view via_name(Via via) { return kVias[static_cast<std::size_t>(via)].second; }

std::optional<Via> via_from_name(std::string_view name) {
  for (const auto& [via, text] : kVias) {
    if (text == name) return via;
  }
  return std::nullopt;
}

Result<TrialReport> run_trial(const TrialSpec& spec) {
  const bool container = !spec.workload.run.runtime.empty();
  const bool ebpf =
      spec.via == Via::kEbpf || (spec.via == Via::kAuto && (container || record::may_use_ebpf()));
  if (ebpf) return run_via_ebpf(spec);
  if (container) {
    return input_error(format("a trial in a container is not seen by {}", via_name(spec.via)), {},
                       "use --via ebpf, which needs root, or --runtime none");
  }
  return run_natively(spec);
}

}  // namespace whittle::trial
