#include "host/keeper.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {

namespace {

// What the keeper tells. The listener itself comes before all of these, as hand_over() sends it.
struct Message {
  enum Kind : std::int32_t { kCommand, kStarted, kError, kEnded };
  Kind kind;
  std::int32_t number;          // kCommand: its id; kError: ErrorKind; kEnded: exit code
  std::int32_t signal;          // kEnded
  std::array<char, 1024> text;  // kError: the message
  std::array<char, 1024> hint;  // kError
};

// What it is told. SIGKILL to all means: the whole tree, until nothing is left.
struct Order {
  std::int32_t signal;
  std::int32_t all;
};

template <std::size_t size>
void put(std::array<char, size>& into, std::string_view text) {
  const std::size_t length = std::min(text.size(), size - 1);
  std::copy_n(text.data(), length, into.data());
  into[length] = '\0';
}

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// Everything in the keeper's own process.
class Keeper {
 public:
  Keeper(UniqueFd channel, UniqueFd parent)
      : channel_(std::move(channel)), parent_(std::move(parent)) {}

  void run(const LaunchSpec& spec) {
    ::prctl(PR_SET_NAME, "whittle-keeper");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    // All but the end of a child: Ctrl-C is for the command and for whittle, which tells us.
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ended_ = UniqueFd(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    if (const auto error = start(spec)) tell_error(*error);
    keep();
  }

 private:
  std::optional<Error> start(LaunchSpec spec) {
    spec.dies_with_launcher = true;
    auto child = launch(spec);
    if (!child) return std::move(child).error();
    command_ = child->pid();
    Message message = {};
    message.kind = Message::kCommand;
    message.number = command_;
    tell(message);
    if (auto released = child->begin_release(); !released) return std::move(released).error();
    if (spec.listen) {
      auto listener = child->take_listener();
      if (!listener) return std::move(listener).error();
      // The words are for filters, of which we have none.
      hand_over(channel_.get(), listener->fd.get(), listener->wait_killable, {});
    }
    if (auto released = child->finish_release(); !released) return std::move(released).error();
    message.kind = Message::kStarted;
    tell(message);
    // finish_release() may have waited for it already. From here on reap() does, and nothing of
    // ours may do so again: not destroyed, as it would be killed.
    if (const auto ended = child->poll()) tell_ended(*ended);
    new Launched(*std::move(child));  // NOLINT
    return std::nullopt;
  }

  // Until the last child has gone.
  void keep() {
    bool kill = false;
    while (reap()) {
      if (kill) send_to_children(SIGKILL);
      std::array<pollfd, 3> polled = {
          {{ended_.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}, {parent_.get(), POLLIN, 0}}};
      if (kill) polled[1].fd = polled[2].fd = -1;
      ::poll(polled.data(), polled.size(), -1);
      signalfd_siginfo info = {};
      while (::read(ended_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      }
      if (polled[2].revents != 0) kill = true;  // our parent is dead
      if (polled[1].revents == 0) continue;
      Order order = {SIGKILL, 1};
      const ssize_t got = ::recv(channel_.get(), &order, sizeof order, MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got != static_cast<ssize_t>(sizeof order)) order = {SIGKILL, 1};  // whittle is gone
      if (order.all == 0) {
        if (!ended_command_) ::kill(command_, order.signal);
      } else if (order.signal == SIGKILL) {
        kill = true;
      } else {
        send_to_children(order.signal);
      }
    }
  }

  // Waits for those that have ended. False: there is no child any more.
  bool reap() {
    int status = 0;
    while (true) {
      const pid_t pid = ::waitpid(-1, &status, WNOHANG | __WALL);
      if (pid < 0 && errno != EINTR) return false;
      if (pid == 0) return true;
      if (pid == command_ && !ended_command_) tell_ended(ExitStatus::from_wait(status));
    }
  }

  // As children that were not waited for they keep their ids.
  void send_to_children(int signal) const {
    const auto text = read_file(format("/proc/self/task/{}/children", ::getpid()));
    if (!text) {  // a kernel without CONFIG_PROC_CHILDREN
      ::kill(command_, signal);
      return;
    }
    for (const std::string& word : split(*text, ' ')) {
      if (const auto pid = parse_u64(trim(word))) ::kill(static_cast<pid_t>(*pid), signal);
    }
  }

  void tell_ended(const ExitStatus& how) {
    ended_command_ = true;
    Message message = {};
    message.kind = Message::kEnded;
    message.number = how.code;
    message.signal = how.signal;
    tell(message);
  }
  void tell(const Message& message) const {
    ::send(channel_.get(), &message, sizeof message, MSG_NOSIGNAL);
  }
  void tell_error(const Error& error) const {
    Message message = {};
    message.kind = Message::kError;
    message.number = static_cast<std::int32_t>(error.kind);
    put(message.text, error.text());
    put(message.hint, error.hint);
    tell(message);
  }

  UniqueFd channel_;
  UniqueFd parent_;
  UniqueFd ended_;
  pid_t command_ = -1;
  bool ended_command_ = false;  // its id may be somebody else's by now
};

// With every signal blocked, so that no handler of ours runs in the keeper.
pid_t fork_keeper() {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  const int error = errno;
  if (pid != 0) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

}  // namespace

Result<Kept> Kept::start(const LaunchSpec& spec) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return errno_error(ErrorKind::kEnvironment, "cannot make a socket pair", errno);
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  UniqueFd parent = open_pidfd(::getpid());
  if (!parent.valid()) {
    return errno_error(ErrorKind::kEnvironment, "cannot open a pidfd", errno, {},
                       "Linux 5.3 or later is needed");
  }
  Kept kept;
  kept.keeper_ = fork_keeper();
  if (kept.keeper_ < 0) return errno_error(ErrorKind::kEnvironment, "cannot fork", errno);
  if (kept.keeper_ == 0) {
    ours.reset();
    Keeper(std::move(theirs), std::move(parent)).run(spec);
    ::_exit(0);
  }
  kept.channel_ = std::move(ours);
  theirs.reset();
  const auto is_there = [&] { return spec.listen ? kept.listener_.fd.valid() : kept.pid_ > 0; };
  while (!is_there() && !kept.error_ && !kept.gone_) kept.receive(true);
  if (kept.error_) return tl::unexpected(*std::move(kept.error_));
  if (kept.gone_) return environment_error("the process that keeps the command was killed");
  return kept;
}

Kept::~Kept() {
  if (keeper_ < 0 || !channel_.valid()) return;
  kill();
  while (!gone_) receive(true);
  while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<void> Kept::started() {
  while (!executed_ && !error_ && !gone_) receive(true);
  if (error_) return tl::unexpected(*error_);
  if (!executed_) return environment_error("the process that keeps the command was killed");
  return {};
}

void Kept::update() { receive(false); }

void Kept::receive(bool wait) {
  while (!gone_) {
    if (!wait) {
      pollfd polled = {channel_.get(), POLLIN, 0};
      if (::poll(&polled, 1, 0) != 1) return;
    }
    Message message = {};
    Received received = receive_listener(channel_.get(), &message, sizeof message);
    if (received.listener.fd.valid()) {
      listener_ = std::move(received.listener);
    } else if (received.got == static_cast<ssize_t>(sizeof message)) {
      switch (message.kind) {
        case Message::kCommand:
          pid_ = message.number;
          break;
        case Message::kStarted:
          executed_ = true;
          break;
        case Message::kError:
          error_ = Error{
              static_cast<ErrorKind>(message.number), message.text.data(), {}, message.hint.data()};
          break;
        case Message::kEnded:
          status_ = ExitStatus{message.number, message.signal};
          break;
      }
    } else {
      // The end of the channel: the keeper has gone, and with it the command.
      gone_ = true;
      if (!status_) status_ = ExitStatus{0, SIGKILL};
    }
    if (wait) return;
  }
}

pid_t Kept::main() const {
  if (!status_) return pid_;
  const auto children = read_file(format("/proc/{0}/task/{0}/children", keeper_));
  if (!children) return 0;
  const auto first = parse_u64(std::string_view(*children).substr(0, children->find(' ')));
  return first ? static_cast<pid_t>(*first) : 0;
}

void Kept::signal(int signal) { order(signal, false); }
void Kept::signal_all(int signal) { order(signal, true); }

void Kept::order(int signal, bool all) {
  const Order order = {signal, all ? 1 : 0};
  ::send(channel_.get(), &order, sizeof order, MSG_NOSIGNAL);
}

}  // namespace whittle::host
