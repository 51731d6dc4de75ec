#include "record/discover.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <thread>
#include <tuple>
#include <utility>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "host/connection.h"
#include "host/exercises.h"
#include "host/http_answer.h"
#include "host/keeper.h"
#include "host/prepared_run.h"
#include "record/output_tap.h"
#include "record/process_tree.h"
#include "record/signals.h"

namespace whittle::record {

namespace {

constexpr double kSteady = 0.5;     // seconds, idle, without a new socket: all are there
constexpr double kComputed = 3;     // so are they when it has computed for so long since the last
constexpr double kElsewhere = 3;    // seconds, idle, on other ports than before: they will not come
constexpr double kBusy = 0.03;      // seconds computed between two looks: it is not idle
constexpr double kWithoutPort = 1;  // seconds given to a later start that opens none
constexpr double kReload = 1;       // seconds that a reload is given to go wrong
constexpr double kHttpLimit = 5;    // seconds
constexpr int kLook = 100;          // milliseconds between two looks: no event tells of a listen(2)
constexpr std::size_t kMostPorts = 20;  // a workload has 27 exercises at most

// Whether a process has a handler for the signal (proc(5)).
bool handles(pid_t process, int signal) {
  const std::string mask = status_field(process, "SigCgt");
  std::uint64_t bits = 0;
  std::from_chars(mask.data(), mask.data() + mask.size(), bits, 16);
  return (bits >> static_cast<unsigned>(signal - 1) & 1U) != 0;
}

bool ignores(pid_t process, int signal) {
  const std::string mask = status_field(process, "SigIgn");
  std::uint64_t bits = 0;
  std::from_chars(mask.data(), mask.data() + mask.size(), bits, 16);
  return (bits >> static_cast<unsigned>(signal - 1) & 1U) != 0;
}

// Ports that bind(2) picks by itself (ip_local_port_range, ip(7)): another one each time.
bool may_be_picked(std::uint16_t port) {
  const auto text = read_file("/proc/sys/net/ipv4/ip_local_port_range");
  if (!text) return port >= 32768;
  const auto tab = std::min(text->find('\t'), text->size());
  const auto first = parse_u64(trim(std::string_view(*text).substr(0, tab)));
  const auto last = parse_u64(trim(std::string_view(*text).substr(tab)));
  return first && last && port >= *first && port <= *last;
}

// What processes do: seconds of the processor that their threads have used, and whether one is
// running, waits for the processor, or for a disk.
struct Activity {
  double computed = 0;
  bool runnable = false;
};

Activity activity_of(const std::vector<pid_t>& processes) {
  Activity all;
  for (const pid_t process : processes) {
    for (const pid_t thread : threads_of(process)) {
      const std::string state = status_field(thread, "State");
      all.runnable = all.runnable || state.starts_with('R') || state.starts_with('D');
      // Nanoseconds on a processor, and two numbers more (Documentation/scheduler/sched-stats.rst).
      const auto text = read_file(format("/proc/{}/task/{}/schedstat", process, thread));
      if (!text) continue;
      const auto used = parse_u64(std::string_view(*text).substr(0, text->find(' ')));
      all.computed += static_cast<double>(used.value_or(0)) / 1e9;
    }
  }
  return all;
}

// The status of the answer to GET /, or 0 and what came instead.
std::pair<int, std::string> ask_http(const host::Address& address) {
  const Cancel never;
  const double deadline = monotonic_seconds() + kHttpLimit;
  host::Connection connection(never);
  const std::string request = format(
      "GET / HTTP/1.1\r\nHost: {}\r\nUser-Agent: whittle\r\nAccept: */*\r\n"
      "Connection: close\r\n\r\n",
      host::address_text(address));
  if (!connection.open(address, deadline) || !connection.send(request, deadline)) {
    return {0, connection.problem()};
  }
  host::HttpAnswer answer("GET");
  std::string bytes;
  while (!answer.complete() && !answer.broken()) {
    bytes.clear();
    if (connection.receive(bytes, deadline)) {
      answer.add(bytes);
    } else {
      answer.end();
    }
  }
  if (answer.complete()) return {answer.status(), {}};
  return {0, answer.started() ? answer.problem() : connection.problem()};
}

// One run of the command.
class Start {
 public:
  static Result<Start> begin(const DiscoverSpec& spec) {
    Start start;
    TRY_ASSIGN(host::PreparedRun prepared, host::PreparedRun::prepare(spec.run, {}));
    start.prepared_.emplace(std::move(prepared));
    TRY_ASSIGN(OutputTap tap, OutputTap::open({.pattern = {}, .keep = true}));
    start.tap_.emplace(std::move(tap));
    host::LaunchSpec launch = start.prepared_->launch();
    launch.output = start.tap_->output();
    launch.errors = start.tap_->errors();
    start.began_ = monotonic_seconds();
    TRY_ASSIGN(host::Kept kept, host::Kept::start(launch));
    start.kept_.emplace(std::move(kept));
    start.tap_->start([] {});
    TRY(start.kept_->started());
    return start;
  }

