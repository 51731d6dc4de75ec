// Seccomp records as evidence: a run with source "audit" (docs/audit.md).
//
// What was logged was made; what was killed, trapped, answered with an errno, or by a tracer or a
// listener, was refused by a filter in force, and does not count as needed. Such a run is never
// complete: a log knows nothing of the calls that the filter allowed (lost "not_logged").
#pragma once

#include "evidence/evidence.h"
#include "record/audit_tally.h"

namespace whittle::record {

// The id is made of what was seen: the same log gives the same run. `kernel` is left empty, a log
// does not say. Groups of architectures that whittle has no names for are counted in lost
// "other_architectures".
evidence::Run audit_evidence(const AuditTally& tally);

}  // namespace whittle::record
