// Does libseccomp compile a profile as it is documented? (facts: it miscompiles some legal rule
// sets.)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "filter/compile.h"
#include "profile/profile.h"

namespace whittle::filter {

struct Difference {
  syscalls::Arch arch;
  std::string syscall;
  std::uint32_t nr;
  Arguments args;  // the witness
  profile::Verdict documented;
  profile::Verdict compiled;
};

// Compares the program with the documented meaning, over all argument values of every named call of
// every ABI that the profile covers: one difference for each pair of verdicts of a call, with a
// witness that evaluate() and documented_verdict() confirm (a bug error else). Empty: they agree.
// An input error names a call whose answers can't be told exactly (decide.h).
Result<std::vector<Difference>> differences(const profile::Profile& profile, const Program& program,
                                            Flavour flavour);

}  // namespace whittle::filter
