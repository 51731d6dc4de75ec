// record --pid, --cgroup and --container: what was not started by us.
#pragma once

#include <optional>

#include "base/result.h"
#include "cli/verb.h"
#include "record/record.h"
#include "record/targets.h"

namespace whittle::cli {

// The target that the options name; nullopt when they name none. Errors, kind input: two of them, a
// command as well, an option that makes sense for a command only.
Result<std::optional<record::Target>> read_target(const Arguments& arguments);

// Records it, reports, writes the evidence; gives the exit code.
Result<int> record_target(const Arguments& arguments, record::Target target,
                          record::RecordSpec spec);

}  // namespace whittle::cli
