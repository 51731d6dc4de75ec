// What the rules of a call mean over whole sets of argument values, exactly.
//
// A region is a set of argument vectors: for each argument, the bits under a mask are fixed, the
// others free. Every question here is answered by splitting a region at the bits on which a
// condition depends, until the documented verdict (profile/profile.h) is the same everywhere in it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "profile/profile.h"
#include "syscalls/arch.h"

namespace whittle::generate {

struct Bits {
  std::uint64_t mask = 0;
  std::uint64_t value = 0;  // no bits outside the mask
  auto operator<=>(const Bits&) const = default;
};
using Region = std::array<Bits, 6>;
using Arguments = std::array<std::uint64_t, 6>;

// The intersection; nullopt when it is empty.
std::optional<Region> intersection(const Region& a, const Region& b);
// The region of a rule whose conditions are EQ and MASKED_EQ only; nullopt for another rule, and
// for one that never matches.
std::optional<Region> region_of(const profile::Rule& rule);
// EQ or MASKED_EQ conditions for the region, by index.
std::vector<profile::Condition> conditions_of(const Region& region);

// The rules of a profile for one call of one ABI.
class Meaning {
 public:
  Meaning(const profile::Profile& profile, syscalls::Arch arch, std::string_view name);

  // Every argument vector of the ABI: 32-bit ones have the high halves fixed to 0.
  Region everything() const;
  // The same region as the ABI sees it: cut to the bits that it compares.
  Region seen(const Region& region) const;

  // The rules in effect, in order: conditional ones, or the one unconditional. Values are cut to
  // the bits that the ABI compares.
  const std::vector<profile::Rule>& rules() const { return rules_; }

  struct Answer {
    std::optional<profile::Verdict> verdict;  // of the whole region
    unsigned index = 0;                       // else: the bit to split at
    std::uint64_t bit = 0;
  };
  Answer on(const Region& region) const;

 private:
  std::vector<profile::Rule> rules_;
  profile::Verdict default_verdict_;
  std::uint64_t width_;
};

// An argument vector in `within` that `after` allows (or logs) and `before` does not; nullopt when
// there is none. A bug error when that takes more than a million steps. REQUIRES: both of one ABI.
Result<std::optional<Arguments>> loosened(const Meaning& before, const Meaning& after,
                                          const Region& within);
// True when every vector of the region is allowed; false also when that takes too many steps.
bool allows_all(const Meaning& meaning, const Region& region);
// True when no vector of the region is allowed; false also when that takes too many steps.
bool refuses_all(const Meaning& meaning, const Region& region);

}  // namespace whittle::generate
