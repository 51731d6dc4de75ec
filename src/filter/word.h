// One 32-bit half of an argument, as a path through a filter constrains it, and the exact answer to
// the question whether any value is left.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace whittle::filter {

// What a path asks of a word: (word & mask) == value for every pair, and lo <= word <= hi, and word
// not in a few excluded (mask, value) pairs.
struct WordConstraint {
  std::uint32_t lo = 0;
  std::uint32_t hi = UINT32_MAX;
  std::uint32_t known_mask = 0;   // bits that are fixed ...
  std::uint32_t known_value = 0;  // ... to these
  // (mask, value): (word & mask) != value
  std::vector<std::pair<std::uint32_t, std::uint32_t>> excluded;

  bool holds(std::uint32_t word) const;
  // Adds (word & mask) == value. False when that leaves nothing, as far as one look tells: true
  // does not yet mean that there is a witness.
  bool require_equal(std::uint32_t mask, std::uint32_t value);
  // Adds (word & mask) != value. False as above.
  bool require_different(std::uint32_t mask, std::uint32_t value);
  // Adds first <= word <= last. False as above.
  bool require_between(std::uint32_t first, std::uint32_t last);
  // Adds all that `other` asks. False as above.
  bool require_all(const WordConstraint& other);
  // Nothing is asked: every word will do.
  bool is_free() const;
};

// The smallest word that meets the constraint, or nullopt when there is none.
std::optional<std::uint32_t> witness(const WordConstraint& constraint);
// The same within a bound: every look at an exclusion takes one off `work`. At 0 the search ends
// with nullopt, which then says nothing.
std::optional<std::uint32_t> witness(const WordConstraint& constraint, std::uint64_t& work);

}  // namespace whittle::filter
