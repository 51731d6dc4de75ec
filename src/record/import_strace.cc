// strace(1) of any options: one parser for the log and for the summary of -c.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "record/import_format.h"
#include "record/import_strace_line.h"
#include "record/import_strace_table.h"
#include "record/import_values.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

using syscalls::Arch;

constexpr std::size_t kMostTasks = 100'000;
// Kept of a call that is shown in two parts; what is recorded of it stands well before.
constexpr std::size_t kMostPending = 16 << 10U;

constexpr std::string_view kUnfinished = "<unfinished ...>";

// Calls that 32-bit ABIs have by themselves and behind socketcall or ipc as well (man 2 socketcall,
// ipc). strace writes both alike.
constexpr std::array<std::string_view, 20> kSockets = {
    "socket",      "bind",       "connect", "listen",  "accept",   "send",     "getsockname",
    "getpeername", "socketpair", "recv",    "sendto",  "recvfrom", "shutdown", "setsockopt",
    "getsockopt",  "sendmsg",    "recvmsg", "accept4", "recvmmsg", "sendmmsg"};
constexpr std::array<std::string_view, 12> kIpc = {"semop",  "semget", "semctl", "semtimedop",
                                                   "msgsnd", "msgrcv", "msgget", "msgctl",
                                                   "shmat",  "shmdt",  "shmget", "shmctl"};

// The call behind which x86 may hide the named one; empty: none.
std::string_view multiplexer(Arch arch, std::string_view name) {
  if (arch != Arch::kX86) return {};
  if (std::find(kSockets.begin(), kSockets.end(), name) != kSockets.end()) return "socketcall";
  return std::find(kIpc.begin(), kIpc.end(), name) != kIpc.end() ? "ipc" : std::string_view();
}

bool is_exec(std::string_view name) { return name == "execve" || name == "execveat"; }

// The ABI of "[ Process PID=1 runs in 32 bit mode. ]".
std::optional<Arch> mode_of(std::string_view text, Arch native) {
  const bool arm = syscalls::native_of(native) == Arch::kAarch64;
  if (text.find("32 bit mode") != std::string_view::npos) return arm ? Arch::kArm : Arch::kX86;
  if (text.find("64 bit mode") != std::string_view::npos) {
    return arm ? Arch::kAarch64 : Arch::kX86_64;
  }
  if (text.find("x32 mode") != std::string_view::npos) return Arch::kX32;
  return std::nullopt;
}

struct Pending {
  std::string name;
  std::string text;  // what stood behind "NAME("
  std::optional<std::uint64_t> number;
  Arch arch = Arch::kX86_64;
  double seconds = 0;
};

struct Task {
  Arch arch = Arch::kX86_64;
  std::optional<Pending> pending;
};

class StraceParser : public ImportParser {
 public:
  explicit StraceParser(ImportSink& sink)
      : sink_(sink), arch_(sink.native()), table_arch_(sink.native()) {}

  void line(std::string_view text) override {
    std::string whole;
    if (!joined_.empty()) {
      whole = std::exchange(joined_, {});
      whole += text;
      text = whole;
    }
    if (const std::size_t at = strace_attached_at(text); at != std::string_view::npos) {
      followed_ = true;
      if (!trim(text.substr(0, at)).empty()) joined_ = text.substr(0, at);
      return;
    }
    if (trim(text).empty() || of_table(text)) return;
    // The stack of -k and the bytes of -e read and write.
    if (text.starts_with(" > ") || text.starts_with(" | ")) return;
    const StraceLine line = split_strace_line(text);
    if (line.pid) pids_ = true;
    if (line.number) numbers_ = true;
    note_time(line);
    if (!first_pid_) first_pid_ = line.pid.value_or(0);
    body(line, text);
  }

