#include "filter/document.h"

#include <algorithm>
#include <vector>

namespace whittle::filter {

namespace {

using profile::Condition;
using profile::Operator;
using profile::Rule;
using profile::Verdict;

// The high and the low half of an argument, or of a number.
struct Halves {
  std::uint32_t high = 0;
  std::uint32_t low = 0;

  explicit Halves(std::uint64_t whole)
      : high(static_cast<std::uint32_t>(whole >> 32U)), low(static_cast<std::uint32_t>(whole)) {}
};

// Walks the rules as a reader would, with all argument vectors at a time: each condition splits
// those at hand into the ones for which it holds and the ones for which it does not.
class Walk {
 public:
  Walk(std::vector<const Rule*> rules, const Verdict& default_verdict, bool wide,
       const Bounds& bounds)
      : rules_(std::move(rules)),
        default_verdict_(default_verdict),
        wide_(wide),
        most_paths_(bounds.most_paths),
        steps_left_(bounds.most_steps) {}

  Decision run() {
    pending_.push_back({0, 0, {}});
    while (!pending_.empty() && decision_.decided) {
      State state = std::move(pending_.back());
      pending_.pop_back();
      step(std::move(state));
    }
    return std::move(decision_);
  }

 private:
  struct State {
    std::size_t rule = 0;
    std::size_t condition = 0;
    Words words;
  };

  void step(State state) {
    if (state.rule == rules_.size()) return add_path(std::move(state), default_verdict_);
    const Rule& rule = *rules_[state.rule];
    if (state.condition == rule.args.size()) return add_path(std::move(state), rule.verdict);
    const Condition& condition = rule.args[state.condition];
    const State holds = {state.rule, state.condition + 1, state.words};
    const State fails = {state.rule + 1, 0, state.words};
    if (condition.index >= 6) return push(fails);
    decision_.arguments |= static_cast<std::uint8_t>(1U << condition.index);
    split(condition, holds, fails);
  }

  void split(const Condition& condition, const State& holds, const State& fails) {
    const std::size_t low = std::size_t{condition.index} * 2;
    const Halves value(condition.value);
    switch (condition.op) {
      case Operator::kEq:
        return equal(low, UINT64_MAX, condition.value, holds, fails);
      case Operator::kNe:
        return equal(low, UINT64_MAX, condition.value, fails, holds);
      case Operator::kMaskedEq:
        return equal(low, condition.value, condition.value_two, holds, fails);
      case Operator::kLt:
        return below(low, value, false, holds, fails);
      case Operator::kLe:
        return below(low, value, true, holds, fails);
      case Operator::kGe:
        return below(low, value, false, fails, holds);
      case Operator::kGt:
        return below(low, value, true, fails, holds);
    }
  }

  // (argument & mask) == value goes to `yes`, the rest to `no`.
  void equal(std::size_t low, std::uint64_t mask, std::uint64_t value, const State& yes,
             const State& no) {
    const Halves bits(mask);
    const Halves wanted(value);
    const auto low_equal = [&](Words& w) { return w[low].require_equal(bits.low, wanted.low); };
    const auto low_differs = [&](Words& w) {
      return w[low].require_different(bits.low, wanted.low);
    };
    if (!wide_) {
      push(yes, low_equal);
      push(no, low_differs);
      return;
    }
    const auto high_equal = [&](Words& w) {
      return w[low + 1].require_equal(bits.high, wanted.high);
    };
    push(yes, [&](Words& w) { return high_equal(w) && low_equal(w); });
    push(no, [&](Words& w) { return w[low + 1].require_different(bits.high, wanted.high); });
    push(no, [&](Words& w) { return high_equal(w) && low_differs(w); });
  }

  // argument < limit, or <= with `inclusive`, goes to `yes`, the rest to `no`.
  void below(std::size_t low, const Halves& limit, bool inclusive, const State& yes,
             const State& no) {
    const auto low_below = [&](Words& w) {
      if (!inclusive && limit.low == 0) return false;
      return w[low].require_between(0, inclusive ? limit.low : limit.low - 1);
    };
    const auto low_above = [&](Words& w) {
      if (inclusive && limit.low == UINT32_MAX) return false;
      return w[low].require_between(inclusive ? limit.low + 1 : limit.low, UINT32_MAX);
    };
    if (!wide_) {
      push(yes, low_below);
      push(no, low_above);
      return;
    }
    const auto high_equal = [&](Words& w) {
      return w[low + 1].require_between(limit.high, limit.high);
    };
    if (limit.high != 0) {
      push(yes, [&](Words& w) { return w[low + 1].require_between(0, limit.high - 1); });
    }
    push(yes, [&](Words& w) { return high_equal(w) && low_below(w); });
    push(no, [&](Words& w) { return high_equal(w) && low_above(w); });
    if (limit.high != UINT32_MAX) {
      push(no, [&](Words& w) { return w[low + 1].require_between(limit.high + 1, UINT32_MAX); });
    }
  }

  void push(State state) { pending_.push_back(std::move(state)); }

  // Goes on with those vectors of the state that meet one thing more, if there are any.
  template <typename Constrain>
  void push(State state, const Constrain& constrain) {
    std::size_t size = state.words.size();
    for (const WordConstraint& word : state.words) size += word.excluded.size();
    steps_left_ -= std::min<std::uint64_t>(steps_left_, size);
    if (!constrain(state.words)) return;
    const bool possible =
        std::all_of(state.words.begin(), state.words.end(), [this](const WordConstraint& word) {
          return word.is_free() || witness(word, steps_left_);
        });
    if (steps_left_ == 0) decision_.decided = false;
    if (possible) push(std::move(state));
  }

  void add_path(State state, const Verdict& verdict) {
    if (decision_.paths.size() >= most_paths_) {
      decision_.decided = false;
      return;
    }
    decision_.paths.push_back({std::move(state.words), verdict});
  }

  std::vector<const Rule*> rules_;
  Verdict default_verdict_;
  bool wide_;  // 64 bits are compared
  std::size_t most_paths_;
  std::uint64_t steps_left_;
  std::vector<State> pending_;
  Decision decision_;
};

}  // namespace

Decision documented_decision(const profile::Profile& profile, syscalls::Arch arch,
                             std::string_view name, const Bounds& bounds) {
  std::vector<const Rule*> rules;
  for (const Rule& rule : profile.rules()) {
    if (std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end()) continue;
    if (rule.args.empty()) {
      // Whatever stands beside it.
      rules = {&rule};
      break;
    }
    rules.push_back(&rule);
  }
  return Walk(std::move(rules), profile.default_verdict(), syscalls::compares_64_bits(arch), bounds)
      .run();
}

}  // namespace whittle::filter
