#include "trial/notify_server.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "filter/decide.h"
#include "record/process_tree.h"
#include "record/stacks.h"
#include "record/stopped_task.h"
#include "syscalls/table.h"

namespace whittle::trial {

namespace {

using profile::Action;
using syscalls::Arch;

constexpr std::size_t kMostKinds = 65536;
constexpr std::size_t kMostStacks = 1024;
constexpr std::uint64_t kShown = 64;  // of a call that is always refused: shown with all arguments

// The kernel's structures may be longer than ours (SECCOMP_GET_NOTIF_SIZES): it then writes, and
// wants to read, that much.
class Buffers {
 public:
  Buffers() {
    seccomp_notif_sizes sizes = {};
    ::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
    request_.resize(words(std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif))));
    response_.resize(
        words(std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp))));
  }
  seccomp_notif& clear_request() {
    std::fill(request_.begin(), request_.end(), 0);
    return *reinterpret_cast<seccomp_notif*>(request_.data());
  }
  seccomp_notif_resp& clear_response() {
    std::fill(response_.begin(), response_.end(), 0);
    return *reinterpret_cast<seccomp_notif_resp*>(response_.data());
  }

 private:
  static std::size_t words(std::size_t bytes) { return (bytes + 7) / 8; }
  std::vector<std::uint64_t> request_;
  std::vector<std::uint64_t> response_;
};

void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

bool has_signal(pid_t task, std::string_view set, int signal) {
  const std::string text = record::status_field(task, set);
  std::uint64_t bits = 0;
  std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  return ((bits >> static_cast<unsigned>(signal - 1)) & 1U) != 0;
}

// What the kernel would give the caller; 0 for a kill, which is not by an errno.
int answered_errno(const profile::Verdict& verdict) {
  switch (verdict.action) {
    case Action::kErrno:
      return verdict.data;
    case Action::kTrace:   // with no tracer
    case Action::kNotify:  // with no listener (seccomp(2))
      return ENOSYS;
    default:
      return 0;
  }
}

bool kills(const profile::Verdict& verdict) {
  return verdict.action == Action::kKillProcess || verdict.action == Action::kKillThread ||
         verdict.action == Action::kTrap;
}

}  // namespace

struct NotifyServer::State {
  State(host::Listener from, NotifyOptions with)
      : listener(std::move(from)),
        options(std::move(with)),
        stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void serve();
  bool answer_one();
  void answer(const seccomp_notif& request);
  bool respond(const seccomp_notif& request, int error, bool go_on);
  void end_process(const seccomp_notif& request) const;
  bool valid(const seccomp_notif& request) const;
  void count(Denial call, bool fallback);
  void look_at(const seccomp_notif& request, bool fallback, Denial& call);
  void mask(Denial& call);
  std::vector<Denial> kept(bool fallback) const;
  std::string current_phase();

  using Key = std::tuple<Arch, std::uint32_t, filter::Arguments, std::string, std::string>;
  struct Kind {
    Denial call;
    bool fallback = false;
  };
  struct Looked {
    unsigned arguments = 0x3f;   // bit i: the program looks at argument i
    unsigned parameters = 0x3f;  // bit i: the call has argument i
    bool always_refused = false;
    std::uint64_t shown = 0;
  };

  host::Listener listener;
  const NotifyOptions options;
  UniqueFd stop;
  std::thread thread;
  std::mutex mutex;
  std::string phase = "startup";
  // The serving thread's own.
  Buffers buffers;
  record::StackResolver resolver;
  std::map<std::pair<Arch, std::uint32_t>, Looked> looked_at;
  std::map<Key, Kind> kinds;
  std::size_t stacks = 0;
  std::uint64_t lost_kinds = 0;
  std::uint64_t lost_calls = 0;
};

NotifyServer::NotifyServer(host::Listener listener, NotifyOptions options)
    : state_(std::make_unique<State>(std::move(listener), std::move(options))) {}

NotifyServer::~NotifyServer() { finish(); }

void NotifyServer::start() {
  state_->thread = std::thread([this] { state_->serve(); });
}

void NotifyServer::set_phase(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  state_->phase = name;
}

void NotifyServer::finish() {
  if (!state_->thread.joinable()) return;
  ::eventfd_write(state_->stop.get(), 1);
  state_->thread.join();
  state_->listener.fd.reset();
}

std::vector<Denial> NotifyServer::denials() const { return state_->kept(false); }
std::vector<Denial> NotifyServer::fallbacks() const { return state_->kept(true); }

std::map<std::string, std::uint64_t> NotifyServer::lost() const {
  return {{"calls", state_->lost_calls}, {"kinds", state_->lost_kinds}};
}

