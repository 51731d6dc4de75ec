#include "review/refuse.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/text.h"
#include "filter/handed.h"

namespace whittle::review {

namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using Conditions = std::vector<Condition>;

constexpr Verdict kRefused{Action::kErrno, EPERM};
constexpr Verdict kEnosys{Action::kErrno, ENOSYS};
// AF_MAX of Linux 7.2 (include/linux/socket.h): a family from there on has no socket.
constexpr std::uint32_t kFamilies = 46;

// What must hold so that the requirement does not; nullopt: no condition says that.
std::optional<Condition> negation(const filter::Requirement& requirement) {
  if (requirement.nonzero) {
    return Condition{requirement.index, requirement.mask, 0, Operator::kMaskedEq};
  }
  if (requirement.mask < UINT32_MAX) return std::nullopt;
  return Condition{requirement.index, requirement.value, 0, Operator::kNe};
}

// How a condition goes together with those of a rule.
enum class Joined { kAlready, kNever, kAdded, kUnsaid };

// `more` on an argument that `old` is on: "(arg & mask) == 0".
Joined join_mask(Condition& old, const Condition& more) {
  if (old.op == Operator::kEq) {
    return more.holds(old.value) ? Joined::kAlready : Joined::kNever;
  }
  if (old.op != Operator::kMaskedEq) return Joined::kUnsaid;
  if ((old.value_two & more.value) != 0) return Joined::kNever;
  if ((old.value & more.value) == more.value) return Joined::kAlready;
  old.value |= more.value;
  return Joined::kAdded;
}

// The same: "arg != value".
Joined join_different(Condition& old, const Condition& more) {
  if (!old.holds(more.value)) return Joined::kAlready;
  switch (old.op) {
    case Operator::kEq:
      return Joined::kNever;
    case Operator::kMaskedEq:
      return old.value >= UINT32_MAX ? Joined::kNever : Joined::kUnsaid;
    case Operator::kLe:
      if (old.value != more.value) return Joined::kUnsaid;
      old.op = Operator::kLt;
      return Joined::kAdded;
    case Operator::kGe:
      if (old.value != more.value) return Joined::kUnsaid;
      old.op = Operator::kGt;
      return Joined::kAdded;
    default:
      return Joined::kUnsaid;
  }
}

// Never puts a second condition on an argument: runc and crun would make an OR of them.
Joined join_condition(Conditions& conditions, const Condition& more) {
  const auto old = std::find_if(conditions.begin(), conditions.end(),
                                [&more](const Condition& c) { return c.index == more.index; });
  if (old == conditions.end()) {
    conditions.push_back(more);
    return Joined::kAdded;
  }
  return more.op == Operator::kMaskedEq ? join_mask(*old, more) : join_different(*old, more);
}

// One set of conditions for each socket family that `conditions` let through and `more` does.
std::vector<Conditions> by_family(const Conditions& conditions, const Condition& more) {
  std::vector<Conditions> result;
  for (std::uint32_t family = 0; family < kFamilies; ++family) {
    if (!more.holds(family)) continue;
    Conditions rest = {{0, UINT32_MAX, family, Operator::kMaskedEq}};
    bool lets = true;
    for (const Condition& condition : conditions) {
      if (condition.index != 0) {
        rest.push_back(condition);
      } else {
        lets = lets && condition.holds(family);
      }
    }
    if (lets) result.push_back(std::move(rest));
  }
  return result;
}

// Conditions for what `conditions` let through less the way; nullopt: there are none for that.
std::optional<std::vector<Conditions>> without(const Conditions& conditions, const Way& way) {
  std::vector<Conditions> result;
  bool unsaid = false;
  for (const filter::Requirement& requirement : way.args) {
    const auto more = negation(requirement);
    Conditions joined = conditions;
    const Joined how = more ? join_condition(joined, *more) : Joined::kUnsaid;
    if (how == Joined::kAlready) return std::vector<Conditions>{conditions};
    if (how == Joined::kAdded) result.push_back(std::move(joined));
    unsaid = unsaid || how == Joined::kUnsaid;
  }
  if (!result.empty() || !unsaid) return result;
  const bool by_family_alone = way.args.size() == 1 && way.args[0].index == 0;
  if (by_family_alone && (way.syscall == "socket" || way.syscall == "socketpair")) {
    if (const auto more = negation(way.args[0])) return by_family(conditions, *more);
  }
  return std::nullopt;
}

// A rule that refuses the way, for a profile whose default allows; one for each bit of a mask.
std::vector<Rule> refusing_rules(const Way& way) {
  std::vector<Conditions> sets = {{}};
  for (const filter::Requirement& requirement : way.args) {
    std::vector<Conditions> more;
    for (const Conditions& set : sets) {
      const auto add = [&](std::uint64_t mask, std::uint64_t value) {
        more.push_back(set);
        more.back().push_back({requirement.index, mask, value, Operator::kMaskedEq});
      };
      if (!requirement.nonzero) {
        add(requirement.mask, requirement.value);
        continue;
      }
      for (std::uint64_t bit = 1; bit != 0; bit <<= 1U) {
        if ((requirement.mask & bit) != 0) add(bit, bit);
      }
    }
    sets = std::move(more);
  }
  std::vector<Rule> rules;
  for (Conditions& set : sets) rules.push_back({{way.syscall}, kRefused, std::move(set)});
  return rules;
}

// Takes the call out of the rules that allow it, and adds others in their place.
class Edit {
 public:
  Edit(const Profile& profile, std::string syscall)
      : syscall_(std::move(syscall)), parts_(profile.parts()) {
    for (std::size_t i = 0; i < parts_.rules.size(); ++i) {
      Rule& rule = parts_.rules[i];
      if (!rule.verdict.allows() || std::erase(rule.names, syscall_) == 0) continue;
      pointers_.push_back(format("/syscalls/{}", i));
    }
    std::erase_if(parts_.rules, [](const Rule& rule) { return rule.names.empty(); });
  }

