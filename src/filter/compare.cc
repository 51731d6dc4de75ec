#include "filter/compare.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "filter/survey.h"
#include "syscalls/table.h"

namespace whittle::filter {

namespace {

using syscalls::Arch;

constexpr std::uint64_t kMostSteps = 20'000'000;  // of pairing paths, in all

bool lets_something_through(const std::vector<Piece>& pieces) {
  return std::any_of(pieces.begin(), pieces.end(),
                     [](const Piece& piece) { return can_allow(*piece.decision); });
}

Direction direction_of(const profile::Verdict& before, const profile::Verdict& after) {
  if (before.allows() == after.allows()) return Direction::kOther;
  return after.allows() ? Direction::kLooser : Direction::kTighter;
}

// The argument vectors that two decisions answer differently, by direction; nullopt when they are
// too many to pair.
std::optional<std::array<std::vector<Path>, 3>> changed_paths(const Decision& before,
                                                              const Decision& after,
                                                              std::uint64_t& work) {
  std::array<std::vector<Path>, 3> changed;
  for (const Path& a : before.paths) {
    for (const Path& b : after.paths) {
      if (a.verdict == b.verdict) continue;
      auto words = intersection(a.words, b.words, work);
      work -= std::min<std::uint64_t>(work, words ? 100 : 10);  // copies of what was found
      if (work == 0) return std::nullopt;
      if (!words) continue;
      const auto direction = static_cast<std::size_t>(direction_of(a.verdict, b.verdict));
      changed[direction].push_back({*std::move(words), b.verdict});
    }
  }
  return changed;
}

class Comparer {
 public:
  Comparer(const Program& before, const Program& after)
      : before_(before), after_(after), deciders_{Decider(before), Decider(after)} {}

  Result<void> compare(Arch arch) {
    const std::vector<Piece> before = pieces_of(deciders_[0], arch);
    const std::vector<Piece> after = pieces_of(deciders_[1], arch);
    if (lets_something_through(before) != lets_something_through(after)) {
      return add_architecture(arch, before, after);
    }
    const std::size_t old_changes = comparison_.changes.size();
    auto b = after.begin();
    for (auto a = before.begin(); a != before.end();) {
      const Numbers numbers{std::max(a->numbers.first, b->numbers.first),
                            std::min(a->numbers.last, b->numbers.last)};
      TRY(compare_numbers(arch, numbers, a->decision, b->decision));
      const bool a_ends = a->numbers.last == numbers.last;
      if (b->numbers.last == numbers.last) ++b;
      if (a_ends) ++a;
    }
    const auto changes = std::span(comparison_.changes).subspan(old_changes);
    std::stable_sort(changes.begin(), changes.end(), [](const Change& x, const Change& y) {
      return std::pair(x.numbers.first, x.direction) < std::pair(y.numbers.first, y.direction);
    });
    return {};
  }

  Comparison take() { return std::move(comparison_); }

 private:
  using SharedDecision = std::shared_ptr<const Decision>;

  Result<void> compare_numbers(Arch arch, const Numbers& numbers, const SharedDecision& before,
                               const SharedDecision& after) {
    if (before->decided && after->decided) {
      auto changed = changed_paths(*before, *after, work_);
      if (changed) {
        for (std::size_t i = 0; i < changed->size(); ++i) {
          if ((*changed)[i].empty()) continue;
          Change change;
          change.arch = arch;
          change.direction = static_cast<Direction>(i);
          change.before = before;
          change.after = after;
          change.changed = std::make_shared<const std::vector<Path>>(std::move((*changed)[i]));
          TRY(add_numbers(change, numbers));
        }
        return {};
      }
    }
    auto& undecided = comparison_.undecided;
    if (!undecided.empty() && undecided.back().arch == arch &&
        std::uint64_t{undecided.back().numbers.last} + 1 == numbers.first) {
      undecided.back().numbers.last = numbers.last;
    } else {
      undecided.push_back({arch, numbers});
    }
    return {};
  }

  // One change for each number that has a name, one for each run of those that have none.
  Result<void> add_numbers(const Change& pattern, const Numbers& numbers) {
    std::uint64_t next = numbers.first;
    const auto add = [&](Change::Scope scope, std::uint64_t last, std::string_view name) {
      Change change = pattern;
      change.scope = scope;
      change.numbers = {static_cast<std::uint32_t>(next), static_cast<std::uint32_t>(last)};
      change.name = name;
      change.nr = change.numbers.first;
      next = last + 1;
      return confirm(std::move(change));
    };
    const auto entries = syscalls::entries(pattern.arch);
    auto entry = std::lower_bound(
        entries.begin(), entries.end(), numbers.first,
        [](const syscalls::Entry& e, std::uint32_t first) { return e.nr < first; });
    for (; entry != entries.end() && entry->nr <= numbers.last; ++entry) {
      if (next < entry->nr) TRY(add(Change::Scope::kUnnamed, entry->nr - 1, {}));
      TRY(add(Change::Scope::kCall, entry->nr, entry->name));
    }
    if (next <= numbers.last) TRY(add(Change::Scope::kUnnamed, numbers.last, {}));
    return {};
  }

