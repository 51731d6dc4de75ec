// How a profile would have to change so that what a log shows as refused is allowed: docs/audit.md.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "profile/profile.h"
#include "record/audit_tally.h"

namespace whittle::cli {

enum class AuditAdvice : std::uint8_t {
  kAdd,        // in the change
  kDangerous,  // on the list of dangerous calls, and not allowed by name
  kArguments,  // its arguments decide (clone, clone3, socket), or the profile has rules on them
  kFallback,   // the profile answers ENOSYS on purpose, so that another call is used
  kAllowed,    // the profile allows it: another filter refused it
  kClosed,     // the profile does not list the architecture
  kNameless,   // no table has a name for the number
};

struct AdvisedCall {
  std::string arch;
  std::string call;
  std::uint64_t count = 0;
  std::set<std::string> programs;  // their names
  AuditAdvice advice = AuditAdvice::kAdd;
  std::string severity;  // kDangerous, and kAdd of a dangerous call: "error", ...
  std::string why;       // in words
};

// Sorted by advice, call and architecture.
std::vector<AdvisedCall> audit_advice(const std::vector<record::AuditGroup>& groups,
                                      const profile::Profile& profile,
                                      const std::set<std::string>& allowed);

json::Value advice_to_json(const std::string& profile, const std::vector<AdvisedCall>& calls);
std::string advice_to_text(const std::string& profile, const std::vector<AdvisedCall>& calls);

}  // namespace whittle::cli
