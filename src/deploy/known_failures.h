// The failures that profiles are known for, as data (data/known-failures.json), and which of them a
// text shows: an event, `kubectl describe`, an error of a kubelet or of a runtime. The format, and
// how to add one: docs/doctor.md.
//
//   TRY_ASSIGN(const auto known, known_failures());
//   for (const FailureMatch& match : match_failures(known, read_symptoms(text).lines)) ...
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace whittle::deploy {

// What lines show it. Each pattern must be found in some line: letters of either case, `*` for
// anything, `{name}` for what is to be kept: it holds no blank, unless it stands in quotes.
// `{name:a|b}` is one of those words.
struct FailureSign {
  std::vector<std::string> all;
  std::vector<std::string> calls;  // the system calls that it speaks of; may be empty
};

struct KnownFailure {
  std::string id;     // "profile-file-missing"
  std::string title;  // one line, no full stop
  // It says little: every other one that is shown is the cause rather than this one.
  bool general = false;
  std::vector<FailureSign> when;  // any of them; none: never shown by text
  std::string shows;
  std::string why;
  std::vector<std::string> fix;
  std::vector<std::string> sources;
};

// In the order in which they count: of several that a text shows, the first is the cause.
Result<std::vector<KnownFailure>> read_known_failures(std::string_view text,
                                                      std::string_view place);
// Those in the binary.
Result<std::vector<KnownFailure>> known_failures();
// nullptr: there is none of that id.
const KnownFailure* failure_of(std::span<const KnownFailure> known, std::string_view id);

struct ShownLine {
  std::size_t line = 0;  // from 1 on
  std::string text;
};

struct FailureMatch {
  const KnownFailure* failure = nullptr;  // lives as long as what was searched for
  std::vector<ShownLine> shown;           // a line for each pattern of the sign
  std::map<std::string, std::string> captures;
  std::vector<std::string> calls;
};

// Whether the pattern is found in the line; what it keeps is added to `captures`. Bounded: of a
// line only the first 8 KiB are looked at.
bool pattern_in(std::string_view pattern, std::string_view line,
                std::map<std::string, std::string>& captures);

// Those that the lines show, each once: first those that are not general, in their order.
std::vector<FailureMatch> match_failures(std::span<const KnownFailure> known,
                                         std::span<const std::string> lines);

}  // namespace whittle::deploy
