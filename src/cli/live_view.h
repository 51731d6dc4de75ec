// What a user sees while something is recorded: on a terminal a line that keeps up, else one line
// every ten seconds.
//
//   recording: 12 s, ready: 12043 calls, 61 distinct, 0 lost; new 3 s ago: readv, writev
#pragma once

#include <string>

#include "cli/novelty.h"
#include "evidence/evidence.h"

namespace whittle::cli {

// "12043 calls, 61 distinct, 0 lost"
std::string run_summary(const evidence::Run& run);

class LiveView {
 public:
  // About once a second, with what is known so far.
  void show(const evidence::Run& run, const std::string& phase);

 private:
  Novelty novelty_;
  std::string last_new_;  // in words
  double last_new_at_ = 0;
  double next_plain_ = 10;
};

}  // namespace whittle::cli
