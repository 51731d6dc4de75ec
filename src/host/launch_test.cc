#include "host/launch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {
namespace {

using testing::HasSubstr;

sock_filter statement(unsigned code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}

// Answers the listed calls so, and allows the rest.
filter::Program answering(const std::vector<std::pair<int, std::uint32_t>>& answers) {
  filter::Program program = {statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const auto& [nr, answer] : answers) {
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(nr)});
    program.push_back(statement(BPF_RET | BPF_K, answer));
  }
  program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return program;
}

std::uint32_t errno_answer(unsigned error) { return SECCOMP_RET_ERRNO | error; }

LaunchSpec shell(const std::string& script) {
  LaunchSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", script};
  return spec;
}

// No shell between: what it would start outlives it, and holds the test's output open.
LaunchSpec sleeper() {
  LaunchSpec spec;
  spec.program = "/bin/sleep";
  spec.argv = {"sleep", "100"};
  return spec;
}

LaunchSpec filtered(LaunchSpec spec, filter::Program program) {
  spec.filter = std::move(program);
  spec.no_new_privileges = true;
  return spec;
}

ExitStatus run(const LaunchSpec& spec) {
  auto child = launch(spec);
  EXPECT_TRUE(child);
  const auto released = child->release();
  EXPECT_TRUE(released) << released.error().text();
  return child->wait();
}

Error failure(const LaunchSpec& spec) {
  auto child = launch(spec);
  EXPECT_TRUE(child);
  const auto released = child->release();
  if (released) {
    ADD_FAILURE() << "it ran";
    return {};
  }
  return released.error();
}

// What the script prints, through a file: standard output is inherited.
std::string printed_by(const std::string& script, LaunchSpec spec = {}) {
  auto directory = TemporaryDirectory::create("launch_test");
  const std::string path = directory->path() + "/out";
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", "exec >" + path + "; " + script};
  EXPECT_TRUE(run(spec).success());
  return read_file(path).value_or("no output");
}

TEST(Launch, TellsTheExitStatusAndTheSignal) {
  EXPECT_EQ(run(shell("exit 7")).code, 7);
  EXPECT_EQ(run(shell("kill -TERM $$")).signal, SIGTERM);
}

TEST(Launch, HoldsTheProgramUntilRelease) {
  auto directory = TemporaryDirectory::create("launch_test");
  const std::string mark = directory->path() + "/mark";
  auto child = launch(shell("touch " + mark));
  ASSERT_TRUE(child);
  ::usleep(20'000);
  EXPECT_NE(::access(mark.c_str(), F_OK), 0);
  EXPECT_FALSE(child->poll());
  ASSERT_TRUE(child->release());
  EXPECT_TRUE(child->wait().success());
  EXPECT_EQ(::access(mark.c_str(), F_OK), 0);
  EXPECT_TRUE(child->wait().success()) << "a second wait gives the same";
}

TEST(Launch, ReleaseReturnsWhenTheProgramRuns) {
  auto child = launch(sleeper());
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->release());
  EXPECT_EQ(read_file(format("/proc/{}/comm", child->pid())).value(), "sleep\n");
}

TEST(Launch, AProgramThatExitsWith127DidRun) { EXPECT_EQ(run(shell("exit 127")).code, 127); }

TEST(Launch, KillsTheChildThatWasNotWaitedFor) {
  pid_t held = 0;
  pid_t running = 0;
  {
    auto first = launch(shell("exit 0"));
    auto second = launch(sleeper());
    ASSERT_TRUE(second->release());
    held = first->pid();
    running = second->pid();
  }
  EXPECT_EQ(::kill(held, 0), -1);
  EXPECT_EQ(::kill(running, 0), -1);
}

TEST(Launch, AssignmentKillsTheChildThatItReplaces) {
  auto first = launch(sleeper());
  const pid_t pid = first->pid();
  *first = launch(shell("exit 3")).value();
  EXPECT_EQ(::kill(pid, 0), -1);
  ASSERT_TRUE(first->release());
  EXPECT_EQ(first->wait().code, 3);
}

// The child of a launcher that dies before the release dies too, also while another child holds
// copies of the launcher's descriptors.
TEST(Launch, AHeldChildDiesWithItsLauncher) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t launcher = ::fork();
  if (launcher == 0) {
    auto first = launch(shell("exit 0"));
    auto second = launch(shell("exit 0"));
    const pid_t pids[2] = {first->pid(), second->pid()};
    if (::write(ends[1], pids, sizeof pids) != sizeof pids) ::_exit(1);
    ::raise(SIGKILL);
  }
  ::close(ends[1]);
  pid_t pids[2] = {};
  ASSERT_EQ(::read(ends[0], pids, sizeof pids), static_cast<ssize_t>(sizeof pids));
  // End of file: the launcher and both children, which have copies of the pipe, are gone.
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  ::close(ends[0]);
  ::waitpid(launcher, nullptr, 0);
}

