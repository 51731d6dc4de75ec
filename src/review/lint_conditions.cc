// Rules about conditions, and about rules of one call that get into each other's way.
#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "review/lint_subject.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::review {

namespace {

using filter::HandedRule;
using profile::Condition;
using profile::Operator;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

// The first index that stands twice in the conditions of a rule.
std::optional<std::uint32_t> repeated_index(const Rule& rule) {
  std::uint32_t seen = 0;
  for (const Condition& condition : rule.args) {
    if ((seen >> condition.index & 1U) != 0) return condition.index;
    seen |= 1U << condition.index;
  }
  return std::nullopt;
}

// Values of one argument, any of which will do: nobody can have meant "all of them".
bool plainly_alternatives(const Rule& rule) {
  return std::all_of(rule.args.begin(), rule.args.end(), [&rule](const Condition& condition) {
    return condition.op == Operator::kEq && condition.index == rule.args.front().index;
  });
}

// Calls of one rule that get into the way of another, by the two of them.
struct Clash {
  std::size_t rule = 0;   // the one that loses
  std::size_t other = 0;  // the one that wins
  auto operator<=>(const Clash&) const = default;
};
using Clashes = std::map<Clash, std::vector<std::string>>;

// What stands in the way of what among the rules of all calls.
struct Collisions {
  Clashes discarded;        // conditions beside an unconditional rule with another verdict
  Clashes redundant;        // the same verdict, or the same rule, again
  Clashes ignored;          // a second unconditional rule with another verdict
  Clashes same_conditions;  // with another verdict: libseccomp refuses the second
};

void collide(std::string_view call, std::span<const HandedRule> rules, Collisions& found) {
  const std::string name(call);
  const auto unconditional = std::find_if(rules.begin(), rules.end(),
                                          [](const HandedRule& rule) { return rule.args.empty(); });
  std::map<std::vector<Condition>, const HandedRule*> seen;
  for (const HandedRule& rule : rules) {
    if (unconditional != rules.end()) {
      if (&rule == &*unconditional) continue;
      const Clash clash{rule.rule, unconditional->rule};
      const bool same = rule.verdict == unconditional->verdict;
      Clashes& clashes = same                ? found.redundant
                         : rule.args.empty() ? found.ignored
                                             : found.discarded;
      clashes[clash].push_back(name);
      continue;
    }
    std::vector<Condition> conditions = rule.args;
    std::sort(conditions.begin(), conditions.end());
    const auto [at, is_new] = seen.try_emplace(std::move(conditions), &rule);
    if (is_new) continue;
    const bool same = rule.verdict == at->second->verdict;
    (same ? found.redundant : found.same_conditions)[{rule.rule, at->second->rule}].push_back(name);
  }
}

Collisions collisions(const LintSubject& subject) {
  Collisions found;
  for (const std::string_view call : subject.handed().calls()) {
    const auto rules = subject.handed().rules(call);
    if (rules.size() > 1) collide(call, rules, found);
  }
  return found;
}

// Whether the other rules of the call decide otherwise than the default somewhere in the region of
// `rule`, which equals the default.
bool was_exception(const LintSubject& subject, const Rule& rule, std::string_view call) {
  if (subject.handed().rules(call).empty()) return false;
  const generate::Meaning& others = subject.meaning(subject.natives().front(), call);
  const auto region = generate::region_of(rule);
  if (!region) return true;  // ranges: not worth a proof
  return rule.verdict.allows() ? !generate::allows_all(others, others.seen(*region))
                               : !generate::refuses_all(others, others.seen(*region));
}

enum class Constant : std::uint8_t { kNo, kAlways, kNever };

Constant constant(const Condition& condition) {
  const std::uint64_t value = condition.value;
  switch (condition.op) {
    case Operator::kLt:
      return value == 0 ? Constant::kNever : Constant::kNo;
    case Operator::kGe:
      return value == 0 ? Constant::kAlways : Constant::kNo;
    case Operator::kGt:
      return value == UINT64_MAX ? Constant::kNever : Constant::kNo;
    case Operator::kLe:
      return value == UINT64_MAX ? Constant::kAlways : Constant::kNo;
    case Operator::kMaskedEq:
      if ((condition.value_two & ~value) != 0) return Constant::kNever;
      return value == 0 ? Constant::kAlways : Constant::kNo;
    default:
      return Constant::kNo;
  }
}

// Whether the condition means something else when its values are cut to 32 bits and arguments have
// no more than those.
bool changed_by_cutting(const Condition& condition) {
  const auto low = static_cast<std::uint32_t>(condition.value);
  switch (condition.op) {
    case Operator::kMaskedEq:
      return condition.value_two > UINT32_MAX;
    case Operator::kLe:
      return condition.value > UINT32_MAX && low != UINT32_MAX;
    default:
      return condition.value > UINT32_MAX;
  }
}

std::string condition_text(const Condition& condition) {
  std::string_view op = profile::operator_name(condition.op);
  op.remove_prefix(std::string_view("SCMP_CMP_").size());
  if (condition.op == Operator::kMaskedEq) {
    return format("arg{} & 0x{:x} == 0x{:x}", condition.index, condition.value,
                  condition.value_two);
  }
  return format("arg{} {} 0x{:x}", condition.index, op, condition.value);
}

// Whether the kernel reads only the low 32 bits of that argument.
bool is_narrow(std::string_view call, std::uint32_t index) {
  for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(call)) {
    if (spec.in_struct) continue;
    for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
      if (spec.indexes[i] == index) return spec.widths[i] == 32;
    }
  }
  return false;
}

