// Two random filters: what compare() says of a call is what the evaluator answers. Termination
// within bounds, every witness confirmed (compare() fails with a bug error else), texts for all.
#include <algorithm>
#include <cstdlib>

#include "filter/change_text.h"
#include "filter/compare.h"
#include "filter/random_program.h"

using namespace whittle;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array kArches = {syscalls::Arch::kX86_64};
  std::size_t at = 0;
  const auto next = [&] { return at < size ? data[at++] : std::uint8_t{0}; };
  const std::uint32_t nr = next();
  filter::Arguments args{};
  for (std::uint64_t& arg : args) arg = std::uint64_t{next()} << 32U | next();
  const filter::Program before = filter::random_program(next);
  filter::Program after = before;
  if (next() % 2 == 0) {
    after[next() % after.size()].k ^= 1U << (next() % 32U);
  } else {
    after = filter::random_program(next);
  }

  const auto comparison = filter::compare(before, after, kArches);
  if (!comparison) {
    require(comparison.error().kind == ErrorKind::kInput);
    require(!filter::check(before) || !filter::check(after));
    return 0;
  }
  for (const filter::Change& change : comparison->changes) {
    require(!filter::headline(change).empty() && !filter::subject_text(change).empty());
    require(!filter::before_text(change).empty() && !filter::after_text(change).empty());
  }
  const auto call = filter::call(kArches[0], nr, args);
  const auto old_verdict = *filter::evaluate(before, call);
  const auto new_verdict = *filter::evaluate(after, call);
  const auto covers = [nr](const auto& each) {
    return each.numbers.first <= nr && nr <= each.numbers.last;
  };
  const bool undecided =
      std::any_of(comparison->undecided.begin(), comparison->undecided.end(), covers);
  const bool changed = std::any_of(comparison->changes.begin(), comparison->changes.end(), covers);
  require(undecided || changed || old_verdict == new_verdict);
  return 0;
}
