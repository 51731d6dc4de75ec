// The rule floor: what a profile must hold whatever was observed. data/runtime-floor.tsv.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace whittle::generate {

// The runtimes that the table knows, sorted: "crun", "runc".
std::vector<std::string> floor_runtimes();

// Name -> who needs it, sorted: "runc", "crun", or "always" for what every process needs. The union
// of all versions and situations of the table.
std::map<std::string, std::set<std::string>> rule_floor(const std::set<std::string>& runtimes);

}  // namespace whittle::generate