// Whether a value with other high bits, which the kernel takes for the same, gets another answer.
bool depends_on_high_bits(const Condition& condition) {
  return condition.op != Operator::kMaskedEq || condition.value > UINT32_MAX;
}

// Whether setting high bits makes a condition hold that did not.
bool high_bits_help(const Condition& condition) {
  return condition.op == Operator::kNe || condition.op == Operator::kGt ||
         condition.op == Operator::kGe;
}

void check_narrow_condition(const LintSubject& subject, std::size_t rule, std::size_t at,
                            Report& report) {
  const Rule& written = subject.profile().rules()[rule];
  const Condition& condition = written.args[at];
  // A refusal is passed by what makes its condition fail, a permission by what makes it hold. The
  // other way round high bits close, which harms nobody but a caller that leaves rubbish there.
  if (!depends_on_high_bits(condition) || written.verdict.allows() != high_bits_help(condition)) {
    return;
  }
  std::vector<std::string> calls;
  std::copy_if(written.names.begin(), written.names.end(), std::back_inserter(calls),
               [&](const std::string& name) { return is_narrow(name, condition.index); });
  if (calls.empty()) return;
  report.add(Severity::kWarning, subject.at_condition(rule, at), calls,
             format("{} compares 64 bits, but the kernel reads 32 of argument {} of {}: with a bit "
                    "set above them an attacker gets past it",
                    condition_text(condition), condition.index, some_of(calls)),
             "compare the low half alone: SCMP_CMP_MASKED_EQ with the value 0xffffffff "
             "(4294967295) as mask");
}

}  // namespace

void check_or_conditions(const LintSubject& subject, Report& report) {
  const auto& rules = subject.profile().rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto index = repeated_index(rules[i]);
    if (!index) continue;
    const bool meant = plainly_alternatives(rules[i]);
    report.add(meant ? Severity::kWarning : Severity::kError, subject.at_rule(i) + "/args",
               rules[i].names,
               format("argument {} stands twice in the rule for {}: runc and crun take all its {} "
                      "conditions as alternatives, each of them is enough",
                      *index, some_of(rules[i].names), rules[i].args.size()),
               meant ? "write a rule for each value, which says the same by the book"
                     : "write a rule for each alternative, with each argument once");
  }
}

void check_not_equal_twice(const LintSubject& subject, Report& report) {
  Clashes found;
  for (const std::string_view call : subject.handed().calls()) {
    std::map<std::pair<std::uint32_t, int>, const HandedRule*> seen;
    for (const HandedRule& rule : subject.handed().rules(call)) {
      if (rule.args.size() != 1 || rule.args[0].op != Operator::kNe) continue;
      const int verdict = static_cast<int>(rule.verdict.action) * 65536 + rule.verdict.data;
      const auto [at, is_new] = seen.try_emplace({rule.args[0].index, verdict}, &rule);
      if (is_new || at->second->args[0].value == rule.args[0].value) continue;
      found[{rule.rule, at->second->rule}].emplace_back(call);
    }
  }
  for (auto& [clash, calls] : found) {
    std::sort(calls.begin(), calls.end());
    calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
    const Verdict& verdict = subject.profile().rules()[clash.rule].verdict;
    report.add(
        Severity::kError, subject.at_rule(clash.rule) + "/args", calls,
        format("two \"not equal\" conditions on one argument of {}{}: one of them always "
               "holds, so every value gets {}",
               some_of(calls),
               clash.rule == clash.other
                   ? std::string()
                   : format(" (the other in {})", subject.at_rule(clash.other)),
               profile::verdict_text(verdict)),
        "name the values that are meant, or refuse the others by rules with an errno that is not "
        "the default's");
  }
}

void check_shadowed_rule(const LintSubject& subject, Report& report) {
  const Collisions found = collisions(subject);
  for (const auto& [clash, calls] : found.discarded) {
    report.add(Severity::kWarning, subject.at_rule(clash.rule), calls,
               format("the conditions for {} have no effect: {} says {} whatever the arguments, "
                      "and an unconditional rule wins",
                      some_of(calls), subject.at_rule(clash.other),
                      profile::verdict_text(subject.profile().rules()[clash.other].verdict)),
               format("remove the names from {}, or this rule", subject.at_rule(clash.other)));
  }
  for (const auto& [clash, calls] : found.redundant) {
    report.add(
        Severity::kNote, subject.at_rule(clash.rule), calls,
        format("{} says the same of {} already", subject.at_rule(clash.other), some_of(calls)),
        "remove one of the two");
  }
}

