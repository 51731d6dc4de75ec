// JUnit XML, Markdown and SARIF of trials.
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/sarif.h"
#include "cli/trial_report.h"

namespace whittle::cli {

namespace {

// Text and attribute values (XML 1.0, 2.2 and 2.4). What XML cannot hold has become "?" before.
std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (byte < 0x20 && c != '\t' && c != '\n') {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

// Of many lines: each is made printable by itself.
std::string printable_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : split(text, '\n')) lines.push_back(printable(line, 4000));
  return join(lines, "\n");
}

// A cell of a table, or text in a line of Markdown: nothing in it may end the cell or start markup.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text, 2000)) {
    if (std::string_view("\\|`*_<>[]").find(c) != std::string_view::npos) out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string case_xml(const TrialCase& one, const std::string& workload) {
  std::string text = format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"",
                            xml(workload), xml(one.name), one.seconds);
  if (one.problems.empty()) return text + "/>\n";
  std::vector<std::string> lines;
  for (const std::string& problem : one.problems) lines.push_back(printable(problem, 4000));
  return text +
         format(">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                one.name.starts_with("budget: ") ? "budget" : "trial", xml(lines.front()),
                xml(join(lines, "\n")));
}

std::string host_name() {
  utsname names{};
  const bool known = ::uname(&names) == 0 && names.nodename[0] != '\0';
  return known ? printable(names.nodename) : "localhost";
}

// Ant's schema wants every attribute, each of these elements once and in this order.
std::string suite_xml(const TrialOutcome& outcome, std::size_t id) {
  const std::vector<TrialCase> cases = cases_of(outcome);
  std::size_t failures = 0;
  std::string body;
  for (const TrialCase& one : cases) {
    if (!one.problems.empty()) ++failures;
    body += case_xml(one, outcome.spec.workload.name);
  }
  std::string properties;
  for (const auto& [name, text] : version_lines(outcome.report.versions)) {
    properties += format("      <property name=\"{}\" value=\"{}\"/>\n", xml(name), xml(text));
  }
  const std::string& began = outcome.report.run.started;
  const std::string name = xml(outcome.spec.workload.name);
  return format(
      "  <testsuite id=\"{}\" package=\"whittle\" name=\"{}\" hostname=\"{}\" tests=\"{}\" "
      "failures=\"{}\" errors=\"0\" time=\"{:.3f}\" timestamp=\"{}\">\n    <properties>\n"
      "      <property name=\"mode\" value=\"{}\"/>\n{}    </properties>\n{}"
      "    <system-out>{}</system-out>\n    <system-err></system-err>\n  </testsuite>\n",
      id, name.empty() ? "workload" : name, xml(host_name()), cases.size(), failures,
      outcome.seconds, xml((began.empty() ? utc_timestamp() : began).substr(0, 19)),
      mode_name(outcome.spec), properties, body, xml(printable_lines(outcome.report.output)));
}

const std::vector<SarifRule>& sarif_rules() {
  static const std::vector<SarifRule> rules = {
      {"denied-call", "the profile refuses a call that the workload makes", "error",
       "docs/verify.md#denials"},
      {"exercise-failed", "an exercise of the workload fails under the profile", "error",
       "docs/verify.md#exercises"},
      {"undecided-call", "it cannot be told whether a call was refused", "error",
       "docs/verify.md#undecided"},
      {"incomplete-trial", "something was lost, so the trial proves nothing", "error",
       "docs/verify.md#verdict"},
      {kLooserProfile, "the profile lets through what the one before does not", "error",
       "docs/budget.md#looser-profile"},
      {kStaleCall, "the profile allows a call that no recording has used for long", "error",
       "docs/budget.md#stale-call"},
      {kLowScore, "the profile blocks fewer public exploits than the budget wants", "error",
       "docs/budget.md#low-score"},
      {kTooManyCalls, "the profile allows more calls than the budget has", "error",
       "docs/budget.md#too-many-calls"},
      {kCallOutsideProfile, "the workload needs a call that the profile refuses", "error",
       "docs/budget.md#call-outside-profile"},
  };
  return rules;
}

// Where a trial is at fault: in the workload's file what runs in the phase; without one the
// profile.
SarifResult result_of(const TrialOutcome& outcome, const char* rule, const std::string& phase,
                      const std::string& message) {
  const host::Workload& workload = outcome.spec.workload;
  SarifResult result;
  result.rule = rule;
  result.level = "error";
  result.message = format("{}: {}", workload.name, printable(message, 4000));
  result.file = workload.path.empty() ? workload.profile : workload.path;
  result.line = std::max(1U, host::line_of_phase(workload, phase));
  return result;
}

// The same call at the same place is the same from one trial to the next, whatever its count.
std::string identity_of(const trial::Denial& denial) {
  const evidence::Frame* origin = trial::origin(denial);
  return format("{} {} {} {} {}", syscalls::arch_name(denial.arch), trial::call_text(denial),
                denial.comm, denial.phase, origin == nullptr ? "" : origin->symbol);
}

void add_trial(const TrialOutcome& outcome, std::vector<SarifResult>& results) {
  const trial::TrialReport& report = outcome.report;
  for (const trial::Denial& denial : report.denials) {
    results.push_back(result_of(outcome, "denied-call", denial.phase, denial_text(denial)));
    results.back().identity = identity_of(denial);
  }
  for (const host::ExerciseResult& one : report.exercises) {
    if (one.ok) continue;
    results.push_back(
        result_of(outcome, "exercise-failed", one.name, one.name + ": " + one.detail));
    results.back().identity = one.name;
  }
  for (const trial::Undecided& call : report.undecided) {
    results.push_back(result_of(outcome, "undecided-call", "run", undecided_text(call)));
    results.back().identity = format("{} {}", syscalls::arch_name(call.arch), call.syscall);
  }
  if (!report.run.complete) {
    results.push_back(result_of(outcome, "incomplete-trial", "run", lost_text(report)));
    results.back().identity = outcome.spec.workload.name;
  }
}

