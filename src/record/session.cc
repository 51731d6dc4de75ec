#include "record/session.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include "base/clock.h"
#include "base/text.h"

namespace whittle::record {

namespace {

constexpr double kGrace = 10;             // seconds from the stop signal to SIGKILL
constexpr std::size_t kMostPhases = 30;   // EbpfRecorder::set_phase()
constexpr std::size_t kMostWarnings = 8;  // kept until they are handed on
constexpr int kSlice = 50;                // milliseconds between two looks at whether to go

std::size_t distinct_of(const evidence::Run& run) {
  std::size_t distinct = run.syscalls.size();
  for (const evidence::Observation& observation : run.syscalls) {
    distinct += observation.errnos.size();
    for (const auto& argument : observation.args) distinct += argument.values.size();
    for (const auto& tuple : observation.tuples) distinct += tuple.values.size();
  }
  return distinct;
}

// Signals are the main thread's: it acts on them at once.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Session::Session(const RecordSpec& spec)
    : spec_(spec), woken_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (spec_.marks != nullptr) spec_.marks->drain();
}

Session::~Session() {
  checks_over_ = true;
  if (readiness_.joinable()) readiness_.join();
  if (mark_reader_.joinable()) mark_reader_.join();
}

Result<void> Session::prepare(host::LaunchSpec& launch) {
  if (!spec_.ready || spec_.ready->kind == ReadySpec::Kind::kExec) return {};
  if (spec_.ready->kind != ReadySpec::Kind::kLog) {
    ready_too_early_ = is_ready(*spec_.ready, checks_over_);
    if (ready_too_early_) {
      warn(format("{} answers before the command is started: is it another server?",
                  printable(spec_.ready->text)));
      hand_on_warnings();
    }
    return {};
  }
  TRY_ASSIGN(tap_, OutputTap::open(spec_.ready->pattern, spec_.output_to_stderr));
  launch.output_to_stderr = false;
  launch.output = tap_->output();
  launch.errors = tap_->errors();
  return {};
}

void Session::start() {
  started_ = monotonic_seconds();
  last_new_ = started_;
  if (tap_) {
    tap_->start([this] { set_ready(); });
  } else if (spec_.ready) {
    readiness_ = std::thread([this] { watch_readiness(); });
  }
  if (spec_.marks != nullptr) mark_reader_ = std::thread([this] { watch_marks(); });
}

void Session::watch_readiness() {
  block_signals();
  while (!checks_over_) {
    if (is_ready(*spec_.ready, checks_over_)) return set_ready();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void Session::watch_marks() {
  block_signals();
  while (!checks_over_) {
    pollfd polled = {spec_.marks->fd(), POLLIN, 0};
    if (::poll(&polled, 1, kSlice) != 1) continue;
    for (const std::string& name : spec_.marks->read()) mark(name);
  }
}

void Session::set_ready() {
  {
    const std::lock_guard lock(mutex_);
    if (!ready_after_) ready_after_ = seconds();
    if (phase_ == "startup") phase_ = "ready";  // a mark's name stands
  }
  wake();
}

void Session::mark(const std::string& name) {
  if (!is_phase_name(name)) {
    return warn(
        format("--marks: \"{}\" is no name of a phase: 1 to 64 of a-z, 0-9, _ and -, and "
               "not \"runtime\"",
               printable(name)));
  }
  {
    const std::lock_guard lock(mutex_);
    std::set<std::string> known = marks_;
    known.insert({"startup", "ready", "stop", name});
    if (known.size() <= kMostPhases) {
      marks_.insert(name);
      marked_ = true;
      phase_ = name;
      if (name == "ready" && !ready_after_) ready_after_ = seconds();
      wake();
      return;
    }
  }
  warn(format("--marks: {} phases are there already: {} does not count", kMostPhases, name));
}

void Session::warn(std::string text) {
  const std::lock_guard lock(mutex_);
  if (warnings_.size() < kMostWarnings) warnings_.push_back(std::move(text));
}

void Session::wake() const { ::eventfd_write(woken_.get(), 1); }

void Session::hand_on_warnings() {
  std::vector<std::string> warnings;
  {
    const std::lock_guard lock(mutex_);
    warnings.swap(warnings_);
  }
  if (!spec_.warn) return;
  for (const std::string& text : warnings) spec_.warn(text);
}

std::string Session::phase() const {
  if (stopping_) return "stop";
  const std::lock_guard lock(mutex_);
  return phase_;
}

std::optional<double> Session::ready_after() const {
  const std::lock_guard lock(mutex_);
  return ready_after_;
}

std::vector<std::string> Session::notes() const {
  if (!spec_.ready) return {};
  const std::lock_guard lock(mutex_);
  if (ready_too_early_) {
    return {format("{} answered before the command was started, so phases may be wrong",
                   printable(spec_.ready->text))};
  }
  if (ready_after_ && !not_ready_in_time_) return {};
  if (ready_after_) {
    return {format("it was ready after {:.1f} s, later than the limit of {:g} s", *ready_after_,
                   spec_.ready_limit)};
  }
  return {marked_ ? "it never became ready"
                  : "it never became ready: all that came before the stop counts as start-up"};
}

void Session::wait(std::initializer_list<int> fds, int milliseconds) {
  std::vector<pollfd> polled = {{woken_.get(), POLLIN, 0}};
  for (const int fd : fds) polled.push_back({fd, POLLIN, 0});
  ::poll(polled.data(), polled.size(), milliseconds);
  eventfd_t times = 0;
  if (polled[0].revents != 0) ::eventfd_read(woken_.get(), &times);
}

void Session::check_ready_limit(double now) {
  if (!spec_.ready || not_ready_in_time_ || now - started_ < spec_.ready_limit || ready_after()) {
    return;
  }
  not_ready_in_time_ = true;
  warn(
      format("not ready after {:g} s ({}): the recording goes on, and what is seen counts as "
             "start-up until it is",
             spec_.ready_limit, printable(spec_.ready->text)));
}

// While it starts it may well wait for something, quietly.
bool Session::quiet_for_long(double now) const {
  if (!spec_.quiet) return false;
  if (!spec_.ready || not_ready_in_time_) return now - last_new_ >= *spec_.quiet;
  const auto ready = ready_after();
  return ready && now - std::max(last_new_, started_ + *ready) >= *spec_.quiet;
}

bool Session::stop_requested() {
  const double now = monotonic_seconds();
  if (!stopping_) check_ready_limit(now);
  hand_on_warnings();
  if (stopping_) return true;
  const bool signalled = SignalCatcher::caught() > 0;
  const bool late = spec_.time_limit && now - started_ >= *spec_.time_limit;
  if (!signalled && !late && !quiet_for_long(now)) return false;
  stop_asked_ = now;
  enough_signals_ = signalled ? 2 : 1;
  stopping_ = true;
  checks_over_ = true;
  return true;
}

bool Session::kill_requested() const {
  return stopping_ && (monotonic_seconds() - stop_asked_ > kGrace ||
                       SignalCatcher::insisted() >= enough_signals_);
}

void Session::checkpoint(const evidence::Run& run) {
  const std::size_t distinct = distinct_of(run);
  if (distinct > distinct_) {
    distinct_ = distinct;
    last_new_ = monotonic_seconds();
  }
  if (spec_.checkpoint) spec_.checkpoint(run, phase());
}

double Session::seconds() const { return monotonic_seconds() - started_; }

void Session::finish() {
  if (tap_) {
    const int signals = SignalCatcher::caught();
    tap_->finish([signals] { return SignalCatcher::caught() > signals; });
  }
  hand_on_warnings();
}

}  // namespace whittle::record
