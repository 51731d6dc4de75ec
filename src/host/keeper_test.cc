#include "host/keeper.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {
namespace {

// Under a filter that has a listener, and asks nothing.
LaunchSpec shell(const std::string& script) {
  LaunchSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", script};
  spec.no_new_privileges = true;
  spec.listen = true;
  spec.filter = filter::Program{BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  return spec;
}

Result<Kept> started(const LaunchSpec& spec) {
  TRY_ASSIGN(Kept kept, Kept::start(spec));
  TRY(kept.started());
  return kept;
}

void wait_until_gone(Kept& kept) {
  while (!kept.gone()) {
    pollfd polled = {kept.events_fd(), POLLIN, 0};
    ::poll(&polled, 1, -1);
    kept.update();
  }
}

// A pipe whose reading end sees the end of file once nobody of a tree has the writing end any more.
struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    ::close(ends[0]);
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_writer() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  // What was written until the end.
  std::string rest() {
    std::string text;
    char byte = 0;
    while (::read(ends[0], &byte, 1) == 1) text += byte;
    return text;
  }
  int ends[2] = {-1, -1};
};

TEST(Keeper, TellsHowTheCommandEnded) {
  auto kept = started(shell("exit 3"));
  ASSERT_TRUE(kept) << kept.error().text();
  wait_until_gone(*kept);
  EXPECT_EQ(kept->status()->code, 3);
  auto killed = started(shell("kill -TERM $$"));
  ASSERT_TRUE(killed);
  wait_until_gone(*killed);
  EXPECT_EQ(killed->status()->signal, SIGTERM);
}

TEST(Keeper, HandsTheListenerOver) {
  auto kept = started(shell("exit 0"));
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->listener().fd.valid());
  wait_until_gone(*kept);
  pollfd polled = {kept->listener().fd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&polled, 1, 60'000), 1);
  EXPECT_NE(polled.revents & POLLHUP, 0) << "no task has the filter any more";
}

TEST(Keeper, WaitsForWhatTheCommandLeavesBehind) {
  Pipe go;
  auto kept = started(shell(format("(read -r line <&{}) & exit 0", go.ends[0])));
  ASSERT_TRUE(kept);
  while (!kept->status()) {
    pollfd polled = {kept->events_fd(), POLLIN, 0};
    ::poll(&polled, 1, -1);
    kept->update();
  }
  EXPECT_FALSE(kept->gone());
  ASSERT_EQ(::write(go.ends[1], "\n", 1), 1);
  wait_until_gone(*kept);
}

TEST(Keeper, SignalsTheCommandAloneOrAllThatAreOrphaned) {
  auto kept = started(shell("trap 'exit 5' USR1; while :; do sleep 1 & wait; done"));
  ASSERT_TRUE(kept);
  // It may have to come to its trap first; then it dies of the signal.
  kept->signal(SIGUSR1);
  while (!kept->status()) {
    pollfd polled = {kept->events_fd(), POLLIN, 0};
    ::poll(&polled, 1, -1);
    kept->update();
  }
  EXPECT_TRUE(kept->status()->code == 5 || kept->status()->signal == SIGUSR1);
  kept->signal_all(SIGTERM);
  wait_until_gone(*kept);
}

TEST(Keeper, KillEndsTheWholeTree) {
  Pipe alive;
  auto kept =
      started(shell("setsid sh -c 'trap \"\" TERM HUP INT; (sleep 1000 & sleep 1000) & "
                    "echo up; sleep 1000' & wait"));
  ASSERT_TRUE(kept);
  alive.close_writer();  // the keeper and the tree have it
  kept->kill();
  wait_until_gone(*kept);
  EXPECT_EQ(kept->status()->signal, SIGKILL);
  EXPECT_EQ(alive.rest(), "");
}

TEST(Keeper, TheTreeDiesWithUs) {
  Pipe alive;
  const pid_t whittle = ::fork();
  if (whittle == 0) {
    auto kept =
        started(shell(format("setsid sh -c '(sleep 1000 & sleep 1000) & sleep 1000' & "
                             "echo up >&{}; wait",
                             alive.ends[1])));
    char bytes[3];
    if (!kept || ::read(alive.ends[0], bytes, 3) != 3) ::_exit(1);
    ::raise(SIGKILL);
  }
  alive.close_writer();
  int status = 0;
  ASSERT_EQ(::waitpid(whittle, &status, 0), whittle);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(alive.rest(), "");  // comes when the last of the tree is dead
}

TEST(Keeper, TheCommandDiesWithTheKeeper) {
  auto kept = started(shell("exec sleep 1000"));
  ASSERT_TRUE(kept);
  const auto status = read_file(format("/proc/{}/stat", kept->pid()));
  ASSERT_TRUE(status);
  const auto fields = split(status->substr(status->rfind(')') + 2), ' ');
  ::kill(static_cast<pid_t>(parse_u64(fields[1]).value()), SIGKILL);  // its parent
  wait_until_gone(*kept);
  EXPECT_EQ(kept->status()->signal, SIGKILL);
}

TEST(Keeper, GivesTheErrorOfExecve) {
  LaunchSpec spec = shell("exit 0");
  spec.program = "/nonexistent";
  const auto kept = started(spec);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().message, "cannot run /nonexistent: No such file or directory");
  EXPECT_EQ(kept.error().kind, ErrorKind::kInput);
}

TEST(Keeper, GivesTheErrorOfTheFilter) {
  LaunchSpec spec = shell("exit 0");
  spec.filter = filter::Program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3)};
  const auto kept = Kept::start(spec);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().message, "cannot load the filter: Invalid argument");
  spec.filter = filter::Program(4090, BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const auto longer = Kept::start(spec);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().kind, ErrorKind::kEnvironment);
}

TEST(Kept, WithoutAListener) {
  LaunchSpec spec = shell("exit 5");
  spec.listen = false;
  spec.filter.reset();
  auto kept = started(spec);
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_FALSE(kept->listener().fd.valid());
  EXPECT_GT(kept->keeper(), 0);
  wait_until_gone(*kept);
  EXPECT_EQ(kept->status()->code, 5);
  spec.program = "/nonexistent";
  EXPECT_EQ(started(spec).error().kind, ErrorKind::kInput);
}

// The exception for handing the listener over is for that one call alone.
TEST(Listener, OnlyTheCallWithTheWordsPasses) {
  const filter::Program refusing = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  const HandoverWords words = {0x1122334455667788, 0x99aabbccddeeff00};
  const filter::Program program = with_handover(refusing, words);
  ASSERT_TRUE(filter::check(program));
  const auto passes = [&](std::uint32_t nr, const filter::Arguments& args) {
    return filter::evaluate(program, filter::call(syscalls::host_arch(), nr, args))->allows();
  };
  const auto sendmsg = static_cast<std::uint32_t>(SYS_sendmsg);
  EXPECT_TRUE(passes(sendmsg, {7, 8, 9, words[0], words[1], 0}));
  EXPECT_FALSE(passes(sendmsg + 1, {7, 8, 9, words[0], words[1], 0}));
  for (unsigned bit = 0; bit < 64; ++bit) {
    EXPECT_FALSE(passes(sendmsg, {7, 8, 9, words[0] ^ (1ULL << bit), words[1], 0}));
    EXPECT_FALSE(passes(sendmsg, {7, 8, 9, words[0], words[1] ^ (1ULL << bit), 0}));
  }
}

}  // namespace
}  // namespace whittle::host
