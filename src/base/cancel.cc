#include "base/cancel.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/clock.h"

namespace whittle {

bool Cancel::wait(int fd, short events, double deadline) const {
  while (!is_set_) {
    const double left = deadline - monotonic_seconds();
    if (left <= 0) return false;
    std::array<pollfd, 2> polled = {pollfd{fd, events, 0}, pollfd{fd_.get(), POLLIN, 0}};
    // Rounded up: else the last millisecond would be spent in a loop.
    const int milliseconds = static_cast<int>(std::min(std::ceil(left * 1000), 60'000.0));
    if (::poll(polled.data(), polled.size(), milliseconds) > 0 && polled[0].revents != 0) {
      return true;
    }
  }
  return false;
}

bool Cancel::pause(double deadline) const {
  wait(-1, 0, deadline);
  return !is_set_;
}

}  // namespace whittle
