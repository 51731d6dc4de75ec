#include "host/exercises.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "host/workload_check.h"

namespace whittle::host {

namespace {

constexpr double kSettle = 0.5;       // seconds after a signal without `holds`
constexpr double kFirstPause = 0.02;  // between two looks at what must hold
constexpr double kLongestPause = 0.5;

// Signals are the main thread's: it acts on them at once.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

// One exercise, from its first try to its last.
class Run {
 public:
  Run(const Workload& workload, const Exercise& exercise, Running& running)
      : exercise_(exercise), running_(running) {
    setting_.directory = workload.directory;
    setting_.environment = {"WHITTLE_WORKLOAD=" + workload.name};
  }

  ExerciseResult run() {
    // Its time begins when its phase is in force: what that takes is not the workload's.
    running_.begin_phase(exercise_.name);
    setting_.environment.push_back(format("WHITTLE_PID={}", running_.main_process()));
    start_ = monotonic_seconds();
    deadline_ = start_ + exercise_.limit;
    if (exercise_.kind == Exercise::Kind::kWait) {
      running_.over().pause(start_ + exercise_.wait);
    } else {
      try_all();
    }
    const std::string unheld = hold();
    ExerciseResult result;
    result.name = exercise_.name;
    result.done = done_;
    result.failed = failed_;
    result.seconds = monotonic_seconds() - start_;
    const std::string wrong = failed_ != 0 ? tried_text() : unheld;
    const std::string short_of = shortfall();
    result.ok = wrong.empty() && short_of.empty() && !running_.over().is_set();
    result.detail = result.ok ? good_text() : problem_text(wrong, short_of);
    return result;
  }

 private:
  // How many are to be tried, when that is known.
  std::optional<std::uint64_t> wanted() const {
    if (exercise_.length) return std::nullopt;
    return exercise_.repeat;
  }

  void try_all() {
    const std::uint64_t most = wanted().value_or(UINT64_MAX);
    const unsigned workers =
        static_cast<unsigned>(std::min<std::uint64_t>(exercise_.concurrency, most));
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < workers; ++i) {
      threads.emplace_back([this] {
        block_signals();
        work();
      });
    }
    work();
    for (std::thread& thread : threads) thread.join();
  }

  // Takes the next number and tries, as long as there is one and its time comes before the end.
  void work() {
    enter_network_of(running_.main_process());
    Checker checker(exercise_.check, setting_, running_.over());
    const double end =
        exercise_.length ? std::min(deadline_, start_ + *exercise_.length) : deadline_;
    while (true) {
      const std::uint64_t number = next_++;
      if (number >= wanted().value_or(UINT64_MAX)) return;
      const double due =
          exercise_.rate ? start_ + static_cast<double>(number) / *exercise_.rate : start_;
      if (due >= end || !running_.over().pause(due) || monotonic_seconds() >= end) return;
      std::string problem =
          exercise_.kind == Exercise::Kind::kSignal ? send_signal() : checker.attempt(deadline_);
      // What the end of the workload broke off is told by that.
      if (!problem.empty() && running_.over().is_set()) return;
      // So is one of many that the limit broke off.
      if (!problem.empty() && exercise_.repeat > 1 && monotonic_seconds() >= deadline_) return;
      ++done_;
      if (problem.empty()) continue;
      ++failed_;
      const std::lock_guard lock(mutex_);
      if (first_problem_.empty()) first_problem_ = std::move(problem);
    }
  }

  std::string send_signal() {
    const pid_t pid = running_.main_process();
    if (pid != 0 && ::kill(pid, exercise_.signal) == 0) return {};
    return format("{} cannot be sent: {}", signal_name(exercise_.signal),
                  pid == 0 ? "the main process has ended" : ::strerrordesc_np(errno));
  }