void add_budget(const TrialOutcome& outcome, std::vector<SarifResult>& results) {
  for (const BudgetFinding& finding : outcome.budget->findings) {
    SarifResult result = result_of(outcome, finding.rule.c_str(), "", finding.message);
    if (!finding.file.empty()) {
      result.file = finding.file;
      result.line = std::max(1U, finding.line);
    }
    result.identity =
        outcome.spec.workload.name + " " + (finding.call.empty() ? finding.message : finding.call);
    results.push_back(std::move(result));
  }
}

// "deploy/web/workload.yaml", not "./deploy//web/workload.yaml": code hosts look for the very path.
std::string plain_path(const std::string& file) {
  if (file.empty() || file == "-" || is_baseline(file)) return file;
  return std::filesystem::path(file).lexically_normal().string();
}

constexpr std::size_t kMostProblems = 50;  // of one workload in Markdown
constexpr std::size_t kMostLines = 40;     // of its output

std::string problems_markdown(const TrialOutcome& outcome) {
  std::vector<std::string> lines;
  for (const TrialCase& one : cases_of(outcome)) {
    for (const std::string& problem : one.problems) {
      lines.push_back(format("| {} | {} |\n", cell(one.name), cell(problem)));
    }
  }
  if (lines.empty()) return {};
  std::string text = "\n| what | why |\n|---|---|\n";
  for (std::size_t i = 0; i < lines.size() && i < kMostProblems; ++i) text += lines[i];
  if (lines.size() > kMostProblems) {
    text += format("\n... and {} more.\n", lines.size() - kMostProblems);
  }
  return text;
}

// Lines that are indented by four are code, whatever they hold.
std::string output_markdown(const std::string& output) {
  std::vector<std::string> lines = split(printable_lines(output), '\n');
  while (!lines.empty() && trim(lines.back()).empty()) lines.pop_back();
  if (lines.empty()) return {};
  const std::size_t from = lines.size() > kMostLines ? lines.size() - kMostLines : 0;
  std::string text = "\n<details><summary>what it wrote last</summary>\n\n";
  for (std::size_t i = from; i < lines.size(); ++i) text += "    " + lines[i] + "\n";
  return text + "\n</details>\n";
}

std::string probes_markdown(const TrialOutcome& outcome) {
  if (!outcome.probes) return {};
  std::vector<std::string> open;
  std::size_t blocked = 0;
  for (const trial::Probe& probe : outcome.probes->probes) {
    if (probe.blocked) {
      ++blocked;
    } else {
      open.push_back(cell(probe.name));
    }
  }
  std::string text = format("\n{} of {} attack steps are blocked by the filter", blocked,
                            outcome.probes->probes.size());
  if (open.empty()) return text + ".\n";
  return text + format("; not {}.\n", join(open, ", "));
}

std::string workload_markdown(const TrialOutcome& outcome) {
  std::string text =
      format("\n### {}: {}\n", cell(outcome.spec.workload.name), outcome.pass() ? "pass" : "fail");
  text += problems_markdown(outcome);
  if (outcome.budget) {
    for (const std::string& note : outcome.budget->notes) text += format("\n{}\n", cell(note));
  }
  text += probes_markdown(outcome);
  if (!outcome.pass()) text += output_markdown(outcome.report.output);
  text += "\n<details><summary>versions</summary>\n\n";
  for (const auto& [name, what] : version_lines(outcome.report.versions)) {
    text += format("- {}: {}\n", name, cell(what));
  }
  return text + "\n</details>\n";
}

}  // namespace

std::string junit_xml(std::span<const TrialOutcome> outcomes) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (std::size_t i = 0; i < outcomes.size(); ++i) text += suite_xml(outcomes[i], i);
  return text + "</testsuites>\n";
}

std::string trial_markdown(std::span<const TrialOutcome> outcomes) {
  const bool budgets = std::any_of(outcomes.begin(), outcomes.end(),
                                   [](const TrialOutcome& one) { return one.budget.has_value(); });
  std::string text = format(
      "## whittle verify: {}\n\n| workload | verdict | mode | runtime | exercises | denials |{}\n"
      "|---|---|---|---|---|---|{}\n",
      all_pass(outcomes) ? "pass" : "fail", budgets ? " budget |" : "", budgets ? "---|" : "");
  for (const TrialOutcome& outcome : outcomes) {
    const trial::TrialReport& report = outcome.report;
    std::size_t held = 0;
    for (const host::ExerciseResult& result : report.exercises) held += result.ok ? 1 : 0;
    text +=
        format("| {} | {} | {} | {} | {} of {} | {} |", cell(outcome.spec.workload.name),
               outcome.pass() ? "pass" : "**fail**", mode_name(outcome.spec),
               runtime_name(outcome.spec), held, report.exercises.size(), report.denials.size());
    if (budgets) {
      text += outcome.budget ? format(" {} |", plural(outcome.budget->findings.size(), "finding"))
                             : " none |";
    }
    text += "\n";
  }
  for (const TrialOutcome& outcome : outcomes) text += workload_markdown(outcome);
  return text;
}

json::Value trial_sarif(std::span<const TrialOutcome> outcomes) {
  std::vector<SarifResult> results;
  for (const TrialOutcome& outcome : outcomes) {
    add_trial(outcome, results);
    if (outcome.budget) add_budget(outcome, results);
  }
  for (SarifResult& result : results) result.file = plain_path(result.file);
  return sarif(sarif_rules(), results);
}

}  // namespace whittle::cli
