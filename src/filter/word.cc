#include "filter/word.h"

#include <algorithm>

namespace whittle::filter {

namespace {

using Exclusions = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// A partly known word.
struct Bits {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
};

std::uint32_t highest_bit(std::uint32_t word) {
  std::uint32_t bit = 0x80000000U;
  while (bit != 0 && (word & bit) == 0) bit >>= 1U;
  return bit;
}

// An exclusion is a clause of a satisfiability problem: one of its bits must differ. Those that the
// known bits already meet are dropped; one with a single open bit fixes it. False: one is violated,
// or `work` is used up.
bool propagate(Bits& known, Exclusions& exclusions, std::uint64_t& work) {
  for (bool changed = true; changed;) {
    changed = false;
    work -= std::min<std::uint64_t>(work, exclusions.size() + 1);
    if (work == 0) return false;
    Exclusions open;
    for (const auto& [mask, value] : exclusions) {
      if (((known.value ^ value) & known.mask & mask) != 0) continue;
      const std::uint32_t unknown = mask & ~known.mask;
      if (unknown == 0) return false;
      if ((unknown & (unknown - 1)) == 0) {
        known.mask |= unknown;
        known.value |= ~value & unknown;
        changed = true;
      } else {
        open.emplace_back(mask, value);
      }
    }
    exclusions = std::move(open);
  }
  return true;
}

// The smallest word with these known bits that no exclusion hits: the search goes from the highest
// open bit down and tries 0 first, so the first find is the smallest. Bits that no exclusion looks
// at stay 0 and are never branched on.
std::optional<std::uint32_t> smallest(Bits known, Exclusions exclusions, std::uint64_t& work) {
  if (!propagate(known, exclusions, work)) return std::nullopt;
  if (exclusions.empty()) return known.value;
  std::uint32_t open = 0;
  for (const auto& [mask, value] : exclusions) open |= mask & ~known.mask;
  const std::uint32_t bit = highest_bit(open);
  if (const auto found = smallest({known.mask | bit, known.value}, exclusions, work)) return found;
  return smallest({known.mask | bit, known.value | bit}, std::move(exclusions), work);
}

// The largest block of words that begins at `lo`, has a size that is a power of two, is aligned to
// it and ends at `hi` or before: its free low bits.
std::uint32_t block_at(std::uint32_t lo, std::uint32_t hi) {
  std::uint32_t free = 0;
  while (free != UINT32_MAX) {
    const std::uint32_t wider = (free << 1U) | 1U;
    if ((lo & wider) != 0 || (lo | wider) > hi) break;
    free = wider;
  }
  return free;
}

}  // namespace

bool WordConstraint::holds(std::uint32_t word) const {
  return word >= lo && word <= hi && (word & known_mask) == known_value &&
         std::none_of(excluded.begin(), excluded.end(),
                      [word](const auto& pair) { return (word & pair.first) == pair.second; });
}

bool WordConstraint::require_equal(std::uint32_t mask, std::uint32_t value) {
  if ((value & ~mask) != 0 || ((known_value ^ value) & known_mask & mask) != 0) return false;
  known_mask |= mask;
  known_value |= value;
  return true;
}

bool WordConstraint::require_different(std::uint32_t mask, std::uint32_t value) {
  if ((value & ~mask) != 0) return true;
  if (mask == 0) return false;
  if ((mask & (mask - 1)) == 0) return require_equal(mask, ~value & mask);
  if (mask == UINT32_MAX && (value < lo || value > hi)) return true;
  if (mask == UINT32_MAX && lo == hi) return false;
  // Values at the ends shorten the interval: a long list of them stays quick to solve.
  if (mask == UINT32_MAX && value == lo) return require_between(lo + 1, hi);
  if (mask == UINT32_MAX && value == hi) return require_between(lo, hi - 1);
  if (std::find(excluded.begin(), excluded.end(), std::pair(mask, value)) == excluded.end()) {
    excluded.emplace_back(mask, value);
  }
  return true;
}

bool WordConstraint::require_between(std::uint32_t first, std::uint32_t last) {
  lo = std::max(lo, first);
  hi = std::min(hi, last);
  return lo <= hi;
}

bool WordConstraint::require_all(const WordConstraint& other) {
  return require_between(other.lo, other.hi) &&
         require_equal(other.known_mask, other.known_value) &&
         std::all_of(other.excluded.begin(), other.excluded.end(), [this](const auto& pair) {
           return require_different(pair.first, pair.second);
         });
}

bool WordConstraint::is_free() const {
  return lo == 0 && hi == UINT32_MAX && known_mask == 0 && excluded.empty();
}

std::optional<std::uint32_t> witness(const WordConstraint& constraint) {
  std::uint64_t work = UINT64_MAX;
  return witness(constraint, work);
}

std::optional<std::uint32_t> witness(const WordConstraint& constraint, std::uint64_t& work) {
  // The interval is a union of at most 62 aligned blocks, and within a block only bits matter.
  for (std::uint64_t lo = constraint.lo; lo <= constraint.hi;) {
    const auto start = static_cast<std::uint32_t>(lo);
    const std::uint32_t free = block_at(start, constraint.hi);
    lo += std::uint64_t{free} + 1;
    const bool clash = ((start ^ constraint.known_value) & constraint.known_mask & ~free) != 0;
    if (clash) continue;
    const Bits known{constraint.known_mask | ~free, constraint.known_value | start};
    if (const auto found = smallest(known, constraint.excluded, work)) return found;
    if (work == 0) break;
  }
  return std::nullopt;
}

}  // namespace whittle::filter
