// A trial followed by seccomp notification (notify_server.h): natively, and without privilege where
// the kernel lets us load a filter at all, which needs no_new_privileges (seccomp(2)).
#pragma once

#include "base/result.h"
#include "trial/trial.h"

namespace whittle::trial {

// Why a trial cannot be done in this way, as an error of kind input; what only the start can find
// out (an old kernel, a listener that is there already) is an error of run_by_notify().
Result<void> check_for_notify(const TrialSpec& spec, const filter::Program& program);

// REQUIRES: a native run. Drives the workload as workload.yaml says, or runs it to the end of its
// last process. What a command that is not driven leaves behind has 10 seconds to end, or until the
// time limit when there is one; then it is asked to, and at last killed.
Result<TrialReport> run_by_notify(const TrialSpec& spec, const filter::Program& program);

}  // namespace whittle::trial
