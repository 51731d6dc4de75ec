// The rules of a profile as calls that were made: what a recorder allowed, it has seen.
#pragma once

#include "base/json.h"
#include "record/import_sink.h"

namespace whittle::record {

// Adds the calls that the rules allow or log. `profile` has defaultAction, architectures (or
// archMap) and syscalls, as an OCI profile (runtime-spec config-linux.md#seccomp) and the spec of a
// SeccompProfile (security-profiles-operator) have.
void add_rules(const json::Value& profile, ImportSink& sink);

}  // namespace whittle::record
