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

// Compares the program with the documented meaning for every known number of every listed
// architecture: at a witness of every path of the program, and at the boundary values of every
// condition. Empty: they agree at all of them.
Result<std::vector<Difference>> differences(const profile::Profile& profile, const Program& program,
                                            Flavour flavour);

}  // namespace whittle::filter
