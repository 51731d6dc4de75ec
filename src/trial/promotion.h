// The staged way of a profile to production: first it logs, then it enforces. docs/promote.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "profile/profile.h"
#include "trial/trial_record.h"

namespace whittle::trial {

// The profile for observation in production: each refusal becomes SCMP_ACT_LOG, but for those by an
// explicit ENOSYS rule. ABIs that the profile does not list stay closed. Proven: over all calls,
// numbers with a name, and all argument values, it logs what the profile refuses, and else answers
// as it does. An error, kind input: rules of the profile overlap so that no such document is made.
Result<profile::Profile> log_variant(const profile::Profile& profile);

// How a profile was observed in log mode.
struct LogObservation {
  std::optional<double> from;  // seconds since 1970; of the earliest and the end of the latest
  std::optional<double> to;
  std::vector<std::string> problems;  // what speaks against enforcing it, a line each

  double span() const { return from && to ? *to - *from : 0; }
};

// What the record of trials says of the document with that SHA-256 in log mode, and `deployed`:
// evidence recorded where the log variant is in force. Problems: there is nothing, the last trial
// did not pass, a run is incomplete, a run has calls that the profile refuses, or it is not known
// whether it does since argument values were not all kept.
Result<LogObservation> log_observation(const profile::Profile& profile, std::string_view sha256,
                                       const std::optional<TrialRecord>& record,
                                       std::span<const evidence::Evidence> deployed);

}  // namespace whittle::trial
