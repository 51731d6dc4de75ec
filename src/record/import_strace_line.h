// A line of strace, taken apart: what stands in front of the call, and the call. strace(1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace whittle::record {

enum class StraceTime : std::uint8_t { kNone, kClock, kEpoch, kRelative };

struct StraceLine {
  std::optional<std::uint64_t> pid;  // "1234 ", "1234<sh> ", "[pid  1234] "
  StraceTime time_kind = StraceTime::kNone;
  double time = 0;                      // seconds: of the day, since 1970, or since the line before
  std::optional<std::uint64_t> number;  // -n: "[ 257] "
  std::string_view body;                // the rest: "read(3, ..."
};

StraceLine split_strace_line(std::string_view text);

// The name when the body is "NAME(..."; empty when it is not.
std::string_view strace_call_name(std::string_view body);

// "strace: Process 20926 attached" at the end of a line, where it may stand in the middle of a
// call: the length of what is in front of it; npos when there is none.
std::size_t strace_attached_at(std::string_view text);

}  // namespace whittle::record