  void end() override {
    if (!joined_.empty()) sink_.unread("the line has no end", joined_);
    // Made, and not returned when the log ended.
    for (auto& [pid, task] : tasks_) leave(task);
    if (exited_ && !exit_called_ && pids_) {
      sink_.lose("selected");
      sink_.note("tasks end without a call of exit: the log shows chosen calls only (strace -e)");
    }
    sink_.single_task = !pids_ && !followed_ && calls_;
    if (untold_abi_) {
      sink_.note("calls of a 32-bit ABI, told by names that only it has: record with strace -n");
    }
    if (calls_ && !numbers_ && !marks_) {
      sink_.note("calls of 32-bit entry points are not told apart in it: record with strace -n");
    }
    if (table_ && !calls_) {
      sink_.note("a summary: without arguments, and strace -c does not count exit calls");
    }
  }

 private:
  bool of_table(std::string_view text) {
    if (text.starts_with("System call usage summary for")) {
      table_arch_ = mode_of(text, sink_.native()).value_or(sink_.native());
      return true;
    }
    if (is_strace_table(text)) {
      table_.emplace(sink_, text, table_arch_, calls_);
      table_arch_ = sink_.native();
      return true;
    }
    return table_ && table_->line(text);
  }

  void note_time(const StraceLine& line) {
    constexpr double kDay = 86400;
    if (line.time_kind == StraceTime::kNone) return;
    if (line.time_kind == StraceTime::kRelative) {
      seconds_ += line.time;
      return;
    }
    double time = line.time + days_;
    if (!start_) {
      start_ = time;
      if (line.time_kind == StraceTime::kEpoch) sink_.run.started = utc_timestamp(time);
    }
    if (line.time_kind == StraceTime::kClock && time - *start_ < seconds_ - kDay / 2) {
      days_ += kDay;  // midnight
      time += kDay;
    }
    seconds_ = std::max(0.0, time - *start_);
  }

  // nullptr: there are too many.
  Task* task_of(std::uint64_t pid) {
    const auto found = tasks_.find(pid);
    if (found != tasks_.end()) return &found->second;
    if (tasks_.size() >= kMostTasks) return nullptr;
    // As strace has it: a task that is new begins in the mode of the one before.
    Task& task = tasks_[pid];
    task.arch = arch_;
    return &task;
  }

  void body(const StraceLine& line, std::string_view text) {
    std::string_view body = line.body;
    if (body.starts_with("strace: [ Process")) body.remove_prefix(8);
    if (body.starts_with("[ Process PID=")) return mark(line, body);
    if (body.starts_with("--- ")) return;
    Task* task = task_of(line.pid.value_or(0));
    if (task == nullptr) return sink_.unread("there are more than 100,000 tasks at a time", text);
    if (body.starts_with("+++ ")) return ended(line, *task, body);
    if (body.starts_with("<... ")) return resumed(line, *task, body);
    const std::string_view name = strace_call_name(body);
    if (name.empty()) return sink_.unread("it is no line of strace", text);
    Pending call;
    call.name = name;
    call.number = line.number;
    call.arch = task->arch;
    call.seconds = seconds_;
    begun(name);
    taken(*task, std::move(call), body.substr(name.size() + 1), text);
  }

  void begun(std::string_view name) {
    if (!std::exchange(calls_, true) && !is_exec(name)) sink_.lose("late_start");
    if (never_returns(name)) exit_called_ = true;
  }

  void mark(const StraceLine& line, std::string_view body) {
    const auto arch = mode_of(body, sink_.native());
    const std::string_view digits = body.substr(14, body.find(' ', 14) - 14);
    const auto pid = parse_u64(digits);
    if (!arch || !pid) return sink_.unread("it is no mode of a process", body);
    marks_ = true;
    arch_ = *arch;
    if (Task* task = task_of(*pid)) task->arch = *arch;
    if (line.pid) return;
    if (Task* task = task_of(0)) task->arch = *arch;
  }

