#include "record/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>

#include "base/clock.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"

namespace whittle::record {

namespace {

volatile std::sig_atomic_t g_caught = 0;

void count_signal(int) { g_caught = g_caught + 1; }

// A numeric address as connect(2) takes it; its length is 0 for one that is not understood.
struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

// Not getaddrinfo(3): in a static binary it needs the C library's shared parts at run time.
Address parse_address(const std::string& host, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof(*v6);
  }
  return address;
}

bool accepts_connections(const std::string& host, std::uint16_t port) {
  const Address address = parse_address(host, port);
  const UniqueFd fd(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // An address without a route fails at once, and leaves nothing in SO_ERROR.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) !=
          0 &&
      errno != EINPROGRESS) {
    return false;
  }
  pollfd polled = {fd.get(), POLLOUT, 0};
  int error = 0;
  socklen_t size = sizeof(error);
  return ::poll(&polled, 1, 200) == 1 &&
         ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

bool is_ready(const ReadySpec& spec) {
  if (spec.kind == ReadySpec::Kind::kTcp) return accepts_connections(spec.host, spec.port);
  CommandOptions options;
  options.time_limit = 5;
  const auto done = run_command({"sh", "-c", spec.command}, options);
  return done && done->status.success();
}

std::size_t distinct_of(const evidence::Run& run) {
  std::size_t distinct = run.syscalls.size();
  for (const evidence::Observation& observation : run.syscalls) {
    distinct += observation.errnos.size();
    for (const auto& argument : observation.args) distinct += argument.values.size();
    for (const auto& tuple : observation.tuples) distinct += tuple.values.size();
  }
  return distinct;
}

}  // namespace

Result<ReadySpec> parse_ready(std::string_view text) {
  const std::string_view whole = text;
  constexpr const char* kHint = "it is tcp:PORT, tcp:HOST:PORT (a numeric address) or exec:COMMAND";
  ReadySpec spec;
  if (text.starts_with("exec:") && text.size() > 5) {
    spec.kind = ReadySpec::Kind::kExec;
    spec.command = text.substr(5);
    return spec;
  }
  if (text.starts_with("tcp:")) {
    text.remove_prefix(4);
    const auto colon = text.rfind(':');
    const auto port = parse_u64(colon == std::string_view::npos ? text : text.substr(colon + 1));
    spec.host = colon == std::string_view::npos ? "127.0.0.1" : std::string(text.substr(0, colon));
    if (spec.host.starts_with('[') && spec.host.ends_with(']')) {
      spec.host = spec.host.substr(1, spec.host.size() - 2);
    }
    if (port && *port >= 1 && *port <= 65535 && parse_address(spec.host, 1).length != 0) {
      spec.port = static_cast<std::uint16_t>(*port);
      return spec;
    }
  }
  return input_error(format("--ready {} is not understood", printable(whole)), {}, kHint);
}

SignalCatcher::SignalCatcher() {
  g_caught = 0;
  struct sigaction action = {};
  action.sa_handler = count_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
  sigaction(SIGHUP, &action, &hangup_);
}

SignalCatcher::~SignalCatcher() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  sigaction(SIGHUP, &hangup_, nullptr);
}

int SignalCatcher::caught() { return g_caught; }

Session::Session(const RecordSpec& spec) : spec_(spec) {}

Session::~Session() {
  done_ = true;
  if (watcher_.joinable()) watcher_.join();
}

void Session::start() {
  started_ = monotonic_seconds();
  last_new_ = started_;
  if (spec_.ready) watcher_ = std::thread([this] { watch_readiness(); });
}

void Session::watch_readiness() {
  // Signals are the main thread's: it acts on them at once.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (!done_ && !ready_) {
    if (is_ready(*spec_.ready)) {
      ready_ = true;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

std::string Session::phase() const {
  if (stopping_) return "stop";
  return ready_ ? "ready" : "startup";
}

bool Session::stop_requested() {
  const double now = monotonic_seconds();
  if (SignalCatcher::caught() > 0) stopping_ = true;
  if (spec_.time_limit && now - started_ >= *spec_.time_limit) stopping_ = true;
  if (spec_.quiet && now - last_new_ >= *spec_.quiet) stopping_ = true;
  return stopping_;
}

void Session::checkpoint(const evidence::Run& run) {
  const std::size_t distinct = distinct_of(run);
  if (distinct > distinct_) {
    distinct_ = distinct;
    last_new_ = monotonic_seconds();
  }
  if (spec_.checkpoint) spec_.checkpoint(run);
}

double Session::seconds() const { return monotonic_seconds() - started_; }

}  // namespace whittle::record
