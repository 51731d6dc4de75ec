#include "syscalls/parameters.h"

#include <map>

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(parameters_tsv)

namespace whittle::syscalls {

std::optional<unsigned> parameter_count(std::string_view name) {
  static const auto counts = [] {
    std::map<std::string_view, unsigned> all;
    for (const auto& row : tsv_rows(embedded_parameters_tsv())) {
      all[row[0]] = static_cast<unsigned>(parse_u64(row[1]).value_or(6));
    }
    return all;
  }();
  const auto found = counts.find(name);
  if (found == counts.end()) return std::nullopt;
  return found->second;
}

}  // namespace whittle::syscalls
