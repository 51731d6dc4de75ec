// `perf trace`, its log and the tables of its -s (perf-trace(1)).
//
//      7.586 ( 0.011 ms): ls/11883 close(fd: 4)                                  = 0
//     13.487 (         ): bash/11908 wait4(upid: -1, stat_addr: 0x7fff44476c10)  ...
//     13.487 ( 5.627 ms): bash/11908  ... [continued]: wait4())                  = 11910 (cat)
#include <cctype>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "record/import_format.h"
#include "record/import_parameters.h"
#include "record/import_strace_line.h"
#include "record/import_values.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostPending = 100'000;

struct PerfLine {
  double seconds = 0;
  std::uint64_t task = 0;
  std::string_view body;  // "close(fd: 4)  = 0"
};

bool is_time(std::string_view word) {
  return word == "?" || (!word.empty() && word.find_first_not_of("0123456789.") == word.npos);
}

double milliseconds(std::string_view word) {
  const std::size_t point = word.find('.');
  const auto whole = parse_u64(word.substr(0, point));
  const auto rest =
      point == std::string_view::npos ? std::nullopt : parse_u64(word.substr(point + 1));
  double value = static_cast<double>(whole.value_or(0));
  if (rest && word.size() - point - 1 == 3) value += static_cast<double>(*rest) / 1000;
  return value;
}

// "ls/11883 close(...": a name of a task may hold anything.
void take_task(PerfLine& line) {
  for (std::size_t slash = line.body.find('/'); slash != std::string_view::npos && slash <= 16;
       slash = line.body.find('/', slash + 1)) {
    const std::size_t space = line.body.find(' ', slash);
    if (space == std::string_view::npos) return;
    const auto task = parse_u64(line.body.substr(slash + 1, space - slash - 1));
    if (!task) continue;
    line.task = *task;
    line.body = line.body.substr(space + 1);
    return;
  }
}

std::optional<PerfLine> split_line(std::string_view text) {
  text = trim(text);
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || !is_time(text.substr(0, space))) return std::nullopt;
  PerfLine line;
  line.seconds = milliseconds(text.substr(0, space)) / 1000;
  std::string_view rest = trim(text.substr(space));
  const std::size_t colon = rest.find("): ");
  if (!rest.starts_with('(') || colon == std::string_view::npos || colon > 24) return std::nullopt;
  line.body = rest.substr(colon + 3);
  take_task(line);
  return line;
}

// "fd: 4, cmd: SETFD" by name.
std::optional<std::string> value_of(std::string_view arguments, std::string_view name) {
  for (const std::string_view part : split_arguments(arguments).parts) {
    const std::size_t colon = part.find(": ");
    if (colon != std::string_view::npos && part.substr(0, colon) == name) {
      return std::string(trim(part.substr(colon + 2)));
    }
    if (part.ends_with(':') && part.substr(0, part.size() - 1) == name) return "0";  // "flags: "
  }
  return std::nullopt;
}

class PerfParser : public ImportParser {
 public:
  explicit PerfParser(ImportSink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    if (trim(text).empty()) return;
    if (trim(text).starts_with("Summary of events")) {
      summary_ = true;
      return;
    }
    if (summary_) return summary(text);
    if (lost(text)) return;
    const auto line = split_line(text);
    if (!line) return sink_.unread("it is no line of perf trace", text);
    seconds_ = line->seconds;
    constexpr std::string_view kContinued = "... [continued]: ";
    const std::string_view body = trim(line->body);
    if (body.starts_with(kContinued)) return continued(*line, body.substr(kContinued.size()), text);
    const std::string_view name = strace_call_name(body);
    if (name.empty()) return sink_.unread("it is no call", text);
    events_ = true;
    const std::string_view arguments = body.substr(name.size() + 1);
    if (arguments.ends_with("...")) {
      if (pending_.size() >= kMostPending) return sink_.unread("too many calls at a time", text);
      pending_[line->task] = {std::string(name), std::string(arguments), seconds_};
      return;
    }
    const std::size_t end = split_arguments(arguments).end;
    const auto rest =
        end == std::string_view::npos ? std::string_view() : trim(arguments.substr(end));
    if (!rest.starts_with('=')) return sink_.unread("the call has no result", text);
    count(name, arguments, seconds_, trim(rest.substr(1)), text);
  }

