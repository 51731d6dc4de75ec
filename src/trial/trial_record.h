// What trials of a profile came to, kept in a file beside it: NAME.trial.json beside
// NAME.profile.json. docs/trial-record.md describes the format, whittle.trial/v1.
//
//   TRY_ASSIGN(TrialRecord record, read_trial_record(text, path));
//   record.last(sha256(document), Mode::kEnforce)
//
// A trial says something of one document, which is told by its SHA-256; those of others are dropped
// as soon as a new one is added.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "trial/trial.h"

namespace whittle::trial {

struct RecordedTrial {
  std::string sha256;   // of the profile's bytes
  std::string started;  // RFC 3339, UTC
  double seconds = 0;   // how long the workload ran
  Mode mode = Mode::kEnforce;
  std::string runtime;  // "none", "runc", "crun"
  std::string via;
  bool pass = false;
  bool complete = false;
  std::vector<std::pair<std::string, bool>> exercises;  // by name: whether it held
  std::uint64_t denials = 0;                            // kinds, not occurrences
  std::uint64_t undecided = 0;
  std::string evidence;  // a path as the file has it; empty: none was written
  std::vector<std::pair<std::string, std::string>> versions;  // "kernel", "6.1.0"
  bool operator==(const RecordedTrial&) const = default;
};

inline constexpr std::size_t kMostRecordedTrials = 1000;

struct TrialRecord {
  std::string workload;
  std::vector<RecordedTrial> trials;  // in the order in which they were made

  // Drops trials of other documents; the oldest but the first of a mode, when there are too many.
  void add(RecordedTrial trial);
  // The last one of that document in that mode; nullptr: there is none.
  const RecordedTrial* last(std::string_view sha256, Mode mode) const;
};

// Where the trials of a profile are kept; empty for one that is no file.
std::string trial_record_path(const std::string& profile);

// Errors, kind input, with place: what is not JSON, another schema, a wrong type.
Result<TrialRecord> read_trial_record(std::string_view text, std::string_view place);
// The same bytes every time. Ends with a newline.
std::string write_trial_record(const TrialRecord& record);

// Of the profile at that path. nullopt: there is no such file.
Result<std::optional<TrialRecord>> load_trial_record(const std::string& profile);

}  // namespace whittle::trial
