#include "host/launch.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {

namespace {

// What the child could not do, as it reports it.
enum class Step : std::int32_t {
  kDirectory,
  kNoNewPrivileges,
  kFilter,
  kUser,
  kCapabilities,
  kExecute
};

struct Report {
  Step step;
  std::int32_t errnum;
};

// The exit status of a child that never ran its program.
constexpr int kNotStarted = 127;

// include/linux/sched.h: set by fork, cleared by execve, kept while the process is a zombie.
constexpr std::uint64_t kForkedButNotExecuted = 0x40;

// All that the child needs, made before fork: between fork and execve only async-signal-safe calls
// are allowed, and no memory may be asked for.
struct ChildPlan {
  const char* program;
  char* const* argv;
  char* const* environment;
  const char* directory;     // null: ours
  const sock_fprog* filter;  // null when there is none
  unsigned filter_flags;
  bool listen;
  bool wait_killable;
  HandoverWords handover;
  bool dies_with_launcher;
  bool no_new_privileges;
  const std::pair<unsigned, unsigned>* user;  // null when it stays
  const std::uint64_t* capabilities;          // null when they stay
  bool output_to_stderr;
  int output;
  int errors;
  pid_t parent;
  int launcher_end;
  int channel;  // a byte comes in when the child may go; a Report goes out when it could not
};

// Not instrumented, as run_child() is not: AddressSanitizer makes calls of its own before a
// function that does not return, and aborts for ever when the filter refuses them.
[[noreturn, gnu::no_sanitize_address]] void give_up(const ChildPlan& plan, Step step) {
  const Report report{step, errno};
  // A filter may refuse this too; then Launched::finish_release() sees that nothing was run.
  [[maybe_unused]] const ssize_t written = ::write(plan.channel, &report, sizeof report);
  ::_exit(kNotStarted);
}

// Ignored and handled signals, and the mask, as a program expects them.
void reset_signals() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  // SIGKILL and SIGSTOP cannot be set; that is fine.
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::sigaction(signal, &action, nullptr);
  // The two that the C library keeps for itself and will not set (nptl: SIGCANCEL, SIGSETXID) may
  // have come to us ignored all the same.
  const std::array<std::uint64_t, 4> kernel_default{};  // the kernel's own struct sigaction
  for (const int signal : {32, 33}) {
    ::syscall(SYS_rt_sigaction, signal, kernel_default.data(), nullptr, sizeof(std::uint64_t));
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The calls themselves: the C library's would look for other threads.
bool set_capability_sets(std::uint64_t permitted) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  data[0].permitted = data[0].effective = static_cast<std::uint32_t>(permitted);
  data[1].permitted = data[1].effective = static_cast<std::uint32_t>(permitted >> 32U);
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

std::uint64_t permitted_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return 0;
  return std::uint64_t{data[1].permitted} << 32 | data[0].permitted;
}

// execve makes the rest of it: of root's capabilities the bounding set, of another user's none.
bool bound_capabilities(std::uint64_t bounding) {
  for (unsigned long cap = 0; cap < 64; ++cap) {
    const int has = ::prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
    if (has < 0) break;  // past the last
    const bool keep = (bounding >> cap & 1U) != 0;
    if (has == 1 && !keep && ::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) return false;
  }
  // Without inheritable capabilities the ambient ones go too.
  return set_capability_sets(permitted_capabilities());
}

// `keep`: the capabilities, until execve.
bool become(const std::pair<unsigned, unsigned>& user, bool keep) {
  const std::uint64_t permitted = permitted_capabilities();
  if (keep && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
      ::syscall(SYS_setresgid, user.second, user.second, user.second) != 0 ||
      ::syscall(SYS_setresuid, user.first, user.first, user.first) != 0) {
    return false;
  }
  return !keep || set_capability_sets(permitted);
}

// Loads the filter. No call may come between it and execve, since the filter may not let it pass,
// but for the one that hands a listener over.
[[gnu::no_sanitize_address]] void load_filter(const ChildPlan& plan) {
  const auto load = [&](unsigned flags) {
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, plan.filter);
  };
  if (!plan.listen) {
    if (load(plan.filter_flags) != 0) give_up(plan, Step::kFilter);
    return;
  }
  const unsigned flags = plan.filter_flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
  bool wait_killable = plan.wait_killable;
  long listener = load(flags | (wait_killable ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0));
  if (listener < 0 && errno == EINVAL) {  // a kernel before 5.19
    wait_killable = false;
    listener = load(flags);
  }
  if (listener < 0) give_up(plan, Step::kFilter);
  const bool sent =
      hand_over(plan.channel, static_cast<int>(listener), wait_killable, plan.handover);
  // Any call might wait for an answer that nobody gives: SIGILL ends us without one.
  if (!sent) __builtin_trap();
}

