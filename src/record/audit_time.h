// The times that logs carry, as milliseconds since 1970 and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace whittle::record {

// "2026-11-24T22:05:27.093Z"; empty for 0, which stands for a time that is not known.
std::string audit_time_text(std::int64_t milliseconds);

// Remembers the second that it read last, since the lines of a log share theirs.
class LogClock {
 public:
  // What a line of journalctl or syslog begins with: "Nov 27 07:22:41" (local time; the year is the
  // last in which that is not in the future), "2026-11-27T07:22:41.052000+0000",
  // "Fri 2026-11-27 07:22:41 UTC", "1795764161.052000". 0: none of these.
  std::int64_t of_prefix(std::string_view prefix);
  // "11/27/26 07:22:01.060": the time of a record as ausearch -i writes it in the C and en_US
  // locales, in local time. 0: another form.
  std::int64_t of_interpreted(std::string_view text);

 private:
  std::int64_t seconds(std::string_view text, const char* form);
  std::string last_text_;
  const char* last_form_ = nullptr;
  std::int64_t last_seconds_ = 0;
};

}  // namespace whittle::record