  // Waits until it listens, on the ports named here too, and no new socket comes. False: it has
  // ended, or it was not so in time; then what there is is in sockets().
  bool come_up(double limit, const std::vector<FoundPort>& expected) {
    changed_ = idle_since_ = monotonic_seconds();
    while (look()) {
      look_at_sockets();
      if (is_steady() && !sockets_.empty() && has(expected)) {
        up_after_ = changed_ - began_;
        return true;
      }
      if (!sockets_.empty() && idle_for() >= kElsewhere) return false;
      if (monotonic_seconds() - began_ >= limit) return false;
    }
    return false;
  }

  bool gone() {
    kept_->update();
    return kept_->gone();
  }
  ExitStatus status() const { return kept_->status().value_or(ExitStatus{}); }
  bool command_ended() const { return kept_->status().has_value(); }
  pid_t main() const { return kept_->main(); }
  double seconds() const { return monotonic_seconds() - began_; }
  double up_after() const { return up_after_; }
  const std::vector<host::Listening>& sockets() const { return sockets_; }

  bool has(const std::vector<FoundPort>& ports) const {
    return std::all_of(ports.begin(), ports.end(), [&](const FoundPort& port) {
      return std::any_of(sockets_.begin(), sockets_.end(), [&](const host::Listening& one) {
        return one.address.port == port.address.port;
      });
    });
  }

  // Sends a signal to the main process.
  void signal(int signal) {
    kept_->update();
    if (!kept_->status()) {
      kept_->signal(signal);
    } else if (const pid_t pid = kept_->main(); pid != 0) {
      ::kill(pid, signal);
    }
  }

  // Waits until it has ended, or for so long. What an ended command leaves behind is asked, too.
  bool wait_for_end(double limit, int signal) {
    const double deadline = monotonic_seconds() + limit;
    bool asked = command_ended();
    while (look()) {
      if (command_ended() && !std::exchange(asked, true)) kept_->signal_all(signal);
      if (monotonic_seconds() >= deadline) return false;
    }
    return kept_->gone();
  }

  // Waits while it runs: for so long, and then until it is steady, but no longer than the limit.
  void settle(double seconds, double limit) {
    const double start = monotonic_seconds();
    changed_ = idle_since_ = start;
    computed_at_change_ = computed_;
    while (look()) {
      look_at_sockets();
      const double passed = monotonic_seconds() - start;
      if (passed >= limit || (passed >= seconds && is_steady())) return;
    }
  }

  // The end, whatever it does. Its output.
  std::string end() {
    kept_.reset();
    tap_->finish([] { return false; });
    return tap_->kept();
  }

 private:
  Start() = default;

