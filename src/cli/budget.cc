#include "cli/budget.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/text.h"
#include "cli/load_evidence.h"
#include "evidence/evidence.h"
#include "filter/change_text.h"
#include "filter/compare.h"
#include "filter/compile.h"
#include "generate/generate.h"
#include "review/explain.h"
#include "review/score.h"
#include "syscalls/table.h"
#include "trial/judge.h"

namespace whittle::cli {

namespace {

using evidence::Observation;
using syscalls::Arch;

struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::string why;  // ", used by exercise reload"
};

// All that the rules look at.
struct Subject {
  const host::Workload& workload;
  const host::Budget& budget;
  const profile::Profile& profile;
  json::Value document;  // of the profile; null when it is no JSON
  evidence::Evidence history;
  filter::Program program;
  std::vector<Arch> arches;
};

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// As a user would write it from here.
std::string short_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path near = std::filesystem::relative(path, error);
  const bool below = !error && !near.empty() && *near.begin() != "..";
  return below && std::filesystem::path(path).is_absolute() ? near.string() : path;
}

std::string by_phase(const host::Workload& workload, const std::string& phase) {
  const bool exercise = std::any_of(workload.exercises.begin(), workload.exercises.end(),
                                    [&](const host::Exercise& one) { return one.name == phase; });
  return exercise ? "by exercise " + phase : "in phase " + phase;
}

// An exercise says more than what all do at their start and end.
std::string telling_phase(const host::Workload& workload, const std::vector<std::string>& phases) {
  for (const std::string& phase : phases) {
    for (const host::Exercise& exercise : workload.exercises) {
      if (exercise.name == phase) return phase;
    }
  }
  return phases.empty() ? std::string() : phases.front();
}

std::optional<Place> place_of_phases(const host::Workload& workload,
                                     const std::vector<std::string>& phases, const char* verb) {
  const std::string phase = telling_phase(workload, phases);
  if (phase.empty() || workload.path.empty()) return std::nullopt;
  return Place{workload.path, host::line_of_phase(workload, phase),
               format(", {} {}", verb, by_phase(workload, phase))};
}

std::optional<Place> place_of_allow(const host::Workload& workload, const std::string& call) {
  const host::WorkloadPolicy& policy = workload.policy;
  for (std::size_t i = 0; i < policy.allow.size(); ++i) {
    if (policy.allow[i] == call) {
      return Place{workload.path, policy.allow_lines.at(i), ", which policy.allow asks for"};
    }
  }
  return std::nullopt;
}

// Where the profile names the call; else its first line.
Place place_in_profile(const Subject& subject, const std::string& call) {
  Place place{short_path(subject.workload.profile), 1, {}};
  const json::Value* rules = subject.document.find("syscalls");
  if (rules == nullptr || rules->array() == nullptr) return place;
  for (const json::Value& rule : *rules->array()) {
    const json::Value* names = rule.find("names");
    if (names == nullptr || names->array() == nullptr) continue;
    for (const json::Value& name : *names->array()) {
      if (name.string() == nullptr || *name.string() != call) continue;
      place.line = name.line();
      return place;
    }
  }
  return place;
}

void add(BudgetReport& report, const char* rule, std::string message, const Place& place,
         std::string call = {}) {
  report.findings.push_back(
      {rule, std::move(message) + place.why, place.file, place.line, std::move(call)});
}

Place place_in_budget(const Subject& subject, std::uint32_t line) {
  return {subject.budget.file, line, {}};
}

// --- looser
// ---------------------------------------------------------------------------------------

// Who asks for a call: the policy, an exercise, or the profile alone.
Place cause_of(const Subject& subject, const std::string& call) {
  if (const auto place = place_of_allow(subject.workload, call)) return *place;
  for (const Observation& one : subject.history.syscalls()) {
    if (one.name != call || one.needed() == 0) continue;
    if (const auto place = place_of_phases(subject.workload, one.phases, "used")) return *place;
  }
  return place_in_profile(subject, call);
}

