#include "filter/decision_diagram.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "base/text.h"

namespace whittle::filter {

namespace {

using profile::Action;

constexpr std::uint64_t kMostWork = 30'000'000;  // looks at a word of a path
constexpr unsigned kMostDepth = 1000;

std::uint32_t return_value(const profile::Verdict& verdict) {
  switch (verdict.action) {
    case Action::kKillProcess:
      return SECCOMP_RET_KILL_PROCESS;
    case Action::kKillThread:
      return SECCOMP_RET_KILL_THREAD;
    case Action::kTrap:
      return SECCOMP_RET_TRAP | verdict.data;
    case Action::kErrno:
      return SECCOMP_RET_ERRNO | verdict.data;
    case Action::kNotify:
      return SECCOMP_RET_USER_NOTIF;
    case Action::kTrace:
      return SECCOMP_RET_TRACE | verdict.data;
    case Action::kLog:
      return SECCOMP_RET_LOG;
    case Action::kAllow:
      break;
  }
  return SECCOMP_RET_ALLOW;
}

// The ways through a decision that are left where some tests have been made, and what those say.
struct State {
  Words known;
  std::vector<Path> paths;
};

// (word & mask) == value
struct Masked {
  std::uint8_t word = 0;
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
  auto operator<=>(const Masked&) const = default;
};

// What can be tested next: the values at which ways begin and end, by word, and tests under a mask.
struct Tests {
  std::array<std::set<std::uint32_t>, 12> bounds;
  std::set<Masked> masked;
};

// Makes the diagram of one decision. Every test is one that some way asks for, so that there is an
// end to them; the one that leaves the fewest ways on both of its sides comes first.
class Builder {
 public:
  explicit Builder(Diagram& diagram) : diagram_(diagram) {}

  Result<Diagram::Id> build(const State& state, unsigned depth) {
    const auto& paths = state.paths;
    const bool ends = std::all_of(paths.begin(), paths.end(), [&paths](const Path& path) {
      return path.verdict == paths.front().verdict;
    });
    if (ends) return diagram_.returning(paths.front().verdict);
    const Tests tests = open_tests(state);
    const auto word = best_word(state, tests);
    const auto masked = best_masked(state, tests);
    if (depth > kMostDepth || work_ > kMostWork || (!word.test && !masked.test)) {
      return input_error("the filter is too intricate to be written as a compact program");
    }
    if (masked.test && (!word.test || masked.doubled < word.doubled)) {
      return split_masked(state, *masked.test, depth);
    }
    return split_word(state, *word.test, tests.bounds[*word.test], depth);
  }

 private:
  template <typename Test>
  struct Choice {
    std::optional<Test> test;
    std::uint64_t doubled =
        std::numeric_limits<std::uint64_t>::max();  // ways on more than one side

    void offer(const Test& other, std::uint64_t cost) {
      if (cost >= doubled) return;
      test = other;
      doubled = cost;
    }
  };

  static bool possible(const WordConstraint& word) { return witness(word).has_value(); }

  // A test is open when the ones before it leave both answers.
  static bool is_open(const WordConstraint& known, const Masked& test) {
    WordConstraint yes = known;
    WordConstraint no = known;
    return yes.require_equal(test.mask, test.value) && possible(yes) &&
           no.require_different(test.mask, test.value) && possible(no);
  }

  Tests open_tests(const State& state) {
    Tests tests;
    for (const Path& path : state.paths) {
      for (std::uint8_t i = 0; i < path.words.size(); ++i) {
        ++work_;
        const WordConstraint& word = path.words[i];
        if (word.is_free()) continue;
        const WordConstraint& known = state.known[i];
        const auto add_bound = [&](std::uint32_t bound) {
          if (bound > known.lo && bound <= known.hi) tests.bounds[i].insert(bound);
        };
        const auto add = [&](std::uint32_t mask, std::uint32_t value) {
          ++work_;
          if (mask == UINT32_MAX) {
            add_bound(value);
            if (value != UINT32_MAX) add_bound(value + 1);
          } else if (mask != 0 && is_open(known, {i, mask, value})) {
            tests.masked.insert({i, mask, value});
          }
        };
        add_bound(word.lo);
        if (word.hi != UINT32_MAX) add_bound(word.hi + 1);
        add(word.known_mask, word.known_value);
        for (const auto& [mask, value] : word.excluded) add(mask, value);
      }
    }
    return tests;
  }

  // By their ends alone: a rough measure will do for a choice.
  Choice<std::uint8_t> best_word(const State& state, const Tests& tests) {
    Choice<std::uint8_t> best;
    for (std::uint8_t i = 0; i < tests.bounds.size(); ++i) {
      const auto& bounds = tests.bounds[i];
      if (bounds.empty()) continue;
      std::uint64_t doubled = 0;
      for (const Path& path : state.paths) {
        const WordConstraint& word = path.words[i];
        const bool one_value = word.known_mask == UINT32_MAX;
        const std::uint32_t lo = one_value ? word.known_value : word.lo;
        const std::uint32_t hi = one_value ? word.known_value : word.hi;
        work_ += 8;
        doubled += static_cast<std::uint64_t>(
            std::distance(bounds.upper_bound(lo), bounds.upper_bound(hi)));
      }
      // A value that stands alone is one test, and its background is not doubled by it.
      best.offer(i, doubled);
    }
    return best;
  }