  // "", " from the rule at /syscalls/3", " (the rules at /syscalls/3, /syscalls/4)"
  std::string where(std::string_view before, std::string_view after) const {
    if (pointers_.empty()) return {};
    return format("{}the rule{} at {}{}", before, pointers_.size() == 1 ? "" : "s",
                  join(pointers_, ", "), after);
  }

  Refusal finish(std::vector<Rule> rules, std::string text) && {
    parts_.rules.insert(parts_.rules.end(), rules.begin(), rules.end());
    return {Profile(std::move(parts_)), std::move(pointers_), std::move(rules), std::move(text)};
  }

 private:
  std::string syscall_;
  Profile::Parts parts_;
  std::vector<std::string> pointers_;
};

// "(arg0 & CLONE_NEWUSER) == 0", "arg1 != SOL_TCP or arg2 != TCP_ULP"
std::string negated_text(const Way& way) {
  std::vector<std::string> terms;
  for (std::size_t i = 0; i < way.args.size(); ++i) {
    const filter::Requirement& one = way.args[i];
    const std::string symbol = way.symbols[i].empty()
                                   ? format("{:#x}", one.nonzero ? one.mask : one.value)
                                   : way.symbols[i];
    terms.push_back(one.nonzero ? format("(arg{} & {}) == 0", one.index, symbol)
                                : format("arg{} != {}", one.index, symbol));
  }
  return join(terms, " or ");
}

}  // namespace

Refusal refuse_whole(const Profile& profile, const std::string& syscall) {
  Edit edit(profile, syscall);
  if (syscall == "clone3") {
    return std::move(edit).finish({{{syscall}, kEnosys, {}}},
                                  "answer clone3 with ENOSYS (errnoRet 38), so that C libraries "
                                  "fall back to clone" +
                                      edit.where("; now ", " allows it"));
  }
  if (profile.default_verdict().allows()) {
    return std::move(edit).finish({{{syscall}, kRefused, {}}},
                                  format("add a rule that refuses {}", syscall));
  }
  return std::move(edit).finish({}, format("remove {}{}", syscall, edit.where(" from ", "")));
}

Refusal refuse(const Profile& profile, filter::Flavour flavour, const Way& way) {
  if (way.args.empty()) return refuse_whole(profile, way.syscall);
  const std::string what = "refuse " + way_text(way);
  Edit edit(profile, way.syscall);
  if (profile.default_verdict().allows()) {
    return std::move(edit).finish(refusing_rules(way), what + ": add a rule for that");
  }
  const filter::Handed handed(profile, flavour);
  const auto given = handed.rules(way.syscall);
  const auto unconditional = std::find_if(
      given.begin(), given.end(),
      [](const filter::HandedRule& rule) { return rule.verdict.allows() && rule.args.empty(); });
  std::vector<Rule> rules;
  for (const filter::HandedRule& rule : given) {
    if (!rule.verdict.allows()) continue;
    // Beside an unconditional rule the others say nothing.
    if (unconditional != given.end() && &rule != &*unconditional) continue;
    auto parts = without(rule.args, way);
    if (!parts) return refuse_whole(profile, way.syscall);
    for (Conditions& conditions : *parts) {
      rules.push_back({{way.syscall}, rule.verdict, std::move(conditions)});
    }
  }
  std::string text =
      format("{}: allow it only when {}{}", what, negated_text(way), edit.where(" (", ")"));
  return std::move(edit).finish(std::move(rules), std::move(text));
}

}  // namespace whittle::review
