// What is wrong with a profile, or looks so. A rule of lint looks for one thing; the table of rules
// is lint_rules(), what each means stands in docs/lint.md under its id.
//
//   TRY_ASSIGN(const LintDocument document, read_lint_document(text, "nginx.json", dialect,
//   setting)); for (const Finding& finding : lint(document, settings)) ...
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "filter/compile.h"
#include "profile/baseline.h"
#include "profile/profile.h"

namespace whittle::review {

enum class Severity : std::uint8_t { kNote, kWarning, kError };
std::string_view severity_name(Severity severity);  // "note", "warning", "error"
std::optional<Severity> severity_from_name(std::string_view name);

struct Finding {
  std::string rule;
  Severity severity = Severity::kWarning;
  std::string file;
  std::string pointer;             // RFC 6901; empty: the document as a whole
  std::uint32_t line = 0;          // where that is in the file; 0: not known
  std::vector<std::string> calls;  // the calls that it is about; may be empty
  std::string message;             // one line, no full stop
  std::string fix;                 // what to do; empty when there is nothing to say
};

// A profile as it was written and as it is read.
struct LintDocument {
  std::string file;
  json::Value json;
  profile::Profile profile{profile::Profile::Parts{}};
  // For each rule of the profile its index under /syscalls.
  std::vector<std::size_t> origins;
  // The document is in Docker's dialect and was read as such.
  bool docker = false;
};

// `setting`: Docker's dialect, read in that setting; nullptr: as runc, crun and containerd read it,
// which pass over the keys of that dialect. Errors: what no runtime could read.
Result<LintDocument> read_lint_document(std::string_view text, std::string_view file,
                                        const profile::Setting* setting);

struct LintSettings {
  filter::Flavour runtime = filter::Flavour::kRunc;
  // The native ABI of the only family that matters (--arch); nullopt: those that the profile
  // lists, both when it lists none.
  std::optional<syscalls::Arch> family;
  // What the profile may not be looser than, for each family by its native ABI; empty: no limit.
  std::map<syscalls::Arch, profile::Profile> base;
  std::string base_name;
};

// All findings, in the order of the document.
std::vector<Finding> lint(const LintDocument& document, const LintSettings& settings);

// A rule of the table, as far as a reader of findings needs it. The findings of a rule may be less
// severe than it.
struct LintRuleInfo {
  std::string_view id;
  Severity severity;
  std::string_view summary;  // one line, no full stop
};
// Sorted by id; with the rules about suppressions (suppressions.h).
const std::vector<LintRuleInfo>& lint_rules();

}  // namespace whittle::review
