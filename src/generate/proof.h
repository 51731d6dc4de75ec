// The two proofs that every generated profile has to pass before anybody sees it. A failure is an
// error of kind bug that names the call and the arguments.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "generate/base_rules.h"
#include "profile/profile.h"

namespace whittle::generate {

// For each of `names`, whatever the profile allows, the base allows on every ABI, over all argument
// values. A default that refuses nothing (log) is left out of account.
Result<void> prove_not_looser(const profile::Profile& profile, const std::set<std::string>& names,
                              const BaseLimit& limit, const std::string& base_name);

// libseccomp makes of the profile what is documented, natively and as runc and crun hand it over.
// Returns the names that this libseccomp does not know and passes over. Not counted as a
// difference: what libseccomp does by itself to the entries of multiplexed calls on x86
// (multiplex.h), where it refuses or the base does not allow it to be said.
Result<std::vector<std::string>> prove_faithful(const profile::Profile& profile,
                                                const BaseLimit& limit);

}  // namespace whittle::generate
