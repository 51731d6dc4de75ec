// What changes between two filters, for people and for programs: the report of `diff`, and of what
// `heal` added (docs/diff.md).
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "filter/compare.h"
#include "syscalls/arch.h"

namespace whittle::cli {

json::Value comparison_json(const filter::Comparison& comparison);
// Changes of one direction that read alike are one line, for all their calls and ABIs. `arches`:
// those that were compared.
std::string comparison_text(const filter::Comparison& comparison,
                            const std::vector<syscalls::Arch>& arches);

}  // namespace whittle::cli