  // What does not hold by the end of the limit; empty: all does.
  std::string hold() {
    if (exercise_.holds.empty()) {
      if (exercise_.kind == Exercise::Kind::kSignal) {
        running_.over().pause(monotonic_seconds() + kSettle);
      }
      return {};
    }
    enter_network_of(running_.main_process());
    for (const WorkloadCheck& check : exercise_.holds) {
      Checker checker(check, setting_, running_.over());
      double pause = kFirstPause;
      std::string problem = checker.attempt(deadline_);
      while (!problem.empty()) {
        const double next = monotonic_seconds() + pause;
        if (next >= deadline_ || !running_.over().pause(next)) return "does not hold: " + problem;
        pause = std::min(2 * pause, kLongestPause);
        std::string again = checker.attempt(deadline_);
        // The last answer says more than that there was no time for another.
        if (!again.empty() && monotonic_seconds() >= deadline_) {
          return "does not hold: " + problem;
        }
        problem = std::move(again);
      }
    }
    return {};
  }

  std::string tried_text() const {
    return done_ == 1 ? first_problem_
                      : format("{} of {} failed; the first: {}", failed_.load(), done_.load(),
                               first_problem_);
  }

  // That not all was done within the limit.
  std::string shortfall() const {
    if (exercise_.kind == Exercise::Kind::kWait) return {};
    const std::uint64_t done = done_;
    if (wanted() && done < *wanted()) {
      return format("{} of {} done within its limit of {:g} s", done, *wanted(), exercise_.limit);
    }
    if (exercise_.length && *exercise_.length > exercise_.limit) {
      return format("its limit of {:g} s was over before its length", exercise_.limit);
    }
    if (exercise_.length && done == 0) return "nothing was tried";
    return {};
  }

  std::string problem_text(const std::string& wrong, const std::string& short_of) const {
    if (!running_.over().is_set()) return wrong.empty() ? short_of : wrong;
    const std::string over = running_.over_text();
    return wrong.empty() ? over : wrong + "; " + over;
  }

  std::string good_text() const {
    const double seconds = monotonic_seconds() - start_;
    if (exercise_.kind == Exercise::Kind::kWait) return format("waited {:g} s", exercise_.wait);
    const std::string what = exercise_.kind == Exercise::Kind::kSignal
                                 ? signal_name(exercise_.signal) + " sent"
                                 : check_text(exercise_.check);
    return done_ == 1 ? format("{}, {:.2f} s", what, seconds)
                      : format("{}, {} times in {:.2f} s", what, done_.load(), seconds);
  }

  const Exercise& exercise_;
  Running& running_;
  CheckSetting setting_;
  double start_ = 0;
  double deadline_ = 0;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> failed_{0};
  mutable std::mutex mutex_;
  std::string first_problem_;
};

}  // namespace

void enter_network_of(pid_t process) {
  if (process == 0) return;
  const std::string theirs = format("/proc/{}/ns/net", process);
  struct stat ours = {};
  struct stat other = {};
  if (::stat("/proc/thread-self/ns/net", &ours) != 0 || ::stat(theirs.c_str(), &other) != 0 ||
      ours.st_ino == other.st_ino) {
    return;
  }
  const UniqueFd fd(::open(theirs.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.valid()) ::setns(fd.get(), CLONE_NEWNET);
}

std::vector<ExerciseResult> run_exercises(const Workload& workload, Running& running) {
  std::vector<ExerciseResult> results(workload.exercises.size());
  std::vector<std::thread> background;
  for (std::size_t i = 0; i < workload.exercises.size(); ++i) {
    const Exercise& exercise = workload.exercises[i];
    if (running.over().is_set()) {
      results[i].name = exercise.name;
      results[i].detail = "not tried: " + running.over_text();
      continue;
    }
    if (!exercise.background) {
      results[i] = Run(workload, exercise, running).run();
      continue;
    }
    background.emplace_back([&workload, &exercise, &running, &result = results[i]] {
      block_signals();
      result = Run(workload, exercise, running).run();
    });
  }
  for (std::thread& thread : background) thread.join();
  return results;
}

}  // namespace whittle::host
