// Whether runtimes can load a profile, found out by compiling it as they do.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "filter/compile.h"
#include "profile/profile.h"

namespace whittle::deploy {

struct NamedProfile {
  std::string name;  // for errors
  const profile::Profile* profile;
};

struct LoadReport {
  std::vector<std::string> skipped;  // names of calls that libseccomp here does not know, sorted
};

// Compiles each for each runtime, on all processors. Errors: the first profile that a runtime would
// refuse, with the runtime and its reason.
Result<LoadReport> check_loads(std::span<const NamedProfile> profiles,
                               std::span<const filter::Flavour> runtimes);

}  // namespace whittle::deploy
