// What a watcher has seen, folded: each kind of sighting is told at once, then again at most once a
// second, when its count has grown.
//
//   SightingLog log(show);
//   log.update(life, part, sightings);      // everything of that life and part so far
//   log.flush(now, false);
//   log.flush(now, true);                   // at the end: what was not told yet
//
// Memory is bounded: past kMostSightings kinds, occurrences are counted as untold().
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>

#include "profile/profile.h"
#include "trial/denial.h"
#include "trial/watch_rule.h"

namespace whittle::trial {

inline constexpr std::size_t kMostSightings = 20'000;

enum class SightingKind : std::uint8_t {
  kDenial,    // a filter refused it
  kFallback,  // by an explicit ENOSYS rule: meant, and told in the summary only
  kDrift,     // it was made, though the profile would refuse it or the evidence has never seen it
};
enum class SightingAgainst : std::uint8_t { kFilter, kProfile, kEvidence };

std::string_view kind_name(SightingKind kind);           // "denial", "fallback", "drift"
std::string_view against_name(SightingAgainst against);  // "filter", "profile", "evidence"

// Calls alike. `call.args` are those that tell them apart.
struct Sighting {
  SightingKind kind = SightingKind::kDenial;
  SightingAgainst against = SightingAgainst::kFilter;
  Denial call;           // with the count so far; a drift against evidence has the verdict "allow"
  std::string why;       // of a drift against evidence: what is new, in words
  bool entered = false;  // made by what entered the container later
  std::uint8_t told_by = 0;  // bit i: argument i tells it from other sightings
  Allowance allowance;
};

class SightingLog {
 public:
  // `show`: false when nothing more can be shown. The count of a sighting is of all lives.
  explicit SightingLog(std::function<bool(const Sighting&)> show) : show_(std::move(show)) {}

  // REQUIRES: part is 0 or 1; lives ascend. Counts never fall within one life.
  void update(std::uint64_t life, unsigned part, std::span<const Sighting> sightings);
  // In the order in which they were first seen. Seconds. False: `show` said so.
  bool flush(double now, bool all);

  struct Totals {
    std::uint64_t calls = 0;
    std::uint64_t kinds = 0;
  };
  Totals totals(SightingKind kind) const;
  // Names of the calls of a kind, with their counts.
  std::map<std::string, std::uint64_t> calls(SightingKind kind) const;
  std::uint64_t untold() const { return untold_; }

 private:
  using Key = std::tuple<SightingKind, SightingAgainst, syscalls::Arch, std::uint32_t,
                         std::array<std::uint64_t, 6>, std::string, profile::Action, unsigned, bool,
                         std::string>;
  struct Entry {
    Sighting latest;
    std::uint64_t order = 0;
    std::uint64_t before = 0;  // in lives that are over
    std::uint64_t life = 0;
    std::uint64_t now = 0;  // in this life
    std::uint64_t shown = 0;
    double shown_at = 0;

    std::uint64_t total() const { return before + now; }
  };
  static Key key_of(const Sighting& sighting);

  std::function<bool(const Sighting&)> show_;
  std::map<Key, Entry> entries_;
  std::uint64_t untold_ = 0;
};

}  // namespace whittle::trial
