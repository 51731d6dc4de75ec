#include "record/ptrace_recorder.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "record/arguments_reader.h"
#include "record/first_stacks.h"
#include "record/process_tree.h"
#include "record/stopped_task.h"
#include "record/ticker.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

constexpr double kTick = 0.1;        // between two looks at stop_requested
constexpr double kCheckpoint = 1.0;  // between two checkpoints
constexpr double kGrace = 10.0;      // from SIGTERM to SIGKILL

constexpr std::size_t kMostNamed = 16;  // executables that a note names

constexpr long kFollow = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

// What waitpid() said of one task.
struct Event {
  pid_t tid;
  int status;
};

// One thread of the tree.
struct Task {
  std::optional<Call> call;                  // entered and not returned
  std::optional<FirstStacks::Taken> stacks;  // of that call
  bool exiting = false;                      // a first thread that exits may stay long, as a zombie
};

bool stops_a_process(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

// True for the first thread of a process: its id is that of the process.
bool is_process(pid_t tid) { return ::tgkill(tid, tid, 0) == 0; }

// The flags of a call that makes a task, if it is one that has flags.
std::uint64_t clone_flags_of(const Call& call) {
  if (call.in_struct) return *call.in_struct;
  return syscalls::name(call.arch, call.nr) == "clone" ? call.args[0] : 0;
}

class Tracer {
 public:
  Tracer(host::Launched child, const PtraceOptions& options)
      : child_(std::move(child)), first_(child_->pid()), options_(options) {}
  // Of a running process.
  Tracer(pid_t process, const PtraceOptions& options)
      : first_(process), options_(options), recording_(true) {}

  Result<evidence::Run> record();

 private:
  Result<void> attach();
  Result<void> attach_tree();
  Result<bool> attach_running(pid_t tid);
  Result<void> begin();
  void end();
  void detach(pid_t tid, int signal);
  bool all_let_go() const;
  void fail(Error error);

  // The loop and what comes in by it.
  bool next(std::vector<Event>& events);
  bool ended_before_exec() const;
  void handle(const Event& event);
  void resume(pid_t tid, int signal);
  void on_born(pid_t parent);
  void on_exec(pid_t tid);
  void look_at_privilege(pid_t tid);
  void on_call(pid_t tid);
  void on_entry(pid_t tid, const __ptrace_syscall_info& info);
  void on_end(const Event& event);

  // Calls.
  void finish(Task& task, std::optional<std::int64_t> result);
  void count(const Call& call, Task& task);

  // Time.
  void tick();
  void stop_when_due(double now);
  void signal_processes(int signal);
  evidence::Run run(bool finished) const;

  std::optional<host::Launched> child_;  // none: we follow what runs already
  const pid_t first_;
  const PtraceOptions& options_;
  Ticker ticker_;
  std::map<pid_t, Task> tasks_;  // all that were seen and have not ended, by thread id
  std::set<pid_t> unattached_;   // those that could not be attached to
  Collector collector_;
  FirstStacks stacks_;
  std::uint64_t lost_calls_ = 0;
  std::uint64_t lost_tasks_ = 0;
  std::uint64_t lost_privileges_ = 0;
  std::set<std::string> without_privilege_;  // executables
  bool set_by_us_ = false;                   // no_new_privileges
  bool recording_ = false;                   // the child has passed its execve
  bool detaching_ = false;
  std::string started_;
  double start_ = 0;
  double next_tick_ = 0;
  double next_checkpoint_ = 0;
  std::optional<double> stopping_since_;
  bool asked_all_ = false;              // all processes were sent the stop signal
  std::optional<double> killed_after_;  // seconds from the request to stop
  std::optional<int> exit_;             // of the first process
  std::optional<Error> failure_;
};

Result<evidence::Run> Tracer::record() {
  TRY(child_ ? attach() : attach_tree());
  if (auto begun = begin(); !begun) fail(std::move(begun).error());
  std::vector<Event> events;
  while (next(events)) {
    for (const Event& event : events) handle(event);
    tick();
  }
  if (failure_) return tl::unexpected(*std::move(failure_));
  if (!recording_) {
    TRY(child_->finish_release());
    return bug("the command has run, but its execve was not seen");
  }
  return run(true);
}

Result<void> Tracer::attach() {
  if (::ptrace(PTRACE_SEIZE, first_, nullptr, kFollow | PTRACE_O_EXITKILL) != 0) {
    const int error = errno;
    return errno_error(ErrorKind::kEnvironment, "ptrace: the kernel refuses to trace a child",
                       error, {},
                       "kernel.yama.ptrace_scope must be 0 or 1, and in a container the seccomp "
                       "profile must allow ptrace");
  }
  tasks_.try_emplace(first_);
  return {};
}

// Again and again, until a look at all finds none that is new: what a task makes that we have is
// attached by the kernel.
Result<void> Tracer::attach_tree() {
  if (threads_of(first_).empty()) {
    return input_error(format("there is no process {}", first_));
  }
  for (bool found = true; found;) {
    found = false;
    for (const pid_t process : tree_of(first_)) {
      if (process == ::getpid()) continue;  // of our own parent
      for (const pid_t tid : threads_of(process)) {
        TRY_ASSIGN(const bool attached, attach_running(tid));
        found = found || attached;
      }
    }
  }
  if (tasks_.empty()) return input_error(format("process {} has ended", first_));
  if (options_.attached) options_.attached(tasks_.size());
  return {};
}

// True when we trace it now and did not before.
Result<bool> Tracer::attach_running(pid_t tid) {
  if (tasks_.contains(tid) || unattached_.contains(tid)) return false;
  if (::ptrace(PTRACE_SEIZE, tid, nullptr, kFollow) == 0) {
    // Stops it for a moment, so that it goes on under PTRACE_SYSCALL.
    ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
  } else if (const int error = errno; has_ended(tid)) {
    return false;
  } else if (tracer_of(tid) != ::gettid()) {
    if (tid == first_) {
      return errno_error(ErrorKind::kEnvironment,
                         format("ptrace: the kernel refuses to trace process {}", tid), error, {},
                         "it must be ours and not be traced by another, kernel.yama.ptrace_scope "
                         "must be 0; root may always");
    }
    unattached_.insert(tid);
    ++lost_tasks_;
    return false;
  }
  tasks_.try_emplace(tid);
  return true;
}

Result<void> Tracer::begin() {
  started_ = utc_timestamp();
  start_ = monotonic_seconds();
  next_checkpoint_ = start_ + kCheckpoint;
  TRY(ticker_.start(kTick));
  if (!child_) return {};
  // Stops the child where it waits, so that it goes on under PTRACE_SYSCALL.
  ::ptrace(PTRACE_INTERRUPT, first_, nullptr, nullptr);
  return child_->begin_release();
}

// Lets go of what ran before us. Each task has to stop for it, and is detached at whatever stop
// comes first.
void Tracer::end() {
  if (std::exchange(detaching_, true)) return;
  for (const auto& [tid, task] : tasks_) ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
}

// What is dying is waited for, since nobody else can until then; but for a first thread that has
// exited before the others of its process: it ends with them, and is let go when we end.
bool Tracer::all_let_go() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const auto& task) {
    return task.second.exiting && threads_of(task.first).size() > 1;
  });
}

