// Any bytes as a workload.yaml and as a budget: read, or refused with a place and a reason.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "host/workload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto workload = whittle::host::parse_workload(text, "/d/workload.yaml");
  if (!workload && (workload.error().message.empty() || workload.error().place.empty())) {
    std::abort();
  }
  if (workload && workload->policy.allow.size() != workload->policy.allow_lines.size()) {
    std::abort();
  }
  const auto budget = whittle::host::parse_budget(text, "/d/budget.yaml");
  if (!budget && (budget.error().message.empty() || budget.error().place.empty())) std::abort();
  return 0;
}
