// A trial: a workload run under a profile, natively or in a container, with its exercises, and what
// the profile refused.
//
//   TrialSpec spec{.workload = workload, .profile = profile, .profile_json = document};
//   TRY_ASSIGN(const TrialReport report, run_trial(spec));
//   report.pass(), report.denials, report.run        // the run is evidence
//
// The profile reaches the runtime unmodified. Refusals are what the recorder saw return
// (sys_exit sees calls that a filter refused), judged by the filter read back from the process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/program.h"
#include "host/exercises.h"
#include "host/workload.h"
#include "profile/profile.h"
#include "trial/denial.h"

namespace whittle::trial {

enum class Mode {
  kEnforce,  // the profile as it is
  kLog,      // every refusal but those by an explicit ENOSYS rule is let through, and counted
};

struct TrialSpec {
  // What is run, and how: its `run` says whether natively or in which runtime. One without
  // exercises runs to its end, or until the time limit.
  host::Workload workload;
  profile::Profile profile;
  std::string profile_json;  // the document itself, for a runtime
  Mode mode = Mode::kEnforce;
  std::optional<double> time_limit;  // seconds; then the workload is asked to stop
};

struct TrialReport {
  evidence::Run run;  // what was observed, with `under` "profile"
  // Read back from the process; natively without privilege: as loaded. Empty: nothing was started.
  std::vector<filter::Program> filters;
  // "ready", each exercise, "stop"; or "run" alone for one that has neither. In that order.
  std::vector<host::ExerciseResult> exercises;
  std::vector<Denial> denials;    // sorted by arch, nr, args
  std::vector<Denial> fallbacks;  // refusals by an explicit ENOSYS rule: meant, and not denials
  std::vector<Undecided> undecided;

  bool exercised() const;  // all of `exercises` hold, and there is one
  bool pass() const;       // exercised, no denial, nothing undecided, and complete
};

// Needs privilege (eBPF) but for a native enforcing run, which works through ptrace without.
Result<TrialReport> run_trial(const TrialSpec& spec);

// The profile that log mode loads: everything allowed but explicit ENOSYS rules.
profile::Profile log_mode_profile(const profile::Profile& profile);

}  // namespace whittle::trial
