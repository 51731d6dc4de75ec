#include "filter/read_back.h"

#include <linux/capability.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"

// Newer than the C library's header; include/uapi/linux/ptrace.h.
#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER static_cast<__ptrace_request>(0x420c)
#endif

namespace whittle::filter {

namespace {

// A thread in an uninterruptible wait stops only after it.
constexpr double kStopLimit = 30.0;

std::string process_name(pid_t pid) { return format("process {}", pid); }

tl::unexpected<Error> ended_error(pid_t pid) {
  return input_error("it ended before its filters could be read", process_name(pid));
}

// True for a process that ended and that its parent has not waited for.
bool is_zombie(pid_t pid) {
  const auto stat = read_file(format("/proc/{}/stat", pid));
  return stat && stat->find(") Z ") != std::string::npos;
}

// A line of our own /proc/self/status, as in "CapEff:\t000001ffffffffff".
std::optional<std::uint64_t> own_status(std::string_view key, int base) {
  const auto status = read_file("/proc/self/status");
  if (!status) return std::nullopt;
  const std::size_t at = status->find("\n" + std::string(key) + ":\t");
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(status->c_str() + at + key.size() + 3, nullptr, base);
}

bool is_filtered() { return own_status("Seccomp", 10).value_or(0) != 0; }

bool has_sys_admin() {
  return (own_status("CapEff", 16).value_or(UINT64_MAX) >> CAP_SYS_ADMIN & 1U) != 0;
}

bool may_read_filters() { return has_sys_admin() && !is_filtered(); }

// seccomp_get_filter() of kernel/seccomp.c: a capability over the host, and no filter of one's own.
tl::unexpected<Error> refused_error(pid_t pid) {
  if (is_filtered()) {
    return environment_error(
        "whittle itself runs under a seccomp filter: to such a process the "
        "kernel shows no filters",
        process_name(pid), "run it outside of the container or service");
  }
  if (!has_sys_admin()) {
    return environment_error(
        "reading the filters of a process needs CAP_SYS_ADMIN, which whittle "
        "does not have here",
        process_name(pid), "run as root");
  }
  return environment_error("the kernel refuses to show its filters", process_name(pid),
                           "this needs CAP_SYS_ADMIN on the host (not in a user namespace alone), "
                           "and a whittle that runs without a seccomp filter");
}

tl::unexpected<Error> attach_error(pid_t pid, int error) {
  switch (error) {
    case ESRCH:
      return input_error("there is no such process", process_name(pid));
    case EPERM:
      if (is_zombie(pid)) return ended_error(pid);
      if (!may_read_filters()) return refused_error(pid);
      return environment_error("can't attach to it with ptrace", process_name(pid),
                               "this needs CAP_SYS_PTRACE; and end what traces it already (strace, "
                               "a debugger)");
    default:
      return errno_error(ErrorKind::kEnvironment, "can't attach to it with ptrace", error,
                         process_name(pid));
  }
}

// A thread under our ptrace; let go when this goes, with the signal that the stop held back.
class Attached {
 public:
  static Result<Attached> attach(pid_t pid) {
    siginfo_t info{};
    const bool own_child = ::waitid(P_PID, static_cast<id_t>(pid), &info,
                                    WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0;
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return attach_error(pid, errno);
    Attached attached(pid, own_child);
    if (::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) return attach_error(pid, errno);
    TRY(attached.wait_for_stop());
    return attached;
  }
  ~Attached() {
    if (pid_ != 0) ::ptrace(PTRACE_DETACH, pid_, nullptr, static_cast<long>(signal_));
  }
  Attached(Attached&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), own_child_(other.own_child_), signal_(other.signal_) {}
  Attached& operator=(Attached&&) = delete;
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  Attached(pid_t pid, bool own_child) : pid_(pid), own_child_(own_child) {}

  Result<void> wait_for_stop() {
    const double deadline = monotonic_seconds() + kStopLimit;
    for (;;) {
      siginfo_t info{};
      const int waited = ::waitid(P_PID, id(), &info, WSTOPPED | WNOHANG | __WALL);
      if (waited == 0 && info.si_pid == pid_) {
        // PTRACE_EVENT_STOP is our interrupt or a group stop, which the kernel takes up again by
        // itself when we let go. Anything else is a signal on its way: it must still arrive.
        if (info.si_status >> 8 != PTRACE_EVENT_STOP) signal_ = info.si_status;
        return {};
      }
      if (waited != 0 || has_ended()) return ended_error(std::exchange(pid_, 0));
      if (monotonic_seconds() > deadline) {
        return environment_error("it did not stop: it waits in the kernel", process_name(pid_),
                                 "try again later");
      }
      ::usleep(500);
    }
  }

  // Our own child is left for its owner to wait for; another's is handed on to its parent by our
  // waiting for it.
  bool has_ended() const {
    siginfo_t info{};
    const int keep = own_child_ ? WNOWAIT : 0;
    return ::waitid(P_PID, id(), &info, WEXITED | WNOHANG | __WALL | keep) != 0 ||
           info.si_pid == pid_;
  }

  id_t id() const { return static_cast<id_t>(pid_); }

  pid_t pid_;
  bool own_child_;
  int signal_ = 0;
};

tl::unexpected<Error> read_error(pid_t pid, int error) {
  if (error == EACCES) return refused_error(pid);
  return errno_error(ErrorKind::kEnvironment, "can't read its filters", error, process_name(pid),
                     "the kernel needs CONFIG_CHECKPOINT_RESTORE");
}

// The filter that was installed as number `index`, from 0; nullopt when there is none.
Result<std::optional<Program>> filter_at(pid_t pid, unsigned long index) {
  const auto get = [&](void* to) { return ::ptrace(PTRACE_SECCOMP_GET_FILTER, pid, index, to); };
  const long size = get(nullptr);
  // EINVAL: the thread is not in filter mode; ENOENT: it has no more filters.
  if (size < 0 && (errno == ENOENT || errno == EINVAL)) return std::optional<Program>();
  if (size < 0) return read_error(pid, errno);
  Program program(static_cast<std::size_t>(size));
  if (get(program.data()) != size) return read_error(pid, errno);
  return std::optional(std::move(program));
}

}  // namespace

Result<std::vector<Program>> read_back(pid_t pid) {
  TRY_ASSIGN(const Attached attached, Attached::attach(pid));
  std::vector<Program> filters;
  for (;;) {
    TRY_ASSIGN(std::optional<Program> program, filter_at(pid, filters.size()));
    if (!program) break;
    filters.push_back(*std::move(program));
  }
  // The kernel counts from the oldest (get_nth_filter() of kernel/seccomp.c), whatever ptrace(2)
  // says.
  std::reverse(filters.begin(), filters.end());
  return filters;
}

}  // namespace whittle::filter
