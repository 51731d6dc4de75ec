// What a profile refused a workload, as evidence of what the workload needs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "profile/profile.h"
#include "trial/trial.h"

namespace whittle::trial {

// A run that holds the denied calls of a trial and nothing else, in the argument values that were
// refused, as calls that worked: in log mode they did. Of a trial in log mode that recorded all
// calls the observations are that recording's own; else they are what the denials tell, and
// argument values that they do not tell for certain are open. Denials of ABIs that the profile does
// not list are left out.
Result<evidence::Run> missing_calls(const TrialReport& report, const TrialSpec& spec);

// Whether the profile lists the ABI, or every runtime adds it.
bool is_covered(const profile::Profile& profile, syscalls::Arch arch);

}  // namespace whittle::trial
