#include "record/audit_hash.h"

#include <sys/random.h>

#include <ctime>

namespace whittle::record {

std::uint64_t Hash::seed() {
  static const std::uint64_t value = [] {
    std::uint64_t random = 0;
    // Without entropy yet, early at boot, the clock must do.
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
      random = static_cast<std::uint64_t>(std::time(nullptr));
    }
    return random | 1U;
  }();
  return value;
}

}  // namespace whittle::record
