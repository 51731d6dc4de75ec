// What `verify` says of its trials: for people, as JSON, JUnit XML, Markdown and SARIF. The content
// is the same in all (docs/verify.md).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/json.h"
#include "trial/probe.h"
#include "trial/trial.h"

namespace whittle::cli {

struct TrialOutcome {
  trial::TrialSpec spec;
  trial::TrialReport report;
  std::optional<trial::ProbeReport> probes;
  double seconds = 0;  // all of it
};

bool all_pass(std::span<const TrialOutcome> outcomes);

std::string trial_text(const TrialOutcome& outcome);
// One outcome by itself, or several together with one verdict.
json::Value trial_json(std::span<const TrialOutcome> outcomes);

// A suite for each workload: its exercises, "no denial", "nothing undecided", "complete".
std::string junit_xml(std::span<const TrialOutcome> outcomes);
// A summary for a pull request.
std::string trial_markdown(std::span<const TrialOutcome> outcomes);
// Denials and failures at the lines of workload.yaml that they belong to.
json::Value trial_sarif(std::span<const TrialOutcome> outcomes);

// "x86_64 mkdir(...)  errno EPERM  by worker in phase reload, 3 times, from make_cache in
// app+0x1189"
std::string denial_text(const trial::Denial& denial);
// One of the report's "denials".
json::Value denial_json(const trial::Denial& denial);
// "runc", "crun", "none"
std::string runtime_name(const trial::TrialSpec& spec);
std::string mode_name(const trial::TrialSpec& spec);
// "program", what it is; those that are known.
std::vector<std::pair<std::string, std::string>> version_lines(const trial::Versions& versions);

}  // namespace whittle::cli
