// The one form of a run that files hold: what reading, writing and merging agree on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "evidence/evidence.h"

namespace whittle::evidence {

// The run with its calls sorted, times in whole milliseconds, argument values cut to the widths of
// the argument table, numbers that the table can name named, and phases once each and in order.
Run canonical(Run run);

// The run as the file has it. REQUIRES: canonical.
json::Value run_to_json(const Run& run);

// "syscall_N": the stand-in for a name that the recorder's table did not have.
bool is_number_name(std::string_view name);

// Adds the phases of `from` that `into` does not have yet; startup and ready stay in front, stop
// stays last.
void add_phases(std::vector<std::string>& into, const std::vector<std::string>& from);

}  // namespace whittle::evidence
