// A trial followed by the kernel's audit records: the profile is loaded with the flag by which its
// refusals are logged, in log mode with SECCOMP_RET_LOG in place of refusals, and the records of
// the trial's audit session are read as they come (record/audit_live.h). Natively or in a
// container.
//
// A record has no arguments and does not say which errno was answered, and records get lost: losses
// are counted, and make the trial incomplete.
#pragma once

#include <span>

#include "base/result.h"
#include "filter/program.h"
#include "profile/profile.h"
#include "record/audit_record.h"
#include "trial/trial.h"

namespace whittle::trial {

// What a record of a process under the filter says of it.
struct AuditedCall {
  enum class Kind {
    kDenial,
    kFallback,    // by an explicit ENOSYS rule
    kUndecided,   // one of the two
    kOtherFilter  // the profile's filter refuses no such call, or not in this way
  };
  Kind kind = Kind::kOtherFilter;
  // What the filter answers; of several errnos that it may have been, one.
  profile::Verdict verdict;
};
// `log`: the filter was loaded with SECCOMP_RET_LOG in place of its refusals.
AuditedCall audited_call(const record::AuditRecord& record, std::span<const sock_filter> program,
                         const profile::Profile& profile, bool log);

// The filter with each refusal but ENOSYS answered by SECCOMP_RET_LOG; ENOSYS too when `all`.
filter::Program logging_program(const filter::Program& program, bool all);
// The same of a document, for a runtime: of ENOSYS too when that is its default. Architectures that
// it does not list are refused as before.
profile::Profile logging_profile(const profile::Profile& profile);
// With the flag by which its refusals are logged.
profile::Profile flagged_profile(const profile::Profile& profile);

// Needs root: CAP_AUDIT_READ, and CAP_AUDIT_CONTROL where a login id is set. Errors, kind
// environment: that, or a kernel that does not log what is to be seen; kind input: evidence of the
// run was asked for.
Result<TrialReport> run_by_audit(const TrialSpec& spec);

}  // namespace whittle::trial
