// What `whittle audit` prints of a log: docs/audit.md.
#pragma once

#include <string>

#include "base/json.h"
#include "record/audit_tally.h"

namespace whittle::cli {

json::Value audit_to_json(const record::AuditTally& tally);
std::string audit_to_text(const record::AuditTally& tally);
// "12 x86_64 mkdir errno by nginx (/usr/sbin/nginx) in web"; without the number for 0.
std::string audit_group_text(const record::AuditGroup& group, std::uint64_t count);

// On standard error: what the log lacks, and what in it is not believed.
void warn_of_audit_loss(const record::AuditCounts& counts);

}  // namespace whittle::cli