  // A call in one piece, or its first part, `text` behind its parenthesis.
  void taken(Task& task, Pending call, std::string_view text, std::string_view whole) {
    if (text.ends_with(kUnfinished)) {
      if (task.pending) leave(task);
      // Counted now: they do not return.
      if (never_returns(call.name)) return count(task, call, text, std::nullopt);
      text.remove_suffix(kUnfinished.size());
      call.text = text.substr(0, kMostPending);
      task.pending = std::move(call);
      return;
    }
    constexpr std::string_view kChanged = "<pid changed to ";
    if (const std::size_t at = text.rfind(kChanged);
        at != std::string_view::npos && text.ends_with(" ...>")) {
      const std::size_t digits = at + kChanged.size();
      const auto pid = parse_u64(text.substr(digits, text.size() - 5 - digits));
      Task* other = pid ? task_of(*pid) : nullptr;
      if (other == nullptr) return sink_.unread("it has no new process number", whole);
      call.text = text.substr(0, std::min(at, kMostPending));
      if (other->pending) leave(*other);
      other->pending = std::move(call);
      return;
    }
    const auto result = result_of(text);
    // "<detached ...>" and "<ptrace(...):No such process>": made, and the end was not seen.
    if (!result && !text.ends_with('>')) return sink_.unread("the call has no result", whole);
    count(task, call, text, result ? read_result(*result) : std::nullopt);
    if (result && result->find("(INJECTED") != std::string_view::npos) {
      sink_.note("strace injected results of calls into the program");
    }
  }

  // What stands behind "= "; nullopt: there is no result.
  static std::optional<std::string_view> result_of(std::string_view text) {
    const auto behind = [&](std::size_t end) -> std::optional<std::string_view> {
      const std::string_view rest = trim(text.substr(std::min(end, text.size())));
      if (!rest.starts_with("= ")) return std::nullopt;
      return rest.substr(2);
    };
    if (const auto found = behind(split_arguments(text).end)) return found;
    // Parentheses that do not pair: the last one that a result follows.
    for (std::size_t at = text.rfind(')'); at != std::string_view::npos && at > 0;
         at = text.rfind(')', at - 1)) {
      if (const auto found = behind(at + 1)) return found;
    }
    return std::nullopt;
  }

  void resumed(const StraceLine& line, Task& task, std::string_view body) {
    constexpr std::string_view kResumed = " resumed>";
    const std::size_t end = body.find(kResumed);
    if (end == std::string_view::npos) return sink_.unread("it is no line of strace", body);
    const std::string_view name = body.substr(5, end - 5);
    const std::string_view rest = body.substr(end + kResumed.size());
    if (never_returns(name)) return;  // counted when it was made
    Task* owner = owner_of(line, task, name);
    Pending call;
    bool cut = true;
    if (owner != nullptr) {
      call = *std::exchange(owner->pending, std::nullopt);
      cut = false;
    } else {
      call.name = name;
      call.number = line.number;
      call.arch = task.arch;
      call.seconds = seconds_;
      begun(name);
    }
    const std::string whole = call.text + std::string(rest);
    if (whole.ends_with(kUnfinished) || whole.ends_with(" ...>")) {
      taken(task, std::move(call), whole, body);
      return;
    }
    const auto result = result_of(cut ? rest : std::string_view(whole));
    if (!result) return sink_.unread("the call has no result", body);
    count(task, call, cut ? std::string_view() : std::string_view(whole), read_result(*result));
  }

  // The task whose call of that name is resumed. Without a number in front it may be any: strace
  // leaves it out while one task is alone.
  Task* owner_of(const StraceLine& line, Task& task, std::string_view name) {
    if (task.pending && task.pending->name == name) return &task;
    if (line.pid && *line.pid != 0) {
      const auto alone = tasks_.find(0);
      const bool there =
          alone != tasks_.end() && alone->second.pending && alone->second.pending->name == name;
      return there ? &alone->second : nullptr;
    }
    Task* found = nullptr;
    for (auto& [pid, other] : tasks_) {
      if (other.pending && other.pending->name == name) found = &other;
    }
    return found;
  }