void check_contradictory_rules(const LintSubject& subject, Report& report) {
  const Collisions found = collisions(subject);
  const auto verdict_of = [&](std::size_t rule) {
    return profile::verdict_text(subject.profile().rules()[rule].verdict);
  };
  for (const auto& [clash, calls] : found.ignored) {
    report.add(Severity::kError, subject.at_rule(clash.rule), calls,
               format("{} for {} is ignored: {} says {} first, and the first of two unconditional "
                      "rules wins",
                      verdict_of(clash.rule), some_of(calls), subject.at_rule(clash.other),
                      verdict_of(clash.other)),
               "keep the one that is meant");
  }
  for (const auto& [clash, calls] : found.same_conditions) {
    report.add(Severity::kError, subject.at_rule(clash.rule), calls,
               format("{} for {} under the conditions under which {} says {}: the container does "
                      "not start (\"file exists\")",
                      verdict_of(clash.rule), some_of(calls), subject.at_rule(clash.other),
                      verdict_of(clash.other)),
               "keep the one that is meant");
  }
}

void check_equal_to_default(const LintSubject& subject, Report& report) {
  if (subject.settings().runtime == filter::Flavour::kNative) return;
  const auto& rules = subject.profile().rules();
  const std::string verdict = profile::verdict_text(subject.profile().default_verdict());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].verdict != subject.profile().default_verdict()) continue;
    std::vector<std::string> exceptions;
    for (const std::string& name : rules[i].names) {
      if (was_exception(subject, rules[i], name)) exceptions.push_back(name);
    }
    if (exceptions.empty()) {
      report.add(Severity::kNote, subject.at_rule(i), rules[i].names,
                 format("{} is what the default says: runtimes drop the rule", verdict),
                 "remove it");
      continue;
    }
    report.add(Severity::kError, subject.at_rule(i), exceptions,
               format("{} for {} equals the default action: runtimes drop the rule, and what other "
                      "rules allow stays allowed",
                      verdict, some_of(exceptions)),
               "put the exception into the conditions of the other rule, or answer another errno "
               "than the default's");
  }
}

void check_constant_condition(const LintSubject& subject, Report& report) {
  const auto& rules = subject.profile().rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t k = 0; k < rules[i].args.size(); ++k) {
      const Constant found = constant(rules[i].args[k]);
      if (found == Constant::kNo) continue;
      const bool bits_outside =
          rules[i].args[k].op == Operator::kMaskedEq && found == Constant::kNever;
      report.add(Severity::kWarning, subject.at_condition(i, k), rules[i].names,
                 format("{} {} holds{}", condition_text(rules[i].args[k]),
                        found == Constant::kAlways ? "always" : "never",
                        bits_outside ? ": valueTwo has bits that the mask, which is \"value\", "
                                       "has not"
                                     : ""),
                 bits_outside
                     ? "\"value\" is the mask, \"valueTwo\" what the masked argument must be"
                     : "remove the condition or the rule");
    }
  }
}

void check_wide_value(const LintSubject& subject, Report& report) {
  std::vector<Arch> narrow;
  for (const Arch arch : subject.covered()) {
    if (!syscalls::compares_64_bits(arch)) narrow.push_back(arch);
  }
  const auto& rules = subject.profile().rules();
  for (std::size_t i = 0; i < rules.size() && !narrow.empty(); ++i) {
    for (std::size_t k = 0; k < rules[i].args.size(); ++k) {
      if (!changed_by_cutting(rules[i].args[k])) continue;
      std::vector<std::string> where;
      for (const Arch arch : narrow) {
        const auto has = [arch](const std::string& name) {
          return syscalls::number(arch, name).has_value();
        };
        if (std::any_of(rules[i].names.begin(), rules[i].names.end(), has)) {
          where.emplace_back(syscalls::arch_name(arch));
        }
      }
      if (where.empty()) continue;
      report.add(Severity::kWarning, subject.at_condition(i, k), rules[i].names,
                 format("{} is cut to its low 32 bits on {}, where it holds for other arguments",
                        condition_text(rules[i].args[k]), join(where, ", ")),
                 "give such a condition in a profile that lists 64-bit architectures only");
    }
  }
}

void check_narrow_argument(const LintSubject& subject, Report& report) {
  const auto compares_64 = [](Arch arch) { return syscalls::compares_64_bits(arch); };
  if (std::none_of(subject.covered().begin(), subject.covered().end(), compares_64)) return;
  const auto& rules = subject.profile().rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t k = 0; k < rules[i].args.size(); ++k) {
      check_narrow_condition(subject, i, k, report);
    }
  }
}

}  // namespace whittle::review