// One change for all ABIs on which it is the same.
struct Looser {
  filter::Change change;
  std::vector<std::string> arches;
};

void collect_looser(const filter::Comparison& comparison, const host::Budget& budget,
                    std::vector<Looser>& changes) {
  for (const filter::Change& change : comparison.changes) {
    if (change.direction != filter::Direction::kLooser) continue;
    if (contains(budget.looser, std::string(change.name))) continue;
    const auto same = std::find_if(changes.begin(), changes.end(), [&](const Looser& known) {
      return filter::subject_text(known.change) == filter::subject_text(change) &&
             filter::headline(known.change) == filter::headline(change);
    });
    const std::string arch(syscalls::arch_name(change.arch));
    if (same != changes.end()) {
      same->arches.push_back(arch);
    } else {
      changes.push_back({change, {arch}});
    }
  }
}

// What is to be compared at once. A baseline is another profile for each family of ABIs.
std::vector<std::vector<Arch>> families(const Subject& subject, const std::string& against) {
  if (!is_baseline(against)) return {subject.arches};
  std::map<Arch, std::vector<Arch>> by_native;
  for (const Arch arch : subject.arches) by_native[syscalls::native_of(arch)].push_back(arch);
  std::vector<std::vector<Arch>> all;
  for (const auto& [native, arches] : by_native) all.push_back(arches);
  return all;
}

Result<void> check_looser(const Subject& subject, const std::string& against,
                          BudgetReport& report) {
  report.checked.emplace_back(kLooserProfile);
  std::vector<Looser> changes;
  bool decided = true;
  for (const std::vector<Arch>& arches : families(subject, against)) {
    profile::Setting setting = default_setting();
    if (is_baseline(against)) setting.arch = syscalls::native_of(arches.front());
    TRY_ASSIGN(const auto reference, load_reference(against, subject.workload.profile, setting));
    if (!reference) {
      report.notes.push_back(format("{} has no {}: there is nothing that it could be looser than",
                                    against, short_path(subject.workload.profile)));
      return {};
    }
    TRY_ASSIGN(const filter::Compiled before,
               filter::compile(*reference, flavour_of_run(subject.workload.run)));
    TRY_ASSIGN(const filter::Comparison comparison,
               filter::compare(before.program, subject.program, arches));
    collect_looser(comparison, subject.budget, changes);
    decided = decided && comparison.undecided.empty();
  }
  for (const auto& [change, arches] : changes) {
    const std::string call(change.name);
    add(report, kLooserProfile,
        format("looser than {}: {}: {} ({})", against, filter::subject_text(change),
               filter::headline(change), join(arches, ", ")),
        cause_of(subject, call), call);
  }
  if (!decided) {
    add(report, kLooserProfile, "it cannot be told whether it is looser than " + against,
        place_in_profile(subject, ""));
  }
  return {};
}

// --- stale
// ----------------------------------------------------------------------------------------

// The last N recordings, what later entered their containers included; nullopt: there are fewer.
std::optional<evidence::Evidence> last_runs(const evidence::Evidence& history, std::uint64_t n) {
  std::uint64_t seen = 0;
  evidence::Evidence last;
  for (auto run = history.runs.rbegin(); run != history.runs.rend(); ++run) {
    last.runs.push_back(*run);
    if (run->part.empty() && ++seen == n) break;
  }
  if (seen < n) return std::nullopt;
  std::reverse(last.runs.begin(), last.runs.end());
  return last;
}

// Every call that a profile of these recordings would hold, and every one that was made.
Result<std::set<std::string>> calls_in_use(const Subject& subject,
                                           const evidence::Evidence& recordings) {
  generate::Options options;
  options.arches.clear();
  for (const Arch arch : subject.arches) options.arches.insert(syscalls::native_of(arch));
  for (const Arch arch : options.arches) options.base.emplace(arch, generate::no_base(arch));
  options.arguments = syscalls::Level::kBase;
  TRY_ASSIGN(const generate::Outcome outcome, generate::generate(recordings, options));
  std::set<std::string> names;
  for (const generate::CallReasons& reasons : outcome.reasons) names.insert(reasons.syscall);
  for (const Observation& one : recordings.syscalls()) {
    if (one.needed() > 0) names.insert(one.name);
  }
  return names;
}