[[noreturn, gnu::no_sanitize_address]] void run_child(const ChildPlan& plan) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(kNotStarted);  // it died before the line above
  ::close(plan.launcher_end);  // else the launcher's end would never be the last one to close
  reset_signals();
  if (plan.output_to_stderr) ::dup2(STDERR_FILENO, STDOUT_FILENO);
  if (plan.output >= 0) ::dup2(plan.output, STDOUT_FILENO);
  if (plan.errors >= 0) ::dup2(plan.errors, STDERR_FILENO);
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(plan.channel, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(kNotStarted);  // given up by the launcher
  if (!plan.dies_with_launcher) ::prctl(PR_SET_PDEATHSIG, 0);
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) give_up(plan, Step::kDirectory);
  if (plan.capabilities != nullptr && !bound_capabilities(*plan.capabilities)) {
    give_up(plan, Step::kCapabilities);
  }
  // Without no_new_privileges loading the filter needs a capability. execve takes it away.
  const bool keep = plan.filter != nullptr && !plan.no_new_privileges;
  if (plan.user != nullptr && !become(*plan.user, keep)) give_up(plan, Step::kUser);
  // A change of the user takes that back (commit_creds() in kernel/cred.c).
  if (plan.dies_with_launcher) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(kNotStarted);
  if (plan.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    give_up(plan, Step::kNoNewPrivileges);
  }
  if (plan.filter != nullptr) load_filter(plan);
  ::execve(plan.program, plan.argv, plan.environment);
  give_up(plan, Step::kExecute);
}

// With every signal blocked, so that no handler of ours runs in the child; and with _Fork(3), so
// that no library's does (pthread_atfork(3); ThreadSanitizer's would start a thread there, and a
// thread that outlives the one that a filter kills). What the child does is async-signal-safe.
pid_t fork_child(const ChildPlan& plan) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::_Fork();
  if (pid == 0) run_child(plan);
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

// `siginfo_t` of a process that ended, as waitid(2) fills it.
ExitStatus status_of(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? ExitStatus{info.si_status, 0} : ExitStatus{0, info.si_status};
}

// Whether the process has passed execve since it was forked: field 9 of /proc/PID/stat (proc(5)).
// It works for a zombie too, whose exit status alone would not do: a program may exit with 127 by
// itself. nullopt when the file cannot be read (waited for already, hidden by hidepid).
std::optional<bool> has_executed(pid_t pid) {
  const auto stat = read_file(format("/proc/{}/stat", pid));
  if (!stat) return std::nullopt;
  // The second field is the name in parentheses; it may hold blanks and parentheses.
  const auto name_end = stat->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = split(std::string_view(*stat).substr(name_end + 1), ' ');
  const auto flags = fields.size() > 7 ? parse_u64(fields[7]) : std::nullopt;
  if (!flags) return std::nullopt;
  return (*flags & kForkedButNotExecuted) == 0;
}

constexpr const char* kExecveHint = "a profile must allow execve, or nothing runs under it";

const char* filter_hint(int error, bool listens) {
  if (error == EACCES) return "a filter needs no_new_privileges, or CAP_SYS_ADMIN";
  if (!listens) return "";
  if (error == EBUSY) return "we run under a filter that has a listener already (a container's?)";
  if (error == EINVAL) return "seccomp notification needs Linux 5.5 or later";
  return "";
}

tl::unexpected<Error> report_error(const Report& report, const std::string& program, bool filtered,
                                   bool listens) {
  switch (report.step) {
    case Step::kDirectory:
      return errno_error(ErrorKind::kInput, "cannot enter the directory to start in",
                         report.errnum);
    case Step::kNoNewPrivileges:
      return errno_error(ErrorKind::kEnvironment, "cannot set no_new_privileges", report.errnum);
    case Step::kFilter:
      return errno_error(ErrorKind::kEnvironment, "cannot load the filter", report.errnum, {},
                         filter_hint(report.errnum, listens));
    case Step::kUser:
      return errno_error(ErrorKind::kEnvironment, "cannot change the user", report.errnum, {},
                         "run as root");
    case Step::kCapabilities:
      return errno_error(ErrorKind::kEnvironment, "cannot drop capabilities", report.errnum, {},
                         "run as root");
    case Step::kExecute:
      break;
  }
  const bool refused = filtered && (report.errnum == EPERM || report.errnum == ENOSYS);
  return errno_error(ErrorKind::kInput, format("cannot run {}", printable(program)), report.errnum,
                     {}, refused ? kExecveHint : "");
}

// Why a child that reported nothing never ran its program.
tl::unexpected<Error> silent_error(const ExitStatus& status, const std::string& program,
                                   bool filtered) {
  const std::string what = format("cannot run {}: ", printable(program));
  if (filtered && status.signal == SIGSYS) {
    return input_error(what + "the profile kills execve", {}, kExecveHint);
  }
  // SIGSEGV: a filter that refuses execve, write and exit_group leaves the child no way on.
  if (filtered && (status.code == kNotStarted || status.signal == SIGSEGV)) {
    return input_error(what + "the profile refuses execve", {}, kExecveHint);
  }
  return environment_error(what + status.text() + " before it was started");
}

}  // namespace

