#include "trial/watch_rule.h"

#include <algorithm>

#include "base/text.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::trial {

namespace {

profile::Condition equals(std::uint32_t index, std::uint64_t mask, std::uint64_t value) {
  if (mask == UINT64_MAX) return {index, value, 0, profile::Operator::kEq};
  return {index, mask, value & mask, profile::Operator::kMaskedEq};
}

bool would_allow(const profile::Profile::Parts& parts, const Denial& call) {
  return profile::documented_verdict(profile::Profile(parts), call.arch, call.syscall, call.args)
      .allows();
}

// Takes the call out of the rules by which it is refused with these arguments.
std::vector<RuleName> take_refusals(profile::Profile::Parts& parts, const Denial& call) {
  const std::uint64_t width = syscalls::compares_64_bits(call.arch) ? UINT64_MAX : UINT32_MAX;
  std::vector<RuleName> taken;
  for (std::size_t i = parts.rules.size(); i-- > 0;) {
    profile::Rule& rule = parts.rules[i];
    const bool applies = std::all_of(rule.args.begin(), rule.args.end(), [&](auto condition) {
      condition.value &= width;
      condition.value_two &= width;
      return condition.index < 6 && condition.holds(call.args.at(condition.index) & width);
    });
    const auto name = std::find(rule.names.begin(), rule.names.end(), call.syscall);
    if (rule.verdict.allows() || !applies || name == rule.names.end()) continue;
    taken.push_back(
        {i, static_cast<std::size_t>(name - rule.names.begin()), rule.names.size() == 1});
    rule.names.erase(name);
  }
  return taken;
}

}  // namespace

std::uint8_t rule_arguments(syscalls::Arch arch, const std::string& syscall) {
  for (const syscalls::ArgumentSpec& unit : syscalls::argument_specs(arch, syscall)) {
    if (unit.in_struct || unit.per_architecture || unit.level != syscalls::Level::kSafe) continue;
    unsigned bits = 0;
    for (const std::uint8_t index : unit.indexes) bits |= 1U << index;
    return static_cast<std::uint8_t>(bits);
  }
  return 0;
}

std::uint64_t argument_mask(syscalls::Arch arch, const std::string& syscall, unsigned index) {
  for (const syscalls::ArgumentSpec& unit : syscalls::argument_specs(arch, syscall)) {
    if (unit.in_struct) continue;
    for (std::size_t i = 0; i < unit.indexes.size(); ++i) {
      if (unit.indexes[i] == index) return unit.widths[i] == 64 ? UINT64_MAX : UINT32_MAX;
    }
  }
  return UINT64_MAX;
}

Allowance allowance_for(const Denial& call, std::uint8_t by, const profile::Profile* profile) {
  if (!syscalls::is_known(call.syscall)) {
    return {{}, {}, "a profile takes names, and this number has none"};
  }
  profile::Rule rule;
  rule.names = {call.syscall};
  rule.verdict = {profile::Action::kAllow, 0};
  if ((by & ~call.first.known) == 0) {
    for (unsigned i = 0; i < call.args.size(); ++i) {
      if (((by >> i) & 1U) == 0) continue;
      const std::uint64_t mask = argument_mask(call.arch, call.syscall, i);
      rule.args.push_back(equals(i, mask, call.args[i]));
    }
  }
  if (profile == nullptr) return {std::move(rule), {}, {}};
  if (!profile->lists(call.arch) && syscalls::native_of(call.arch) != call.arch) {
    return {{}, {}, format("the profile does not list {}", syscalls::arch_name(call.arch))};
  }
  profile::Profile::Parts parts = profile->parts();
  parts.rules.push_back(rule);
  if (would_allow(parts, call)) return {std::move(rule), {}, {}};
  // Rules that refuse it stand in the way.
  parts.rules.pop_back();
  std::vector<RuleName> taken = take_refusals(parts, call);
  if (would_allow(parts, call)) return {{}, std::move(taken), {}};
  parts.rules.push_back(rule);
  if (would_allow(parts, call)) return {std::move(rule), std::move(taken), {}};
  return {{}, {}, "no rule for it would make the profile allow it"};
}

}  // namespace whittle::trial