  void ended(const StraceLine& line, Task& task, std::string_view body) {
    const std::uint64_t pid = line.pid.value_or(0);
    constexpr std::string_view kExited = "+++ exited with ";
    constexpr std::string_view kKilled = "+++ killed by ";
    std::optional<int> exit;
    if (body.starts_with(kExited)) {
      exited_ = true;
      const std::string_view code = body.substr(kExited.size());
      const auto number = parse_u64(code.substr(0, code.find(' ')));
      if (number && *number < 256) exit = static_cast<int>(*number);
    } else if (body.starts_with(kKilled)) {
      const std::string_view signal = body.substr(kKilled.size());
      const auto number = read_value(signal.substr(0, signal.find(' ')));
      if (number && *number < 65) exit = 128 + static_cast<int>(*number);
    } else if (body.starts_with("+++ superseded by execve")) {
      // The number goes on as the thread's that called execve, whose call may stand here already.
      if (task.pending && !is_exec(task.pending->name)) leave(task);
      take_over(task, body);
      return;
    }
    if (exit && (pid == *first_pid_ || pid == 0)) sink_.run.exit = exit;
    leave(task);
    tasks_.erase(pid);
  }

  // "+++ superseded by execve in pid 20831 +++": the pending execve of that thread.
  void take_over(Task& task, std::string_view body) {
    const std::size_t at = body.find("pid ");
    if (at == std::string_view::npos) return;
    const std::string_view digits = body.substr(at + 4);
    const auto pid = parse_u64(digits.substr(0, digits.find(' ')));
    const auto found = pid ? tasks_.find(*pid) : tasks_.end();
    if (found == tasks_.end() || &found->second == &task) return;
    if (!task.pending) task.pending = std::move(found->second.pending);
    task.arch = found->second.arch;
    tasks_.erase(found);
  }

  // Counts a call of which no end was seen.
  void leave(Task& task) {
    if (!task.pending) return;
    const Pending call = *std::exchange(task.pending, std::nullopt);
    count(task, call, call.text, std::nullopt);
  }

  void count(Task& task, const Pending& pending, std::string_view arguments,
             std::optional<std::int64_t> result) {
    Call call;
    call.seconds = pending.seconds;
    call.result = result;
    if (!find_number(task, pending, call)) {
      return sink_.unread(format("{} has no such call", syscalls::arch_name(pending.arch)),
                          pending.name);
    }
    arch_ = call.arch;
    const auto name = syscalls::name(call.arch, call.nr);
    if (name) read_arguments(call, *name, arguments);
    if (starts_task(pending.name) && result.value_or(-1) > 0) ++sink_.children;
    if (is_exec(pending.name) && result.value_or(-1) == 0) started(arguments);
    sink_.add(call);
  }

  bool find_number(Task& task, const Pending& pending, Call& call) {
    call.arch = pending.arch;
    constexpr std::string_view kUnnamed = "syscall_";
    std::optional<std::uint64_t> number = pending.number;
    if (!number && pending.name.starts_with(kUnnamed)) {
      number = parse_u64(std::string_view(pending.name).substr(kUnnamed.size()));
    }
    if (number) {
      call.nr = static_cast<std::uint32_t>(*number);
      choose_arch(pending, call);
      task.arch = call.arch;
      return true;
    }
    const std::string_view behind = multiplexer(pending.arch, pending.name);
    if (!behind.empty()) {
      sink_.lose("multiplexed");
      sink_.note(
          format("32-bit calls of sockets or System V IPC may have gone through {}; "
                 "strace -n tells",
                 behind));
    }
    for (const std::string_view name : {std::string_view(pending.name), behind}) {
      if (name.empty()) continue;
      if (const auto nr = syscalls::number(pending.arch, name)) {
        call.nr = *nr;
        return true;
      }
    }
    return guess_arch(task, pending, call);
  }

  // Which ABI has that number under that name.
  void choose_arch(const Pending& pending, Call& call) const {
    const Arch native = syscalls::native_of(sink_.native());
    if (native == Arch::kX86_64 && (call.nr & syscalls::kX32Bit) != 0 && call.nr < 0x80000000) {
      call.arch = Arch::kX32;
      return;
    }
    const auto fits = [&](Arch arch) {
      const auto name = syscalls::name(arch, call.nr);
      return name && (*name == pending.name || *name == multiplexer(arch, pending.name));
    };
    if (fits(pending.arch)) return;
    for (const Arch arch : syscalls::kAllArches) {
      if (syscalls::native_of(arch) == native && fits(arch)) call.arch = arch;
    }
  }

