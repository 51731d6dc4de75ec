#include "record/ticker.h"

#include <unistd.h>

#include <cerrno>

// timer_create(2) documents this name; the C library keeps it to itself.
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace whittle::record {

Ticker::~Ticker() {
  if (!started_) return;
  ::timer_delete(timer_);
  ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  ::sigaction(SIGALRM, &action_, nullptr);
}

Result<void> Ticker::start(double seconds) {
  sigevent event = {};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGALRM;
  event.sigev_notify_thread_id = ::gettid();
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
    return errno_error(ErrorKind::kEnvironment, "cannot make a timer", errno);
  }
  started_ = true;
  struct sigaction nothing = {};
  nothing.sa_handler = [](int) {};  // without SA_RESTART: calls return
  ::sigaction(SIGALRM, &nothing, &action_);
  sigset_t alarm;
  ::sigemptyset(&alarm);
  ::sigaddset(&alarm, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm, &mask_);
  const timespec interval = {0, static_cast<long>(seconds * 1e9)};
  const itimerspec times = {interval, interval};
  ::timer_settime(timer_, 0, &times, nullptr);
  return {};
}

}  // namespace whittle::record
