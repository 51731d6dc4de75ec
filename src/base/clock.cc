#include "base/clock.h"

#include <ctime>

#include "base/text.h"

namespace whittle {

double monotonic_seconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string utc_timestamp() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  tm fields = {};
  gmtime_r(&now.tv_sec, &fields);
  return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", fields.tm_year + 1900,
                fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec,
                now.tv_nsec / 1000000);
}

}  // namespace whittle