TEST(Launch, AReleasedChildOutlivesItsLauncher) {
  auto directory = TemporaryDirectory::create("launch_test");
  const std::string mark = directory->path() + "/mark";
  const pid_t launcher = ::fork();
  if (launcher == 0) {
    auto child = launch(shell("sleep 0.05; echo done >" + mark));
    if (!child->release()) ::_exit(1);
    ::raise(SIGKILL);
  }
  ::waitpid(launcher, nullptr, 0);
  const double limit = monotonic_seconds() + 60;
  while (read_file(mark).value_or("") != "done\n" && monotonic_seconds() < limit) ::usleep(10'000);
  EXPECT_EQ(read_file(mark).value_or("nothing"), "done\n");
}

TEST(Launch, ResetsSignals) {
  sigset_t usr1;
  sigset_t before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &usr1, &before);
  auto* const old = ::signal(SIGPIPE, SIG_IGN);
  const std::string seen = printed_by("grep -E 'SigBlk|SigIgn' /proc/self/status");
  sigset_t after;
  ::sigprocmask(SIG_SETMASK, &before, &after);
  ::signal(SIGPIPE, old);
  EXPECT_EQ(seen, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  EXPECT_EQ(::sigismember(&after, SIGUSR1), 1) << "our own mask is as it was";
}

TEST(Launch, LeavesNoDescriptorOpen) {
  EXPECT_EQ(printed_by("for f in /proc/self/fd/*; do case $(readlink $f) in socket:*) "
                       "echo socket;; esac; done"),
            "");
}

TEST(Launch, SendsOutputToStandardError) {
  LaunchSpec spec = shell("test /proc/self/fd/1 -ef /proc/self/fd/2");
  spec.output_to_stderr = true;
  EXPECT_TRUE(run(spec).success());
}

TEST(Launch, NamesTheErrorOfExecve) {
  LaunchSpec spec = shell("exit 0");
  spec.program = "/nonexistent";
  EXPECT_EQ(failure(spec).message, "cannot run /nonexistent: No such file or directory");
  EXPECT_EQ(failure(spec).kind, ErrorKind::kInput);
  auto directory = TemporaryDirectory::create("launch_test");
  spec.program = directory->path() + "/text";
  ASSERT_TRUE(write_file(spec.program, "not a program\n"));
  ::chmod(spec.program.c_str(), 0755);
  EXPECT_EQ(failure(spec).text(), "cannot run " + spec.program + ": Exec format error");
}

TEST(Launch, ATracerReleasesInTwoSteps) {
  auto child = launch(shell("exit 6"));
  ASSERT_TRUE(child);
  const pid_t pid = child->pid();
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACEEXEC), 0);
  ASSERT_TRUE(child->begin_release());
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_EXEC << 8);
  EXPECT_TRUE(child->finish_release()) << "though it is still stopped";
  EXPECT_FALSE(child->poll()) << "a stop is no end";
  ASSERT_EQ(::ptrace(PTRACE_DETACH, pid, nullptr, nullptr), 0);
  EXPECT_EQ(child->wait().code, 6);
}

TEST(LaunchFiltered, TheProgramRunsUnderTheFilter) {
  const auto program = answering({{SYS_mkdir, errno_answer(EXDEV)}});
  EXPECT_THAT(
      printed_by("grep Seccomp: /proc/self/status; mkdir x 2>&1 || true", filtered({}, program)),
      testing::AllOf(HasSubstr("Seccomp:\t2"), HasSubstr("Invalid cross-device link")));
}

TEST(LaunchFiltered, NoNewPrivilegesIsSetOnlyWhenAsked) {
  LaunchSpec spec;
  EXPECT_EQ(printed_by("grep NoNewPrivs: /proc/self/status", spec), "NoNewPrivs:\t0\n");
  spec.no_new_privileges = true;
  EXPECT_EQ(printed_by("grep NoNewPrivs: /proc/self/status", spec), "NoNewPrivs:\t1\n");
}

TEST(LaunchFiltered, TellsThatTheProfileRefusesExecve) {
  const auto error =
      failure(filtered(shell("exit 0"), answering({{SYS_execve, errno_answer(EPERM)}})));
  EXPECT_EQ(error.message, "cannot run /bin/sh: Operation not permitted");
  EXPECT_THAT(error.hint, HasSubstr("must allow execve"));
  EXPECT_EQ(error.kind, ErrorKind::kInput);
}

TEST(LaunchFiltered, AlsoWhenTheChildCannotReport) {
  const auto error = failure(
      filtered(shell("exit 0"),
               answering({{SYS_execve, errno_answer(EPERM)}, {SYS_write, errno_answer(EPERM)}})));
  EXPECT_EQ(error.message, "cannot run /bin/sh: the profile refuses execve");
}

