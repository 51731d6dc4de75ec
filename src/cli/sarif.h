// SARIF 2.1.0 (OASIS): findings as code hosts and editors show them beside the code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace whittle::cli {

struct SarifRule {
  std::string id;
  std::string summary;
  std::string level;  // "error", "warning", "note"
  std::string help;   // where more is said, relative to the source tree: "docs/lint.md#clone-flags"
};

struct SarifResult {
  std::string rule;  // the id of one of the rules
  std::string level;
  std::string message;
  std::string file;        // a path as the user gave it, "-", or "baseline:ID"
  std::uint32_t line = 0;  // 0: not known
  std::string pointer;     // within the file, as a JSON pointer
  // Why it is accepted, when it is.
  std::optional<std::string> suppressed = {};
  // What tells it from others of its rule at the same line, the same from one run to the next;
  // empty: nothing. Code hosts take results without one for the same when rule and line are.
  std::string identity = {};
};

// A log with one run of whittle.
json::Value sarif(const std::vector<SarifRule>& rules, const std::vector<SarifResult>& results);

}  // namespace whittle::cli
