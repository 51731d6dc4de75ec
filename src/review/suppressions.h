// Findings that somebody decided to live with: a file of suppressions, each with a reason and a
// date on which it is to be looked at again. Format: docs/lint.md#suppressions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "review/lint.h"

namespace whittle::review {

// What a finding is about beside its file and pointer, by key: {"kind": "Deployment"}.
using Labels = std::map<std::string, std::string>;

// What suppressions may name.
struct SuppressionWords {
  std::vector<std::string> rules;
  std::vector<std::string> labels;  // keys of an entry, each a glob for that label of the finding
  std::string page;                 // that lists the rules: "docs/lint.md"
};
SuppressionWords lint_words();

struct Suppression {
  std::string rule;
  std::string file;     // a glob (fnmatch(3)); without a slash it is matched against the last part
  std::string pointer;  // of the finding or of something around it; empty: any
  std::string call;     // one that the finding is about; empty: any
  Labels labels;        // globs; a label that is not there: any
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
Result<Suppressions> read_suppressions(std::string_view text, std::string_view file,
                                       const SuppressionWords& words = lint_words());

// Which findings are suppressed, and what is to be said of the suppressions when all were asked
// for. `suppressions` outlives it. `today`: "2026-11-25".
class Sifter {
 public:
  Sifter(const Suppressions& suppressions, std::string_view today);
  // The entry that suppresses the finding; nullopt: none, so that it counts.
  std::optional<std::size_t> suppresses(const Finding& finding, const Labels& labels = {});
  // Entries that have expired, or that suppressed nothing in a file that they are for. `files`: all
  // that were looked at.
  std::vector<Finding> about_suppressions(const std::vector<std::string>& files) const;

 private:
  const Suppressions& suppressions_;
  std::string today_;
  std::vector<bool> used_;
};

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

// All at once: see Sifter.
Sifted sift(std::vector<Finding> findings, const Suppressions& suppressions,
            const std::vector<std::string>& files, std::string_view today);

}  // namespace whittle::review
