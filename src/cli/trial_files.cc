// JUnit XML, Markdown and SARIF of trials.
#include <functional>

#include "base/text.h"
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
    } else if (c == '\n') {
      out += "&#10;";
    } else if (byte < 0x20 && c != '\t') {
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

template <typename T>
std::vector<std::string> texts(const std::vector<T>& items, std::string (*text)(const T&)) {
  std::vector<std::string> lines;
  for (const T& item : items) lines.push_back(text(item));
  return lines;
}

struct Case {
  std::string name;
  double seconds = 0;
  std::vector<std::string> problems;
};

std::vector<Case> cases_of(const trial::TrialReport& report) {
  std::vector<Case> cases;
  for (const host::ExerciseResult& result : report.exercises) {
    cases.push_back({result.name, result.seconds, {}});
    if (!result.ok) cases.back().problems.push_back(result.detail);
  }
  cases.push_back({"no denial", 0, texts(report.denials, denial_text)});
  cases.push_back({"nothing undecided", 0, texts(report.undecided, undecided_text)});
  cases.push_back({"complete", 0, {}});
  if (!report.run.complete) cases.back().problems.push_back(lost_text(report));
  return cases;
}

std::string case_xml(const Case& one, const std::string& workload) {
  std::string text = format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"",
                            xml(workload), xml(one.name), one.seconds);
  if (one.problems.empty()) return text + "/>\n";
  std::vector<std::string> lines;
  for (const std::string& problem : one.problems) lines.push_back(printable(problem, 4000));
  return text + format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                       xml(lines.front()), xml(join(lines, "\n")));
}

std::string suite_xml(const TrialOutcome& outcome) {
  const std::vector<Case> cases = cases_of(outcome.report);
  std::size_t failures = 0;
  std::string body;
  for (const Case& one : cases) {
    if (!one.problems.empty()) ++failures;
    body += case_xml(one, outcome.spec.workload.name);
  }
  std::string properties;
  for (const auto& [name, text] : version_lines(outcome.report.versions)) {
    properties += format("      <property name=\"{}\" value=\"{}\"/>\n", xml(name), xml(text));
  }
  std::string text = format(
      "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3f}\" "
      "timestamp=\"{}\">\n    <properties>\n"
      "      <property name=\"mode\" value=\"{}\"/>\n{}    </properties>\n{}",
      xml(outcome.spec.workload.name), cases.size(), failures, outcome.seconds,
      xml(outcome.report.run.started.substr(0, 19)), mode_name(outcome.spec), properties, body);
  if (!outcome.report.output.empty()) {
    text +=
        format("    <system-out>{}</system-out>\n", xml(printable_lines(outcome.report.output)));
  }
  return text + "  </testsuite>\n";
}

// Where in workload.yaml an exercise stands; 0: it is none, or there is no file.
std::uint32_t line_of(const TrialOutcome& outcome, const std::string& name) {
  for (const host::Exercise& exercise : outcome.spec.workload.exercises) {
    if (exercise.name == name) return exercise.line;
  }
  return 0;
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
  };
  return rules;
}

}  // namespace

std::string junit_xml(std::span<const TrialOutcome> outcomes) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"whittle\">\n";
  for (const TrialOutcome& outcome : outcomes) text += suite_xml(outcome);
  return text + "</testsuites>\n";
}

std::string trial_markdown(std::span<const TrialOutcome> outcomes) {
  std::string text = format(
      "## whittle verify: {}\n\n| workload | verdict | mode | runtime | "
      "exercises | denials |\n|---|---|---|---|---|---|\n",
      all_pass(outcomes) ? "pass" : "fail");
  for (const TrialOutcome& outcome : outcomes) {
    const trial::TrialReport& report = outcome.report;
    std::size_t held = 0;
    for (const host::ExerciseResult& result : report.exercises) held += result.ok ? 1 : 0;
    text +=
        format("| {} | {} | {} | {} | {} of {} | {} |\n", cell(outcome.spec.workload.name),
               report.pass() ? "pass" : "**fail**", mode_name(outcome.spec),
               runtime_name(outcome.spec), held, report.exercises.size(), report.denials.size());
  }
  for (const TrialOutcome& outcome : outcomes) {
    text += format("\n### {}\n\n", cell(outcome.spec.workload.name));
    for (const Case& one : cases_of(outcome.report)) {
      for (const std::string& problem : one.problems) {
        text += format("- {}: {}\n", cell(one.name), cell(problem));
      }
    }
    for (const auto& [name, what] : version_lines(outcome.report.versions)) {
      text += format("- {}: {}\n", name, cell(what));
    }
  }
  return text;
}

json::Value trial_sarif(std::span<const TrialOutcome> outcomes) {
  std::vector<SarifResult> results;
  for (const TrialOutcome& outcome : outcomes) {
    const auto add = [&](const char* rule, const std::string& phase, const std::string& message) {
      SarifResult result;
      result.rule = rule;
      result.level = "error";
      result.message = format("{}: {}", outcome.spec.workload.name, printable(message, 4000));
      result.file = outcome.spec.workload.path;
      result.line = line_of(outcome, phase);
      results.push_back(std::move(result));
    };
    const trial::TrialReport& report = outcome.report;
    for (const trial::Denial& denial : report.denials) {
      add("denied-call", denial.phase, denial_text(denial));
    }
    for (const host::ExerciseResult& result : report.exercises) {
      if (!result.ok) add("exercise-failed", result.name, result.name + ": " + result.detail);
    }
    for (const trial::Undecided& call : report.undecided) {
      add("undecided-call", "", undecided_text(call));
    }
    if (!report.run.complete) add("incomplete-trial", "", lost_text(report));
  }
  return sarif(sarif_rules(), results);
}

}  // namespace whittle::cli