  // The witness: the first call that gets through, one with a name if there is any.
  Result<void> add_architecture(Arch arch, const std::vector<Piece>& before,
                                const std::vector<Piece>& after) {
    const bool comes = lets_something_through(after);
    const auto numbers = number_spaces(arch);
    Change change;
    change.scope = Change::Scope::kArchitecture;
    change.arch = arch;
    change.numbers = {numbers.front().first, numbers.back().last};
    change.direction = comes ? Direction::kLooser : Direction::kTighter;
    for (const bool named : {true, false}) {
      for (const Piece& piece : comes ? after : before) {
        if (!piece.decision->decided) continue;
        const auto nr = named ? named_in(arch, piece.numbers) : piece.numbers.first;
        if (!nr) continue;
        change.before = std::make_shared<const Decision>(deciders_[0].decide(arch, *nr));
        change.after = std::make_shared<const Decision>(deciders_[1].decide(arch, *nr));
        auto changed = changed_paths(*change.before, *change.after, work_);
        if (!changed) continue;
        auto& paths = (*changed)[static_cast<std::size_t>(change.direction)];
        if (paths.empty()) continue;
        change.changed = std::make_shared<const std::vector<Path>>(std::move(paths));
        change.nr = *nr;
        return confirm(std::move(change));
      }
    }
    for (const Numbers& all : numbers) comparison_.undecided.push_back({arch, all});
    return {};
  }

  static std::optional<std::uint32_t> named_in(Arch arch, const Numbers& numbers) {
    for (const syscalls::Entry& entry : syscalls::entries(arch)) {
      if (entry.nr >= numbers.first && entry.nr <= numbers.last) return entry.nr;
    }
    return std::nullopt;
  }

  // Asks the evaluator before the change is kept.
  Result<void> confirm(Change change) {
    std::uint64_t work = UINT64_MAX;
    const auto args = witness(change.changed->front().words, work);
    if (!args) return bug("a change without a witness");
    change.args = *args;
    const seccomp_data data = call(change.arch, change.nr, change.args);
    change.verdict_before = evaluate_checked(before_, data);
    change.verdict_after = evaluate_checked(after_, data);
    if (change.verdict_before == change.verdict_after ||
        direction_of(change.verdict_before, change.verdict_after) != change.direction) {
      return bug(format("the evaluator does not confirm a change of {} on {}",
                        syscalls::display_name(change.arch, change.nr),
                        syscalls::arch_name(change.arch)));
    }
    if (!extend(change)) comparison_.changes.push_back(std::move(change));
    return {};
  }

  // Runs of numbers without a name that change alike are one change.
  bool extend(const Change& change) {
    if (change.scope != Change::Scope::kUnnamed || comparison_.changes.empty()) return false;
    Change& last = comparison_.changes.back();
    const auto alike = [](const Decision& a, const Decision& b) {
      return a.constant() && a.constant() == b.constant();
    };
    if (last.scope != change.scope || last.arch != change.arch ||
        last.direction != change.direction ||
        std::uint64_t{last.numbers.last} + 1 != change.numbers.first ||
        !alike(*last.before, *change.before) || !alike(*last.after, *change.after)) {
      return false;
    }
    last.numbers.last = change.numbers.last;
    return true;
  }

  const Program& before_;
  const Program& after_;
  std::array<Decider, 2> deciders_;
  std::uint64_t work_ = kMostSteps;
  Comparison comparison_;
};

}  // namespace

std::string_view direction_name(Direction direction) {
  constexpr std::array<std::string_view, 3> kNames = {"looser", "tighter", "other"};
  return kNames[static_cast<std::size_t>(direction)];
}

Result<Comparison> compare(const Program& before, const Program& after,
                           std::span<const Arch> arches) {
  TRY(check(before));
  TRY(check(after));
  if (same_program(before, after)) return Comparison{};
  Comparer comparer(before, after);
  for (const Arch arch : arches) TRY(comparer.compare(arch));
  return comparer.take();
}

}  // namespace whittle::filter
