// What the ways of following a trial have in common.
#pragma once

#include "filter/compile.h"
#include "host/prepared_run.h"
#include "record/record.h"
#include "record/workload_recording.h"
#include "trial/trial.h"

namespace whittle::trial {

// How rules reach libseccomp there: "runc", "crun", or "" natively.
filter::Flavour flavour_of(const std::string& runtime);
// What of a trial is a recording: limits, output, warnings.
record::RecordSpec record_spec_of(const TrialSpec& spec);
// The run, what came of the exercises, the output.
void take_recorded(record::Exercised& exercised, TrialReport& report);
// Those of a native run that nobody looked at while it ran.
void add_native_versions(const host::PreparedRun& prepared, TrialReport& report);

}  // namespace whittle::trial
