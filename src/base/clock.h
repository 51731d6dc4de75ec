// Monotonic seconds for limits, and wall-clock time for provenance.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace whittle {

// Seconds since an arbitrary start; never goes back (CLOCK_MONOTONIC).
double monotonic_seconds();
// Now, as RFC 3339 in UTC with milliseconds: "2026-11-24T22:05:27.093Z".
std::string utc_timestamp();
// The same of a time in seconds since 1970; empty outside of the years 1970 to 9999.
std::string utc_timestamp(double seconds);
// Such a time in seconds since 1970, with or without a fraction; nothing else.
std::optional<double> seconds_since_1970(std::string_view timestamp);

}  // namespace whittle
