// The rule that would allow a call which was refused, as narrow as what was seen of it allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "profile/profile.h"
#include "trial/denial.h"

namespace whittle::trial {

// The arguments that rules of a call are made of: those of its first unit in the argument table
// that becomes a rule as `generate --arguments safe` has it. Bit i: argument i.
std::uint8_t rule_arguments(syscalls::Arch arch, const std::string& syscall);

// Bits of argument `index` that the kernel looks at; all 64 where the table does not say.
std::uint64_t argument_mask(syscalls::Arch arch, const std::string& syscall, unsigned index);

// A name in a rule of the profile; `whole`: it is the only one there.
struct RuleName {
  std::size_t rule = 0;
  std::size_t name = 0;
  bool whole = false;
};

// What would make a profile allow a call: a rule more, or names in refusing rules that are taken
// away. With neither there is no way, and `none` says why.
struct Allowance {
  std::optional<profile::Rule> rule;
  std::vector<RuleName> taken_away;  // the last of the profile first
  std::string none;

  bool is_one() const { return rule || !taken_away.empty(); }
};

// `by`: the arguments that the rule is to be about; it allows the call whatever they are when one
// of them was not seen. With a profile the change is tried: one that would not make it allow the
// call is none.
Allowance allowance_for(const Denial& call, std::uint8_t by, const profile::Profile* profile);

}  // namespace whittle::trial