// A call that it is in counts as under way: it will return, or not, without us.
void Tracer::detach(pid_t tid, int signal) {
  ::ptrace(PTRACE_DETACH, tid, nullptr, static_cast<long>(signal));
  const auto task = tasks_.find(tid);
  if (task == tasks_.end()) return;
  finish(task->second, std::nullopt);
  tasks_.erase(task);
}

// Ends the recording with an error. The loop goes on until everything is dead (a tracee needs its
// tracer to die) or, what is not ours, let go.
void Tracer::fail(Error error) {
  if (!failure_) failure_ = std::move(error);
  if (!child_) return end();
  signal_processes(SIGKILL);
}

// Waits for events and takes all that are there, so that no task starves behind busier ones. False
// when no task is left; a signal to us may give an empty batch.
bool Tracer::next(std::vector<Event>& events) {
  events.clear();
  if (!recording_ && ended_before_exec()) return false;
  if (detaching_ && all_let_go()) return false;
  while (true) {
    int status = 0;
    const pid_t tid = ::waitpid(-1, &status, __WALL | __WNOTHREAD | (events.empty() ? 0 : WNOHANG));
    if (tid == 0) return true;
    if (tid < 0) return !events.empty() || errno == EINTR;
    // A second stop of one task in a batch: SIGKILL has ended the first, which is to be forgotten.
    // To resume the task for it would resume it from the second, unseen.
    const auto earlier = std::find_if(events.begin(), events.end(), [&](const Event& event) {
      return event.tid == tid && WIFSTOPPED(event.status);
    });
    if (earlier != events.end()) {
      earlier->status = status;
    } else {
      events.push_back({tid, status});
    }
    if (tasks_.size() == 1) return true;
  }
}

// Looks at the child without reaping it: how it ended is for finish_release() to say.
bool Tracer::ended_before_exec() const {
  siginfo_t info = {};
  if (::waitid(P_PID, static_cast<id_t>(first_), &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) !=
      0) {
    return errno != EINTR;
  }
  return info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
}

