// A signal that does nothing but interrupt blocking calls of the calling thread, again and again,
// so that a loop around waitpid(2), which has no time limit, can look at the clock.
#pragma once

#include <signal.h>
#include <time.h>

#include "base/result.h"

namespace whittle::record {

// Uses SIGALRM: what handled it before, and whether it was blocked, is put back at the end.
// REQUIRES: it goes on the thread that started it, and there is one at a time in the process.
class Ticker {
 public:
  Ticker() = default;
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // From now on a call of this thread that blocks for `seconds` or longer fails with EINTR.
  // REQUIRES: less than a second; called once.
  Result<void> start(double seconds);

 private:
  bool started_ = false;
  timer_t timer_ = {};
  struct sigaction action_ = {};
  sigset_t mask_ = {};
};

}  // namespace whittle::record
