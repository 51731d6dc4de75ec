#include "trial/trial.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/text.h"
#include "filter/compile.h"
#include "host/prepared_run.h"
#include "record/record.h"
#include "record/refusals.h"
#include "record/workload_recording.h"
#include "trial/audit_trial.h"
#include "trial/common.h"
#include "trial/judge.h"
#include "trial/notify_trial.h"

namespace whittle::trial {

filter::Flavour flavour_of(const std::string& runtime) {
  if (runtime.empty()) return filter::Flavour::kNative;
  return runtime == "runc" ? filter::Flavour::kRunc : filter::Flavour::kCrun;
}

record::RecordSpec record_spec_of(const TrialSpec& spec) {
  record::RecordSpec record_spec;
  record_spec.under = "profile";
  record_spec.stacks = false;
  record_spec.time_limit = spec.time_limit;
  record_spec.output_to_stderr = true;
  record_spec.keep_output = spec.keep_output;
  record_spec.warn = spec.warn;
  return record_spec;
}

void take_recorded(record::Exercised& exercised, TrialReport& report) {
  report.run = std::move(exercised.recorded.run);
  report.exercises = std::move(exercised.results);
  report.output = std::move(exercised.recorded.output);
  report.output_dropped = exercised.recorded.output_dropped;
}

namespace {

// The PATH that the program is started with.
std::string search_path(const host::LaunchSpec& launch) {
  if (!launch.environment) {
    const char* ours = std::getenv("PATH");
    return ours == nullptr ? std::string() : ours;
  }
  for (const std::string& variable : *launch.environment) {
    if (variable.starts_with("PATH=")) return variable.substr(5);
  }
  return {};
}

}  // namespace

void add_native_versions(const host::PreparedRun& prepared, TrialReport& report) {
  report.versions = versions_here(nullptr);
  add_program_versions(prepared.launch().program, search_path(prepared.launch()), report.versions);
  add_package_version("", report.versions);
}

namespace {

using profile::Action;
using syscalls::Arch;

void take_verdicts(const Judge& judge, TrialReport& report) {
  report.denials = judge.denials();
  report.fallbacks = judge.fallbacks();
  report.undecided = judge.undecided();
}

// With privilege: natively or in a container.
Result<TrialReport> run_by_ebpf(const TrialSpec& spec) {
  const host::WorkloadRun& run = spec.workload.run;
  const bool log = spec.mode == Mode::kLog;
  TRY_ASSIGN(filter::Compiled expected, filter::compile(spec.profile, flavour_of(run.runtime)));
  host::RunFilter loaded = {expected.program, spec.profile_json};
  if (log) {
    const profile::Profile lenient = log_mode_profile(spec.profile);
    TRY_ASSIGN(filter::Compiled compiled, filter::compile(lenient, flavour_of(run.runtime)));
    loaded = {std::move(compiled.program), profile::write_oci(lenient)};
  }
  TRY_ASSIGN(host::PreparedRun prepared, host::PreparedRun::prepare(run, std::move(loaded)));
  TrialReport report;
  report.versions = versions_here(prepared.runtime());
  record::RecordSpec record_spec = record_spec_of(spec);
  record_spec.backend = record::Backend::kEbpf;
  record_spec.stacks = true;  // who made a refused call, and from where
  record_spec.judged_by = expected.program;
  record_spec.started = [&](pid_t pid) { add_program_versions(pid, report.versions); };
  TRY_ASSIGN(record::Exercised exercised,
             record::record_workload(spec.workload, record_spec, prepared));
  record::Recorded& recorded = exercised.recorded;
  add_package_version(prepared.root(), report.versions);
  report.filters = std::move(recorded.filters);
  take_recorded(exercised, report);
  // Log mode is judged by the real profile's filter, not by the lenient one that was loaded.
  Judge judge(spec.profile,
              log || report.filters.empty() ? std::vector<filter::Program>{expected.program}
                                            : report.filters,
              recorded.kept, log ? Judge::By::kArguments : Judge::By::kResult);
  for (const record::JudgedCall& call : recorded.judged) judge.add(call);
  judge.add_uncounted(report.run.syscalls, report.run.lost["judged"]);
  take_verdicts(judge, report);
  if (report.filters.empty() && !report.exercises.empty()) {
    host::ExerciseResult& first = report.exercises.front();
    first.ok = false;
    first.detail = "the program did not start under the profile: " + first.detail;
  }
  return report;
}

// The way without privilege: natively, enforcing, followed by ptrace.
Result<TrialReport> run_by_ptrace(const TrialSpec& spec) {
  TRY_ASSIGN(filter::Compiled compiled, filter::compile(spec.profile, filter::Flavour::kNative));
  TRY_ASSIGN(host::PreparedRun prepared,
             host::PreparedRun::prepare(spec.workload.run, {compiled.program, {}}));
  TrialReport report;
  report.filters = {compiled.program};
  Judge judge(spec.profile, report.filters, record::judge_specs(compiled.program),
              Judge::By::kResult);
  record::RecordSpec record_spec = record_spec_of(spec);
  record_spec.backend = record::Backend::kPtrace;
  record_spec.filter = compiled.program;
  record_spec.refused = [&](const record::JudgedCall& call) { judge.add(call); };
  TRY_ASSIGN(record::Exercised exercised,
             record::record_workload(spec.workload, record_spec, prepared));
  take_recorded(exercised, report);
  add_native_versions(prepared, report);
  take_verdicts(judge, report);
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

constexpr std::array<std::pair<Via, std::string_view>, 5> kVias = {{{Via::kAuto, "auto"},
                                                                    {Via::kEbpf, "ebpf"},
                                                                    {Via::kNotify, "notify"},
                                                                    {Via::kPtrace, "ptrace"},
                                                                    {Via::kAudit, "audit"}}};

Result<TrialReport> run_via_ebpf(const TrialSpec& spec) {
  if (!record::may_use_ebpf()) {
    const std::string what = spec.workload.run.runtime.empty()
                                 ? std::string("a trial by eBPF")
                                 : format("a trial in a {} container", spec.workload.run.runtime);
    return environment_error(what + " needs root (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN)", {},
                             "run as root, or use --runtime none --via notify, which needs no "
                             "privilege");
  }
  return run_by_ebpf(spec);
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
  if (spec.via == Via::kAudit) {
    TRY_ASSIGN(TrialReport report, run_by_audit(spec));
    report.via = Via::kAudit;
    return report;
  }
  if (container) {
    return input_error(format("a trial in a container is not seen by {}", via_name(spec.via)), {},
                       "use --via ebpf, which needs root, or --runtime none");
  }
  return run_natively(spec);
}

}  // namespace whittle::trial
