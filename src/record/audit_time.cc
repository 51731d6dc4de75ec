#include "record/audit_time.h"

#include <cstdlib>
#include <ctime>

#include "base/text.h"

namespace whittle::record {

namespace {

constexpr const char* kSyslog = "%b %d %H:%M:%S";
constexpr const char* kIso = "%Y-%m-%dT%H:%M:%S";
constexpr const char* kFull = "%Y-%m-%d %H:%M:%S";
constexpr const char* kInterpreted = "%m/%d/%y %H:%M:%S";
constexpr std::int64_t kDay = 86400;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// ".052000" or ",052" at the beginning, as milliseconds; the text moves behind it.
std::int64_t take_fraction(std::string_view& text) {
  if (text.empty() || (text[0] != '.' && text[0] != ',')) return 0;
  text.remove_prefix(1);
  std::int64_t milliseconds = 0;
  int weight = 100;
  while (!text.empty() && is_digit(text[0])) {
    milliseconds += (text[0] - '0') * weight;
    weight /= 10;
    text.remove_prefix(1);
  }
  return milliseconds;
}

// "Z", "+0000" or "-05:30" at the beginning, in seconds; false: there is none.
bool take_zone(std::string_view text, std::int64_t& offset) {
  if (text.starts_with('Z') || text.starts_with(" UTC")) {
    offset = 0;
    return true;
  }
  if (text.size() < 5 || (text[0] != '+' && text[0] != '-')) return false;
  const std::size_t minutes = text[3] == ':' ? 4 : 3;
  if (text.size() < minutes + 2) return false;
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}, minutes, minutes + 1}) {
    if (!is_digit(text[i])) return false;
  }
  const int hours_of = (text[1] - '0') * 10 + text[2] - '0';
  const int minutes_of = (text[minutes] - '0') * 10 + text[minutes + 1] - '0';
  offset = (hours_of * 60 + minutes_of) * 60;
  if (text[0] == '-') offset = -offset;
  return true;
}

// Of local time, as mktime(3) takes it.
std::int64_t local_offset(std::int64_t seconds_as_utc) {
  const std::time_t as_utc = seconds_as_utc;
  std::tm parts = {};
  gmtime_r(&as_utc, &parts);
  parts.tm_isdst = -1;
  return seconds_as_utc - std::mktime(&parts);
}

}  // namespace

std::string audit_time_text(std::int64_t milliseconds) {
  if (milliseconds == 0) return {};
  std::int64_t rest = milliseconds % 1000;
  if (rest < 0) rest += 1000;
  const std::time_t seconds = (milliseconds - rest) / 1000;
  std::tm parts = {};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, rest);
}

// The seconds that the form gives, as if the text were UTC; 0: the text has another form. Without a
// year that of now, or the one before it.
std::int64_t LogClock::seconds(std::string_view text, const char* form) {
  if (form == last_form_ && text == last_text_) return last_seconds_;
  std::tm parts = {};
  const std::time_t now = std::time(nullptr);
  if (form == kSyslog) gmtime_r(&now, &parts);
  const std::string copy(text);
  const char* const end = ::strptime(copy.c_str(), form, &parts);
  if (end == nullptr || *end != 0) return 0;
  std::int64_t result = timegm(&parts);
  if (form == kSyslog && result > now + kDay) {
    --parts.tm_year;
    result = timegm(&parts);
  }
  if (form == kSyslog || form == kInterpreted) result -= local_offset(result);
  last_text_ = copy;
  last_form_ = form;
  last_seconds_ = result;
  return result;
}

std::int64_t LogClock::of_prefix(std::string_view prefix) {
  constexpr std::size_t kLength = 19;  // of kIso and kFull
  if (prefix.size() > 4 && prefix[3] == ' ' && is_digit(prefix[4]) && prefix.find('-') == 8) {
    prefix.remove_prefix(4);  // the day of the week
  }
  if (prefix.size() >= kLength && prefix[4] == '-') {
    const std::int64_t found = seconds(prefix.substr(0, kLength), prefix[10] == 'T' ? kIso : kFull);
    if (found == 0) return 0;
    std::string_view rest = prefix.substr(kLength);
    const std::int64_t fraction = take_fraction(rest);
    std::int64_t offset = 0;
    if (!take_zone(rest, offset)) offset = local_offset(found);
    return (found - offset) * 1000 + fraction;
  }
  if (prefix.size() >= 15 && prefix[3] == ' ') return seconds(prefix.substr(0, 15), kSyslog) * 1000;
  if (prefix.size() > 10 && prefix[10] == '.') {
    const auto found = parse_u64(prefix.substr(0, 10));
    std::string_view rest = prefix.substr(10);
    if (found) return static_cast<std::int64_t>(*found) * 1000 + take_fraction(rest);
  }
  return 0;
}

std::int64_t LogClock::of_interpreted(std::string_view text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return 0;
  const std::int64_t found = seconds(text.substr(0, dot), kInterpreted);
  std::string_view rest = text.substr(dot);
  return found == 0 ? 0 : found * 1000 + take_fraction(rest);
}

}  // namespace whittle::record
