#include "trial/notify_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "host/keeper.h"
#include "host/kernel.h"
#include "record/process_tree.h"
#include "trial/notify_filter.h"

namespace whittle::trial {
namespace {

using profile::Action;
using testing::HasSubstr;

constexpr std::uint32_t kMkdir = SYS_mkdir;

// Answers the listed calls so, and allows the rest.
filter::Program answering(const std::vector<std::pair<int, std::uint32_t>>& answers,
                          std::uint32_t rest = SECCOMP_RET_ALLOW) {
  filter::Program program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const auto& [nr, answer] : answers) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(nr), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, rest));
  return program;
}

struct Ran {
  ExitStatus status;
  std::vector<Denial> refused;
  std::vector<Denial> fallbacks;
  std::map<std::string, std::uint64_t> lost;
  Error error;

  const Denial* first(std::uint32_t nr) const {
    for (const Denial& call : refused) {
      if (call.nr == nr) return &call;
    }
    return nullptr;
  }
  std::uint64_t count(std::uint32_t nr) const {
    std::uint64_t sum = 0;
    for (const Denial& call : refused) sum += call.nr == nr ? call.count : 0;
    return sum;
  }
};

// `asked` is called with the command's id while a getppid waits for its answer.
Ran run(const filter::Program& program, bool enforce, const std::vector<std::string>& argv,
        bool wait_killable = true, const std::function<void(pid_t)>& asked = {}) {
  host::LaunchSpec spec;
  spec.program = find_program(argv.at(0)).value();
  spec.argv = argv;
  spec.no_new_privileges = true;
  spec.listen = true;
  spec.wait_killable = wait_killable;
  spec.filter = asking_program(program);
  Ran ran;
  auto kept = host::Kept::start(spec);
  if (!kept) {
    ran.error = kept.error();
    return ran;
  }
  NotifyServer server(std::move(kept->listener()),
                      {.program = program,
                       .enforce = enforce,
                       .start = monotonic_seconds(),
                       .is_fallback = [&asked, pid = kept->pid()](const Denial& call) {
                         if (asked && call.nr == SYS_getppid) asked(pid);
                         return call.syscall == "clone3";
                       }});
  server.start();
  const auto started = kept->started();
  if (!started) ran.error = started.error();
  while (started && !kept->gone()) {
    pollfd polled = {kept->events_fd(), POLLIN, 0};
    ::poll(&polled, 1, -1);
    kept->update();
  }
  server.finish();
  ran.status = kept->status().value_or(ExitStatus{});
  ran.refused = server.denials();
  ran.fallbacks = server.fallbacks();
  ran.lost = server.lost();
  return ran;
}

Ran shell(const filter::Program& program, bool enforce, const std::string& script) {
  return run(program, enforce, {"/bin/sh", "-c", script});
}

TEST(NotifyServer, InLogModeTheCallGoesOnAndCounts) {
  auto directory = TemporaryDirectory::create("notify_test");
  const Ran ran = shell(answering({{SYS_mkdir, SECCOMP_RET_ERRNO | EPERM}}), false,
                        format("mkdir {0}/a && mkdir {0}/b", directory->path()));
  EXPECT_TRUE(ran.status.success()) << ran.error.message;
  EXPECT_EQ(ran.count(kMkdir), 2U);
  ASSERT_NE(ran.first(kMkdir), nullptr);
  EXPECT_EQ(ran.first(kMkdir)->verdict, (profile::Verdict{Action::kErrno, EPERM}));
  EXPECT_EQ(ran.first(kMkdir)->comm, "mkdir");
  EXPECT_EQ(ran.first(kMkdir)->phase, "startup");
}

TEST(NotifyServer, UnderEnforceTheCallerGetsTheErrno) {
  const Ran ran = shell(answering({{SYS_mkdir, SECCOMP_RET_ERRNO | EXDEV}}), true,
                        "mkdir /tmp/x 2>&1 | grep -q cross-device");
  EXPECT_TRUE(ran.status.success());
  EXPECT_EQ(ran.count(kMkdir), 1U);
  // As the kernel has it with neither a tracer nor a listener.
  for (const std::uint32_t answer : {SECCOMP_RET_TRACE | 7U, SECCOMP_RET_USER_NOTIF}) {
    EXPECT_TRUE(shell(answering({{SYS_mkdir, answer}}), true,
                      "mkdir /tmp/x 2>&1 | grep -q 'not implemented'")
                    .status.success());
  }
}

