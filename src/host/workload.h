// A workload: how it starts, when it is ready, what exercises it, how it stops, and what its
// profile is to be. The file is workload.yaml, described in docs/workload.md. A value type.
//
//   TRY_ASSIGN(const Workload workload, read_workload("nginx/"));   // or "nginx/workload.yaml"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "host/budget.h"

namespace whittle::host {

// How it starts: a command of this host, a root file system or an OCI bundle under a runtime.
struct WorkloadRun {
  std::vector<std::string> command;  // empty for a bundle: its config.json has one
  std::string directory;             // to start in; empty: that of the caller, or / in a container
  std::vector<std::pair<std::string, std::string>> environment;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::string rootfs;   // absolute; empty: none
  std::string bundle;   // absolute; empty: none
  std::string runtime;  // "runc", "crun", or "" for none: natively. REQUIRED with rootfs, bundle
  bool no_new_privileges = true;
};

// Something that is tried, and must come out as said.
struct WorkloadCheck {
  enum class Kind {
    kCommand,  // exits with 0; a word list, or one text for a shell
    kHttp,     // answers with the status (0: any 2xx or 3xx), and has the text in its body
    kTcp,      // after the sent bytes the expected ones come
  };
  Kind kind = Kind::kCommand;
  std::vector<std::string> command;
  std::string url;  // kHttp: http://ADDRESS[:PORT]/PATH
  std::string method = "GET";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  unsigned status = 0;
  std::string contains;
  bool keep_alive = false;  // of a repeated one: one connection for all
  std::string address;      // kTcp: ADDRESS:PORT
  std::string send;
  std::string expect;
};

struct Exercise {
  enum class Kind { kCheck, kSignal, kWait };
  std::string name;  // a phase of the evidence: [a-z0-9_-]{1,64}, not startup, ready, stop, runtime
  Kind kind = Kind::kCheck;
  WorkloadCheck check;
  int signal = 0;
  double wait = 0;                   // seconds
  unsigned repeat = 1;               // how often
  unsigned concurrency = 1;          // how many at once
  double limit = 60;                 // seconds, for all of it
  std::optional<double> rate;        // a second; for load
  std::optional<double> length;      // seconds of load, instead of `repeat`
  bool background = false;           // goes on while the next ones run
  std::uint32_t line = 0;            // of the file; 0: it came from elsewhere
  std::vector<WorkloadCheck> holds;  // tried after it, until they hold or the limit is over
};

struct WorkloadPolicy {
  std::string base;  // empty: the default of `generate`
  std::vector<std::string> architectures;
  std::string default_action;
  std::string arguments;
  std::string headroom;
  std::vector<std::string> allow;          // what `generate --allow` takes
  std::vector<std::uint32_t> allow_lines;  // of each of `allow`, in the file
  std::vector<std::string> deny;           // calls that heal never adds, whatever is asked
};

// Where in the file something begins; 0: it is not there.
struct WorkloadLines {
  std::uint32_t name = 0;
  std::uint32_t run = 0;
  std::uint32_t ready = 0;
  std::uint32_t stop = 0;
};

struct Workload {
  std::string path;       // of the file
  std::string directory;  // of the file, absolute: what relative paths start from
  std::string name;
  WorkloadRun run;
  std::string ready;  // as `record --ready` takes it; empty: ready at once
  double ready_limit = 60;
  std::vector<Exercise> exercises;
  int stop_signal = 15;
  double stop_limit = 10;  // seconds until it is killed
  std::string profile;     // paths, absolute
  std::string evidence;
  WorkloadPolicy policy;
  std::optional<Budget> budget;
  WorkloadLines lines;
};

// The line of the file that says what runs in a phase: an exercise by its name, "startup", "ready",
// "stop", "runtime", "run"; of any other the workload's name. 0: there is no file.
std::uint32_t line_of_phase(const Workload& workload, std::string_view phase);

// Reads DIR/workload.yaml, or the file itself. Errors, kind input, with file, line and pointer:
// what is not YAML, an unknown key (with the nearest known one), a value of the wrong kind or out
// of range.
Result<Workload> read_workload(const std::string& path);
Result<Workload> parse_workload(std::string_view text, const std::string& path);

}  // namespace whittle::host
