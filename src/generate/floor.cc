#include "generate/floor.h"

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(runtime_floor_tsv)

namespace whittle::generate {

namespace {

constexpr std::string_view kAlways = "always";

// The columns of data/runtime-floor.tsv.
enum Column : std::size_t { kRuntime, kVersion, kNnp, kUser, kVia, kStarts, kSource, kNames };

}  // namespace

const std::vector<FloorRow>& floor_rows() {
  static const std::vector<FloorRow> rows = [] {
    std::vector<FloorRow> read;
    for (const auto& row : syscalls::tsv_rows(embedded_runtime_floor_tsv())) {
      read.push_back({row[kRuntime], row[kVersion], row[kNnp], row[kUser], row[kVia],
                      row[kSource] == "measured", split(row[kNames], ' ')});
    }
    return read;
  }();
  return rows;
}

std::vector<std::string> floor_runtimes() {
  std::set<std::string> runtimes;
  for (const FloorRow& row : floor_rows()) {
    if (row.runtime != kAlways) runtimes.emplace(row.runtime);
  }
  return {runtimes.begin(), runtimes.end()};
}

std::map<std::string, std::set<std::string>> rule_floor(const std::set<std::string>& runtimes) {
  std::map<std::string, std::set<std::string>> floor;
  for (const FloorRow& row : floor_rows()) {
    const std::string runtime(row.runtime);
    if (row.runtime != kAlways && runtimes.count(runtime) == 0) continue;
    for (const std::string& name : row.names) floor[name].insert(runtime);
  }
  return floor;
}

}  // namespace whittle::generate
