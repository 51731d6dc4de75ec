// A budget: what a change may not do to the profile of a workload. Keys of workload.yaml's
// `budget`, or of a file of their own; described in docs/budget.md. A value type.
//
//   TRY_ASSIGN(const Budget budget, read_budget("budget.yaml"));
//   if (budget.calls) ...                    // only what is there is asked for
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace whittle::host {

// A number of the budget, and the line where it stands; 0: there is none.
struct BudgetLimit {
  std::uint64_t value = 0;
  std::uint32_t line = 0;
};

struct Budget {
  std::string file;                   // where it stands; empty: on the command line
  std::string directory;              // what relative paths start from, absolute
  std::uint32_t line = 0;             // of the first key
  std::string against;                // a path, "baseline:ID" or "git:REF"; empty: nothing
  std::vector<std::string> looser;    // calls that may be looser than that
  std::optional<BudgetLimit> stale;   // recordings without a call, after which it is stale
  std::vector<std::string> keep;      // calls that never are
  std::optional<BudgetLimit> score;   // least number of exploits blocked
  std::optional<BudgetLimit> calls;   // most calls allowed, on each native architecture
  std::vector<std::string> outside;   // calls that may be needed and not be in the profile
  std::vector<std::string> evidence;  // paths, absolute; empty: the workload's own
};

// The keys of a budget, as workload.yaml has them. Errors, kind input, with file, line and pointer:
// unknown keys (with the nearest known one), values of the wrong kind or out of range, names that
// are no system calls.
Result<Budget> read_budget_keys(const json::View& object, const std::string& directory);
// A file that holds them. At most 1 MiB.
Result<Budget> read_budget(const std::string& path);
Result<Budget> parse_budget(std::string_view text, const std::string& path);

}  // namespace whittle::host