std::set<std::string> allowed_names(const Subject& subject) {
  std::set<std::string> names;
  for (const profile::Rule& rule : subject.profile.rules()) {
    if (!rule.verdict.allows()) continue;
    for (const std::string& name : rule.names) {
      const auto has = [&name](Arch arch) { return syscalls::number(arch, name).has_value(); };
      if (std::any_of(subject.arches.begin(), subject.arches.end(), has)) names.insert(name);
    }
  }
  return names;
}

Place cause_of_stale(const Subject& subject, const std::string& call, std::string& last_used) {
  last_used = "no recording has it";
  std::optional<Place> used;
  for (const evidence::Run& run : subject.history.runs) {
    for (const Observation& one : run.syscalls) {
      if (one.name != call || one.needed() == 0) continue;
      last_used = "last on " + run.started.substr(0, 10);
      used = place_of_phases(subject.workload, one.phases, "then used");
    }
  }
  if (const auto place = place_of_allow(subject.workload, call)) return *place;
  return used ? *used : place_in_profile(subject, call);
}

Result<void> check_stale(const Subject& subject, BudgetReport& report) {
  const std::uint64_t n = subject.budget.stale->value;
  if (subject.profile.default_verdict().allows()) {
    report.notes.emplace_back("stale: the profile allows what it does not name, which is not told");
    return {};
  }
  const auto last = last_runs(subject.history, n);
  if (!last) {
    const auto runs = std::count_if(subject.history.runs.begin(), subject.history.runs.end(),
                                    [](const evidence::Run& run) { return run.part.empty(); });
    report.notes.push_back(format("stale: {} wanted, the evidence has {}: nothing is stale yet",
                                  plural(n, "recording"), runs));
    return {};
  }
  report.checked.emplace_back(kStaleCall);
  TRY_ASSIGN(const std::set<std::string> in_use, calls_in_use(subject, *last));
  for (const std::string& call : allowed_names(subject)) {
    if (in_use.contains(call) || contains(subject.budget.keep, call)) continue;
    std::string last_used;
    const Place place = cause_of_stale(subject, call, last_used);
    add(report, kStaleCall,
        format("{}: allowed, and not used in the last {}; {}", call, plural(n, "recording"),
               last_used),
        place, call);
  }
  return {};
}

// --- numbers
// --------------------------------------------------------------------------------------

Result<void> check_numbers(const Subject& subject, BudgetReport& report) {
  const host::Budget& budget = subject.budget;
  if (!budget.score && !budget.calls) return {};
  TRY_ASSIGN(const review::Score score, review::score({&subject.program, 1}, subject.arches));
  if (budget.score) {
    report.checked.emplace_back(kLowScore);
    if (score.blocked() < budget.score->value) {
      std::vector<std::string> ways;
      for (const review::StepScore& step : score.steps) {
        ways.insert(ways.end(), step.ways.begin(), step.ways.end());
      }
      add(report, kLowScore,
          format("{} of {} public kernel exploits are blocked, fewer than {}; let through: {}",
                 score.blocked(), score.total, budget.score->value, join(ways, ", ")),
          place_in_budget(subject, budget.score->line));
    }
  }
  if (!budget.calls) return {};
  report.checked.emplace_back(kTooManyCalls);
  for (const review::ArchScore& arch : score.arches) {
    if (syscalls::native_of(arch.arch) != arch.arch) continue;
    if (arch.allowed <= budget.calls->value) continue;
    add(report, kTooManyCalls,
        format("{} are allowed on {}, more than {}", plural(arch.allowed, "call"),
               syscalls::arch_name(arch.arch), budget.calls->value),
        place_in_budget(subject, budget.calls->line));
  }
  return {};
}

// --- outside
// --------------------------------------------------------------------------------------

