// Recording a workload while its exercises drive it.
//
//   TRY_ASSIGN(host::PreparedRun prepared, host::PreparedRun::prepare(workload.run, filter));
//   TRY_ASSIGN(const Exercised exercised, record_workload(workload, spec, prepared));
//
// It is started, waited for until it is ready, exercised, and stopped, as workload.yaml says. Each
// exercise is a phase of the run by its name. A workload with neither `ready` nor exercises runs
// to its end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/exercises.h"
#include "host/prepared_run.h"
#include "host/workload.h"
#include "record/record.h"

namespace whittle::record {

struct Exercised {
  Recorded recorded;
  // "ready" when that is waited for, each exercise, "stop"; or "run" alone. In that order.
  std::vector<host::ExerciseResult> results;
};

// How to run what the spec says, driven as it says: record() is one.
using Runner = std::function<Result<Recorded>(const RecordSpec&)>;

// What the workload says of readiness, stopping and exercises is set in `spec`, the rest of which
// counts as it is. Errors as record() has them; kind input: its `ready`.
Result<Exercised> record_workload(const host::Workload& workload, RecordSpec spec,
                                  host::PreparedRun& prepared, const Runner& run = record);

// Counts in the run's `lost` under "exercises" what workload.yaml asks to see and was not seen
// whole: readiness that did not come, exercises that failed or were not tried, a stop that had to
// be ended by SIGKILL. With any the run is incomplete, and a note names them. What the workload did
// of itself, its exit status included, is no loss. For a recording, not for a trial, in which such
// a failure is a finding.
void count_unseen(Exercised& exercised);

// Checks what only we can: that `ready` is understood.
Result<void> check_workload(const host::Workload& workload);

}  // namespace whittle::record
