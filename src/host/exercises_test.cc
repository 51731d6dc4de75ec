#include "host/exercises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <mutex>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// Stands for a workload that runs: its main process is a sleep(1) of ours.
class Sleeper : public Running {
 public:
  Sleeper() {
    std::string name = "sleep";
    std::string time = "1000";
    std::array<char*, 3> argv = {name.data(), time.data(), nullptr};
    EXPECT_EQ(::posix_spawnp(&pid_, "sleep", nullptr, nullptr, argv.data(), environ), 0);
  }
  ~Sleeper() override { end(); }

  void begin_phase(const std::string& name) override {
    ::usleep(static_cast<useconds_t>(phase_takes * 1e6));
    const std::lock_guard lock(mutex_);
    phases_.push_back(name);
    phase_began = monotonic_seconds();
  }
  pid_t main_process() const override { return pid_; }
  const Cancel& over() const override { return over_; }
  std::string over_text() const override { return "the workload has ended: exit status 7"; }

  void end() {
    over_.set();
    if (pid_ != 0) ::kill(pid_, SIGKILL);
    wait();
  }
  // The signal that ended it.
  int wait() {
    int status = 0;
    if (pid_ != 0) ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WTERMSIG(status);
  }
  const std::vector<std::string>& phases() const { return phases_; }

  double phase_takes = 0;  // seconds until it is in force
  double phase_began = 0;  // when it was: monotonic_seconds()

 private:
  pid_t pid_ = 0;
  Cancel over_;
  std::mutex mutex_;
  std::vector<std::string> phases_;
};

Exercise shell(const std::string& name, const std::string& script) {
  Exercise exercise;
  exercise.name = name;
  exercise.check.command = {"sh", "-c", script};
  return exercise;
}

Workload workload_of(std::vector<Exercise> exercises) {
  Workload workload;
  workload.name = "w";
  workload.directory = "/";
  workload.exercises = std::move(exercises);
  return workload;
}

TEST(Exercises, OneResultEachInOrder) {
  Sleeper running;
  Exercise idle;
  idle.name = "idle";
  idle.kind = Exercise::Kind::kWait;
  idle.wait = 0.01;
  const Workload workload =
      workload_of({shell("good", "true"), shell("bad", "echo why; exit 4"), idle});
  const auto results = run_exercises(workload, running);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_TRUE(results[0].ok) << results[0].detail;
  EXPECT_EQ(results[0].done, 1U);
  EXPECT_FALSE(results[1].ok);
  EXPECT_EQ(results[1].failed, 1U);
  EXPECT_EQ(results[1].detail, "command echo why; exit 4: exit status 4; it printed: why");
  EXPECT_TRUE(results[2].ok) << results[2].detail;
  EXPECT_THAT(running.phases(), ElementsAre("good", "bad", "idle"));
}

TEST(Exercises, RepeatedByManyAtOnce) {
  const auto directory = TemporaryDirectory::create("whittle-exercises-test.");
  ASSERT_TRUE(directory);
  Sleeper running;
  Exercise exercise =
      shell("many", "echo >> count; test \"$WHITTLE_WORKLOAD\" = w && kill -0 $WHITTLE_PID");
  exercise.repeat = 30;
  exercise.concurrency = 4;
  Workload workload = workload_of({exercise});
  workload.directory = directory->path();
  const auto results = run_exercises(workload, running);
  EXPECT_TRUE(results[0].ok) << results[0].detail;
  EXPECT_EQ(results[0].done, 30U);
  EXPECT_EQ(read_file(directory->path() + "/count").value().size(), 30U);
}

TEST(Exercises, HoweverOftenTheFirstFailureIsTold) {
  Sleeper running;
  Exercise exercise = shell("some", "exit 9");
  exercise.repeat = 3;
  const auto results = run_exercises(workload_of({exercise}), running);
  EXPECT_FALSE(results[0].ok);
  EXPECT_EQ(results[0].failed, 3U);
  EXPECT_THAT(results[0].detail, StartsWith("3 of 3 failed; the first: command exit 9"));
}

