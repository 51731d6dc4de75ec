#include "record/import_sysdig_events.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "record/import_parameters.h"
#include "record/import_values.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostTasks = 100'000;
constexpr std::size_t kMostArguments = 4096;

// Types that stand for another name of a call (falcosecurity/libs, driver/event_table.c).
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kNames = {{
    {"pread", "pread64"},
    {"pwrite", "pwrite64"},
    {"umount", "umount2"},
    {"prlimit", "prlimit64"},
    {"llseek", "_llseek"},
    {"fadvise", "fadvise64"},
    {"fstatat", "newfstatat"},
    {"sigreturn", "rt_sigreturn"},
}};

// The symbols in the parentheses of "3(PROT_READ|PROT_WRITE)", else the number in front: numbers of
// flags and options are sysdig's own, not the kernel's; those of sockets are the kernel's.
std::string plain_value(std::string_view text, bool number) {
  const std::size_t open = text.find('(');
  if (number || open == std::string_view::npos || !text.ends_with(')')) {
    return std::string(text.substr(0, open));
  }
  return std::string(text.substr(open + 1, text.size() - open - 2));
}

// Calls whose recorded arguments sysdig has whole. It has clone's flags without the signal, for
// one.
bool has_values(std::string_view name) {
  constexpr std::array<std::string_view, 12> kWhole = {
      "socket", "socketpair", "mmap",  "mprotect",   "fcntl",      "kill",
      "tkill",  "tgkill",     "prctl", "setsockopt", "getsockopt", "unshare"};
  return std::find(kWhole.begin(), kWhole.end(), name) != kWhole.end();
}

std::optional<std::int64_t> result_of(std::string_view arguments) {
  for (const std::string_view name : {"res", "fd"}) {
    const std::string_view text = sysdig_value(arguments, name);
    const bool negative = text.starts_with('-');
    const std::string_view digits = text.substr(negative ? 1 : 0);
    const auto value = parse_u64(digits.substr(0, digits.find('(')));
    if (value && *value < INT64_MAX) {
      return negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view sysdig_value(std::string_view arguments, std::string_view name) {
  for (std::size_t at = arguments.find(name); at != std::string_view::npos;
       at = arguments.find(name, at + 1)) {
    const bool begins = at == 0 || arguments[at - 1] == ' ';
    const std::size_t equals = at + name.size();
    if (!begins || equals >= arguments.size() || arguments[equals] != '=') continue;
    const std::string_view value = arguments.substr(equals + 1);
    return value.substr(0, value.find(' '));
  }
  return {};
}

void SysdigEvents::add(const SysdigEvent& event) {
  if (event.type == "drop") return sink_.lose("events");
  if (event.direction == '>' && !never_returns(event.type)) {
    if (entered_.size() >= kMostTasks) entered_.clear();  // their values are then missing
    entered_[event.task] = event.arguments.substr(0, kMostArguments);
    return;
  }
  std::string entered;
  if (const auto found = entered_.find(event.task); found != entered_.end()) {
    entered = std::move(found->second);
    entered_.erase(found);
  }
  count(event, entered);
}

void SysdigEvents::count(const SysdigEvent& event, std::string_view enter_arguments) {
  std::string_view name = event.type;
  const auto* const other = std::find_if(kNames.begin(), kNames.end(),
                                         [&](const auto& entry) { return entry.first == name; });
  if (other != kNames.end() && !syscalls::number(sink_.native(), name)) name = other->second;
  if (!syscalls::is_known(name)) {
    ++others_;
    return;
  }
  Call call;
  call.arch = sink_.native();
  call.seconds = event.seconds;
  call.result = result_of(event.arguments);
  // The return of a fork in the child is not another call.
  if (starts_task(name) && call.result == 0) return;
  call.any = 0x3f;
  if (has_values(name)) {
    call.any = 0;
    const bool socket = name.starts_with("socket");
    fill_named(
        call, name,
        [&](std::string_view wanted) -> std::optional<std::string> {
          for (const std::string_view from : {event.arguments, enter_arguments}) {
            const std::string_view text = sysdig_value(from, wanted);
            if (!text.empty()) return plain_value(text, socket);
          }
          return std::nullopt;
        },
        Absent::kOpen, sink_);
  }
  if (!sink_.add_named(call, name)) {
    sink_.unread(format("{} has no such call", syscalls::arch_name(call.arch)), event.type);
  }
}

void SysdigEvents::finish() {
  if (others_ != 0) sink_.note(format("events that are no system calls: {}", others_));
  sink_.note("the events do not tell the ABI of a call: all are taken as native ones");
}

}  // namespace whittle::record
