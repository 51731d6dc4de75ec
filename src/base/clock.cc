#include "base/clock.h"

#include <array>
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

std::optional<double> seconds_since_1970(std::string_view timestamp) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (timestamp.size() <= kForm.size() || timestamp.size() > 40 || timestamp.back() != 'Z') {
    return std::nullopt;
  }
  std::array<int, 6> parts = {};
  std::size_t part = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const char c = timestamp[i];
    if (kForm[i] != '0') {
      if (c != kForm[i]) return std::nullopt;
      ++part;
    } else if (c < '0' || c > '9') {
      return std::nullopt;
    } else {
      parts.at(part) = parts.at(part) * 10 + (c - '0');
    }
  }
  std::string_view rest = timestamp.substr(kForm.size());
  rest.remove_suffix(1);
  double fraction = 0;
  if (!rest.empty()) {
    if (rest.size() < 2 || rest.front() != '.') return std::nullopt;
    double unit = 0.1;
    for (const char c : rest.substr(1)) {
      if (c < '0' || c > '9') return std::nullopt;
      fraction += unit * (c - '0');
      unit /= 10;
    }
  }
  tm fields = {};
  fields.tm_year = parts[0] - 1900;
  fields.tm_mon = parts[1] - 1;
  fields.tm_mday = parts[2];
  fields.tm_hour = parts[3];
  fields.tm_min = parts[4];
  fields.tm_sec = parts[5];
  const tm asked = fields;
  const time_t seconds = timegm(&fields);
  // A date that is none (31 February) comes out as another.
  const bool same = fields.tm_mon == asked.tm_mon && fields.tm_mday == asked.tm_mday &&
                    fields.tm_hour == asked.tm_hour && fields.tm_min == asked.tm_min;
  if (!same || seconds < 0) return std::nullopt;
  return static_cast<double>(seconds) + fraction;
}

}  // namespace whittle