  // A moment later. False: it has gone, or we are to end.
  bool look() {
    pollfd polled = {kept_->events_fd(), POLLIN, 0};
    if (SignalCatcher::caught() == 0) ::poll(&polled, 1, kLook);
    return !gone() && SignalCatcher::caught() == 0;
  }

  std::vector<pid_t> tree() const { return tree_of(kept_->keeper()); }

  void look_at_sockets() {
    const std::vector<pid_t> processes = tree();
    std::vector<host::Listening> now = host::listening_sockets(processes);
    const Activity activity = activity_of(processes);
    const double time = monotonic_seconds();
    if (activity.runnable || activity.computed - computed_ >= kBusy) idle_since_ = time;
    computed_ = activity.computed;
    if (keys(now) != keys(sockets_)) {
      changed_ = time;
      computed_at_change_ = computed_;
    }
    sockets_ = std::move(now);
  }

  // Time that passes while it waits for the processor says nothing of what it will do: on a busy
  // machine that may be all of it.
  double idle_for() const { return monotonic_seconds() - std::max(changed_, idle_since_); }
  bool is_steady() const {
    return idle_for() >= kSteady || computed_ - computed_at_change_ >= kComputed;
  }

  static std::vector<std::pair<std::uint16_t, std::string>> keys(
      const std::vector<host::Listening>& sockets) {
    std::vector<std::pair<std::uint16_t, std::string>> all;
    for (const host::Listening& one : sockets) all.emplace_back(one.address.port, one.path);
    return all;
  }

  std::optional<host::PreparedRun> prepared_;
  std::optional<OutputTap> tap_;
  std::optional<host::Kept> kept_;  // goes first
  double began_ = 0;
  double up_after_ = 0;
  std::vector<host::Listening> sockets_;
  double changed_ = 0;             // when they last did
  double computed_at_change_ = 0;  // seconds of the processor until then
  double idle_since_ = 0;
  double computed_ = 0;  // seconds of the processor, of those that run now
};

class Discovery {
 public:
  explicit Discovery(const DiscoverSpec& spec) : spec_(spec) {}

  Result<Discovered> run() {
    TRY(watch_first());
    if (interrupted() || found_.ended) return std::move(found_);
    for (const int signal : {SIGINT, SIGQUIT}) {
      if (best() == 2) break;
      // Without a handler it would end by it as by SIGTERM, and leave a core file.
      if (signal == SIGQUIT && !handles_quit_) continue;
      TRY(try_again(signal));
      if (interrupted()) return std::move(found_);
    }
    choose();
    if (handles_hangup_) TRY(try_reload());
    if (!handles_hangup_ && picks_ports_) TRY(try_again(found_.stop_signal));
    interrupted();
    return std::move(found_);
  }

 private:
  bool interrupted() { return found_.interrupted = SignalCatcher::caught() > 0; }

  void tell(const std::string& what) const {
    if (spec_.progress) spec_.progress(what);
  }

  Result<Start> begin() {
    ++found_.starts;
    return Start::begin(spec_);
  }

  Result<void> watch_first() {
    tell("watching it start");
    TRY_ASSIGN(Start start, begin());
    const bool up = start.come_up(spec_.watch, {});
    found_.seconds = up ? start.up_after() : start.seconds();
    if (up) take_sockets(start);
    if (!start.gone() && SignalCatcher::caught() == 0) {
      found_.daemon = start.command_ended();
      const pid_t main = start.main();
      handles_quit_ = handles(main, SIGQUIT);
      handles_hangup_ = handles(main, SIGHUP);
      found_.reload_text = ignores(main, SIGHUP) ? "it ignores SIGHUP" : "SIGHUP would end it";
      ask_all(main);
    }
    if (start.gone()) {
      found_.ended = start.status();
      found_.seconds = start.seconds();
    } else if (SignalCatcher::caught() == 0) {
      stop(start, SIGTERM);
    }
    found_.output = start.end();
    return {};
  }

