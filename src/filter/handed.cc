#include "filter/handed.h"

#include <algorithm>

namespace whittle::filter {

namespace {

using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;

bool repeats_an_index(const std::vector<Condition>& conditions) {
  std::uint32_t seen = 0;
  for (const Condition& condition : conditions) {
    const std::uint32_t bit = 1U << (condition.index & 31U);
    if ((seen & bit) != 0) return true;
    seen |= bit;
  }
  return false;
}

bool is_small(const Condition& condition) {
  return condition.value <= UINT32_MAX && condition.value_two <= UINT32_MAX;
}

bool all_small(const HandedRule& rule) {
  return std::all_of(rule.args.begin(), rule.args.end(), is_small);
}

// The mask under which an EQ or MASKED_EQ condition compares; 0 for others.
std::uint64_t mask_of(const Condition& condition) {
  if (condition.op == Operator::kEq) return UINT64_MAX;
  return condition.op == Operator::kMaskedEq ? condition.value : 0;
}

bool compare_alike(const HandedRule& a, const HandedRule& b) {
  return std::equal(a.args.begin(), a.args.end(), b.args.begin(), b.args.end(),
                    [](const Condition& x, const Condition& y) {
                      return x.index == y.index && mask_of(x) != 0 && mask_of(x) == mask_of(y);
                    });
}

}  // namespace

Handed::Handed(const Profile& profile, Flavour flavour) : profile_(&profile) {
  const bool by_runtime = flavour != Flavour::kNative;
  for (std::size_t i = 0; i < profile.rules().size(); ++i) {
    const Rule& rule = profile.rules()[i];
    const bool dropped = by_runtime && rule.verdict == profile.default_verdict();
    const bool split = by_runtime && repeats_an_index(rule.args);
    for (std::size_t n = 0; n < rule.names.size(); ++n) {
      const auto [at, is_new] = rules_.try_emplace(rule.names[n]);
      if (is_new) calls_.push_back(at->first);
      if (dropped) continue;
      if (!split) {
        at->second.push_back({rule.verdict, rule.args, i, n});
        continue;
      }
      for (const Condition& condition : rule.args) {
        at->second.push_back({rule.verdict, {condition}, i, n});
      }
    }
  }
}

std::span<const HandedRule> Handed::rules(std::string_view call) const {
  const auto at = rules_.find(call);
  if (at == rules_.end()) return {};
  return at->second;
}

const profile::Verdict* Handed::constant(std::string_view call) const {
  const auto all = rules(call);
  if (all.empty()) return &profile_->default_verdict();
  const auto at = std::find_if(all.begin(), all.end(),
                               [](const HandedRule& rule) { return rule.args.empty(); });
  return at == all.end() ? nullptr : &at->verdict;
}

Profile Handed::only(std::span<const std::string_view> calls) const {
  Profile::Parts parts;
  parts.default_verdict = profile_->default_verdict();
  parts.architectures = profile_->parts().architectures;
  std::vector<std::pair<std::string_view, const HandedRule*>> kept;
  for (const std::string_view call : calls) {
    for (const HandedRule& rule : rules(call)) kept.emplace_back(call, &rule);
  }
  // libseccomp goes by the order of the document, for socket and socketcall together too.
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->rule, a.second->name) < std::pair(b.second->rule, b.second->name);
  });
  for (const auto& [call, rule] : kept) {
    parts.rules.push_back({{std::string(call)}, rule->verdict, rule->args});
  }
  return Profile(std::move(parts));
}

bool compiled_as_written(std::span<const HandedRule> rules) {
  const auto unconditional = [](const HandedRule& rule) { return rule.args.empty(); };
  if (rules.empty() || std::any_of(rules.begin(), rules.end(), unconditional)) return true;
  const HandedRule& first = rules.front();
  if (rules.size() == 1) return !repeats_an_index(first.args);
  return std::all_of(rules.begin(), rules.end(), [&first](const HandedRule& rule) {
    if (rule.verdict != first.verdict || repeats_an_index(rule.args) || !all_small(rule)) {
      return false;
    }
    const bool on_one_argument = rule.args.size() == 1 && first.args.size() == 1 &&
                                 rule.args[0].index == first.args[0].index;
    return on_one_argument || compare_alike(rule, first);
  });
}

}  // namespace whittle::filter
