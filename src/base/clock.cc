#include "base/clock.h"

#include <ctime>

#include "base/text.h"

namespace whittle {

namespace {

std::string rfc3339(time_t seconds, int milliseconds) {
  tm fields = {};
  gmtime_r(&seconds, &fields);
  return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", fields.tm_year + 1900,
                fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec,
                milliseconds);
}

}  // namespace

double monotonic_seconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string utc_timestamp() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return rfc3339(now.tv_sec, static_cast<int>(now.tv_nsec / 1000000));
}

std::string utc_timestamp(double seconds) {
  constexpr double kYear10000 = 253402300800.0;
  if (!(seconds >= 0 && seconds < kYear10000)) return {};
  const auto whole = static_cast<time_t>(seconds);
  return rfc3339(whole, static_cast<int>((seconds - static_cast<double>(whole)) * 1000));
}

}  // namespace whittle
