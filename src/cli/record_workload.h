// record DIR: a workload with its exercises.
#pragma once

#include "base/result.h"
#include "cli/verb.h"
#include "record/record.h"

namespace whittle::cli {

// Records it, reports, writes the evidence; gives the exit code: 1, too, when an exercise failed,
// since then the evidence does not hold what was to be recorded. `spec`: what the options say.
Result<int> record_workload(const Arguments& arguments, record::RecordSpec spec);

}  // namespace whittle::cli
