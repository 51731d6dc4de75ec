#include "record/ptrace_recorder.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "base/clock.h"
#include "base/text.h"
#include "syscalls/table.h"

namespace whittle::record {
namespace {

using evidence::Observation;
using syscalls::Arch;
using Counts = std::map<std::string, std::uint64_t>;
using Values = std::set<std::uint64_t>;
using Tuples = std::set<std::vector<std::uint64_t>>;

const bool kX86 = syscalls::host_arch() == Arch::kX86_64;

// tests/programs/*.c say what each program does.
host::LaunchSpec program(const std::string& name, std::vector<std::string> arguments = {}) {
  host::LaunchSpec spec;
  spec.program = format("{}/{}", WHITTLE_PROGRAMS, name);
  spec.argv = {name};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.output_to_stderr = true;
  return spec;
}

Result<evidence::Run> record(const host::LaunchSpec& spec, const PtraceOptions& options = {}) {
  TRY_ASSIGN(host::Launched child, host::launch(spec));
  return record_ptrace(std::move(child), options);
}

// A run that must be complete and end with 0.
evidence::Run good(const host::LaunchSpec& spec, const PtraceOptions& options = {}) {
  auto run = record(spec, options);
  if (!run) {
    ADD_FAILURE() << run.error().text();
    return {};
  }
  EXPECT_TRUE(run->complete);
  for (const auto& [kind, number] : run->lost) EXPECT_EQ(number, 0U) << kind;
  EXPECT_EQ(run->exit, 0);
  return *std::move(run);
}

Counts counts(const evidence::Run& run) {
  Counts result;
  for (const Observation& seen : run.syscalls) {
    result[format("{} {}", syscalls::arch_name(seen.arch), seen.name)] = seen.count;
  }
  return result;
}

const Observation& native(const evidence::Run& run, std::string_view name) {
  static const Observation never;
  const auto found =
      std::find_if(run.syscalls.begin(), run.syscalls.end(), [&](const Observation& seen) {
        return seen.arch == syscalls::host_arch() && seen.name == name;
      });
  return found == run.syscalls.end() ? never : *found;
}

std::uint64_t count(const evidence::Run& run, std::string_view name) {
  return native(run, name).count;
}

TEST(PtraceRecorder, CountsEveryCallOfEveryAbi) {
  const evidence::Run run = good(program("raw_abis"));
  if (kX86) {
    EXPECT_EQ(counts(run), (Counts{{"x86_64 execve", 1},
                                   {"x86_64 exit_group", 1},
                                   {"x86_64 getpid", 1},
                                   {"x86 getpid", 1}}));
  } else {
    EXPECT_EQ(counts(run),
              (Counts{{"aarch64 execve", 1}, {"aarch64 exit_group", 1}, {"aarch64 getpid", 1}}));
  }
  EXPECT_EQ(run.source, "ptrace");
  EXPECT_EQ(run.timing, "perturbed");
  EXPECT_EQ(run.arch, syscalls::host_arch());
  EXPECT_FALSE(run.kernel.empty());
  EXPECT_FALSE(run.started.empty());
  EXPECT_GT(run.duration, 0);
}

TEST(PtraceRecorder, TellsX32Apart) {
  if (!kX86) GTEST_SKIP() << "x32 is of x86_64";
  const evidence::Run run = good(program("raw_x32"));
  EXPECT_EQ(counts(run),
            (Counts{{"x86_64 execve", 1}, {"x86_64 exit_group", 1}, {"x32 getpid", 1}}));
  const Observation& getpid = run.syscalls.back();
  EXPECT_EQ(getpid.nr, 39 | syscalls::kX32Bit);
  if (getpid.errnos.empty()) GTEST_SKIP() << "this kernel has the x32 ABI";
  EXPECT_EQ(getpid.errnos, (Counts{{"ENOSYS", 1}}));
}

TEST(PtraceRecorder, KeepsNumbersWithoutANameWithinBounds) {
  const auto run = record(program("raw_numbers"));
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_FALSE(run->complete);
  EXPECT_EQ(run->lost.at("calls"), 2001 - kMostUnnamed);
  EXPECT_EQ(counts(*run).at(format("{} syscall_5000", syscalls::arch_name(run->arch))), 1U);
  EXPECT_EQ(run->syscalls.size(), kMostUnnamed + 2);
}

TEST(PtraceRecorder, CountsAnExecUnderTheAbiThatItWasMadeBy) {
  if (!kX86) GTEST_SKIP() << "the 32-bit entry point is of x86_64";
  EXPECT_EQ(counts(good(program("raw_exec_x86"))),
            (Counts{{"x86_64 execve", 1}, {"x86 execve", 1}, {"x86_64 exit_group", 1}}));
}

TEST(PtraceRecorder, CountsEveryFormOfExecOnce) {
  evidence::Run run = good(program("exec_forms", {"execve"}));
  EXPECT_EQ(count(run, "execve"), 2U);
  EXPECT_EQ(count(run, "getppid"), 1U);
  EXPECT_EQ(count(run, "exit_group"), 1U);
  run = good(program("exec_forms", {"execveat"}));
  EXPECT_EQ(count(run, "execve"), 1U);
  EXPECT_EQ(count(run, "execveat"), 1U);
  run = good(program("exec_forms", {"fail"}));
  EXPECT_EQ(count(run, "execve"), 3U);
  EXPECT_EQ(native(run, "execve").errnos, (Counts{{"ENOENT", 1}, {"EACCES", 1}}));
}

TEST(PtraceRecorder, FollowsAnExecByAThread) {
  evidence::Run run = good(program("exec_forms", {"thread"}));
  EXPECT_EQ(count(run, "execve"), 2U);
  EXPECT_EQ(count(run, "getppid"), 1U);
  EXPECT_EQ(count(run, "exit"), 0U);
  if (kX86) {  // elsewhere it is ppoll
    EXPECT_EQ(count(run, "pause"), 2U);
    EXPECT_TRUE(native(run, "pause").errnos.empty());
  }
  run = good(program("exec_forms", {"orphan"}));
  EXPECT_EQ(count(run, "execve"), 2U);
  EXPECT_EQ(count(run, "getppid"), 1U);
  EXPECT_EQ(count(run, "exit"), 1U);
}

TEST(PtraceRecorder, LosesNothingOfManyThreads) {
  const evidence::Run run = good(program("threads", {"64", "100"}));
  EXPECT_EQ(count(run, "getppid"), 6400U);
  EXPECT_EQ(count(run, "exit"), 64U);
  EXPECT_EQ(count(run, "clone") + count(run, "clone3"), 64U);
}

TEST(PtraceRecorder, LosesNothingOfACrowd) {
  const evidence::Run run = good(program("crowd", {"200", "3"}));
  EXPECT_EQ(count(run, "getppid"), 600U);
  EXPECT_EQ(count(run, "exit"), 100U);
  EXPECT_EQ(count(run, "exit_group"), 101U);
}

TEST(PtraceRecorder, FollowsEveryKindOfChild) {
  const evidence::Run run = good(program("forks"));
  EXPECT_EQ(count(run, "getppid"), 6U);
  EXPECT_EQ(count(run, "execve"), 2U);
  if (kX86) {
    EXPECT_EQ(count(run, "fork"), 1U);
    EXPECT_EQ(count(run, "vfork"), 1U);
  }
  // clone3's exit signal stands in the struct apart from its flags; clone(2) takes both in one.
  EXPECT_TRUE(native(run, "clone").args.at(0).values.contains(CLONE_VM | CLONE_FILES));
  EXPECT_TRUE(native(run, "clone3").args.at(0).values.contains(CLONE_FS | SIGCHLD));
}

TEST(PtraceRecorder, LeavesSignalsAndJobControlAsTheyAre) {
  const evidence::Run run = good(program("signals"));
  EXPECT_EQ(count(run, "rt_sigreturn"), 3U);
  EXPECT_TRUE(native(run, "rt_sigreturn").errnos.empty());
  EXPECT_EQ(native(run, "read").errnos, (Counts{{"ERESTARTSYS", 1}}));
  EXPECT_EQ(count(run, "restart_syscall"), 1U);
  EXPECT_EQ(native(run, kX86 ? "pause" : "ppoll").errnos, (Counts{{"ERESTARTNOHAND", 1}}));
}

TEST(PtraceRecorder, KeepsArgumentValuesAsTheKernelReadsThem) {
  const evidence::Run run = good(program("arguments"));
  EXPECT_EQ(native(run, "socket").tuples.at(0).values,
            (Tuples{{AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0}, {AF_INET, SOCK_DGRAM, 0}}));
  EXPECT_EQ(native(run, "socketpair").tuples.at(0).values, (Tuples{{AF_UNIX, SOCK_DGRAM, 0}}));
  EXPECT_EQ(native(run, "setsockopt").tuples.at(0).values,
            (Tuples{{SOL_SOCKET, SO_KEEPALIVE}, {0xffffffff, 0xfffffffe}}));
  EXPECT_EQ(native(run, "prctl").args.at(0).values, (Values{PR_GET_DUMPABLE, PR_GET_NAME}));
  EXPECT_EQ(native(run, "personality").args.at(0).values, (Values{0xffffffff}));
  EXPECT_EQ(native(run, "unshare").args.at(0).values, (Values{CLONE_FILES, CLONE_FS}));
  EXPECT_EQ(native(run, "clone").args.at(0).values, (Values{CLONE_FILES | SIGCHLD}));
  EXPECT_EQ(native(run, "ioctl").errnos, (Counts{{"EBADF", 300}}));
}

TEST(PtraceRecorder, CountsCallsThatNeverReturn) {
  const evidence::Run run = good(program("killed"));
  EXPECT_EQ(count(run, "accept4"), 1U);
  EXPECT_TRUE(native(run, "accept4").errnos.empty());
  EXPECT_EQ(count(run, kX86 ? "epoll_wait" : "epoll_pwait"), 1U);
  EXPECT_EQ(count(run, "getppid"), 1U);
}

TEST(PtraceRecorder, GivesTheStatusOfTheFirstProcess) {
  auto run = record(program("exec_forms", {"no such way"}));
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_EQ(run->exit, 1);
  EXPECT_TRUE(run->complete);
}

TEST(PtraceRecorder, AProgramThatDoesNotStartIsAnError) {
  const auto run = record(program("no_such_program"));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::kInput);
  EXPECT_NE(run.error().message.find("no_such_program"), std::string::npos) << run.error().text();
}

host::LaunchSpec shell(const std::string& script) {
  host::LaunchSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", script};
  return spec;
}

TEST(PtraceRecorder, StopsWhenAskedAndTellsOfPhasesBefore) {
  PtraceOptions options;
  bool sleeps = false;
  options.phase = [&] { return sleeps ? "stop" : "ready"; };
  options.checkpoint = [&](const evidence::Run& run) {
    EXPECT_FALSE(run.complete);
    // Under way, and counted: it may never return.
    sleeps = sleeps || count(run, "clock_nanosleep") == 1;
  };
  options.stop_requested = [&] { return sleeps; };
  const auto run = record(shell("trap 'exit 7' TERM; sleep 1000 & wait"), options);
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_EQ(run->exit, 7);
  EXPECT_TRUE(run->complete);
  EXPECT_TRUE(run->notes.empty());  // the sleep, left behind, was asked to stop too, and not killed
  EXPECT_EQ(count(*run, "clock_nanosleep"), 1U);
  EXPECT_EQ(native(*run, "execve").phases, (std::vector<std::string>{"ready"}));
  EXPECT_EQ(native(*run, "exit_group").phases, (std::vector<std::string>{"stop"}));
}

TEST(PtraceRecorder, StopsAtTheTimeLimit) {
  PtraceOptions options;
  options.time_limit = 0.3;
  const auto run = record(shell("exec sleep 1000"), options);
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_EQ(run->exit, 128 + SIGTERM);
  EXPECT_GE(run->duration, 0.3);
  EXPECT_TRUE(run->notes.empty());
}

// As when Ctrl-C, or the time limit on a busy machine, comes before the program has been started.
TEST(PtraceRecorder, IsStoppedWhenTheProgramRunsAndNoSooner) {
  PtraceOptions options;
  options.stop_requested = [] { return true; };
  const auto run = record(shell("exec sleep 60"), options);
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_EQ(run->exit, 128 + SIGTERM);
  EXPECT_TRUE(run->complete);
  EXPECT_GE(count(*run, "execve"), 1U);
}

// ENOSYS for one native number, everything else is allowed.
filter::Program refusing(std::uint32_t nr) {
  return {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
}

TEST(PtraceRecorder, AsksWhichCallsAFilterRefused) {
  const std::uint32_t clone3 = syscalls::number(syscalls::host_arch(), "clone3").value();
  host::LaunchSpec spec = program("threads", {"2", "10"});
  spec.filter = refusing(clone3);
  spec.no_new_privileges = true;
  PtraceOptions options;
  options.refused = [&](Call& call) {
    EXPECT_TRUE(call.result && is_errno(*call.result));
    return call.nr == clone3 && call.result == -ENOSYS;
  };
  const evidence::Run run = good(spec, options);
  // The C library tries clone3 for the first thread only, or each time.
  EXPECT_GE(native(run, "clone3").refused, 1U);
  EXPECT_EQ(native(run, "clone3").refused, count(run, "clone3"));
  EXPECT_EQ(native(run, "clone3").needed(), 0U);
  EXPECT_TRUE(native(run, "clone3").args.empty());
  EXPECT_EQ(count(run, "clone"), 2U);
  EXPECT_EQ(count(run, "getppid"), 20U);
  EXPECT_EQ(count(run, "prctl") + count(run, "seccomp"), 0U);  // the launcher's own
}

TEST(PtraceRecorder, AProfileThatRefusesExecveIsAnError) {
  host::LaunchSpec spec = program("raw_abis");
  spec.filter = refusing(syscalls::number(syscalls::host_arch(), "execve").value());
  spec.no_new_privileges = true;
  const auto run = record(spec);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::kInput);
  spec.filter->at(2) = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  const auto killed = record(spec);
  ASSERT_FALSE(killed);
  EXPECT_NE(killed.error().message.find("kills execve"), std::string::npos)
      << killed.error().text();
}

TEST(PtraceRecorder, AChildThatCannotBeFollowedIsALoss) {
  const auto run = record(program("untraced"));
  ASSERT_TRUE(run) << run.error().text();
  EXPECT_EQ(run->exit, 0);
  EXPECT_EQ(run->lost.at("tasks"), 1U);
  EXPECT_FALSE(run->complete);
  EXPECT_EQ(count(*run, "getppid"), 0U);
}

bool passes_main(const evidence::Stack& stack) {
  return std::any_of(stack.frames.begin(), stack.frames.end(), [](const evidence::Frame& frame) {
    return frame.symbol == "main" && frame.object.ends_with("/arguments") && frame.offset != 0;
  });
}

TEST(PtraceRecorder, KeepsTheStackOfEachFirstOccurrence) {
  const evidence::Run run = good(program("arguments"));
  const std::vector<evidence::Stack>& stacks = native(run, "socket").stacks;
  std::vector<std::vector<std::uint64_t>> values;
  for (const evidence::Stack& stack : stacks) {
    values.push_back(stack.values);
    EXPECT_EQ(stack.comm, "arguments");
    EXPECT_TRUE(passes_main(stack));
    EXPECT_FALSE(stack.frames.at(0).build_id.empty());
  }
  const std::uint64_t stream = SOCK_STREAM | SOCK_CLOEXEC;
  EXPECT_EQ(values, (std::vector<std::vector<std::uint64_t>>{
                        {}, {AF_UNIX, stream, 0}, {AF_INET, SOCK_DGRAM, 0}}));
  PtraceOptions options;
  options.stacks = false;
  for (const Observation& seen : good(program("arguments"), options).syscalls) {
    EXPECT_TRUE(seen.stacks.empty()) << seen.name;
  }
}

// Before it is replaced, and when it does not come back.
TEST(PtraceRecorder, KeepsTheStacksOfCallsThatDoNotReturn) {
  const evidence::Run run = good(program("exec_forms", {"execve"}));
  for (const char* name : {"execve", "exit_group", "getppid"}) {
    const auto& stacks = native(run, name).stacks;
    ASSERT_FALSE(stacks.empty()) << name;
    EXPECT_GE(stacks[0].frames.size(), 2U) << name;
    EXPECT_FALSE(stacks[0].frames[0].symbol.empty()) << name;
  }
}

}  // namespace
}  // namespace whittle::record