Result<Launched> launch(const LaunchSpec& spec) {
  if (spec.filter && (spec.filter->empty() || spec.filter->size() > BPF_MAXINSNS)) {
    return bug(format("a filter of {} instructions cannot be loaded", spec.filter->size()));
  }
  if (spec.listen && !spec.filter) return bug("a listener without a filter");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return errno_error(ErrorKind::kEnvironment, "cannot make a socket pair", errno);
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  std::vector<std::string> arguments = spec.argv;
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = spec.environment.value_or(std::vector<std::string>{});
  std::vector<char*> environment;
  environment.reserve(variables.size() + 1);
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  filter::Program filter = spec.filter.value_or(filter::Program{});
  const HandoverWords handover = spec.listen ? random_handover_words() : HandoverWords{};
  if (spec.listen) filter = with_handover(filter, handover);
  if (filter.size() > BPF_MAXINSNS) {
    return environment_error("the filter is too long to be supervised", {},
                             "seccomp notification needs 14 instructions of its own");
  }
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  const ChildPlan plan{
      .program = spec.program.c_str(),
      .argv = argv.data(),
      .environment = spec.environment ? environment.data() : environ,
      .directory = spec.directory.empty() ? nullptr : spec.directory.c_str(),
      .filter = filter.empty() ? nullptr : &program,
      .filter_flags = spec.log_refusals ? static_cast<unsigned>(SECCOMP_FILTER_FLAG_LOG) : 0U,
      .listen = spec.listen,
      .wait_killable = spec.wait_killable,
      .handover = handover,
      .dies_with_launcher = spec.dies_with_launcher,
      .no_new_privileges = spec.no_new_privileges,
      .user = spec.user ? &*spec.user : nullptr,
      .capabilities = spec.capabilities ? &*spec.capabilities : nullptr,
      .output_to_stderr = spec.output_to_stderr,
      .output = spec.output,
      .errors = spec.errors,
      .parent = ::getpid(),
      .launcher_end = ours.get(),
      .channel = theirs.get(),
  };
  const pid_t pid = fork_child(plan);
  if (pid < 0) return errno_error(ErrorKind::kEnvironment, "cannot fork", errno);
  Launched child;
  child.pid_ = pid;
  child.pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!child.pidfd_.valid()) {
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return errno_error(ErrorKind::kEnvironment, "cannot open a pidfd", error, {},
                       "Linux 5.3 or later is needed");
  }
  child.channel_ = std::move(ours);
  child.program_ = spec.program;
  child.filtered_ = spec.filter.has_value();
  child.listens_ = spec.listen;
  return child;
}

Launched& Launched::operator=(Launched&& other) noexcept {
  Launched taken(std::move(other));
  std::swap(pid_, taken.pid_);
  std::swap(pidfd_, taken.pidfd_);
  std::swap(channel_, taken.channel_);
  std::swap(program_, taken.program_);
  std::swap(filtered_, taken.filtered_);
  std::swap(listens_, taken.listens_);
  std::swap(status_, taken.status_);
  return *this;
}

Launched::~Launched() {
  if (!pidfd_.valid() || status_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  wait();
}

Result<void> Launched::begin_release() {
  const char byte = 0;
  // EPIPE: the child is dead; finish_release() says how.
  if (::send(channel_.get(), &byte, 1, MSG_NOSIGNAL) < 0 && errno != EPIPE) {
    return errno_error(ErrorKind::kEnvironment, "cannot release the child", errno);
  }
  return {};
}

Result<void> Launched::finish_release() {
  Report report{};
  ssize_t got = 0;
  do {
    got = ::read(channel_.get(), &report, sizeof report);
  } while (got < 0 && errno == EINTR);
  channel_.reset();
  if (got == static_cast<ssize_t>(sizeof report)) {
    wait();
    return report_error(report, program_, filtered_, listens_);
  }
  // End of file: execve closed the channel, or the child is gone.
  if (has_executed(pid_).value_or(!poll())) return {};
  return silent_error(wait(), program_, filtered_);
}

Result<Listener> Launched::take_listener() {
  Report report{};
  Received received = receive_listener(channel_.get(), &report, sizeof report);
  if (received.listener.fd.valid()) return std::move(received.listener);
  channel_.reset();
  const ExitStatus status = wait();
  if (received.got == static_cast<ssize_t>(sizeof report)) {
    return report_error(report, program_, filtered_, listens_);
  }
  return silent_error(status, program_, filtered_);
}

Result<void> Launched::release() {
  TRY(begin_release());
  return finish_release();
}

ExitStatus Launched::wait() {
  while (!status_) {
    siginfo_t info = {};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) == 0) {
      status_ = status_of(info);
    } else if (errno != EINTR) {
      status_ = ExitStatus{kNotStarted, 0};  // somebody else waited for it: see the header
    }
  }
  return *status_;
}

std::optional<ExitStatus> Launched::poll() {
  if (status_) return status_;
  siginfo_t info = {};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) == 0 &&
      info.si_pid != 0) {
    status_ = status_of(info);
  }
  return status_;
}

}  // namespace whittle::host
