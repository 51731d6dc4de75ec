#include "cli/trial_report.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/probe_report.h"

namespace whittle::cli {

namespace {

json::Value arguments_json(const std::array<std::uint64_t, 6>& args, bool hex) {
  json::Array values;
  for (const std::uint64_t arg : args) {
    values.push_back(hex ? json::Value(format("{:#x}", arg)) : json::Value(arg));
  }
  return values;
}

json::Value frame_json(const evidence::Frame& frame) {
  json::Value out;
  out.set("library", frame.object).set("build_id", frame.build_id);
  out.set("offset", frame.offset).set("symbol", frame.symbol);
  return out;
}

// Of the first occurrence; null what is not known.
void set_occurrence(const trial::Denial& denial, json::Value& item) {
  const trial::Occurrence& first = denial.first;
  json::Array stack;
  for (const evidence::Frame& frame : first.stack) stack.push_back(frame_json(frame));
  item.set("text", trial::call_text(denial));
  item.set("thread", first.thread == 0 ? json::Value() : json::Value(first.thread));
  item.set("exe", first.executable.empty() ? json::Value() : json::Value(first.executable));
  item.set("time", first.time ? json::Value(*first.time) : json::Value());
  item.set("where", where_json(denial));
  item.set("stack", std::move(stack));
}

json::Value denials_json(const std::vector<trial::Denial>& denials) {
  json::Array out;
  for (const trial::Denial& denial : denials) out.push_back(denial_json(denial));
  return out;
}

json::Value undecided_json(const std::vector<trial::Undecided>& undecided) {
  json::Array out;
  for (const trial::Undecided& call : undecided) {
    json::Value item;
    item.set("arch", syscalls::arch_name(call.arch)).set("syscall", call.syscall);
    item.set("nr", call.nr).set("count", call.count).set("why", call.why);
    out.push_back(std::move(item));
  }
  return out;
}

json::Value exercises_json(const std::vector<host::ExerciseResult>& results) {
  json::Array out;
  for (const host::ExerciseResult& result : results) {
    json::Value item;
    item.set("name", result.name).set("ok", result.ok).set("detail", result.detail);
    item.set("done", result.done).set("failed", result.failed).set("seconds", result.seconds);
    out.push_back(std::move(item));
  }
  return out;
}

json::Value budget_json(const BudgetReport& budget) {
  json::Array out;
  for (const BudgetFinding& finding : budget.findings) {
    json::Value item;
    item.set("rule", finding.rule).set("message", finding.message);
    item.set("file", finding.file).set("line", finding.line);
    item.set("syscall", finding.call.empty() ? json::Value() : json::Value(finding.call));
    out.push_back(std::move(item));
  }
  return out;
}

json::Value one_json(const TrialOutcome& outcome) {
  const trial::TrialReport& report = outcome.report;
  json::Value lost = json::Object();
  for (const auto& [kind, count] : report.run.lost) lost.set(kind, count);
  json::Value versions = json::Object();
  for (const auto& [name, text] : version_lines(report.versions)) versions.set(name, text);
  json::Value out;
  out.set("verdict", outcome.pass() ? "pass" : "fail");
  out.set("workload", outcome.spec.workload.name);
  out.set("mode", mode_name(outcome.spec));
  out.set("runtime", runtime_name(outcome.spec));
  out.set("via", trial::via_name(report.via));
  out.set("exercises", exercises_json(report.exercises));
  out.set("denials", denials_json(report.denials));
  out.set("fallbacks", denials_json(report.fallbacks));
  out.set("undecided", undecided_json(report.undecided));
  out.set("probes", outcome.probes ? probe_json(*outcome.probes) : json::Value(json::Array()));
  out.set("complete", report.run.complete);
  out.set("lost", std::move(lost));
  out.set("timing", report.run.timing);
  out.set("versions", std::move(versions));
  if (outcome.budget) {
    out.set("budget", budget_json(*outcome.budget));
    const std::vector<std::string>& checked = outcome.budget->checked;
    out.set("budget_checked", json::Array(checked.begin(), checked.end()));
  }
  return out;
}

std::string denial_line(const trial::Denial& denial) {
  const trial::Occurrence& first = denial.first;
  std::string text = format("  {}\n", denial_text(denial));
  std::vector<std::string> more;
  if (const evidence::Frame* origin = trial::origin(denial); origin != nullptr) {
    if (origin != &first.stack.front()) more.push_back("by " + trial::frame_text(first.stack[0]));
  }
  if (!first.executable.empty()) more.push_back("running " + printable(first.executable));
  if (first.time) more.push_back(format("first after {:.3f} s", *first.time));
  if (!more.empty()) text += format("      {}\n", join(more, ", "));
  return text;
}

std::string budget_lines(const BudgetReport& budget) {
  std::string text = format("budget: {}, {}\n", plural(budget.checked.size(), "rule"),
                            plural(budget.findings.size(), "finding"));
  for (const BudgetFinding& finding : budget.findings) {
    text += format("  {}  [{}]\n", finding_text(finding), finding.rule);
  }
  for (const std::string& note : budget.notes) text += dim("  " + printable(note, 2000)) + "\n";
  return text;
}

// Many denials may be few calls: what the profile lacks is to be read at once.
std::string denials_title(const std::vector<trial::Denial>& denials) {
  std::set<std::string> calls;
  for (const trial::Denial& denial : denials) calls.insert(denial.syscall);
  if (calls.empty()) return "denials: 0\n";
  return format("denials: {}, of {}: {}\n", denials.size(), plural(calls.size(), "call"),
                join(std::vector<std::string>(calls.begin(), calls.end()), ", "));
}

// By call: which arguments a fallback had says nothing.
std::string fallback_lines(const std::vector<trial::Denial>& fallbacks) {
  std::map<std::string, std::uint64_t> counts;
  for (const trial::Denial& denial : fallbacks) {
    counts[format("{} {} by {}", syscalls::arch_name(denial.arch), denial.syscall,
                  printable(denial.comm))] += denial.count;
  }
  std::string text;
  for (const auto& [call, count] : counts) text += format("  {}: {}\n", call, count);
  return text;
}

}  // namespace

json::Value where_json(const trial::Denial& denial) {
  const evidence::Frame* origin = trial::origin(denial);
  return origin == nullptr ? json::Value() : frame_json(*origin);
}

json::Value denial_json(const trial::Denial& denial) {
  json::Value item;
  item.set("arch", syscalls::arch_name(denial.arch));
  item.set("syscall", denial.syscall);
  item.set("nr", denial.nr);
  item.set("args", arguments_json(denial.args, false));
  item.set("hex", arguments_json(denial.args, true));
  item.set("action", profile::action_name(denial.verdict.action));
  item.set("data", static_cast<unsigned>(denial.verdict.data));
  item.set("comm", denial.comm);
  item.set("phase", denial.phase);
  item.set("count", denial.count);
  set_occurrence(denial, item);
  return item;
}

bool all_pass(std::span<const TrialOutcome> outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(),
                     [](const TrialOutcome& outcome) { return outcome.pass(); });
}

