// Tells whoever waits in poll(2) on any thread that it is to give up. Once set it stays set.
//
//   Cancel cancel;
//   ... on a thread: pollfd fds[] = {{socket, POLLIN, 0}, {cancel.fd(), POLLIN, 0}}; ...
//   cancel.set();
#pragma once

#include <sys/eventfd.h>

#include <atomic>

#include "base/fd.h"

namespace whittle {

class Cancel {
 public:
  Cancel() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  Cancel(const Cancel&) = delete;
  Cancel& operator=(const Cancel&) = delete;

  void set() {
    is_set_ = true;
    ::eventfd_write(fd_.get(), 1);
  }
  bool is_set() const { return is_set_; }
  // Readable from then on; nobody reads it. -1, which poll(2) passes over, when there was none
  // left.
  int fd() const { return fd_.get(); }

  // Waits until a descriptor (-1: none) has one of the events, it is set, or the deadline
  // (monotonic_seconds()) has passed. True only for the first.
  bool wait(int fd, short events, double deadline) const;
  // Until it is set or the deadline has passed. False when it was set.
  bool pause(double deadline) const;

 private:
  UniqueFd fd_;
  std::atomic<bool> is_set_{false};
};

}  // namespace whittle
