// A trial: a command run under a profile, natively or in a container, and what the profile refused.
//
// The profile reaches the runtime unmodified. Refusals are what the recorder saw return
// (sys_exit sees calls that a filter refused), judged by the filter read back from the process.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "filter/program.h"
#include "profile/profile.h"

namespace whittle::trial {

enum class Mode {
  kEnforce,  // the profile as it is
  kLog,      // every refusal but those by an explicit ENOSYS rule is let through, and counted
};

struct TrialSpec {
  std::vector<std::string> command;
  profile::Profile profile;
  std::string profile_json;  // the document itself, for a runtime
  Mode mode = Mode::kEnforce;
  std::string runtime = "none";  // "none": natively; "runc", "crun"
  bool no_new_privileges = true;
  unsigned uid = 0;  // in a container
  unsigned gid = 0;
  std::optional<double> time_limit;  // seconds; then the command is asked to stop
};

// One refused call; occurrences that are alike are one with a count.
struct Denial {
  syscalls::Arch arch = syscalls::Arch::kX86_64;
  std::string syscall;
  std::uint32_t nr = 0;
  std::array<std::uint64_t, 6> args{};  // those that the filter looks at; the others are 0
  profile::Verdict verdict;
  std::string comm;
  std::string phase;  // "runtime" for the container runtime's own calls
  std::uint64_t count = 0;
};

struct TrialReport {
  evidence::Run run;  // what was observed, with `under` "profile"
  std::vector<filter::Program>
      filters;                  // read back from the process; natively without privilege: as loaded
  bool ok = false;              // the command ended well
  std::string detail;           // how it ended
  std::vector<Denial> denials;  // sorted by arch, nr, args
  std::vector<Denial> fallbacks;  // refusals by an explicit ENOSYS rule: meant, and not denials

  bool pass() const { return ok && denials.empty() && run.complete; }
};

// Needs privilege (eBPF) but for a native enforcing run, which works through ptrace without.
Result<TrialReport> run_trial(const TrialSpec& spec);

// The profile that log mode loads: everything allowed but explicit ENOSYS rules.
profile::Profile log_mode_profile(const profile::Profile& profile);

}  // namespace whittle::trial