  // A log into a file has no marks of the mode: then names tell it, of which most ABIs have some.
  bool guess_arch(Task& task, const Pending& pending, Call& call) {
    if (marks_) return false;
    for (const Arch arch : syscalls::kAllArches) {
      if (syscalls::native_of(arch) != syscalls::native_of(sink_.native())) continue;
      const auto nr = syscalls::number(arch, pending.name);
      if (!nr) continue;
      call.arch = arch;
      call.nr = *nr;
      task.arch = arch;
      untold_abi_ = true;
      sink_.lose("abi");
      return true;
    }
    return false;
  }

  void read_arguments(Call& call, std::string_view name, std::string_view text) {
    const auto specs = syscalls::argument_specs(call.arch, name);
    if (specs.empty()) return;
    const ArgumentList list = split_arguments(text);
    if (specs[0].in_struct) {
      const std::string_view braces = list.parts.empty() ? std::string_view() : list.parts[0];
      const auto flags = read_value(member_text(braces, "flags"));
      const auto signal = read_value(member_text(braces, "exit_signal"));
      if (flags && signal) call.in_struct = *flags | *signal;
      if (!call.in_struct && !braces.starts_with("0x") && braces != "NULL") {
        sink_.unread_argument(format("the struct of {} cannot be read", name), text);
      }
      return;
    }
    fill_arguments(
        call, name,
        [&](std::uint8_t index) -> std::optional<ValueText> {
          // clone's arguments stand in another order, by name.
          if (name == "clone") {
            for (const std::string_view part : list.parts) {
              if (part.starts_with("flags=")) return ValueText{part.substr(6)};
            }
          }
          if (index >= list.parts.size()) return std::nullopt;
          return ValueText{list.parts[index]};
        },
        sink_);
  }

  // The program of the first execve that worked.
  void started(std::string_view arguments) {
    if (!sink_.workload.empty()) return;
    const ArgumentList list = split_arguments(arguments);
    if (list.parts.size() < 2) return;
    const std::string_view path = list.parts[0];
    if (path.size() < 3 || path.front() != '"' || path.back() != '"') return;
    const std::string program = printable(path.substr(1, path.size() - 2));
    sink_.workload = program.substr(program.rfind('/') + 1);
    sink_.run.command = {program};
  }

  ImportSink& sink_;
  std::unordered_map<std::uint64_t, Task> tasks_;  // 0: lines without a number
  std::optional<std::uint64_t> first_pid_;
  Arch arch_;           // of the line before
  std::string joined_;  // the part of a line in front of a message of strace's
  std::optional<StraceTable> table_;
  Arch table_arch_;
  std::optional<double> start_;
  double days_ = 0;
  double seconds_ = 0;
  bool calls_ = false;  // there was a line with one
  bool pids_ = false;
  bool followed_ = false;
  bool marks_ = false;
  bool numbers_ = false;
  bool untold_abi_ = false;
  bool exited_ = false;
  bool exit_called_ = false;
};

// A few lines that only strace writes; the output of the program may stand between them.
bool fits(std::string_view head) {
  std::size_t good = 0;
  std::size_t seen = 0;
  while (!head.empty() && seen < 200) {
    const std::string_view text = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(text.size() + 1, head.size()));
    if (trim(text).empty()) continue;
    ++seen;
    if (is_strace_table(text)) return true;
    const StraceLine line = split_strace_line(text);
    const bool call = !strace_call_name(line.body).empty() &&
                      (line.body.find(") ") != std::string_view::npos ||
                       line.body.find(kUnfinished) != std::string_view::npos);
    if (call ||
        (line.body.starts_with("<... ") && line.body.find(" resumed>") != std::string_view::npos) ||
        line.body.starts_with("+++ exited with ")) {
      ++good;
    }
  }
  return good > 0 && good * 4 >= seen;
}

}  // namespace

const ImportFormat kStraceFormat = {
    "strace",
    "strace",
    "perturbed",
    "strace, with any of its options, -c and -C included",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<StraceParser>(sink);
    },
};

}  // namespace whittle::record
