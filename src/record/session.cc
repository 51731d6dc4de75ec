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

constexpr std::size_t kMostPhases = 30;   // EbpfRecorder::set_phase()
constexpr std::size_t kMostWarnings = 8;  // kept until they are handed on
constexpr double kBetweenLooks = 0.02;    // seconds between two looks at whether it is ready
// Seconds that a new phase may take to be in force. Long, for on a busy machine calls would count
// for the phase before otherwise; it passes only when the main thread looks at phases no more.
constexpr double kPhaseLimit = 30;

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
  checks_over_.set();
  set_over("the recording has ended");
  if (readiness_.joinable()) readiness_.join();
  if (driver_.joinable()) driver_.join();
  if (mark_reader_.joinable()) mark_reader_.join();
}

Result<void> Session::prepare(host::LaunchSpec& launch) {
  const bool by_log = spec_.ready && spec_.ready->kind == ReadySpec::Kind::kLog;
  if (spec_.ready && !by_log && spec_.ready->kind != ReadySpec::Kind::kExec) {
    ready_too_early_ = is_ready(*spec_.ready, checks_over_);
    if (ready_too_early_) {
      warn(format("{} answers before the command is started: is it another server?",
                  printable(spec_.ready->text)));
      hand_on_warnings();
    }
  }
  if (!by_log && !spec_.keep_output) return {};
  TRY_ASSIGN(tap_, OutputTap::open({.pattern = by_log ? spec_.ready->pattern : "",
                                    .to_stderr = spec_.output_to_stderr,
                                    .keep = spec_.keep_output}));
  launch.output_to_stderr = false;
  launch.output = tap_->output();
  launch.errors = tap_->errors();
  return {};
}

void Session::start() {
  started_ = monotonic_seconds();
  last_new_ = started_;
  if (tap_) tap_->start([this] { set_ready(); });
  if (spec_.ready && spec_.ready->kind != ReadySpec::Kind::kLog) {
    readiness_ = std::thread([this] { watch_readiness(); });
  }
  if (spec_.marks != nullptr) mark_reader_ = std::thread([this] { watch_marks(); });
  if (spec_.drive) driver_ = std::thread([this] { drive_once_ready(); });
}

void Session::set_main(pid_t pid) {
  {
    const std::lock_guard lock(mutex_);
    main_ = pid;
  }
  changed_.notify_all();
}

void Session::set_over(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (over_.is_set()) return;
    over_text_ = why;
    over_.set();
  }
  changed_.notify_all();
}

void Session::ended(const std::string& how) {
  main_ = 0;
  ended_by_itself_ = ended_by_itself_ || !stopping_;
  set_over("the workload has ended: " + how);
}

std::string Session::over_text() const {
  const std::lock_guard lock(mutex_);
  return over_text_;
}

void Session::took_phase(const std::string& phase) {
  {
    const std::lock_guard lock(mutex_);
    if (taken_phase_ == phase) return;
    taken_phase_ = phase;
  }
  changed_.notify_all();
}

void Session::begin_phase(const std::string& name) {
  mark(name);
  if (asks_at_each_call_) return;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(kPhaseLimit),
                    [&] { return taken_phase_ == name || phase_ != name || over_.is_set(); });
}

void Session::drive_once_ready() {
  block_signals();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(
        lock, [this] { return over_.is_set() || (main_ != 0 && (!spec_.ready || ready_after_)); });
  }
  if (!over_.is_set()) spec_.drive(*this);
  driven_ = true;
  wake();
}

void Session::watch_readiness() {
  block_signals();
  do {
    host::enter_network_of(main_);
    if (is_ready(*spec_.ready, checks_over_)) return set_ready();
  } while (checks_over_.pause(monotonic_seconds() + kBetweenLooks));
}

void Session::watch_marks() {
  block_signals();
  while (!checks_over_.is_set()) {
    if (!checks_over_.wait(spec_.marks->fd(), POLLIN, monotonic_seconds() + 60)) continue;
    for (const std::string& name : spec_.marks->read()) mark(name);
  }
}

void Session::set_ready() {
  {
    const std::lock_guard lock(mutex_);
    if (!ready_after_) ready_after_ = seconds();
    if (phase_ == "startup") phase_ = "ready";  // a mark's name stands
  }
  changed_.notify_all();
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
  if (spec_.drive) return set_over(format("it was not ready within {:g} s", spec_.ready_limit));
  warn(
      format("not ready after {:g} s ({}): the recording goes on, and what is seen counts as "
             "start-up until it is",
             spec_.ready_limit, printable(spec_.ready->text)));
}

// Asked at each checkpoint: between two nobody knows what is new. While it starts it may well wait
// for something, quietly; what comes right after that is to be seen as ready, too.
bool Session::quiet_for_long(double now) {
  if (!spec_.quiet) return false;
  if (!spec_.ready || not_ready_in_time_) return now - last_new_ >= *spec_.quiet;
  if (!ready_after()) return false;
  if (ready_seen_ == 0) ready_seen_ = now;
  return now - std::max(last_new_, ready_seen_) >= *spec_.quiet;
}

bool Session::stop_requested() {
  const double now = monotonic_seconds();
  if (!stopping_) check_ready_limit(now);
  hand_on_warnings();
  if (stopping_) return true;
  const bool signalled = SignalCatcher::caught() > 0;
  const bool late = spec_.time_limit && now - started_ >= *spec_.time_limit;
  const bool given_up = spec_.drive && not_ready_in_time_ && !ready_after();
  if (!signalled && !late && !driven_ && !given_up && !quiet_) return false;
  stop_asked_ = now;
  enough_signals_ = signalled ? 2 : 1;
  stopping_ = true;
  checks_over_.set();
  set_over(signalled ? "interrupted" : late ? "the time limit is over" : "it was asked to stop");
  return true;
}

std::optional<double> Session::stopping_since() const {
  if (!stopping_) return std::nullopt;
  return stop_asked_;
}

bool Session::kill_requested() const {
  return stopping_ && (monotonic_seconds() - stop_asked_ > spec_.stop_limit ||
                       SignalCatcher::insisted() >= enough_signals_);
}

void Session::checkpoint(const evidence::Run& run) {
  const std::size_t distinct = distinct_of(run);
  const double now = monotonic_seconds();
  if (distinct > distinct_) {
    distinct_ = distinct;
    last_new_ = now;
  }
  quiet_ = quiet_for_long(now);
  if (spec_.checkpoint) spec_.checkpoint(run, phase());
}

double Session::seconds() const { return monotonic_seconds() - started_; }

void Session::give(Recorded& recorded) const {
  for (std::string& note : notes()) recorded.run.notes.push_back(std::move(note));
  recorded.ready_after = ready_after();
  if (!spec_.keep_output || !tap_) return;
  recorded.output = tap_->kept();
  recorded.output_dropped = tap_->dropped();
}

void Session::finish() {
  set_over("the recording has ended");
  if (driver_.joinable()) driver_.join();
  if (tap_) {
    const int signals = SignalCatcher::caught();
    tap_->finish([signals] { return SignalCatcher::caught() > signals; });
  }
  hand_on_warnings();
}

}  // namespace whittle::record
