// Exercising a workload that runs: what its workload.yaml says is tried, one after another or in
// the background, and what came of each.
#pragma once

#include <cstdint>
#include <string>

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

}  // namespace whittle::host
