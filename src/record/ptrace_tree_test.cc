// Recording what runs already: attach, follow, let go.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/clock.h"
#include "base/fd.h"
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
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK), 0);
    told_ = UniqueFd(ends[0]);
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string path = format("{}/ticking", WHITTLE_PROGRAMS);
      ::execl(path.c_str(), "ticking", std::to_string(ends[1]).c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    // Until its second thread and its child are there, and past their start: the child, too, asks
    // for its parent once.
    while (!made("pug", 1)) ::usleep(1000);
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
    const double end = monotonic_seconds() + 60;
    while (state() != wanted && monotonic_seconds() < end) ::usleep(1000);
    return state() == wanted;
  }

  // Stops it by a signal, and waits until each of its threads has stopped.
  void stop() const {
    ::kill(pid_, SIGSTOP);
    siginfo_t info = {};  // comes when the last of them has
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED), 0);
    ASSERT_TRUE(comes_to('T'));
  }

  // From now on: whether each of these calls was made so often that a recorder which followed them
  // all the time has counted three at least. What was under way just now may be none of them.
  void count_anew() {
    (void)made_often("");
    told_counts_.clear();
  }
  bool made_often(std::string_view calls) { return made(calls, 5); }

  // Calls its SIGTERM handler, and so it ends as it does by itself.
  int end() const {
    int status = 0;
    ::kill(pid_, SIGTERM);
    return ::waitpid(pid_, &status, 0) == pid_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  bool made(std::string_view calls, int times) {
    std::array<char, 4096> buffer;
    for (ssize_t n = 0; (n = ::read(told_.get(), buffer.data(), buffer.size())) > 0;) {
      for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(n))) {
        ++told_counts_[c];
      }
    }
    return std::all_of(calls.begin(), calls.end(),
                       [&](char c) { return told_counts_[c] >= times; });
  }

  pid_t pid_ = -1;
  UniqueFd told_;  // its calls, a letter each
  std::map<char, int> told_counts_;
};

std::uint64_t count(const evidence::Run& run, std::string_view name) {
  std::uint64_t sum = 0;
  for (const auto& seen : run.syscalls) sum += seen.name == name ? seen.count : 0;
  return sum;
}

// Asks to stop once these calls, as ticking.c tells of them, were made often while it was attached.
PtraceOptions until_made_often(Ticking& target, std::string_view calls) {
  PtraceOptions options;
  options.attached = [&target](std::size_t) { target.count_anew(); };
  options.stop_requested = [&target, calls] { return target.made_often(calls); };
  return options;
}

TEST(PtraceTree, FollowsARunningTreeAndLetsItGo) {
  Ticking target;
  const PtraceOptions options = until_made_often(target, "pugG");
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
  Ticking target;
  target.stop();
  const PtraceOptions options = until_made_often(target, "g");
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
  Ticking target;
  target.stop();
  PtraceOptions options = until_made_often(target, "p");
  options.stop_requested = [often = options.stop_requested, &target, continued = false]() mutable {
    if (!std::exchange(continued, true)) ::kill(target.pid(), SIGCONT);
    return often();
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