std::string denial_text(const trial::Denial& denial) {
  const std::string thread = denial.first.thread == 0 ? "" : format(" ({})", denial.first.thread);
  const evidence::Frame* origin = trial::origin(denial);
  return format("{} {}  {}  by {}{} in phase {}, {}{}", syscalls::arch_name(denial.arch),
                trial::call_text(denial), profile::verdict_text(denial.verdict),
                denial.comm.empty() ? "a task that is gone" : printable(denial.comm), thread,
                denial.phase, plural(denial.count, "time"),
                origin == nullptr ? "" : ", from " + printable(trial::frame_text(*origin)));
}

std::string runtime_name(const trial::TrialSpec& spec) {
  const std::string& runtime = spec.workload.run.runtime;
  return runtime.empty() ? "none" : runtime;
}

std::string mode_name(const trial::TrialSpec& spec) {
  return spec.mode == trial::Mode::kLog ? "log" : "enforce";
}

std::vector<std::pair<std::string, std::string>> version_lines(const trial::Versions& versions) {
  std::string program = printable(versions.program);
  if (!versions.package.empty()) program += ", " + versions.package;
  if (!versions.build_id.empty()) program += ", build id " + versions.build_id;
  std::vector<std::pair<std::string, std::string>> lines = {{"script", printable(versions.script)},
                                                            {"program", std::move(program)},
                                                            {"libc", versions.libc},
                                                            {"kernel", versions.kernel},
                                                            {"runtime", versions.runtime},
                                                            {"libseccomp", versions.libseccomp},
                                                            {"whittle", std::string(version())}};
  std::erase_if(lines, [](const auto& line) { return line.second.empty(); });
  return lines;
}

std::string trial_text(const TrialOutcome& outcome) {
  const trial::TrialReport& report = outcome.report;
  const std::string runtime = runtime_name(outcome.spec);
  std::string text = format(
      "{}  {}: {} mode, {}, via {}\n", outcome.pass() ? good("PASS") : bad("FAIL"),
      outcome.spec.workload.name, mode_name(outcome.spec),
      runtime == "none" ? "without a container" : "in " + runtime, trial::via_name(report.via));
  for (const host::ExerciseResult& result : report.exercises) {
    text += format("  {}  {}: {}\n", result.ok ? good("ok    ") : bad("FAILED"), result.name,
                   printable(result.detail, 2000));
  }
  text += denials_title(report.denials);
  for (const trial::Denial& denial : report.denials) text += denial_line(denial);
  if (!report.fallbacks.empty()) {
    text += "fallbacks (answered ENOSYS on purpose, the C library takes another way):\n";
    text += fallback_lines(report.fallbacks);
  }
  for (const trial::Undecided& call : report.undecided) {
    text += format("undecided: {}\n", undecided_text(call));
  }
  if (outcome.budget) text += budget_lines(*outcome.budget);
  if (outcome.probes) text += probe_summary(*outcome.probes);
  if (!report.run.complete) {
    text += "incomplete:";
    for (const auto& [kind, count] : report.run.lost) {
      if (count != 0) text += format(" {} lost of kind \"{}\"", count, kind);
    }
    text += "\n";
  }
  std::vector<std::string> versions;
  for (const auto& [name, what] : version_lines(report.versions)) {
    versions.push_back(format("{} {}", name, what));
  }
  return text + dim("with " + join(versions, "; ")) + "\n";
}

json::Value trial_json(std::span<const TrialOutcome> outcomes) {
  if (outcomes.size() == 1) return one_json(outcomes.front());
  json::Array workloads;
  for (const TrialOutcome& outcome : outcomes) workloads.push_back(one_json(outcome));
  json::Value out;
  out.set("verdict", all_pass(outcomes) ? "pass" : "fail");
  out.set("workloads", std::move(workloads));
  return out;
}

}  // namespace whittle::cli