  Choice<Masked> best_masked(const State& state, const Tests& tests) {
    Choice<Masked> best;
    for (const Masked& test : tests.masked) {
      std::uint64_t doubled = 0;
      for (const Path& path : state.paths) {
        ++work_;
        const WordConstraint& word = path.words[test.word];
        const bool clash = ((word.known_value ^ test.value) & word.known_mask & test.mask) != 0;
        const bool sure = (test.mask & ~word.known_mask) == 0 && !clash;
        const bool excluded =
            std::any_of(word.excluded.begin(), word.excluded.end(), [&test](const auto& pair) {
              return (pair.first & ~test.mask) == 0 && (test.value & pair.first) == pair.second;
            });
        if (!clash && !sure && !excluded) ++doubled;
      }
      best.offer(test, doubled);
    }
    return best;
  }

  // The state after a test of one word; nullopt when it can't come to that.
  template <typename Constrain>
  std::optional<State> after(const State& state, std::uint8_t word, const Constrain& constrain) {
    State next;
    next.known = state.known;
    if (!constrain(next.known[word]) || !possible(next.known[word])) return std::nullopt;
    for (const Path& path : state.paths) {
      ++work_;
      WordConstraint changed = path.words[word];
      if (!constrain(changed) || !possible(changed)) continue;
      next.paths.push_back(path);
      next.paths.back().words[word] = std::move(changed);
    }
    return next;
  }

  Result<Diagram::Id> split_masked(const State& state, const Masked& test, unsigned depth) {
    const auto equal = after(state, test.word, [&test](WordConstraint& word) {
      return word.require_equal(test.mask, test.value);
    });
    const auto different = after(state, test.word, [&test](WordConstraint& word) {
      return word.require_different(test.mask, test.value);
    });
    if (!equal || !different || equal->paths.empty() || different->paths.empty()) {
      return bug("a test of a decision has one answer");
    }
    TRY_ASSIGN(const Diagram::Id yes, build(*equal, depth + 1));
    TRY_ASSIGN(const Diagram::Id no, build(*different, depth + 1));
    return diagram_.test(Diagram::Kind::kEqual, test.word, test.mask, test.value, yes, no);
  }

  Result<Diagram::Id> split_word(const State& state, std::uint8_t word,
                                 const std::set<std::uint32_t>& bounds, unsigned depth) {
    std::vector<Diagram::Range> ranges;
    std::uint32_t first = state.known[word].lo;
    auto next = bounds.begin();
    for (;;) {
      const bool is_last = next == bounds.end();
      const std::uint32_t last = is_last ? state.known[word].hi : *next - 1;
      const auto within = after(state, word, [first, last](WordConstraint& constraint) {
        return constraint.require_between(first, last);
      });
      // Values that the tests before rule out can go with those before them.
      if (within && !within->paths.empty()) {
        TRY_ASSIGN(const Diagram::Id node, build(*within, depth + 1));
        ranges.push_back({ranges.empty() ? 0 : first, node});
      }
      if (is_last) break;
      first = *next++;
    }
    if (ranges.empty()) return bug("a word of a decision has no value");
    return diagram_.search(word, std::move(ranges));
  }

  Diagram& diagram_;
  std::uint64_t work_ = 0;
};

}  // namespace

Diagram::Id Diagram::keep(const Node& node) {
  const auto [at, is_new] = known_.emplace(node, static_cast<Id>(nodes_.size()));
  if (is_new) nodes_.push_back(node);
  return at->second;
}

Diagram::Id Diagram::returning(const profile::Verdict& verdict) {
  Node node;
  node.k = return_value(verdict);
  return keep(node);
}

Diagram::Id Diagram::test(Kind kind, std::uint8_t word, std::uint32_t mask, std::uint32_t k, Id yes,
                          Id no) {
  if (yes == no) return yes;
  return keep({kind, word, mask, k, yes, no});
}

Diagram::Id Diagram::search(std::uint8_t word, std::vector<Range> ranges) {
  const auto same = [](const Range& a, const Range& b) { return a.node == b.node; };
  ranges.erase(std::unique(ranges.begin(), ranges.end(), same), ranges.end());
  return search_in(word, ranges);
}

Diagram::Id Diagram::search_in(std::uint8_t word, std::span<const Range> ranges) {
  if (ranges.size() == 1) return ranges[0].node;
  // One value within others that are alike.
  if (ranges.size() == 3 && ranges[0].node == ranges[2].node &&
      ranges[1].first + 1 == ranges[2].first) {
    return test(Kind::kEqual, word, UINT32_MAX, ranges[1].first, ranges[1].node, ranges[0].node);
  }
  const std::size_t middle = ranges.size() / 2;
  const Id below = search_in(word, ranges.first(middle));
  const Id above = search_in(word, ranges.subspan(middle));
  return test(Kind::kAtLeast, word, UINT32_MAX, ranges[middle].first, above, below);
}

Result<Diagram::Id> Diagram::of(const Decision& decision) {
  if (!decision.decided || decision.paths.empty()) {
    return input_error("the answers of the filter can't be told exactly");
  }
  return Builder(*this).build({Words{}, decision.paths}, 0);
}

}  // namespace whittle::filter
