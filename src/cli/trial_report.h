// What `verify` says of its trials: for people, as JSON, JUnit XML, Markdown and SARIF. The content
// is the same in all (docs/verify.md).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/json.h"
#include "cli/budget.h"
#include "trial/probe.h"
#include "trial/trial.h"

namespace whittle::cli {

struct TrialOutcome {
  trial::TrialSpec spec;
  trial::TrialReport report;
  std::optional<trial::ProbeReport> probes;
  std::optional<BudgetReport> budget;
  double seconds = 0;  // all of it

  // The trial passed, and the budget is kept.
  bool pass() const { return report.pass() && (!budget || budget->findings.empty()); }
};

bool all_pass(std::span<const TrialOutcome> outcomes);

std::string trial_text(const TrialOutcome& outcome);
// One outcome by itself, or several together with one verdict.
json::Value trial_json(std::span<const TrialOutcome> outcomes);

// What a report says of one exercise, or of what else must hold, as a case of a test: it passed
// when nothing is wrong.
struct TrialCase {
  std::string name;
  double seconds = 0;
  std::vector<std::string> problems;
};
// "ready" or "startup", the exercises and "stop", each with the calls that were refused meanwhile;
// "nothing undecided", "complete", and the rules of the budget.
std::vector<TrialCase> cases_of(const TrialOutcome& outcome);
std::string undecided_text(const trial::Undecided& call);
std::string lost_text(const trial::TrialReport& report);
// "FILE:LINE: ..." of a finding.
std::string finding_text(const BudgetFinding& finding);

// A suite for each workload, a case for each of cases_of(). Valid by the schemas of Ant's and of
// Jenkins' JUnit reports.
std::string junit_xml(std::span<const TrialOutcome> outcomes);
// A summary for a pull request or a job.
std::string trial_markdown(std::span<const TrialOutcome> outcomes);
// Denials, failures and what breaks the budget, at the lines of workload.yaml that they belong to.
json::Value trial_sarif(std::span<const TrialOutcome> outcomes);

json::Value denial_json(const trial::Denial& denial);
// The frame that says whose call it is; null: not known.
json::Value where_json(const trial::Denial& denial);
// "x86_64 mkdir(...)  errno EPERM  by worker in phase reload, 3 times, from make_cache in
// app+0x1189"
std::string denial_text(const trial::Denial& denial);
// One of the report's "denials".
// "runc", "crun", "none"
std::string runtime_name(const trial::TrialSpec& spec);
std::string mode_name(const trial::TrialSpec& spec);
// "program", what it is; those that are known.
std::vector<std::pair<std::string, std::string>> version_lines(const trial::Versions& versions);

}  // namespace whittle::cli
