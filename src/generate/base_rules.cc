#include "generate/base_rules.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "syscalls/table.h"

namespace whittle::generate {

namespace {

using syscalls::Arch;

// A rule list as a profile whose default refuses: what the rules allow by themselves.
profile::Profile rules_alone(std::vector<profile::Rule> rules) {
  profile::Profile::Parts parts;
  parts.rules = std::move(rules);
  return profile::Profile(std::move(parts));
}

// The base's rules, kept in a form that runtimes do not drop.
std::vector<profile::Rule> kept(std::vector<profile::Rule> rules,
                                const profile::Verdict& default_verdict) {
  for (profile::Rule& rule : rules) {
    if (rule.verdict == default_verdict) rule.verdict = {profile::Action::kErrno, EACCES};
  }
  return rules;
}

std::vector<profile::Rule> allowing(const std::vector<profile::Rule>& rules) {
  std::vector<profile::Rule> allowing_rules;
  for (const profile::Rule& rule : rules) {
    if (rule.verdict.allows()) allowing_rules.push_back(rule);
  }
  return allowing_rules;
}

}  // namespace

std::vector<std::pair<Arch, Meaning>> BaseLimit::meanings(std::string_view name) const {
  std::vector<std::pair<Arch, Meaning>> found;
  for (const Arch arch : abis_) {
    if (!syscalls::number(arch, name)) continue;
    found.emplace_back(arch, Meaning(base_.at(syscalls::native_of(arch)), arch, name));
  }
  return found;
}

BaseLimit::Attitude BaseLimit::attitude(std::string_view name) const {
  bool allows = true;
  bool refuses = true;
  for (const auto& [arch, meaning] : meanings(name)) {
    allows = allows && allows_all(meaning, meaning.everything());
    refuses = refuses && refuses_all(meaning, meaning.everything());
  }
  return allows ? Attitude::kAllows : refuses ? Attitude::kRefuses : Attitude::kConditional;
}

std::vector<Region> BaseLimit::fit(std::string_view name, const Region& wanted) const {
  const auto limits = meanings(name);
  const auto allowed = [&limits](const Region& region) {
    return std::all_of(limits.begin(), limits.end(), [&region](const auto& limit) {
      return allows_all(limit.second, limit.second.seen(region));
    });
  };
  if (allowed(wanted)) return {wanted};
  std::set<Region> parts;
  for (const auto& [arch, meaning] : limits) {
    if (!syscalls::compares_64_bits(arch)) continue;  // its rules are cut: they say less
    for (const profile::Rule& rule : meaning.rules()) {
      const auto own = rule.verdict.allows() ? region_of(rule) : std::nullopt;
      const auto part = own ? intersection(*own, wanted) : std::nullopt;
      if (part && allowed(*part)) parts.insert(*part);
    }
  }
  if (parts.empty()) {  // the value as a whole 64-bit number, as range conditions see it
    Region exact = wanted;
    for (Bits& bits : exact) {
      if (bits.mask != 0) bits.mask |= ~std::uint64_t{UINT32_MAX};
    }
    if (allowed(exact)) parts.insert(exact);
  }
  return {parts.begin(), parts.end()};
}

std::optional<std::vector<profile::Rule>> BaseLimit::own_rules(
    std::string_view name, const profile::Verdict& default_verdict) const {
  const auto limits = meanings(name);
  for (const auto& [arch, meaning] : limits) {
    if (!syscalls::compares_64_bits(arch)) continue;
    for (const auto& rules : {allowing(meaning.rules()), kept(meaning.rules(), default_verdict)}) {
      const profile::Profile candidate = rules_alone(rules);
      const bool good = std::all_of(limits.begin(), limits.end(), [&](const auto& limit) {
        const Meaning after(candidate, limit.first, name);
        const auto witness = loosened(limit.second, after, after.everything());
        return witness && !*witness;
      });
      if (good && !allowing(rules).empty()) return rules;
    }
  }
  return std::nullopt;
}

Result<std::optional<BaseLimit::Looser>> BaseLimit::looser(const profile::Profile& profile,
                                                           std::string_view name) const {
  for (const auto& [arch, before] : meanings(name)) {
    const Meaning after(profile, arch, name);
    TRY_ASSIGN(const auto witness, loosened(before, after, after.everything()));
    if (witness) return std::optional<Looser>(Looser{arch, *witness});
  }
  return std::optional<Looser>();
}

}  // namespace whittle::generate
