// Where verbs get their workload from.
#pragma once

#include <string>

#include "base/result.h"
#include "host/workload.h"

namespace whittle::cli {

// Whether an operand means a workload: a directory, or a file called *.yaml or *.yml.
bool is_workload(const std::string& operand);

// The workload of an operand, all of it checked. Errors (kind input): the operand means none, with
// the spelling for a command when that was meant; the file's own.
Result<host::Workload> load_workload(const std::string& verb, const std::string& operand);

}  // namespace whittle::cli
