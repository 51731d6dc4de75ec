// sysdig: text in its default form, and JSON (-j), which has the same fields by name.
//
//   34378 12:02:36.269753803 2 echo (7896) > close fd=3(/usr/lib/locale/locale-archive)
//
// https://github.com/draios/sysdig/wiki/Sysdig-User-Guide
#include <algorithm>
#include <cctype>
#include <optional>

#include "base/text.h"
#include "record/import_format.h"
#include "record/import_json.h"
#include "record/import_strace_line.h"
#include "record/import_sysdig_events.h"

namespace whittle::record {

namespace {

// Takes the word in front of a blank.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

struct SysdigLine {
  SysdigEvent event;
  double clock = 0;  // seconds of the day
};

std::optional<SysdigLine> split_line(std::string_view text) {
  text = trim(text);
  if (!parse_u64(take_word(text))) return std::nullopt;
  SysdigLine line;
  const StraceLine time = split_strace_line(text);
  if (time.time_kind != StraceTime::kClock) return std::nullopt;
  line.clock = time.time;
  text = time.body;
  if (!parse_u64(take_word(text))) return std::nullopt;  // the CPU
  // "name (1234) " and what -pc puts around it: the first "(NUMBER) >" or "<".
  for (std::size_t open = text.find('('); open != std::string_view::npos;
       open = text.find('(', open + 1)) {
    std::string_view rest = text.substr(open + 1);
    const std::string_view inside = rest.substr(0, rest.find(')'));
    const auto task = parse_u64(inside.substr(0, inside.find(':')));
    rest.remove_prefix(std::min(inside.size() + 2, rest.size()));
    if (!task || rest.size() < 3 || (rest[0] != '>' && rest[0] != '<') || rest[1] != ' ') continue;
    line.event.task = *task;
    line.event.direction = rest[0];
    rest.remove_prefix(2);
    line.event.type = take_word(rest);
    line.event.arguments = rest;
    return line;
  }
  return std::nullopt;
}

class SysdigParser : public ImportParser {
 public:
  explicit SysdigParser(ImportSink& sink) : sink_(sink), events_(sink) {}

  void line(std::string_view text) override {
    if (trim(text).empty()) return;
    auto line = split_line(text);
    if (!line) return sink_.unread("it is no event of sysdig", text);
    if (!start_) start_ = line->clock;
    double seconds = line->clock - *start_;
    if (seconds < -43200) seconds += 86400;  // midnight
    line->event.seconds = std::max(0.0, seconds);
    events_.add(line->event);
  }
  void end() override { events_.finish(); }

 private:
  ImportSink& sink_;
  SysdigEvents events_;
  std::optional<double> start_;
};

class SysdigJsonParser : public JsonParser {
 public:
  explicit SysdigJsonParser(ImportSink& sink) : JsonParser(sink), events_(sink) {}

 protected:
  void object(const json::Value& value, std::string_view text) override {
    const std::string type = member_string(value, "evt.type");
    if (type.empty()) return sink().unread("the event has no evt.type", text);
    const std::string arguments =
        member_string(value, "evt.info") + member_string(value, "evt.args");
    SysdigEvent event;
    event.type = type;
    event.arguments = arguments;
    event.direction = member_string(value, "evt.dir") == ">" ? '>' : '<';
    event.task = parse_u64(member_string(value, "thread.tid")).value_or(0);
    if (const auto time = parse_u64(member_string(value, "evt.outputtime"))) {
      if (!start_) start_ = *time;
      event.seconds = static_cast<double>(*time - std::min(*time, *start_)) / 1e9;
    }
    events_.add(event);
  }
  void finished() override { events_.finish(); }

 private:
  SysdigEvents events_;
  std::optional<std::uint64_t> start_;
};

bool fits_text(std::string_view head) {
  const std::size_t first = head.find_first_not_of(" \r\n");
  if (first == std::string_view::npos) return false;
  head.remove_prefix(first);
  return split_line(head.substr(0, head.find('\n'))).has_value();
}

bool fits_json(std::string_view head) {
  const char first = first_character(head);
  return (first == '{' || first == '[') && has_key(head, "evt.type") &&
         !has_key(head, "output_fields");
}

}  // namespace

const ImportFormat kSysdigFormat = {
    "sysdig",
    "sysdig",
    "native",
    "sysdig, its text",
    fits_text,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<SysdigParser>(sink);
    },
};

const ImportFormat kSysdigJsonFormat = {
    "sysdig-json",
    "sysdig",
    "native",
    "sysdig -j",
    fits_json,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<SysdigJsonParser>(sink);
    },
};

}  // namespace whittle::record