  void end() override {
    for (const auto& [task, call] : pending_) {
      count(call.name, call.arguments, call.seconds, "?", call.name);
    }
    sink_.note("perf trace does not tell the ABI of a call: all are taken as native ones");
    if (summary_ && !events_) {
      sink_.note("a summary: without arguments, and without calls that never return, such as exit");
    }
  }

 private:
  struct Pending {
    std::string name;
    std::string arguments;
    double seconds = 0;
  };

  // "LOST 12 events!"
  bool lost(std::string_view text) {
    const std::size_t at = text.find("LOST ");
    if (at == std::string_view::npos || text.find(" events") == std::string_view::npos)
      return false;
    const std::string_view number = text.substr(at + 5, text.find(' ', at + 5) - at - 5);
    sink_.lose("events", parse_u64(number).value_or(1));
    return true;
  }

  // "wait4())   = 11910 (cat)": the end of a call that began on another line.
  void continued(const PerfLine& line, std::string_view body, std::string_view text) {
    const std::string_view name = strace_call_name(body);
    const std::size_t end = body.find("= ");
    const bool open = body.ends_with('=');
    if (name.empty() || (end == std::string_view::npos && !open)) {
      return sink_.unread("it is no call", text);
    }
    events_ = true;
    const std::string_view result = open ? std::string_view() : trim(body.substr(end + 2));
    const auto found = pending_.find(line.task);
    if (found != pending_.end() && found->second.name == name) {
      const Pending call = std::move(found->second);
      pending_.erase(found);
      return count(name, call.arguments, call.seconds, result, text);
    }
    // The second return of a fork, in the child: not another call.
    if (starts_task(name)) return;
    count(name, {}, line.seconds, result, text);
  }

  void count(std::string_view name, std::string_view arguments, double seconds,
             std::string_view result, std::string_view text) {
    Call call;
    call.arch = sink_.native();
    call.seconds = seconds;
    call.result = read_result(result);
    if (starts_task(name) && call.result == 0) return;
    if (arguments.empty()) {
      call.unread = 0x3f;
    } else {
      fill_named(
          call, name, [&](std::string_view wanted) { return value_of(arguments, wanted); },
          Absent::kZero, sink_);
    }
    if (!sink_.add_named(call, name)) sink_.unread("there is no such call", text);
  }

  // "   openat                34     13     0.521 ..." of each thread.
  void summary(std::string_view text) {
    if (events_) return;
    const std::string_view row = trim(text);
    const std::string_view name = row.substr(0, row.find(' '));
    const std::string_view rest = trim(row.substr(name.size()));
    const auto count = parse_u64(rest.substr(0, rest.find(' ')));
    if (!count || !syscalls::is_known(name)) return heading(row);
    Call call;
    call.arch = sink_.native();
    call.has_arguments = false;
    call.times = *count;
    if (!sink_.add_named(call, name)) sink_.unread("there is no such call", text);
  }

  void heading(std::string_view row) {
    const bool known = row.starts_with("syscall ") || row.starts_with("(msec)") ||
                       row.starts_with("---") || row.find(" events, ") != std::string_view::npos;
    if (!known) sink_.unread("it is no line of the summary", row);
  }

  ImportSink& sink_;
  std::unordered_map<std::uint64_t, Pending> pending_;
  double seconds_ = 0;
  bool events_ = false;
  bool summary_ = false;
};

bool fits(std::string_view head) {
  for (std::size_t seen = 0; !head.empty() && seen < 50; ++seen) {
    const std::string_view text = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(text.size() + 1, head.size()));
    if (trim(text).starts_with("Summary of events") || split_line(text)) return true;
  }
  return false;
}

}  // namespace

const ImportFormat kPerfFormat = {
    "perf",
    "perf",
    "native",
    "perf trace, its log and its summary",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<PerfParser>(sink);
    },
};

}  // namespace whittle::record
