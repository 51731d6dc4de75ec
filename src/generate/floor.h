// The rule floor: what a profile must hold whatever was observed. data/runtime-floor.tsv.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::generate {

// The runtimes that the table knows, sorted: "crun", "runc".
std::vector<std::string> floor_runtimes();

// One row of the table: the calls of one runtime in one situation.
struct FloorRow {
  std::string_view runtime;  // or "always"
  std::string_view version;
  std::string_view nnp;   // no_new_privileges: "on", "off", "any" when not told apart
  std::string_view user;  // "root", "user", "any"
  std::string_view via;   // "run", "exec", "any"
  bool measured = false;  // else published by others
  std::vector<std::string> names;
};
// All rows, in the order of the table.
const std::vector<FloorRow>& floor_rows();

// Name -> who needs it, sorted: "runc", "crun", or "always" for what every process needs. The union
// of all versions and situations of the table.
std::map<std::string, std::set<std::string>> rule_floor(const std::set<std::string>& runtimes);

}  // namespace whittle::generate