void Tracer::handle(const Event& event) {
  const auto [tid, status] = event;
  if (!WIFSTOPPED(status)) {
    on_end(event);
    return;
  }
  tasks_.try_emplace(tid);  // a child's first stop may come before its parent tells of it
  int deliver = 0;
  bool stopped = false;
  switch (status >> 16) {
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      on_born(tid);
      break;
    case PTRACE_EVENT_EXEC:
      on_exec(tid);
      break;
    case PTRACE_EVENT_EXIT:
      finish(tasks_[tid], std::nullopt);
      tasks_[tid].exiting = true;
      break;
    case PTRACE_EVENT_STOP:
      stopped = stops_a_process(WSTOPSIG(status));
      break;
    default:
      if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
        on_call(tid);
      } else {
        deliver = WSTOPSIG(status);
      }
  }
  if (detaching_) {
    detach(tid, deliver);
  } else if (stopped) {
    // By job control: it stays so, and still tells when SIGCONT comes.
    ::ptrace(PTRACE_LISTEN, tid, nullptr, nullptr);
  } else {
    resume(tid, deliver);
  }
}

void Tracer::resume(pid_t tid, int signal) {
  // ESRCH: it was killed while it was stopped. waitpid() will tell.
  ::ptrace(PTRACE_SYSCALL, tid, nullptr, static_cast<long>(signal));
}

void Tracer::on_born(pid_t parent) {
  unsigned long child = 0;
  if (::ptrace(PTRACE_GETEVENTMSG, parent, nullptr, &child) == 0) {
    tasks_.try_emplace(static_cast<pid_t>(child));
  }
}

// The calling thread has taken over the id of its process, and every other thread of it has gone:
// the first one without a word, the others as any thread that ends.
void Tracer::on_exec(pid_t tid) {
  unsigned long former = 0;
  if (::ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &former) == 0 &&
      static_cast<pid_t>(former) != tid) {
    finish(tasks_[tid], std::nullopt);
    tasks_[tid] = std::move(tasks_[static_cast<pid_t>(former)]);
    tasks_.erase(static_cast<pid_t>(former));
  }
  if (!recording_) {
    recording_ = true;
    // The launcher sets no_new_privileges for a filter without privilege: then it is our doing.
    set_by_us_ = has_no_new_privileges(tid) && !has_no_new_privileges(::getpid());
    if (auto released = child_->finish_release(); !released) fail(std::move(released).error());
  }
  look_at_privilege(tid);
}

void Tracer::look_at_privilege(pid_t tid) {
  const bool own_restriction = has_no_new_privileges(tid) && !set_by_us_;
  const std::string executable = privilege_lost_at_exec(tid, own_restriction);
  if (executable.empty()) return;
  ++lost_privileges_;
  if (without_privilege_.size() < kMostNamed) without_privilege_.insert(executable);
}

void Tracer::on_call(pid_t tid) {
  __ptrace_syscall_info info = {};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) < 0) {
    if (errno != ESRCH) {
      fail(errno_error(ErrorKind::kEnvironment, "ptrace: cannot read a system call", errno, {},
                       "Linux 5.3 or later is needed")
               .value());
    }
    return;
  }
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    on_entry(tid, info);
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
    finish(tasks_[tid], info.exit.rval);
  }
}

void Tracer::on_entry(pid_t tid, const __ptrace_syscall_info& info) {
  const auto nr = static_cast<std::uint32_t>(info.entry.nr);
  const auto arch = syscalls::arch_from_audit(info.arch, nr);
  if (!arch) {
    if (recording_) ++lost_calls_;
    return;
  }
  Call call;
  call.arch = *arch;
  call.nr = nr;
  call.task = tid;
  std::copy(std::begin(info.entry.args), std::end(info.entry.args), call.args.begin());
  // A 32-bit entry takes the low halves; ptrace shows the registers as the caller left them.
  if (*arch == syscalls::Arch::kX86 || *arch == syscalls::Arch::kArm) {
    for (std::uint64_t& argument : call.args) argument &= UINT32_MAX;
  }
  call.seconds = monotonic_seconds() - start_;
  call.phase = options_.phase ? options_.phase() : "startup";
  const std::string_view name = syscalls::name(*arch, nr).value_or("");
  if (name == "clone3") call.in_struct = read_clone_flags(tid, call.args[0]);
  Task& task = tasks_[tid];
  task.stacks.reset();
  if (options_.stacks && recording_) task.stacks = stacks_.take(call);
  if (never_returns(name)) {
    count(call, task);
  } else {
    task.call = std::move(call);
  }
}

