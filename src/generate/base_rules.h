// The base as a limit: what of a wanted rule it lets through, on every ABI that is written.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "generate/generate.h"
#include "generate/meaning.h"

namespace whittle::generate {

class BaseLimit {
 public:
  // REQUIRES: a base for the family of each of `abis`. Both outlive this.
  BaseLimit(const std::map<syscalls::Arch, profile::Profile>& base,
            const std::set<syscalls::Arch>& abis)
      : base_(base), abis_(abis) {}

  enum class Attitude : std::uint8_t { kAllows, kRefuses, kConditional };
  // On the ABIs that have the call; kConditional also when they differ.
  Attitude attitude(std::string_view name) const;

  // The wanted region as far as the base allows it everywhere, as regions; empty: not at all, or
  // not in this form. All of it when that is allowed, else its intersections with the base's rules.
  std::vector<Region> fit(std::string_view name, const Region& wanted) const;

  // The base's own rules for a call under conditions, so that none of the bases is loosened;
  // nullopt when no rule list does that. Refusals equal to `default_verdict` (which runtimes would
  // drop) become EACCES.
  std::optional<std::vector<profile::Rule>> own_rules(
      std::string_view name, const profile::Verdict& default_verdict) const;

  // An argument vector that `profile` allows for the call and the base does not, and where.
  struct Looser {
    syscalls::Arch arch;
    Arguments args;
  };
  Result<std::optional<Looser>> looser(const profile::Profile& profile,
                                       std::string_view name) const;

 private:
  // The base's meaning on each ABI that has the call.
  std::vector<std::pair<syscalls::Arch, Meaning>> meanings(std::string_view name) const;

  const std::map<syscalls::Arch, profile::Profile>& base_;
  const std::set<syscalls::Arch>& abis_;
};

}  // namespace whittle::generate
