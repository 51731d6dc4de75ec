#include "filter/libseccomp.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "base/embedded.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include "filter/libseccomp_protocol.h"

WHITTLE_EMBEDDED(libseccomp_program)

namespace whittle::filter {

namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;

scmp_compare scmp_operator(Operator op) {
  switch (op) {
    case Operator::kNe:
      return SCMP_CMP_NE;
    case Operator::kLt:
      return SCMP_CMP_LT;
    case Operator::kLe:
      return SCMP_CMP_LE;
    case Operator::kEq:
      return SCMP_CMP_EQ;
    case Operator::kGe:
      return SCMP_CMP_GE;
    case Operator::kGt:
      return SCMP_CMP_GT;
    case Operator::kMaskedEq:
      return SCMP_CMP_MASKED_EQ;
  }
  return SCMP_CMP_EQ;
}

std::optional<int> known(int number) {
  return number == __NR_SCMP_ERROR ? std::nullopt : std::optional(number);
}

class Own : public Libseccomp {
 public:
  explicit Own(int program_fd) : program_fd_(program_fd) {}

  std::string version() override {
    const scmp_version* version = seccomp_version();
    return format("{}.{}.{}", version->major, version->minor, version->micro);
  }
  int init(std::uint32_t action) override {
    // All features, whatever the kernel of this machine has: the program must not depend on it.
    seccomp_api_set(6);
    context_.reset(seccomp_init(action));
    return context_ == nullptr ? -EINVAL : 0;
  }
  std::uint32_t arch_resolve_name(const std::string& name) override {
    return seccomp_arch_resolve_name(name.c_str());
  }
  int arch_add(std::uint32_t token) override { return seccomp_arch_add(context_.get(), token); }
  int arch_remove_native() override {
    return seccomp_arch_remove(context_.get(), SCMP_ARCH_NATIVE);
  }
  std::optional<int> syscall_resolve_name(const std::string& name) override {
    return known(seccomp_syscall_resolve_name(name.c_str()));
  }
  std::optional<int> syscall_resolve_name_arch(std::uint32_t token,
                                               const std::string& name) override {
    return known(seccomp_syscall_resolve_name_arch(token, name.c_str()));
  }
  int rule_add(std::uint32_t action, int call, std::span<const Condition> conditions) override {
    std::vector<scmp_arg_cmp> comparisons;
    for (const Condition& condition : conditions) {
      comparisons.push_back(
          {condition.index, scmp_operator(condition.op), condition.value, condition.value_two});
    }
    return seccomp_rule_add_array(context_.get(), action, call,
                                  static_cast<unsigned>(comparisons.size()), comparisons.data());
  }
  int export_bpf() override { return seccomp_export_bpf(context_.get(), program_fd_); }
  std::optional<int> ended() override { return std::nullopt; }

 private:
  int program_fd_;
  std::unique_ptr<void, decltype(&seccomp_release)> context_{nullptr, &seccomp_release};
};

using Request = whittle_libseccomp_request;
using Reply = whittle_libseccomp_reply;

// The process and our end of its socket.
class Other : public Libseccomp {
 public:
  Other(UniqueFd socket, pid_t child) : socket_(std::move(socket)), child_(child) {}
  ~Other() override {
    if (child_ == 0) return;
    ::kill(child_, SIGKILL);
    wait();
  }

  std::optional<Reply> receive() {
    Reply reply{};
    const ssize_t taken = ::recv(socket_.get(), &reply, sizeof reply, 0);
    if (taken == static_cast<ssize_t>(sizeof reply)) return reply;
    if (child_ != 0) ended_ = wait().signal;
    return std::nullopt;
  }

  std::string version() override {
    const auto reply = ask(request(WHITTLE_VERSION));
    return format("{}.{}.{}", reply.version[0], reply.version[1], reply.version[2]);
  }
  int init(std::uint32_t action) override {
    Request asked = request(WHITTLE_INIT);
    asked.action = action;
    return ask(asked).result;
  }
  std::uint32_t arch_resolve_name(const std::string& name) override {
    const auto asked = request(WHITTLE_ARCH_RESOLVE_NAME, name);
    return asked ? static_cast<std::uint32_t>(ask(*asked).result) : 0;
  }
  int arch_add(std::uint32_t token) override {
    Request asked = request(WHITTLE_ARCH_ADD);
    asked.token = token;
    return ask(asked).result;
  }
  int arch_remove_native() override {
    Request asked = request(WHITTLE_ARCH_REMOVE);
    asked.token = SCMP_ARCH_NATIVE;
    return ask(asked).result;
  }
  std::optional<int> syscall_resolve_name(const std::string& name) override {
    const auto asked = request(WHITTLE_SYSCALL_RESOLVE_NAME, name);
    return asked ? known(ask(*asked).result) : std::nullopt;
  }
  std::optional<int> syscall_resolve_name_arch(std::uint32_t token,
                                               const std::string& name) override {
    auto asked = request(WHITTLE_SYSCALL_RESOLVE_NAME_ARCH, name);
    if (!asked) return std::nullopt;
    asked->token = token;
    return known(ask(*asked).result);
  }
  int rule_add(std::uint32_t action, int call, std::span<const Condition> conditions) override {
    Request asked = request(WHITTLE_RULE_ADD_ARRAY);
    asked.action = action;
    asked.call = call;
    const auto given = conditions.first(
        std::min<std::size_t>(conditions.size(), std::size_t{WHITTLE_MOST_CONDITIONS}));
    asked.conditions_given = static_cast<std::uint32_t>(given.size());
    std::transform(given.begin(), given.end(), asked.conditions, [](const Condition& condition) {
      return whittle_libseccomp_condition{condition.index,
                                          static_cast<std::uint32_t>(scmp_operator(condition.op)),
                                          condition.value, condition.value_two};
    });
    return ask(asked).result;
  }
  int export_bpf() override { return ask(request(WHITTLE_EXPORT_BPF)).result; }
  std::optional<int> ended() override { return ended_; }

