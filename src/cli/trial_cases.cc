// What a trial and its budget come to, case by case: what JUnit XML and Markdown tell.
#include <algorithm>

#include "base/text.h"
#include "cli/trial_report.h"

namespace whittle::cli {

namespace {

// The case that a phase belongs to: the exercise of its name; what comes before the first exercise
// is part of getting ready.
TrialCase& case_of_phase(std::vector<TrialCase>& cases, const std::string& phase) {
  for (TrialCase& one : cases) {
    if (one.name == phase) return one;
  }
  return cases.front();
}

void add_denials(const std::vector<trial::Denial>& denials, std::vector<TrialCase>& cases) {
  for (const trial::Denial& denial : denials) {
    case_of_phase(cases, denial.phase).problems.push_back("denied: " + denial_text(denial));
  }
}

void add_budget(const BudgetReport& budget, std::vector<TrialCase>& cases) {
  for (const std::string& rule : budget.checked) {
    cases.push_back({"budget: " + rule, 0, {}});
    for (const BudgetFinding& finding : budget.findings) {
      if (finding.rule == rule) cases.back().problems.push_back(finding_text(finding));
    }
  }
}

}  // namespace

std::string undecided_text(const trial::Undecided& call) {
  return format("{} {}, {}: {}", syscalls::arch_name(call.arch), call.syscall,
                plural(call.count, "time"), call.why);
}

std::string lost_text(const trial::TrialReport& report) {
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : report.run.lost) {
    if (count != 0) kinds.push_back(format("{} of kind \"{}\"", count, kind));
  }
  return kinds.empty() ? "the recording was cut short" : join(kinds, ", ") + " lost";
}

std::string finding_text(const BudgetFinding& finding) {
  const std::string message = printable(finding.message, 4000);
  if (finding.file.empty()) return message;
  if (finding.line == 0) return format("{}: {}", printable(finding.file), message);
  return format("{}:{}: {}", printable(finding.file), finding.line, message);
}

std::vector<TrialCase> cases_of(const TrialOutcome& outcome) {
  const trial::TrialReport& report = outcome.report;
  std::vector<TrialCase> cases;
  const auto has = [&report](std::string_view name) {
    return std::any_of(report.exercises.begin(), report.exercises.end(),
                       [name](const host::ExerciseResult& result) { return result.name == name; });
  };
  if (!has("ready") && !has("run")) cases.push_back({"startup", 0, {}});
  for (const host::ExerciseResult& result : report.exercises) {
    cases.push_back({result.name, result.seconds, {}});
    if (!result.ok) cases.back().problems.push_back(result.detail);
  }
  add_denials(report.denials, cases);
  cases.push_back({"nothing undecided", 0, {}});
  for (const trial::Undecided& call : report.undecided) {
    cases.back().problems.push_back(undecided_text(call));
  }
  cases.push_back({"complete", 0, {}});
  if (!report.run.complete) cases.back().problems.push_back(lost_text(report));
  if (outcome.budget) add_budget(*outcome.budget, cases);
  return cases;
}

}  // namespace whittle::cli