// The calls of the evidence that the filter refuses, whole or with the values that were seen.
void check_outside(const Subject& subject, BudgetReport& report) {
  report.checked.emplace_back(kCallOutsideProfile);
  filter::Decider decider(subject.program);
  for (const Observation& one : subject.history.syscalls()) {
    if (one.needed() == 0 || contains(subject.budget.outside, one.name)) continue;
    if (trial::is_fallback(subject.profile, one.arch, one.name, {})) continue;
    const filter::Decision decision = decider.decide(one.arch, one.nr);
    const filter::Reachable any = filter::allowed_with(decision, {});
    std::vector<std::string> wanted;
    if (any.decided && !any.args) {
      wanted.push_back(one.name);
    } else {
      for (const std::string& values : review::refused_values(one, decision)) {
        wanted.push_back(format("{}({})", one.name, values));
      }
    }
    if (wanted.empty()) continue;
    const Place at_call = place_in_profile(subject, one.name);
    const Place place = place_of_phases(subject.workload, one.phases, "made").value_or(at_call);
    add(report, kCallOutsideProfile,
        format("{} {}: recorded, and outside the profile", syscalls::arch_name(one.arch),
               join(wanted, ", ")),
        place, one.name);
  }
}

Result<evidence::Evidence> history_of(const host::Workload& workload, const host::Budget& budget) {
  std::vector<std::string> paths = budget.evidence;
  std::error_code error;
  if (paths.empty() && std::filesystem::exists(workload.evidence, error)) {
    paths.push_back(workload.evidence);
  }
  TRY_ASSIGN(const std::vector<evidence::Evidence> parts, load_evidence(paths));
  return evidence::merge(parts);
}

std::string reference_of(const host::Budget& budget) {
  std::string against = baseline_or_profile(budget.against);
  const bool elsewhere = against.empty() || against == "-" || is_baseline(against) ||
                         against.starts_with("git:") || budget.directory.empty();
  if (elsewhere) return against;
  return short_path((std::filesystem::path(budget.directory) / against).lexically_normal());
}

}  // namespace

filter::Flavour flavour_of_run(const host::WorkloadRun& run) {
  if (run.runtime.empty()) return filter::Flavour::kNative;
  return run.runtime == "runc" ? filter::Flavour::kRunc : filter::Flavour::kCrun;
}

Result<BudgetReport> check_budget(const host::Workload& workload, const host::Budget& budget,
                                  const LoadedProfile& loaded) {
  TRY_ASSIGN(evidence::Evidence history, history_of(workload, budget));
  TRY_ASSIGN(filter::Compiled compiled,
             filter::compile(loaded.profile, flavour_of_run(workload.run)));
  Subject subject{workload,
                  budget,
                  loaded.profile,
                  {},
                  std::move(history),
                  std::move(compiled.program),
                  filter::covered_arches(loaded.profile)};
  if (auto document = json::parse(loaded.document, workload.profile)) {
    subject.document = *std::move(document);
  }
  BudgetReport report;
  if (const std::string against = reference_of(budget); !against.empty()) {
    TRY(check_looser(subject, against, report));
  }
  if (budget.stale) TRY(check_stale(subject, report));
  TRY(check_numbers(subject, report));
  check_outside(subject, report);
  return report;
}

void add_denials(std::span<const trial::Denial> denials, const host::Workload& workload,
                 const host::Budget& budget, BudgetReport& report) {
  for (const trial::Denial& denial : denials) {
    const auto known = [&denial](const BudgetFinding& finding) {
      return finding.rule == kCallOutsideProfile && finding.call == denial.syscall;
    };
    if (contains(budget.outside, denial.syscall)) continue;
    if (std::any_of(report.findings.begin(), report.findings.end(), known)) continue;
    Place place{short_path(workload.profile), 1, ", in phase " + denial.phase};
    if (const auto phase = place_of_phases(workload, {denial.phase}, "made")) place = *phase;
    add(report, kCallOutsideProfile,
        format("{} {}: needed, and outside the profile", syscalls::arch_name(denial.arch),
               trial::call_text(denial)),
        place, denial.syscall);
  }
}

}  // namespace whittle::cli
