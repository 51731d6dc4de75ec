// Whether a change keeps within the budget of a workload (host/budget.h), and where in
// workload.yaml or the profile the cause stands when it does not. docs/budget.md.
//
//   TRY_ASSIGN(BudgetReport report, check_budget(workload, budget, loaded));
//   add_denials(trial.denials, workload, budget, report);
//   report.findings.empty()
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/load_profile.h"
#include "filter/compile.h"
#include "host/workload.h"
#include "trial/denial.h"

namespace whittle::cli {

inline constexpr const char* kLooserProfile = "looser-profile";
inline constexpr const char* kStaleCall = "stale-call";
inline constexpr const char* kLowScore = "low-score";
inline constexpr const char* kTooManyCalls = "too-many-calls";
inline constexpr const char* kCallOutsideProfile = "call-outside-profile";

struct BudgetFinding {
  std::string rule;        // one of the above
  std::string message;     // one line
  std::string file;        // as the user gave it
  std::uint32_t line = 0;  // 0: not known
  std::string call;        // the system call it is about; empty: none
};

struct BudgetReport {
  std::vector<std::string> checked;  // the rules that were
  std::vector<BudgetFinding> findings;
  std::vector<std::string> notes;  // what could not be checked, and why
};

// All that needs no trial. Errors: what the budget names cannot be read.
Result<BudgetReport> check_budget(const host::Workload& workload, const host::Budget& budget,
                                  const LoadedProfile& loaded);
// What the trial was refused is needed outside the profile, too.
void add_denials(std::span<const trial::Denial> denials, const host::Workload& workload,
                 const host::Budget& budget, BudgetReport& report);

// How the runtime of a workload compiles a profile.
filter::Flavour flavour_of_run(const host::WorkloadRun& run);

// What a profile is compared with: P as load_profile() takes it, or "git:REF" for the file
// `profile` as it was there. nullopt: the commit has no such file. The setting is that of a
// baseline.
Result<std::optional<profile::Profile>> load_reference(const std::string& against,
                                                       const std::string& profile,
                                                       const profile::Setting& setting);

}  // namespace whittle::cli
