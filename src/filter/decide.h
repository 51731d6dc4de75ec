// What a program can answer for one (ABI, number), over all argument values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "filter/program.h"
#include "profile/verdict.h"

namespace whittle::filter {

// What a path asks of one 32-bit half of an argument: (word & mask) == value for every pair, and
// lo <= word <= hi, and word not in a few excluded (mask, value) pairs.
struct WordConstraint {
  std::uint32_t lo = 0;
  std::uint32_t hi = UINT32_MAX;
  std::uint32_t known_mask = 0;   // bits that are fixed ...
  std::uint32_t known_value = 0;  // ... to these
  std::vector<std::pair<std::uint32_t, std::uint32_t>> excluded;  // (mask, value): (word & mask) != value
};

// One way through the program: words 2*i and 2*i+1 are the low and high half of argument i.
struct Path {
  std::array<WordConstraint, 12> words;
  profile::Verdict verdict;
};

struct Decision {
  bool decided = true;          // false: more paths than the bound, `paths` is not the whole
  std::uint8_t arguments = 0;   // bit i: argument i is looked at
  std::vector<Path> paths;      // satisfiable ones, together all argument values, disjoint

  // The verdict when it does not depend on arguments.
  std::optional<profile::Verdict> constant() const;
  bool always_allows() const;
};

Decision decide(std::span<const sock_filter> program, syscalls::Arch arch, std::uint32_t nr,
                std::size_t most_paths = 4096);

// A word that meets the constraint, or nullopt when there is none.
std::optional<std::uint32_t> witness(const WordConstraint& constraint);

// An argument vector allowed (allow or log) by the program for which every `require` holds:
// (argument[index] & mask) == value, or with `nonzero` (argument[index] & mask) != 0.
struct Requirement {
  unsigned index = 0;
  std::uint64_t mask = UINT64_MAX;
  std::uint64_t value = 0;
  bool nonzero = false;
};
// nullopt: none exists, so the filter refuses the whole set. `decided` false when it can't be told.
struct Reachable {
  bool decided = true;
  std::optional<std::array<std::uint64_t, 6>> args;
};
Reachable allowed_with(const Decision& decision, std::span<const Requirement> requirements);

}  // namespace whittle::filter
