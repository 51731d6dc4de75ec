#include "review/dangerous.h"

#include <algorithm>
#include <vector>

#include "base/embedded.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(dangerous_calls_tsv)

namespace whittle::review {

std::span<const Dangerous> dangerous_calls() {
  static const std::vector<Dangerous> calls = [] {
    std::vector<Dangerous> read;
    for (const auto& row : syscalls::tsv_rows(embedded_dangerous_calls_tsv())) {
      read.push_back({row[0], *severity_from_name(row[1]), row[2]});
    }
    return read;
  }();
  return calls;
}

const Dangerous* dangerous_call(std::string_view name) {
  const auto calls = dangerous_calls();
  const auto found = std::find_if(calls.begin(), calls.end(),
                                  [name](const Dangerous& one) { return one.call == name; });
  return found == calls.end() ? nullptr : &*found;
}

}  // namespace whittle::review