TEST(LaunchFiltered, AlsoWhenItCannotEvenExit) {
  const auto error =
      failure(filtered(shell("exit 0"), {statement(BPF_RET | BPF_K, errno_answer(EPERM))}));
  EXPECT_THAT(error.message, HasSubstr("cannot run /bin/sh: "));
}

TEST(LaunchFiltered, TellsThatTheProfileKillsExecve) {
  for (const std::uint32_t answer :
       {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP}) {
    const auto error = failure(filtered(shell("exit 0"), answering({{SYS_execve, answer}})));
    EXPECT_EQ(error.message, "cannot run /bin/sh: the profile kills execve");
  }
}

// Nothing but execve may happen between the filter and the program: a filter that allows only
// execve, and kills everything else, lets a program begin.
TEST(LaunchFiltered, MakesNoCallOfItsOwnUnderTheFilter) {
  filter::Program only_execve = answering({{SYS_execve, SECCOMP_RET_ALLOW}});
  only_execve.back() = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  auto child = launch(filtered(shell("exit 0"), only_execve));
  ASSERT_TRUE(child);
  const auto released = child->release();
  EXPECT_TRUE(released) << released.error().text();
  EXPECT_EQ(child->wait().signal, SIGSYS);
}

TEST(LaunchFiltered, AFilterThatTheKernelRefusesIsAnError) {
  const auto error = failure(filtered(shell("exit 0"), {statement(BPF_LD | BPF_W | BPF_ABS, 3)}));
  EXPECT_EQ(error.message, "cannot load the filter: Invalid argument");
}

TEST(LaunchFiltered, AFilterThatIsTooLongIsRefusedBeforehand) {
  const filter::Program program(5000, statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const auto child = launch(filtered(shell("exit 0"), program));
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().kind, ErrorKind::kBug);
}

// As the user nobody: in a process of its own, since we could not come back.
template <typename Body>
bool as_nobody(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

TEST(LaunchUnprivileged, NeedsNoNewPrivilegesForAFilter) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  const LaunchSpec good = filtered(shell("mkdir /tmp/x 2>&1 | grep -q cross-device"),
                                   answering({{SYS_mkdir, errno_answer(EXDEV)}}));
  EXPECT_TRUE(as_nobody([&] { return run(good).success(); }));
  LaunchSpec bad = good;
  bad.no_new_privileges = false;
  EXPECT_TRUE(as_nobody([&] {
    const Error error = failure(bad);
    return error.kind == ErrorKind::kEnvironment &&
           error.message == "cannot load the filter: Permission denied" &&
           error.hint == "a filter needs no_new_privileges, or CAP_SYS_ADMIN";
  }));
}

TEST(LaunchUnprivileged, CannotChangeUserOrCapabilities) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  LaunchSpec user = shell("exit 0");
  user.user = {1, 1};
  EXPECT_TRUE(as_nobody([&] {
    const Error error = failure(user);
    return error.kind == ErrorKind::kEnvironment &&
           error.message == "cannot change the user: Operation not permitted";
  }));
  LaunchSpec capabilities = shell("exit 0");
  capabilities.capabilities = 0;
  EXPECT_TRUE(as_nobody([&] {
    const Error error = failure(capabilities);
    return error.kind == ErrorKind::kEnvironment &&
           error.message == "cannot drop capabilities: Operation not permitted";
  }));
}

TEST(LaunchPrivileged, RootHasTheCapabilitiesOfTheBoundingSet) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  LaunchSpec spec = shell(
      "for set in CapPrm CapEff CapBnd; do grep -q \"$set:.0000000000400001\" /proc/self/status || "
      "exit 1; done; grep -q CapInh:.0000000000000000 /proc/self/status");
  spec.capabilities = 1ULL << 22U | 1U;  // CAP_SYS_BOOT, CAP_CHOWN
  EXPECT_TRUE(run(spec).success());
}

TEST(LaunchPrivileged, AnotherUserHasNoGroupsAndNoCapabilities) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  for (const bool no_new_privileges : {true, false}) {
    LaunchSpec spec = shell(
        "test \"$(id -u):$(id -g):$(id -G)\" = 65534:65533:65533 && "
        "grep -q CapEff:.0000000000000000 /proc/self/status && "
        "grep -q CapPrm:.0000000000000000 /proc/self/status && grep -q Seccomp:.2 "
        "/proc/self/status");
    spec.user = {65534, 65533};
    spec.filter = answering({{SYS_mkdir, errno_answer(EXDEV)}});
    spec.no_new_privileges = no_new_privileges;
    EXPECT_TRUE(run(spec).success()) << no_new_privileges;
    // And still no call of its own comes between the filter and the program.
    filter::Program only_execve = answering({{SYS_execve, SECCOMP_RET_ALLOW}});
    only_execve.back() = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    spec.filter = only_execve;
    EXPECT_EQ(run(spec).signal, SIGSYS);
  }
}

}  // namespace
}  // namespace whittle::host