void Tracer::on_end(const Event& event) {
  const auto task = tasks_.find(event.tid);
  if (task == tasks_.end()) return;
  finish(task->second, std::nullopt);
  tasks_.erase(task);
  if (event.tid == first_) exit_ = ExitStatus::from_wait(event.status).shell_code();
}

// The call that the task is in, if it is in one, is over: returned, or with its task.
void Tracer::finish(Task& task, std::optional<std::int64_t> result) {
  if (!task.call) return;
  Call call = *std::move(task.call);
  task.call.reset();
  call.result = result;
  if (result && options_.phase) call.phase = options_.phase();  // as eBPF counts it: at the return
  if (result && *result > 0 && (clone_flags_of(call) & CLONE_UNTRACED) != 0 && recording_) {
    ++lost_tasks_;
  }
  // A trap or a kill leaves the number as the result, or none.
  const bool may_be_refused = !result || is_errno(*result) || *result == call.nr;
  if (recording_ && may_be_refused && options_.refused) call.refused = options_.refused(call);
  count(call, task);
}

void Tracer::count(const Call& call, Task& task) {
  if (recording_) collector_.add(call);
  if (task.stacks) stacks_.keep(call, *std::exchange(task.stacks, std::nullopt));
}

void Tracer::tick() {
  const double now = monotonic_seconds();
  if (now < next_tick_) return;
  next_tick_ = now + kTick;
  stop_when_due(now);
  if (recording_ && options_.checkpoint && now >= next_checkpoint_) {
    next_checkpoint_ = now + kCheckpoint;
    options_.checkpoint(run(false));
  }
}

void Tracer::stop_when_due(double now) {
  if (!child_) {
    const bool late = options_.time_limit && now - start_ >= *options_.time_limit;
    if (late || (options_.stop_requested && options_.stop_requested())) end();
    return;
  }
  if (failure_) signal_processes(SIGKILL);  // those too that were being born
  if (!stopping_since_) {
    const bool late = options_.time_limit && now - start_ >= *options_.time_limit;
    if (!late && !(options_.stop_requested && options_.stop_requested())) return;
    // Before its execve it is still ours: the signal would end it before there is anything to
    // record.
    if (!recording_ && !(options_.kill_requested && options_.kill_requested())) return;
    stopping_since_ = now;
    if (!exit_) ::kill(first_, options_.stop_signal);
  }
  if (exit_ && !asked_all_) {
    asked_all_ = true;
    signal_processes(options_.stop_signal);
  }
  const bool kill_now = options_.kill_requested && options_.kill_requested();
  if ((kill_now || now - *stopping_since_ >= kGrace) && !tasks_.empty()) {
    if (!killed_after_) killed_after_ = now - *stopping_since_;
    signal_processes(SIGKILL);
  }
}

void Tracer::signal_processes(int signal) {
  for (const auto& [tid, task] : tasks_) {
    if (is_process(tid)) ::kill(tid, signal);
  }
}

// With a finished run nothing is under way; before, the calls that tasks are in count as they would
// if all died now.
evidence::Run Tracer::run(bool finished) const {
  Collector collector = collector_;
  for (const auto& [tid, task] : tasks_) {
    if (task.call) collector.add(*task.call);
  }
  evidence::Run run;
  run.source = "ptrace";
  run.arch = syscalls::host_arch();
  utsname names = {};
  ::uname(&names);
  run.kernel = names.release;
  run.started = started_;
  run.duration = monotonic_seconds() - start_;
  run.lost = collector.lost();
  run.lost["calls"] += lost_calls_;
  run.lost["tasks"] = lost_tasks_;
  run.lost["privilege"] = lost_privileges_;
  if (!child_) run.lost["late_start"] = 1;
  run.complete = finished && std::all_of(run.lost.begin(), run.lost.end(),
                                         [](const auto& loss) { return loss.second == 0; });
  run.timing = "perturbed";
  run.exit = exit_;
  if (killed_after_) run.notes.push_back(killed_note(*killed_after_));
  for (const std::string& executable : without_privilege_) {
    run.notes.push_back(
        format("{} ran without the privilege of its file (set-id or capabilities), "
               "as it was traced: record it as root",
               executable));
  }
  run.syscalls = collector.observations();
  stacks_.give(run.syscalls);
  return run;
}

}  // namespace

std::string killed_note(double seconds_after_stop) {
  return format("killed: it was still running {:.1f} s after it was asked to stop",
                seconds_after_stop);
}

Result<evidence::Run> record_ptrace(host::Launched child, const PtraceOptions& options) {
  return Tracer(std::move(child), options).record();
}

Result<evidence::Run> record_ptrace_tree(pid_t process, const PtraceOptions& options) {
  return Tracer(process, options).record();
}

}  // namespace whittle::record
