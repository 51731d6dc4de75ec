// What verify and heal run: a workload with its profile.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/verb.h"
#include "host/workload.h"
#include "trial/trial.h"

namespace whittle::cli {

// The workload of a directory, with what --runtime and --profile say instead. `verb`: as
// load_workload() takes it.
Result<host::Workload> trial_workload(const std::string& verb, const Arguments& arguments,
                                      const std::string& path);

// Its trial: the profile that it names, and what --mode, --for, --via and --evidence say.
Result<trial::TrialSpec> trial_spec(const Arguments& arguments, host::Workload workload);

}  // namespace whittle::cli