TEST(Exercises, ASignalReachesTheMainProcess) {
  Sleeper running;
  Exercise exercise;
  exercise.name = "reload";
  exercise.kind = Exercise::Kind::kSignal;
  exercise.signal = SIGUSR1;
  exercise.holds = {shell("", "true").check};
  const auto results = run_exercises(workload_of({exercise}), running);
  EXPECT_TRUE(results[0].ok) << results[0].detail;
  EXPECT_EQ(running.wait(), SIGUSR1);
}

TEST(Exercises, ItsTimeBeginsWithItsPhase) {
  Sleeper running;
  running.phase_takes = 0.1;
  const auto results = run_exercises(workload_of({shell("first", "true")}), running);
  EXPECT_TRUE(results[0].ok) << results[0].detail;
  EXPECT_LE(results[0].seconds, monotonic_seconds() - running.phase_began);
}

TEST(Exercises, WhatMustHoldIsTriedUntilItDoes) {
  const auto directory = TemporaryDirectory::create("whittle-exercises-test.");
  ASSERT_TRUE(directory);
  Sleeper running;
  Exercise exercise = shell("later", "true");
  exercise.holds = {shell("", "echo >> tries; test $(wc -l < tries) -ge 3").check};
  Workload workload = workload_of({exercise});
  workload.directory = directory->path();
  const auto results = run_exercises(workload, running);
  EXPECT_TRUE(results[0].ok) << results[0].detail;
  EXPECT_EQ(read_file(directory->path() + "/tries").value().size(), 3U);
}

TEST(Exercises, WhatDoesNotHoldWithinTheLimitFails) {
  Sleeper running;
  Exercise exercise;
  exercise.name = "never";
  exercise.kind = Exercise::Kind::kWait;  // nothing that may not be done in time itself
  exercise.limit = 0.3;
  exercise.holds = {shell("", "exit 3").check};
  const auto results = run_exercises(workload_of({exercise}), running);
  EXPECT_FALSE(results[0].ok);
  EXPECT_THAT(results[0].detail, HasSubstr("does not hold: command exit 3"));
}

TEST(Exercises, NotAllWithinTheLimitFails) {
  Sleeper running;
  Exercise exercise = shell("slow", "sleep 0.1");
  exercise.repeat = 1000;
  exercise.limit = 0.3;
  const auto results = run_exercises(workload_of({exercise}), running);
  EXPECT_FALSE(results[0].ok);
  EXPECT_THAT(results[0].detail, HasSubstr("of 1000 done within its limit of 0.3 s"));
}

TEST(Exercises, TheEndOfTheWorkloadIsTheirs) {
  Sleeper running;
  running.end();
  const auto results =
      run_exercises(workload_of({shell("a", "true"), shell("b", "true")}), running);
  for (const ExerciseResult& result : results) {
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.detail, "not tried: the workload has ended: exit status 7");
    EXPECT_EQ(result.done, 0U);
  }
}

TEST(Exercises, InTheBackground) {
  const auto directory = TemporaryDirectory::create("whittle-exercises-test.");
  ASSERT_TRUE(directory);
  Sleeper running;
  // It ends when the next one has begun.
  Exercise first = shell("first", "mkfifo a; read x < a; echo > done");
  first.background = true;
  const Exercise next = shell("next", "until test -p a; do sleep 0.01; done; echo > a");
  Workload workload = workload_of({first, next});
  workload.directory = directory->path();
  const auto results = run_exercises(workload, running);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_TRUE(results[0].ok) << results[0].detail;
  EXPECT_TRUE(results[1].ok) << results[1].detail;
  EXPECT_TRUE(read_file(directory->path() + "/done"));
}

}  // namespace
}  // namespace whittle::host
