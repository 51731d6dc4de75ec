// Findings that somebody decided to live with: a file of suppressions, each with a reason and a
// date on which it is to be looked at again. Format: docs/lint.md#suppressions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "review/lint.h"

namespace whittle::review {

struct Suppression {
  std::string rule;
  std::string file;     // a glob (fnmatch(3)); without a slash it is matched against the last part
  std::string pointer;  // of the finding or of something around it; empty: any
  std::string call;     // one that the finding is about; empty: any
  std::string reason;
  std::string expires;  // "2027-03-01": the last day on which it holds
  // Where it is itself.
  std::string at_pointer;
  std::uint32_t line = 0;
};

struct Suppressions {
  std::string file;
  std::vector<Suppression> entries;
};

// YAML, or JSON, which is YAML too. Errors: an unknown rule or key, a missing reason or date.
Result<Suppressions> read_suppressions(std::string_view text, std::string_view file);

struct Suppressed {
  Finding finding;
  std::size_t entry = 0;  // of Suppressions::entries
};
struct Sifted {
  // Those that are left, then findings about the suppressions themselves: one that has expired, or
  // that suppressed nothing in a file that it is for.
  std::vector<Finding> findings;
  std::vector<Suppressed> suppressed;
};

// `today`: "2026-11-25". `files`: all that were looked at.
Sifted sift(std::vector<Finding> findings, const Suppressions& suppressions,
            const std::vector<std::string>& files, std::string_view today);

}  // namespace whittle::review
