// Random rule sets for tests: every operator, masks, several rules a call, all six arguments,
// 64-bit values; many of them outside of what libseccomp compiles as documented.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "profile/profile.h"

namespace whittle::filter {

class RandomRules {
 public:
  explicit RandomRules(unsigned seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

  // A value near those that others of the set have, so that rules overlap and values are
  // neighbours.
  std::uint64_t value() {
    switch (below(8)) {
      case 0:
        return (std::uint64_t{1} << 32U) + below(4);
      case 1:
        return std::uint64_t{below(4)} << 32U | below(4);
      case 2:
        return UINT64_MAX - below(3);
      case 3:
        return UINT32_MAX - below(2);
      case 4:
        return std::uint64_t{1} << below(64);
      default:
        return below(8);
    }
  }

  profile::Condition condition(std::uint32_t index) {
    profile::Condition made;
    made.index = index;
    made.op = static_cast<profile::Operator>(below(7));
    made.value = value();
    if (made.op == profile::Operator::kMaskedEq) {
      made.value_two = value();
      if (below(8) != 0) made.value_two &= made.value;  // else never true
    }
    return made;
  }

  // One to four rules for a call, with conditions on up to three arguments each.
  std::vector<profile::Rule> rules(const std::string& name) {
    std::vector<profile::Rule> made;
    const std::size_t count = 1 + below(4);
    const std::uint32_t arguments = below(3) == 0 ? 6 : 2;
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::uint32_t> indexes = {0, 1, 2, 3, 4, 5};
      indexes.resize(arguments);
      std::shuffle(indexes.begin(), indexes.end(), random_);
      indexes.resize(std::min<std::size_t>(1 + below(3), indexes.size()));
      profile::Rule rule;
      rule.names = {name};
      rule.verdict = verdict();
      for (const std::uint32_t index : indexes) rule.args.push_back(condition(index));
      made.push_back(std::move(rule));
    }
    return made;
  }

  // Mostly one action, as in real profiles.
  profile::Verdict verdict() {
    if (below(4) != 0) return {profile::Action::kAllow, 0};
    if (below(2) != 0) return {profile::Action::kErrno, static_cast<std::uint16_t>(2 + below(3))};
    return {profile::Action::kLog, 0};
  }

 private:
  std::mt19937 random_;
};

}  // namespace whittle::filter
