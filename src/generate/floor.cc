#include "generate/floor.h"

#include "base/embedded.h"
#include "base/text.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(runtime_floor_tsv)

namespace whittle::generate {

namespace {

constexpr std::string_view kAlways = "always";

// The columns of data/runtime-floor.tsv.
constexpr std::size_t kRuntime = 0;
constexpr std::size_t kNames = 7;

}  // namespace

std::vector<std::string> floor_runtimes() {
  std::set<std::string> runtimes;
  for (const auto& row : syscalls::tsv_rows(embedded_runtime_floor_tsv())) {
    if (row[kRuntime] != kAlways) runtimes.emplace(row[kRuntime]);
  }
  return {runtimes.begin(), runtimes.end()};
}

std::map<std::string, std::set<std::string>> rule_floor(const std::set<std::string>& runtimes) {
  std::map<std::string, std::set<std::string>> floor;
  for (const auto& row : syscalls::tsv_rows(embedded_runtime_floor_tsv())) {
    const std::string runtime(row[kRuntime]);
    if (runtime != kAlways && runtimes.count(runtime) == 0) continue;
    for (const std::string& name : split(row[kNames], ' ')) floor[name].insert(runtime);
  }
  return floor;
}

}  // namespace whittle::generate
