// Watching something that runs already: what the filter in force refuses it, and what it does that
// a profile would refuse or that its evidence does not know (drift). Nothing is stopped or changed.
//
//   WatchSpec spec{.target = target, .profile = profile};
//   spec.show = [](const Sighting& sighting) { ...; return true; };
//   TRY_ASSIGN(const WatchReport report, watch(spec));
//   report.found(), report.complete
//
// Refusals are what the recorder sees return (sys_exit), judged by the filter that is read back
// from the first process. A filter that cannot be read is taken to be the profile's: a call is a
// denial when the profile refuses it and it returned what the profile answers, and else a drift.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "evidence/evidence.h"
#include "profile/profile.h"
#include "record/targets.h"
#include "trial/watch_fold.h"

namespace whittle::trial {

struct WatchSpec {
  // What is watched; with `wait` a container's next starts are waited for, until the end. What it
  // calls and `lives` are the watcher's.
  record::Target target;
  std::optional<profile::Profile> profile;
  std::optional<std::vector<evidence::Observation>> evidence;  // evidence::Evidence::syscalls()
  std::optional<double> time_limit;                            // seconds
  std::function<bool(const Sighting&)> show;                   // false: nobody reads it any more
  std::function<void(const std::string&)> say;                 // what the user should know
};

struct WatchReport {
  SightingLog::Totals denials;
  SightingLog::Totals drifts;
  SightingLog::Totals fallbacks;
  std::map<std::string, std::uint64_t> fallback_calls;
  std::map<std::string, std::uint64_t> lost;  // kinds of loss that are not 0
  std::uint64_t lives = 0;                    // that were seen
  double seconds = 0;

  bool complete() const { return lost.empty(); }
  bool found() const { return denials.kinds + drifts.kinds != 0; }
};

// Until the target has ended, SIGINT, SIGTERM or SIGHUP comes, the time is over or `show` says so.
// Errors, kind environment: no privilege; kind input: no such target, or nothing to judge it by.
// REQUIRES: a record::SignalCatcher lives; this is the main thread.
Result<WatchReport> watch(const WatchSpec& spec);

}  // namespace whittle::trial
