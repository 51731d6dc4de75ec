// Calls that attacks use and workloads rarely need, each with the reason: data/dangerous-calls.tsv.
#pragma once

#include <span>
#include <string_view>

#include "review/lint.h"

namespace whittle::review {

struct Dangerous {
  std::string_view call;
  Severity severity;
  std::string_view why;  // continues "NAME is allowed: "
};

// In the order of the table.
std::span<const Dangerous> dangerous_calls();
// nullptr for a call that is not among them.
const Dangerous* dangerous_call(std::string_view name);

}  // namespace whittle::review
