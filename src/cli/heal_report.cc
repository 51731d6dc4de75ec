#include "cli/heal_report.h"

#include <cerrno>

#include "base/text.h"
#include "cli/comparison_report.h"
#include "cli/output.h"
#include "cli/trial_report.h"
#include "syscalls/arguments.h"

namespace whittle::cli {

namespace {

using profile::Condition;
using profile::Operator;
using profile::Rule;

constexpr profile::Verdict kEnosys{profile::Action::kErrno, ENOSYS};

// "arg0 == AF_ALG", "(arg1 & 0xf7ff) == SOCK_STREAM".
std::string condition_text(const std::string& syscall, const Condition& condition) {
  const auto value = [&](std::uint64_t number) {
    return syscalls::value_text(syscall, condition.index, number);
  };
  const unsigned index = condition.index;
  switch (condition.op) {
    case Operator::kNe:
      return format("arg{} != {}", index, value(condition.value));
    case Operator::kLt:
      return format("arg{} < {:#x}", index, condition.value);
    case Operator::kLe:
      return format("arg{} <= {:#x}", index, condition.value);
    case Operator::kEq:
      return format("arg{} == {}", index, value(condition.value));
    case Operator::kGe:
      return format("arg{} >= {:#x}", index, condition.value);
    case Operator::kGt:
      return format("arg{} > {:#x}", index, condition.value);
    case Operator::kMaskedEq:
      break;
  }
  if (condition.value == UINT32_MAX)
    return format("arg{} == {}", index, value(condition.value_two));
  return format("(arg{} & {:#x}) == {}", index, condition.value, value(condition.value_two));
}

std::string rule_text(const Rule& rule) {
  if (rule.verdict == kEnosys) return "answered ENOSYS, so that another call is used";
  std::vector<std::string> texts;
  for (const Condition& condition : rule.args) {
    texts.push_back(condition_text(rule.names.at(0), condition));
  }
  return texts.empty() ? "whatever its arguments" : "when " + join(texts, " and ");
}

// Of the call itself; of a counterpart where it has none of its own.
const generate::Addition& main_addition(const trial::Healed& healed) {
  return healed.additions.front();
}

std::string reason_of(const trial::Denial& denial, std::uint64_t count) {
  const trial::Occurrence& first = denial.first;
  const evidence::Frame* origin = trial::origin(denial);
  std::string text = format("refused {} in phase {}", plural(count, "time"), denial.phase);
  if (!denial.comm.empty()) {
    text += format(", by thread {}{}", printable(denial.comm),
                   first.thread == 0 ? "" : format(" ({})", first.thread));
  }
  if (!first.executable.empty()) text += " of " + printable(first.executable);
  if (origin != nullptr) text += ", from " + printable(trial::frame_text(*origin));
  return text;
}

std::string added_text(const trial::Healed& healed) {
  std::string text;
  for (const Rule& rule : main_addition(healed).rules) {
    text += format("  {} {}  {}\n", syscalls::arch_name(healed.cause.arch),
                   main_addition(healed).syscall, rule_text(rule));
  }
  if (main_addition(healed).rules.empty()) {
    text += format("  {} {}  no longer refused by a rule of its own\n",
                   syscalls::arch_name(healed.cause.arch), main_addition(healed).syscall);
  }
  text += format("      {}\n", reason_of(healed.cause, healed.count));
  for (const generate::Addition& addition : healed.additions) {
    if (&addition == &main_addition(healed) || addition.why.empty()) continue;
    text += format("      with {}: {}\n", addition.syscall, addition.why.front().text);
  }
  return text;
}

json::Value rules_json(const generate::Addition& addition) {
  json::Array rules;
  for (const Rule& rule : addition.rules) {
    json::Array conditions;
    for (const Condition& condition : rule.args) {
      json::Value item;
      item.set("index", condition.index).set("value", condition.value);
      if (condition.op == Operator::kMaskedEq) item.set("valueTwo", condition.value_two);
      item.set("op", profile::operator_name(condition.op));
      conditions.push_back(std::move(item));
    }
    json::Value item;
    item.set("names", json::Array{json::Value(addition.syscall)});
    item.set("action", rule.verdict == kEnosys ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
    if (rule.verdict == kEnosys) item.set("errnoRet", static_cast<unsigned>(rule.verdict.data));
    if (!conditions.empty()) item.set("args", std::move(conditions));
    rules.push_back(std::move(item));
  }
  return rules;
}

json::Value added_json(const trial::Healed& healed) {
  const trial::Denial& cause = healed.cause;
  const generate::Addition& main = main_addition(healed);
  json::Array conditions;
  for (const Rule& rule : main.rules) {
    if (!rule.args.empty()) conditions.emplace_back(rule_text(rule));
  }
  json::Array counterparts;
  json::Array rules;
  for (const generate::Addition& addition : healed.additions) {
    if (&addition != &main) counterparts.emplace_back(addition.syscall);
    const json::Value own = rules_json(addition);
    if (own.array() != nullptr) rules.insert(rules.end(), own.array()->begin(), own.array()->end());
  }
  json::Value item;
  item.set("arch", syscalls::arch_name(cause.arch)).set("syscall", main.syscall);
  item.set("conditions", std::move(conditions));
  item.set("reason", reason_of(cause, healed.count));
  item.set("where", where_json(cause));
  item.set("exercise", cause.phase).set("comm", cause.comm);
  item.set("thread", cause.first.thread == 0 ? json::Value() : json::Value(cause.first.thread));
  item.set("text", trial::call_text(cause)).set("count", healed.count);
  item.set("round", healed.round);
  item.set("counterparts", std::move(counterparts));
  item.set("rules", std::move(rules));
  return item;
}

}  // namespace

std::string heal_text(const HealReport& report) {
  const trial::Healing& healing = report.healing;
  std::string text =
      format("{}  {}: {} added in {}, {}\n", healing.pass() ? good("PASS") : bad("FAIL"),
             report.spec.trial.workload.name, plural(healing.added.size(), "call"),
             plural(healing.rounds, "round"), plural(healing.trials.size(), "run"));
  for (const trial::Trial& each : healing.trials) {
    text += format("  {}  {}, {}\n", each.report.pass() ? good("pass") : bad("fail"),
                   each.mode == trial::Mode::kLog ? "log mode" : "enforce mode",
                   plural(each.report.denials.size(), "denial"));
  }
  for (const host::ExerciseResult& result : healing.trials.back().report.exercises) {
    if (result.ok) continue;
    text += format("  {}  {}: {}\n", bad("FAILED"), result.name, printable(result.detail, 2000));
  }
  if (!healing.added.empty()) text += bold("added") + "\n";
  for (const trial::Healed& healed : healing.added) text += added_text(healed);
  if (!healing.not_healed.empty()) text += bold("not added") + "\n";
  for (const trial::NotHealed& left : healing.not_healed) {
    text += format("  {}{}: {}{}\n", denial_text(left.cause),
                   left.value.empty() ? "" : " (" + left.value + ")", left.why,
                   left.fix.empty() ? "" : "; to admit it: " + left.fix);
  }
  if (!healing.added.empty()) {
    text += format("{}\n{}", bold("what changes in the profile"),
                   comparison_text(report.difference.comparison, report.difference.arches));
  }
  if (!healing.pass()) return text + "nothing is written: " + healing.left + "\n";
  if (healing.rounds == 0) return text + "nothing is missing\n";
  return text + (report.written.empty() ? "dry run: nothing is written\n"
                                        : "written: " + printable(report.written) + "\n");
}

json::Value heal_json(const HealReport& report) {
  const trial::Healing& healing = report.healing;
  json::Array added;
  for (const trial::Healed& healed : healing.added) added.push_back(added_json(healed));
  json::Array refused;
  for (const trial::NotHealed& left : healing.not_healed) {
    json::Value item = denial_json(left.cause);
    item.set("value", left.value).set("reason", left.why).set("fix", left.fix);
    refused.push_back(std::move(item));
  }
  json::Array trials;
  for (const trial::Trial& each : healing.trials) {
    json::Value item;
    item.set("mode", each.mode == trial::Mode::kLog ? "log" : "enforce");
    item.set("verdict", each.report.pass() ? "pass" : "fail");
    item.set("denials", each.report.denials.size()).set("complete", each.report.run.complete);
    trials.push_back(std::move(item));
  }
  json::Value value;
  value.set("workload", report.spec.trial.workload.name);
  value.set("verdict", healing.pass() ? "pass" : "fail");
  value.set("rounds", healing.rounds);
  value.set("added", std::move(added)).set("refused", std::move(refused));
  value.set("trials", std::move(trials));
  value.set("diff", comparison_json(report.difference.comparison));
  value.set("left", healing.left.empty() ? json::Value() : json::Value(healing.left));
  value.set("written", report.written.empty() ? json::Value() : json::Value(report.written));
  return value;
}

}  // namespace whittle::cli
