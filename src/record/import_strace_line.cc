#include "record/import_strace_line.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace whittle::record {

namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

std::size_t digits(std::string_view text) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) -
                                  text.begin());
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

// The length of "<sh>", the name of a task behind its number (-Y); 0: there is none. A name may
// hold anything but what strace escapes, the angles.
std::size_t comm_length(std::string_view text) {
  if (!text.starts_with('<')) return 0;
  const std::size_t end = text.find('>');
  return end == std::string_view::npos ? 0 : end + 1;
}

void take_pid(std::string_view& text, StraceLine& line) {
  std::string_view rest = text;
  const bool bracket = rest.starts_with("[pid ");
  if (bracket) {
    rest.remove_prefix(5);
    skip_blanks(rest);
  }
  const std::size_t length = digits(rest);
  if (length == 0 || length > 10) return;
  const auto pid = parse_u64(rest.substr(0, length));
  rest.remove_prefix(length);
  rest.remove_prefix(comm_length(rest));
  if (bracket && !rest.starts_with("] ")) return;
  if (!bracket && !rest.starts_with(' ')) return;
  rest.remove_prefix(bracket ? 2 : 1);
  skip_blanks(rest);
  line.pid = pid;
  text = rest;
}

// "12:34:56" and "12:34:56.123456"
std::optional<double> clock_time(std::string_view word) {
  if (word.size() < 8 || word[2] != ':' || word[5] != ':') return std::nullopt;
  double seconds = 0;
  for (const std::size_t at : {std::size_t{0}, std::size_t{3}, std::size_t{6}}) {
    if (!is_digit(word[at]) || !is_digit(word[at + 1])) return std::nullopt;
    seconds = seconds * 60 + (word[at] - '0') * 10 + (word[at + 1] - '0');
  }
  double scale = 0.1;
  for (const char c : word.substr(std::min<std::size_t>(9, word.size()))) {
    if (!is_digit(c)) return std::nullopt;
    seconds += scale * (c - '0');
    scale /= 10;
  }
  return seconds;
}

// "1795764121.620400" and "0.000032"
std::optional<double> point_time(std::string_view word) {
  const std::size_t point = digits(word);
  if (point == 0 || point > 12 || point + 1 >= word.size() || word[point] != '.') {
    return std::nullopt;
  }
  const std::string_view fraction = word.substr(point + 1);
  if (digits(fraction) != fraction.size()) return std::nullopt;
  auto seconds = static_cast<double>(parse_u64(word.substr(0, point)).value_or(0));
  double scale = 0.1;
  for (const char c : fraction) {
    seconds += scale * (c - '0');
    scale /= 10;
  }
  return seconds;
}

void take_time(std::string_view& text, StraceLine& line) {
  const std::size_t end = text.find(' ');
  if (end == std::string_view::npos) return;
  const std::string_view word = text.substr(0, end);
  constexpr double kNoDifference = 1e8;  // seconds; -ttt counts from 1970
  if (const auto clock = clock_time(word)) {
    line.time_kind = StraceTime::kClock;
    line.time = *clock;
  } else if (const auto point = point_time(word)) {
    line.time_kind = *point < kNoDifference ? StraceTime::kRelative : StraceTime::kEpoch;
    line.time = *point;
  } else if (const std::size_t whole = digits(word); whole == word.size() && whole == 10) {
    line.time_kind = StraceTime::kEpoch;  // --absolute-timestamps=unix
    line.time = static_cast<double>(parse_u64(word).value_or(0));
  } else {
    return;
  }
  text.remove_prefix(end);
  skip_blanks(text);
  if (text.starts_with("(+")) {  // -t with -r
    text.remove_prefix(std::min(text.find(')'), text.size() - 1) + 1);
    skip_blanks(text);
  }
}

// "[ 257] " of -n and "[00007f3232a0b9f0] " of -i: the address has 8 or 16 digits.
void take_brackets(std::string_view& text, StraceLine& line) {
  while (text.starts_with('[') && !text.starts_with("[ Process ")) {
    const std::size_t end = text.find("] ");
    if (end == std::string_view::npos) return;
    const std::string_view inside = text.substr(1, end - 1);
    if (inside.size() != 8 && inside.size() != 16) line.number = parse_u64(trim(inside));
    text.remove_prefix(end + 2);
  }
}

}  // namespace

StraceLine split_strace_line(std::string_view text) {
  StraceLine line;
  skip_blanks(text);
  take_pid(text, line);
  take_time(text, line);
  take_brackets(text, line);
  line.body = text;
  return line;
}

std::string_view strace_call_name(std::string_view body) {
  const std::size_t open = body.find('(');
  if (open == std::string_view::npos || open == 0 || open > 64) return {};
  const std::string_view name = body.substr(0, open);
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return std::islower(static_cast<unsigned char>(c)) != 0 || is_digit(c) || c == '_';
  });
  return good && !is_digit(name[0]) ? name : std::string_view();
}

std::size_t strace_attached_at(std::string_view text) {
  if (!text.ends_with(" attached") && !text.ends_with(" detached")) return std::string_view::npos;
  const std::size_t at = text.rfind("strace: Process ");
  if (at == std::string_view::npos) return at;
  const std::string_view pid = text.substr(at + 16, text.size() - 9 - (at + 16));
  return pid.empty() || digits(pid) != pid.size() ? std::string_view::npos : at;
}

}  // namespace whittle::record
