// Recording what runs already: attach, follow, let go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "record/process_tree.h"
#include "record/ptrace_recorder.h"

namespace whittle::record {
namespace {

// tests/programs/ticking.c, our child, running.
class Ticking {
 public:
  Ticking() {
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string path = format("{}/ticking", WHITTLE_PROGRAMS);
      ::execl(path.c_str(), "ticking", nullptr);
      ::_exit(127);
    }
    // Until its second thread and its child are there.
    while (threads_of(pid_).size() < 2 || tree_of(pid_).size() < 2) ::usleep(1000);
  }
  ~Ticking() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Ticking(const Ticking&) = delete;
  Ticking& operator=(const Ticking&) = delete;

  pid_t pid() const { return pid_; }

  // The letter of its state in /proc/PID/stat: 't' is stopped by a tracer, 'T' by a signal.
  char state() const {
    const auto text = read_file(format("/proc/{}/stat", pid_), 4096);
    return text ? text->at(text->rfind(')') + 2) : '?';
  }

  // Waits for a state; false: it does not come.
  bool comes_to(char wanted) const {
    const double end = monotonic_seconds() + 10;
    while (state() != wanted && monotonic_seconds() < end) ::usleep(1000);
    return state() == wanted;
  }

  // Calls its SIGTERM handler, and so it ends as it does by itself.
  int end() const {
    int status = 0;
    ::kill(pid_, SIGTERM);
    return ::waitpid(pid_, &status, 0) == pid_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

std::uint64_t count(const evidence::Run& run, std::string_view name) {
  std::uint64_t sum = 0;
  for (const auto& seen : run.syscalls) sum += seen.name == name ? seen.count : 0;
  return sum;
}

// Asks to stop once the seconds are over.
std::function<bool()> after(double seconds) {
  return [end = monotonic_seconds() + seconds] { return monotonic_seconds() >= end; };
}

TEST(PtraceTree, FollowsARunningTreeAndLetsItGo) {
  const Ticking target;
  PtraceOptions options;
  options.stop_requested = after(0.4);
  const auto run = record_ptrace_tree(target.pid(), options);
  ASSERT_TRUE(run) << run.error().text();
  for (const char* name : {"getppid", "getuid", "getgid", "geteuid"}) {
    EXPECT_GT(count(*run, name), 2U) << name;
  }
  EXPECT_EQ(count(*run, "execve"), 0U);
  EXPECT_FALSE(run->complete);
  EXPECT_EQ(run->lost.at("late_start"), 1U);
  EXPECT_EQ(run->lost.at("tasks"), 0U);
  EXPECT_FALSE(run->exit);
  for (const pid_t process : tree_of(target.pid())) {
    for (const pid_t tid : threads_of(process)) EXPECT_EQ(tracer_of(tid), 0) << tid;
  }
  EXPECT_TRUE(target.comes_to('S'));  // it runs on, and is seen asleep between two calls
  EXPECT_EQ(target.end(), 7);
}

TEST(PtraceTree, SaysHowTheProcessEnded) {
  const Ticking target;
  PtraceOptions options;
  options.stop_requested = [&] {
    ::kill(target.pid(), SIGTERM);
    return false;
  };
  const auto run = record_ptrace_tree(target.pid(), options);
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_EQ(run->exit, 7);
  EXPECT_GT(count(*run, "exit_group"), 0U);
}

TEST(PtraceTree, WhatWasStoppedStaysSo) {
  const Ticking target;
  ::kill(target.pid(), SIGSTOP);
  ASSERT_TRUE(target.comes_to('T'));
  PtraceOptions options;
  options.stop_requested = after(0.3);
  const auto run = record_ptrace_tree(target.pid(), options);
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_EQ(count(*run, "getppid") + count(*run, "getuid"), 0U);
  EXPECT_GT(count(*run, "getgid"), 2U);  // its child was not stopped
  EXPECT_TRUE(target.comes_to('T'));     // at once, but for the moment that the kernel needs
  ::kill(target.pid(), SIGCONT);
  EXPECT_TRUE(target.comes_to('S'));
  EXPECT_EQ(target.end(), 7);
}

TEST(PtraceTree, WhatIsContinuedMeanwhileGoesOn) {
  const Ticking target;
  ::kill(target.pid(), SIGSTOP);
  ASSERT_TRUE(target.comes_to('T'));
  PtraceOptions options;
  options.stop_requested = [&, end = after(0.5), continued = false]() mutable {
    if (!std::exchange(continued, true)) ::kill(target.pid(), SIGCONT);
    return end();
  };
  const auto run = record_ptrace_tree(target.pid(), options);
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_GT(count(*run, "getppid"), 2U);
  EXPECT_EQ(target.end(), 7);
}

TEST(PtraceTree, AProcessThatIsNotThereIsAnError) {
  const auto run = record_ptrace_tree(1 << 30, {});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::kInput);
}

TEST(PtraceTree, AProcessThatIsTracedAlreadyIsAnError) {
  const Ticking target;
  const pid_t other = ::fork();
  if (other == 0) {
    PtraceOptions options;
    options.time_limit = 30;
    (void)record_ptrace_tree(target.pid(), options);
    ::_exit(0);
  }
  while (tracer_of(target.pid()) == 0) ::usleep(1000);
  const auto run = record_ptrace_tree(target.pid(), {});
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::kEnvironment);
  // Nor does the death of a tracer hurt it.
  EXPECT_EQ(target.end(), 7);
}

}  // namespace
}  // namespace whittle::record