  void take_sockets(const Start& start) {
    for (const host::Listening& one : start.sockets()) {
      if (one.address.port == 0) {
        found_.paths.push_back(one.path);
      } else if (found_.ports.size() < kMostPorts) {
        found_.ports.push_back({one.address, 0, {}});
        picks_ports_ = picks_ports_ || may_be_picked(one.address.port);
      }
    }
  }

  // In its own network namespace, which only a thread of its own may enter.
  void ask_all(pid_t main) {
    tell("asking its ports");
    std::thread([&] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      host::enter_network_of(main);
      for (FoundPort& port : found_.ports) {
        if (SignalCatcher::caught() > 0) return;
        std::tie(port.status, port.answer) = ask_http(port.address);
      }
    }).join();
  }

  void stop(Start& start, int signal) {
    tell("trying to end it by " + signal_name(signal));
    StopTry attempt;
    attempt.signal = signal;
    const double asked = monotonic_seconds();
    start.signal(signal);
    attempt.ended = start.wait_for_end(spec_.limit, signal);
    attempt.seconds = monotonic_seconds() - asked;
    attempt.status = start.status();
    if (SignalCatcher::caught() > 0) return;
    const auto seen = std::find_if(found_.stops.begin(), found_.stops.end(),
                                   [&](const StopTry& one) { return one.signal == signal; });
    if (seen == found_.stops.end()) found_.stops.push_back(attempt);
  }

  // A later start, up as far as it comes. Ports that are not there again are not to be relied on.
  bool come_up_again(Start& start) {
    if (!found_.ports.empty() || !found_.paths.empty()) {
      start.come_up(spec_.watch, found_.ports);
    } else {
      start.settle(std::min(kWithoutPort, spec_.watch), spec_.watch);
    }
    if (SignalCatcher::caught() > 0 || start.gone()) return false;
    std::erase_if(found_.ports, [&](const FoundPort& one) {
      if (start.has({one})) return false;
      found_.other_ports.push_back(one.address.port);
      return true;
    });
    return true;
  }

  Result<void> try_again(int signal) {
    tell("starting it again");
    TRY_ASSIGN(Start start, begin());
    if (come_up_again(start)) stop(start, signal);
    start.end();
    return {};
  }

  Result<void> try_reload() {
    tell("trying SIGHUP");
    TRY_ASSIGN(Start start, begin());
    if (!come_up_again(start)) {
      found_.reload_text = "it did not come up again";
      return {};
    }
    const pid_t main = start.main();
    start.signal(SIGHUP);
    start.settle(kReload, std::max(kReload, spec_.limit));
    found_.reload = Discovered::Reload::kFailed;
    if (start.gone() || has_ended(main)) {
      found_.reload_text = "SIGHUP ended it, " + start.status().text();
    } else if (!start.has(found_.ports)) {
      found_.reload_text = "after SIGHUP it did not listen any more";
    } else {
      found_.reload = Discovered::Reload::kSurvived;
      found_.reload_text.clear();
      start.signal(found_.stop_signal);
      start.wait_for_end(spec_.limit, found_.stop_signal);
    }
    start.end();
    return {};
  }

  int best() const {
    int quality = 0;
    for (const StopTry& one : found_.stops) quality = std::max(quality, one.quality());
    return quality;
  }

  void choose() {
    found_.stop_signal = SIGKILL;
    for (const StopTry& one : found_.stops) {
      if (one.quality() == 0 || one.quality() < best()) continue;
      found_.stop_signal = one.signal;
      return;
    }
  }

  const DiscoverSpec& spec_;
  Discovered found_;
  bool handles_quit_ = false;
  bool handles_hangup_ = false;
  bool picks_ports_ = false;
};

}  // namespace

int StopTry::quality() const {
  if (!ended) return 0;
  if (status.success()) return 2;
  return status.shell_code() == 128 + signal ? 1 : 0;
}

Result<Discovered> discover(const DiscoverSpec& spec) { return Discovery(spec).run(); }

}  // namespace whittle::record
