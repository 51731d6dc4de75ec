// Exercising a workload that runs: what its workload.yaml says is tried, one after another or in
// the background, and what came of each.
//
//   const std::vector<ExerciseResult> results = run_exercises(workload, running);
//
// Who runs the workload is a `Running`. Each exercise is a phase of it by its name; while several
// run the phase is the one that was started last.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "host/workload.h"

namespace whittle::host {

// What came of one exercise, or of the start ("ready"), the end ("stop"), or a run without
// exercises ("run").
struct ExerciseResult {
  std::string name;
  bool ok = false;
  std::string detail;        // one line for people
  std::uint64_t done = 0;    // how often it was tried
  std::uint64_t failed = 0;  // and of these in vain
  double seconds = 0;        // how long it took
};

// A workload that runs, as its exercises see it. Thread-safe.
class Running {
 public:
  virtual ~Running() = default;
  // The phase from now on: in force when it returns.
  virtual void begin_phase(const std::string& name) = 0;
  virtual pid_t main_process() const = 0;  // 0: it has ended
  // Set once the workload has ended or is to end: what is under way is given up.
  virtual const Cancel& over() const = 0;
  // Why that is, as one line: "the workload has ended: exit status 1".
  virtual std::string over_text() const = 0;
};

// Runs all of them, one result each, in the order of the file. Commands run on the host, in the
// directory of the file, with WHITTLE_PID (the main process) in their environment; connections are
// made in the workload's network namespace where it has its own and we may enter it. A signal
// without `holds` is given half a second to show what it does before the next exercise begins.
// Returns early when the workload is over. Blocks; REQUIRES: no other thread uses the workload.
std::vector<ExerciseResult> run_exercises(const Workload& workload, Running& running);

// Moves the calling thread into the network namespace of a process, when that is another one.
// Without the privilege it stays where it is.
void enter_network_of(pid_t process);

}  // namespace whittle::host