 private:
  static Request request(whittle_libseccomp_function function) {
    Request made{};
    made.function = function;
    return made;
  }
  // nullopt for names that are longer than any that a library knows.
  static std::optional<Request> request(whittle_libseccomp_function function,
                                        const std::string& name) {
    Request made = request(function);
    if (name.size() >= sizeof made.name) return std::nullopt;
    std::copy(name.begin(), name.end(), made.name);
    return made;
  }

  Reply ask(const Request& asked) {
    Reply lost{};
    lost.result = -ECONNABORTED;
    if (ended_) return lost;
    if (::send(socket_.get(), &asked, sizeof asked, MSG_NOSIGNAL) < 0) {
      ended_ = wait().signal;
      return lost;
    }
    return receive().value_or(lost);
  }

  ExitStatus wait() {
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
    child_ = 0;
    return ExitStatus::from_wait(status);
  }

  UniqueFd socket_;
  pid_t child_;  // 0: waited for
  std::optional<int> ended_;
};

// In the new process: nothing but what may follow a fork.
[[noreturn]] void run_program(int program, int socket, int filter, const char* file) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const itimerval limit{{0, 0}, {0, kMostProcessorMicroseconds}};
  ::setitimer(ITIMER_PROF, &limit, nullptr);
  const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(socket, STDIN_FILENO);
  ::dup2(filter, STDOUT_FILENO);
  ::dup2(nothing, STDERR_FILENO);
  const char* const argv[] = {"whittle-libseccomp", file, nullptr};
  const char* const environment[] = {nullptr};
  ::fexecve(program, const_cast<char* const*>(argv), const_cast<char* const*>(environment));
  ::_exit(127);
}

// The embedded program as a file that can be run.
Result<UniqueFd> program_file() {
  UniqueFd file(::memfd_create("whittle-libseccomp", MFD_CLOEXEC));
  const std::string_view bytes = embedded_libseccomp_program();
  if (!file.valid() ||
      ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return errno_error(ErrorKind::kEnvironment, "can't start another libseccomp", errno);
  }
  return file;
}

}  // namespace

std::uint32_t libseccomp_action(const profile::Verdict& verdict) {
  switch (verdict.action) {
    case Action::kKillProcess:
      return SCMP_ACT_KILL_PROCESS;
    case Action::kKillThread:
      return SCMP_ACT_KILL_THREAD;
    case Action::kTrap:
      return SCMP_ACT_TRAP;
    case Action::kErrno:
      return SCMP_ACT_ERRNO(verdict.data);
    case Action::kNotify:
      return SCMP_ACT_NOTIFY;
    case Action::kTrace:
      return SCMP_ACT_TRACE(verdict.data);
    case Action::kLog:
      return SCMP_ACT_LOG;
    case Action::kAllow:
      return SCMP_ACT_ALLOW;
  }
  return SCMP_ACT_KILL_PROCESS;
}

std::unique_ptr<Libseccomp> own_libseccomp(int program_fd) {
  return std::make_unique<Own>(program_fd);
}

Result<std::unique_ptr<Libseccomp>> libseccomp_of(const std::string& file, int program_fd) {
  TRY_ASSIGN(const UniqueFd program, program_file());
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error(ErrorKind::kEnvironment, "can't start another libseccomp", errno);
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return errno_error(ErrorKind::kEnvironment, "can't start a process", errno);
  if (child == 0) run_program(program.get(), theirs.get(), program_fd, file.c_str());
  theirs.reset();
  auto other = std::make_unique<Other>(std::move(ours), child);
  const auto first = other->receive();
  if (!first) {
    return environment_error("another libseccomp can't be run here", file,
                             "this needs the GNU C library, 2.34 or newer, as a shared library");
  }
  if (first->result != 0) {
    const auto* end = std::find(std::begin(first->message), std::end(first->message), '\0');
    return input_error("it is no libseccomp that can be loaded here: " +
                           printable(std::string(std::begin(first->message), end)),
                       file, "give the shared library itself, as in /usr/lib/.../libseccomp.so.2");
  }
  return std::unique_ptr<Libseccomp>(std::move(other));
}

}  // namespace whittle::filter
