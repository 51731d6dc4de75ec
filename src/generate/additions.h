// Adding to a profile what it refuses and a workload needs: the rules that generate() makes of that
// evidence, and nothing else. Rules that the profile has are kept, whoever wrote them.
//
//   TRY_ASSIGN(const Added added, add_missing(profile, missing, options, {}));
//   added.profile, added.additions        // what changed, call by call
//   added.left_out                        // what was not added, and why
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "generate/generate.h"
#include "profile/profile.h"

namespace whittle::generate {

struct Addition {
  std::string syscall;
  std::vector<profile::Rule> rules;  // those that are new: allowing, or ENOSYS
  std::vector<Reason> why;
};

struct Added {
  profile::Profile profile{profile::Profile::Parts{}};
  std::vector<Addition> additions;  // sorted by call
  std::vector<LeftOut> left_out;    // sorted
};

// `missing`: observations of the refused calls, of ABIs that the profile lists. `options.arches`:
// the native ABIs of what it lists; its own default and list of ABIs stay as they are.
//
// `never`: calls that are not added, with the reason, which is listed when one of them is missing.
//
// Never looser than the base but for options.allow, whatever the rest of the profile is; what an
// explicit rule refuses is left out, too, unless it is allowed so. Where rules cannot be had that
// libseccomp compiles as they are written, next to those that are there: an error of kind input.
Result<Added> add_missing(const profile::Profile& profile, const evidence::Evidence& missing,
                          const Options& options, const std::vector<LeftOut>& never);

// The native ABIs for which a profile has rules: of each family that it lists, and this machine's
// when it lists none.
std::set<syscalls::Arch> native_arches(const profile::Profile& profile);

}  // namespace whittle::generate