// Until it is to stop, or no task has the filter any more (the listener hangs up).
void NotifyServer::State::serve() {
  block_signals();
  while (true) {
    std::array<pollfd, 2> polled = {{{listener.fd.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if ((polled[0].revents & POLLIN) != 0) {
      if (!answer_one()) return;
    } else if (polled[0].revents != 0 || polled[1].revents != 0) {
      return;
    }
  }
}

bool NotifyServer::State::answer_one() {
  seccomp_notif& request = buffers.clear_request();
  if (::ioctl(listener.fd.get(), SECCOMP_IOCTL_NOTIF_RECV, &request) == 0) {
    answer(request);
    return true;
  }
  // ENOENT: the caller was killed, or a signal took the call back, before we received it.
  return errno == ENOENT || errno == EINTR;
}

void NotifyServer::State::answer(const seccomp_notif& request) {
  const auto nr = static_cast<std::uint32_t>(request.data.nr);
  const auto arch = syscalls::arch_from_audit(request.data.arch, nr);
  Denial call;
  bool fallback = false;
  call.verdict = filter::evaluate_checked(options.program, request.data);
  if (arch) {
    call.arch = *arch;
    call.nr = nr;
    call.syscall = syscalls::display_name(*arch, nr);
    std::copy(std::begin(request.data.args), std::end(request.data.args), call.args.begin());
    fallback = options.is_fallback(call);
    look_at(request, fallback, call);
  }
  const bool refuse = options.enforce || fallback;
  if (refuse && kills(call.verdict)) end_process(request);
  const bool answered = respond(request, answered_errno(call.verdict), !refuse);
  // Otherwise it will be made again.
  const bool counts =
      answered || listener.wait_killable || record::has_ended(static_cast<pid_t>(request.pid));
  if (!counts || call.verdict.allows()) return;
  if (arch) {
    count(std::move(call), fallback);
  } else {
    ++lost_calls;
  }
}

bool NotifyServer::State::respond(const seccomp_notif& request, int error, bool go_on) {
  seccomp_notif_resp& response = buffers.clear_response();
  response.id = request.id;
  response.flags = go_on ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
  response.error = go_on ? 0 : -error;
  while (::ioctl(listener.fd.get(), SECCOMP_IOCTL_NOTIF_SEND, &response) != 0) {
    if (errno != EINTR) return false;  // ENOENT: it waits no more
  }
  return true;
}

bool NotifyServer::State::valid(const seccomp_notif& request) const {
  std::uint64_t id = request.id;
  return ::ioctl(listener.fd.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

// Before the answer: the signal is then there when the call returns, and nothing more is run.
void NotifyServer::State::end_process(const seccomp_notif& request) const {
  const auto task = static_cast<pid_t>(request.pid);
  const auto process = parse_u64(record::status_field(task, "Tgid"));
  if (!process) return;
  const bool handled = has_signal(task, "SigBlk", SIGSYS) || has_signal(task, "SigIgn", SIGSYS) ||
                       has_signal(task, "SigCgt", SIGSYS);
  if (!valid(request)) return;  // those ids may be others' by now
  // To the thread itself, which then acts on it before it runs on; to the process another thread
  // might take it, in its own time.
  ::syscall(SYS_tgkill, static_cast<pid_t>(*process), task, handled ? SIGKILL : SIGSYS);
}

std::string NotifyServer::State::current_phase() {
  const std::lock_guard lock(mutex);
  return phase;
}

// Cuts the arguments to those that tell kinds apart; the first occurrence keeps them.
void NotifyServer::State::mask(Denial& call) {
  const auto [found, fresh] = looked_at.try_emplace({call.arch, call.nr});
  Looked& looked = found->second;
  if (fresh) {
    const filter::Decision decision = filter::decide(options.program, call.arch, call.nr);
    looked.parameters = (1U << meaningful_arguments(call.arch, call.syscall)) - 1;
    if (decision.decided) looked.arguments = decision.arguments;
    looked.always_refused = decision.constant().has_value();
  }
  call.first.args = call.args;
  call.first.known = static_cast<std::uint8_t>(looked.parameters | looked.arguments);
  const bool show = looked.always_refused && looked.shown < kShown;
  if (show) ++looked.shown;
  const unsigned wanted = show ? looked.parameters : looked.arguments;
  for (unsigned i = 0; i < call.args.size(); ++i) {
    if (((wanted >> i) & 1U) == 0) call.args[i] = 0;
    if (((call.first.known >> i) & 1U) == 0) call.first.args[i] = 0;
  }
}

// What can be read of the caller only while it waits.
void NotifyServer::State::look_at(const seccomp_notif& request, bool fallback, Denial& call) {
  const auto task = static_cast<pid_t>(request.pid);
  mask(call);
  call.first.thread = task;
  call.first.time = monotonic_seconds() - options.start;
  call.phase = current_phase();
  call.comm = record::comm_of(task);
  if (!kinds.contains({call.arch, call.nr, call.args, call.comm, call.phase})) {
    call.first.executable = record::executable_of(task);
    if (stacks < kMostStacks && !fallback) {
      ++stacks;
      const bool x86 = call.arch == Arch::kX86;
      call.first.stack = resolver.resolve(
          record::capture_waiting_stack(task, request.data.instruction_pointer, x86));
    }
  }
  if (valid(request)) return;
  // It was killed, and the id may have been another task's already.
  call.comm.clear();
  call.first.executable.clear();
  call.first.stack.clear();
}

void NotifyServer::State::count(Denial call, bool fallback) {
  const Key key(call.arch, call.nr, call.args, call.comm, call.phase);
  const auto found = kinds.find(key);
  if (found != kinds.end()) {
    ++found->second.call.count;
  } else if (kinds.size() < kMostKinds) {
    call.count = 1;
    kinds.emplace(key, Kind{std::move(call), fallback});
  } else {
    ++lost_kinds;
  }
}

std::vector<Denial> NotifyServer::State::kept(bool fallback) const {
  std::vector<Denial> calls;
  for (const auto& [key, kind] : kinds) {
    if (kind.fallback == fallback) calls.push_back(kind.call);
  }
  return calls;
}

}  // namespace whittle::trial
