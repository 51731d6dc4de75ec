// Finding out how a command behaves by running it: where it takes connections, which signal ends it
// well, whether it reloads. What `whittle init` writes a first workload.yaml of.
//
//   TRY_ASSIGN(const Discovered found, discover(spec));
//   if (found.ended) ... it runs to its end by itself ...
//
// It is started afresh for each signal that is tried, natively, and nothing of it is left when this
// returns, nor when we are killed (host/keeper.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "host/ports.h"
#include "host/workload.h"

namespace whittle::record {

struct DiscoverSpec {
  host::WorkloadRun run;                             // REQUIRES: natively
  double watch = 10;                                 // seconds in which it is to take connections
  double limit = 10;                                 // and in which a signal is to end it
  std::function<void(const std::string&)> progress;  // what is done now; may be empty
};

// A TCP port that it listened on each time that it was started.
struct FoundPort {
  host::Address address;
  int status = 0;      // of the answer to GET /; 0: none by HTTP
  std::string answer;  // else what came of that, as one line: "no answer in time"
};

// What a signal did to it.
struct StopTry {
  int signal = 0;
  bool ended = false;  // in time; else it was killed
  ExitStatus status;   // when it ended
  double seconds = 0;
  // 2: with status 0, 1: by that signal, as most programs without a handler; 0: not well.
  int quality() const;
};

struct Discovered {
  bool interrupted = false;           // by Ctrl-C: what follows is not all
  std::optional<ExitStatus> ended;    // by itself, as it was watched first
  double seconds = 0;                 // until then, or until it was up
  bool daemon = false;                // the command ended, what it left behind goes on
  std::vector<FoundPort> ports;       // in the order of their numbers
  std::vector<std::string> paths;     // Unix sockets that it listens on
  std::vector<unsigned> other_ports;  // those that were not there at each start
  std::vector<StopTry> stops;         // in the order in which they were tried
  int stop_signal = 0;                // the best of them; SIGKILL: none ends it well
  enum class Reload { kUntried, kSurvived, kFailed };
  Reload reload = Reload::kUntried;  // SIGHUP is tried where it has a handler
  std::string reload_text;           // why it failed, or was not tried
  unsigned starts = 0;
  std::string output;  // of the first start, the last of it
};

// Errors: those of PreparedRun::prepare() and Kept::start(). REQUIRES: a SignalCatcher lives, by
// which it is interrupted; no other thread starts processes.
Result<Discovered> discover(const DiscoverSpec& spec);

}  // namespace whittle::record
