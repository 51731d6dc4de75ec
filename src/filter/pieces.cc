#include "filter/pieces.h"

#include <utility>

namespace whittle::filter {

namespace {

using syscalls::Arch;

// A filter of 4096 comparisons cuts the numbers of an ABI into some 8192 ranges.
constexpr std::size_t kMostRanges = 16'384;

}  // namespace

std::vector<Numbers> number_spaces(Arch arch) {
  constexpr std::uint32_t kSkipped = UINT32_MAX;  // -1: a call that a tracer skipped
  if (arch == Arch::kX86_64) return {{0, syscalls::kX32Bit - 1}, {kSkipped, kSkipped}};
  if (arch == Arch::kX32) return {{syscalls::kX32Bit, kSkipped - 1}};
  return {{0, UINT32_MAX}};
}

std::vector<Piece> pieces_of(Decider& decider, Arch arch) {
  std::vector<Piece> pieces;
  for (const Numbers& space : number_spaces(arch)) {
    for (std::uint64_t first = space.first; first <= space.last;) {
      const auto start = static_cast<std::uint32_t>(first);
      Decider::Range range{space.last, {}};
      range.decision.decided = false;  // of what is beyond the bound
      if (pieces.size() < kMostRanges) range = decider.decide_from(arch, start, space.last);
      first = std::uint64_t{range.last} + 1;
      pieces.push_back(
          {{start, range.last}, std::make_shared<const Decision>(std::move(range.decision))});
    }
  }
  return pieces;
}

}  // namespace whittle::filter