TEST(NotifyServer, AFallbackIsRefusedInLogModeToo) {
  // Without it glibc's posix_spawn and pthread_create take clone.
  const Ran ran = shell(answering({{SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS}}), false,
                        "python3 -c 'import threading as t; x = t.Thread(target=print); x.start(); "
                        "x.join()' >&2");
  EXPECT_TRUE(ran.status.success());
  EXPECT_TRUE(ran.refused.empty());
  ASSERT_FALSE(ran.fallbacks.empty());
  EXPECT_EQ(ran.fallbacks[0].syscall, "clone3");
}

// A profile that refuses everything: every call of the program, from its execve on, is asked about.
TEST(NotifyServer, WorksWhenEverythingIsRefusedInLogMode) {
  const Ran ran =
      shell(answering({}, SECCOMP_RET_KILL_PROCESS), false, "true | true; (exit 4) & wait $!");
  EXPECT_EQ(ran.status.code, 4) << ran.error.message;
  EXPECT_GE(ran.count(SYS_execve), 1U);
  EXPECT_GE(ran.count(SYS_exit_group), 3U);
}

TEST(NotifyServer, TellsThatTheProfileRefusesExecve) {
  for (const std::uint32_t rest : {SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM}) {
    const Ran ran =
        shell(answering({{SYS_execve, SECCOMP_RET_ERRNO | EPERM}}, rest), true, "exit 0");
    EXPECT_EQ(ran.error.kind, ErrorKind::kInput) << ran.error.message;
    EXPECT_THAT(ran.error.hint, HasSubstr("must allow execve"));
  }
  const Ran ran = shell(answering({{SYS_execve, SECCOMP_RET_KILL_THREAD}}), true, "exit 0");
  EXPECT_EQ(ran.error.message, "cannot run /bin/sh: the profile kills execve");
}

TEST(NotifyServer, AKillIsBySigsysWhereThatKills) {
  for (const std::uint32_t kill : {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD}) {
    const Ran ran = run(answering({{SYS_mkdir, kill}}), true, {"mkdir", "/tmp/x"});
    EXPECT_EQ(ran.status.signal, SIGSYS);
    EXPECT_EQ(ran.count(kMkdir), 1U);
  }
  const Ran handled = run(answering({{SYS_mkdir, SECCOMP_RET_KILL_PROCESS}}), true,
                          {"python3", "-c",
                           "import os, signal\n"
                           "signal.signal(signal.SIGSYS, lambda *unused: os._exit(5))\n"
                           "os.mkdir('/tmp/x')"});
  EXPECT_EQ(handled.status.signal, SIGKILL);
}

TEST(NotifyServer, KnowsWhoMadeTheCall) {
  const Ran ran =
      run(answering({{SYS_mkdir, SECCOMP_RET_ERRNO | EPERM}}), true, {"mkdir", "/tmp/x"});
  const Denial* call = ran.first(kMkdir);
  ASSERT_NE(call, nullptr);
  EXPECT_GT(call->first.thread, 0);
  EXPECT_THAT(call->first.executable, HasSubstr("mkdir"));
  EXPECT_GE(call->first.time.value(), 0);
  ASSERT_GE(call->first.stack.size(), 2U);
  EXPECT_THAT(call->first.stack[0].object, HasSubstr("libc"));
  EXPECT_EQ(call->first.stack[0].symbol, "mkdir");
  EXPECT_FALSE(call->first.stack[0].build_id.empty());
  EXPECT_THAT(call->first.stack[1].object, HasSubstr("mkdir"));
}

TEST(NotifyServer, TellsCallsApartByWhatTheProgramLooksAt) {
  // prctl refused for option 1 and more; mkdir always.
  const filter::Program program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 100000, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const Ran ran = run(program, true,
                      {"python3", "-c",
                       "import ctypes\n"
                       "libc = ctypes.CDLL(None)\n"
                       "for i in range(300):\n"
                       "  libc.prctl(100000 + i % 3, i, 0, 0, 0)\n"});
  ASSERT_EQ(ran.refused.size(), 3U);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(ran.refused[i].args, (filter::Arguments{100000 + i, 0, 0, 0, 0, 0}));
    EXPECT_EQ(ran.refused[i].count, 100U);
  }
}

TEST(NotifyServer, OfACallThatIsAlwaysRefusedTheFirstAreShown) {
  const Ran ran = run(answering({{SYS_prctl, SECCOMP_RET_ERRNO | EPERM}}), true,
                      {"python3", "-c",
                       "import ctypes\n"
                       "libc = ctypes.CDLL(None)\n"
                       "for i in range(300):\n"
                       "  libc.prctl(100000 + i, 0, 0, 0, 0)\n"});
  EXPECT_EQ(ran.count(SYS_prctl), 300U);
  EXPECT_EQ(ran.refused.size(), 65U);
  EXPECT_EQ(ran.refused[0].args[0], 0U);
  EXPECT_EQ(ran.refused[0].count, 236U);
}

