// The record of trials beside a profile (trial/trial_record.h), as verify and heal write it.
#pragma once

#include <string>

#include "base/result.h"
#include "trial/trial.h"

namespace whittle::cli {

// Adds the trial to the record beside the workload's profile: one that passed, and any when there
// is a record already. `evidence`: what was written of it; empty: nothing. Returns the file's path,
// empty when nothing was to be written.
Result<std::string> keep_trial(const trial::TrialSpec& spec, const trial::TrialReport& report,
                               const std::string& evidence);

}  // namespace whittle::cli
