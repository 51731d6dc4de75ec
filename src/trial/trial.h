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

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/program.h"
#include "host/exercises.h"
#include "host/workload.h"
#include "profile/profile.h"
#include "trial/denial.h"
#include "trial/versions.h"

namespace whittle::trial {

enum class Mode {
  kEnforce,  // the profile as it is
  kLog,      // every refusal but those by an explicit ENOSYS rule is let through, and counted
};

// How the refusals are seen; docs/verify.md says what each can and cannot.
enum class Via {
  kAuto,    // eBPF with the privilege for it; natively without, notification, else ptrace
  kEbpf,    // where calls return
  kNotify,  // seccomp notification; native runs
  kPtrace,  // native runs under enforce
  kAudit,   // the kernel's audit records: no arguments, and records get lost
};
std::string_view via_name(Via via);  // "auto", "ebpf", "notify", "ptrace", "audit"
std::optional<Via> via_from_name(std::string_view name);

struct TrialSpec {
  // What is run, and how: its `run` says whether natively or in which runtime. One without
  // exercises runs to its end, or until the time limit.
  host::Workload workload;
  profile::Profile profile;
  std::string profile_json;  // the document itself, for a runtime
  Mode mode = Mode::kEnforce;
  std::optional<double> time_limit;  // seconds; then the workload is asked to stop
  Via via = Via::kAuto;
  bool whole_evidence = false;  // report.run is to be evidence of the whole run
  bool keep_output = false;     // TrialReport::output; else it goes to our standard error
  std::function<void(const std::string&)> warn;  // what the user should know meanwhile
};

struct TrialReport {
  Via via = Via::kEbpf;  // the way that was taken
  evidence::Run run;     // what was observed, with `under` "profile"
  // Read back from the process; natively without privilege: as loaded. Empty: nothing was started.
  std::vector<filter::Program> filters;
  // "ready", each exercise, "stop"; or "run" alone for one that has neither. In that order.
  std::vector<host::ExerciseResult> exercises;
  std::vector<Denial> denials;    // sorted by arch, nr, args
  std::vector<Denial> fallbacks;  // refusals by an explicit ENOSYS rule: meant, and not denials
  std::vector<Undecided> undecided;
  std::string output;                // the workload's last 256 KiB, when they are kept
  std::uint64_t output_dropped = 0;  // bytes before those
  Versions versions;

  bool exercised() const;  // all of `exercises` hold, and there is one
  bool pass() const;       // exercised, no denial, nothing undecided, and complete
};

// Needs privilege (eBPF) but for native runs. Errors, kind environment: what this machine or our
// user lacks; kind input: a way that cannot do what is asked.
Result<TrialReport> run_trial(const TrialSpec& spec);

// The profile that log mode loads: everything allowed but explicit ENOSYS rules.
profile::Profile log_mode_profile(const profile::Profile& profile);

}  // namespace whittle::trial
