#include "record/orphans.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"

namespace whittle::record {
namespace {

// Starts a child that starts another in a session of its own, and ends; the id of that other.
pid_t leave_behind(bool stubborn) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::fork() != 0) ::_exit(0);
    ::setsid();
    if (stubborn) ::signal(SIGUSR1, SIG_IGN);
    const pid_t own = ::getpid();
    const bool told = ::write(writer.get(), &own, sizeof own) == sizeof own;
    while (told) ::pause();
    ::_exit(1);
  }
  ::waitpid(child, nullptr, 0);
  pid_t left = 0;
  EXPECT_EQ(::read(reader.get(), &left, sizeof left), static_cast<ssize_t>(sizeof left));
  return left;
}

// Whether it goes, within a minute, while we reap.
bool goes(Orphans& orphans, pid_t pid) {
  const double start = monotonic_seconds();
  while (::kill(pid, 0) == 0 && monotonic_seconds() - start < 60) {
    orphans.reap(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ::kill(pid, 0) != 0;
}

TEST(Orphans, AreAskedAndWaitedFor) {
  Orphans orphans;
  const pid_t left = leave_behind(false);
  orphans.reap(0);
  EXPECT_EQ(::kill(left, 0), 0);
  orphans.ask(SIGUSR1);
  EXPECT_TRUE(goes(orphans, left));
}

TEST(Orphans, AreKilledWhenTheyDoNotGo) {
  Orphans orphans;
  const pid_t left = leave_behind(true);
  orphans.ask(SIGUSR1);
  orphans.ask(SIGUSR1);
  orphans.reap(0);
  EXPECT_EQ(::kill(left, 0), 0);
  orphans.kill();
  EXPECT_TRUE(goes(orphans, left));
}

TEST(Orphans, LeaveTheCommandToItsOwner) {
  Orphans orphans;
  const pid_t command = ::fork();
  if (command == 0) ::_exit(7);
  siginfo_t info = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(command), &info, WEXITED | WNOWAIT), 0);
  orphans.reap(command);
  int status = 0;
  EXPECT_EQ(::waitpid(command, &status, 0), command);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

}  // namespace
}  // namespace whittle::record