// Whether the kernel never makes a call again that was answered (linux, commit cce436aafc2a
// of 6.18: "seccomp: Fix a race with WAIT_KILLABLE_RECV if the tracer replies too fast").
bool calls_are_answered_once() {
  utsname names = {};
  ::uname(&names);
  return host::parse_kernel_version(names.release) >= host::KernelVersion{6, 18};
}

// Signals that come all the time take no call back, and none counts twice.
TEST(NotifyServer, UnderSignalsEveryCallCountsOnce) {
  const Ran ran = run(answering({{SYS_getppid, SECCOMP_RET_ERRNO | EPERM}}), true,
                      {WHITTLE_PROGRAMS "/denied", "signals", "5000"});
  EXPECT_TRUE(ran.status.success()) << ran.status.text();
  EXPECT_GE(ran.count(SYS_getppid), 5000U);
  if (calls_are_answered_once()) {
    EXPECT_EQ(ran.count(SYS_getppid), 5000U);
  }
}

// Without SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV they do take calls back, which are then made
// again. None is missing; one that was answered just as a signal came may count twice.
TEST(NotifyServer, UnderSignalsThatTakeCallsBackNoneIsMissing) {
  const Ran ran = run(answering({{SYS_getppid, SECCOMP_RET_ERRNO | EPERM}}), true,
                      {WHITTLE_PROGRAMS "/denied", "signals", "5000"}, false);
  EXPECT_TRUE(ran.status.success()) << ran.status.text();
  EXPECT_GE(ran.count(SYS_getppid), 5000U);
}

// A pipe that a command inherits.
struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  std::array<int, 2> ends{};
};

// Three times a signal takes the call back while it is looked at: of the four times that it is
// asked about, it counts when it is answered.
TEST(NotifyServer, WhatASignalTookBackCountsWhenItIsMadeAgain) {
  const Pipe handled;
  int times = 0;
  const Ran ran = run(answering({{SYS_getppid, SECCOMP_RET_ERRNO | EPERM}}), true,
                      {WHITTLE_PROGRAMS "/denied", "handles", std::to_string(handled.ends[1])},
                      false, [&](pid_t pid) {
                        if (++times > 3) return;
                        char byte = 0;
                        ::kill(pid, SIGUSR1);
                        EXPECT_EQ(::read(handled.ends[0], &byte, 1), 1);
                      });
  EXPECT_TRUE(ran.status.success()) << ran.status.text();
  EXPECT_EQ(times, 4);
  EXPECT_EQ(ran.count(SYS_getppid), 1U);
}

// With the flag the call waits on, in a sleep that only a fatal signal ends, and the handler comes
// after the answer.
TEST(NotifyServer, ASignalTakesNothingBackThatIsLookedAt) {
  const Pipe handled;
  int times = 0;
  const Ran ran = run(answering({{SYS_getppid, SECCOMP_RET_ERRNO | EPERM}}), true,
                      {WHITTLE_PROGRAMS "/denied", "handles", std::to_string(handled.ends[1])},
                      true, [&](pid_t pid) {
                        ++times;
                        ::kill(pid, SIGUSR1);
                        const double limit = monotonic_seconds() + 60;  // against hanging
                        while (!record::status_field(pid, "State").starts_with('D') &&
                               monotonic_seconds() < limit) {
                          ::usleep(1000);
                        }
                        pollfd polled = {handled.ends[0], POLLIN, 0};
                        EXPECT_EQ(::poll(&polled, 1, 0), 0);
                      });
  EXPECT_TRUE(ran.status.success()) << ran.status.text();
  EXPECT_EQ(times, 1);
  EXPECT_EQ(ran.count(SYS_getppid), 1U);
  char byte = 0;
  EXPECT_EQ(::read(handled.ends[0], &byte, 1), 1);
}

TEST(NotifyServer, CountsEveryCallOfManyThreads) {
  for (const bool enforce : {false, true}) {
    const Ran ran = run(answering({{SYS_getppid, SECCOMP_RET_ERRNO | EPERM}}), enforce,
                        {WHITTLE_PROGRAMS "/denied", "threads", "32", "1000"});
    EXPECT_TRUE(ran.status.success()) << ran.status.text();
    EXPECT_EQ(ran.count(SYS_getppid), 32000U);
  }
}

}  // namespace
}  // namespace whittle::trial
