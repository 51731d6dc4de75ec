#include "trial/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <set>

#include "base/text.h"
#include "host/capabilities.h"
#include "syscalls/table.h"
#include "trial/probe_catalog.h"
#include "trial/probe_marker.h"

namespace whittle::trial {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kEperm = SECCOMP_RET_ERRNO | 1U;
constexpr std::uint32_t kX86_64 = 0xc000003e;

std::uint32_t number(std::string_view name) {
  return syscalls::number(syscalls::Arch::kX86_64, name).value();
}

constexpr sock_filter statement(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }
constexpr sock_filter equals(std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
  return {BPF_JMP | BPF_JEQ | BPF_K, yes, no, k};
}

// Answers `verdict` for a number, and allows the rest.
filter::Program refuse(std::uint32_t nr, std::uint32_t verdict) {
  return {statement(BPF_LD | BPF_W | BPF_ABS, 0), equals(nr, 0, 1),
          statement(BPF_RET | BPF_K, verdict), statement(BPF_RET | BPF_K, kAllow)};
}

// The same for a number with this low word of argument 0.
filter::Program refuse_value(std::uint32_t nr, std::uint32_t value, std::uint32_t verdict) {
  return {statement(BPF_LD | BPF_W | BPF_ABS, 0),  equals(nr, 0, 3),
          statement(BPF_LD | BPF_W | BPF_ABS, 16), equals(value, 0, 1),
          statement(BPF_RET | BPF_K, verdict),     statement(BPF_RET | BPF_K, kAllow)};
}

// Stands for the program: each call is `nr` with one first argument, and comes to `result`. The
// call `deadly` does not return.
struct FakeProgram {
  std::uint32_t nr = 0;
  std::uint64_t argument = 0;
  std::int64_t result = 0;
  std::size_t deadly = SIZE_MAX;
  std::vector<std::string> starts = {};

  Result<ProgramRun> operator()(const std::vector<std::string>& arguments) {
    starts.push_back(arguments.at(0));
    ProgramRun run;
    for (auto i = parse_u64(arguments.at(0)).value(); i < parse_u64(arguments.at(1)).value(); ++i) {
      run.output += format("{:#x} {:#x} {:#x} {:#x} 0x0 0x0 0x0 0x0 0x0", i, kX86_64, nr, argument);
      if (i == deadly) {
        run.status.signal = SIGSYS;
        return run;
      }
      run.output += format(" {:#x}\n", static_cast<std::uint64_t>(result));
    }
    return run;
  }
};

Result<ProbeReport> run(FakeProgram& program, const std::vector<filter::Program>& filters) {
  return run_probes(
      {.start = [&](const std::vector<std::string>& arguments) { return program(arguments); },
       .filters = filters});
}

const Probe& named(const ProbeReport& report, std::string_view name) {
  for (const Probe& probe : report.probes) {
    if (probe.name == name) return probe;
  }
  ADD_FAILURE() << "no probe " << name;
  return report.probes.front();
}

TEST(Probe, HasTheStepsOfTheReport) {
  FakeProgram program{.nr = number("mount"), .result = -14};
  const auto report = run(program, {});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->probes.size(), probe_steps().size());
  EXPECT_EQ(report->blocked(), 0U);
  EXPECT_EQ(named(*report, "kernel-module").syscall, "init_module, finit_module, delete_module");
  EXPECT_EQ(named(*report, "setns").result, "EFAULT by the kernel: reached");
  EXPECT_THAT(program.starts, ElementsAre("0"));
}

TEST(Probe, TellsTheFilterFromTheKernel) {
  FakeProgram program{.nr = number("mount"), .result = -1};
  const auto by_filter = run(program, {refuse(number("mount"), kEperm)});
  ASSERT_TRUE(by_filter) << by_filter.error().text();
  EXPECT_TRUE(named(*by_filter, "setns").blocked);
  EXPECT_EQ(named(*by_filter, "setns").result, "EPERM by the filter");
  const auto by_kernel = run(program, {refuse(number("ptrace"), kEperm)});
  ASSERT_TRUE(by_kernel) << by_kernel.error().text();
  EXPECT_FALSE(named(*by_kernel, "setns").blocked);
  EXPECT_EQ(named(*by_kernel, "setns").result, "EPERM by the kernel's configuration: let through");
  EXPECT_EQ(named(*by_kernel, "setns").by, ProbeBy::kKernel);
}

TEST(Probe, TellsAMissingCapabilityFromTheConfiguration) {
  const auto with = [](std::int64_t result, std::uint64_t capabilities) {
    FakeProgram program{.nr = number("mount"), .result = result};
    return run_probes({.start = [&](const auto& arguments) { return program(arguments); },
                       .filters = {},
                       .capabilities = capabilities});
  };
  const auto without = with(-1, 0);
  ASSERT_TRUE(without) << without.error().text();
  EXPECT_EQ(named(*without, "reboot").by, ProbeBy::kCapability);
  EXPECT_EQ(named(*without, "reboot").result,
            "EPERM by the kernel for want of CAP_SYS_BOOT: let through");
  EXPECT_EQ(named(*without, "waitid").by, ProbeBy::kKernel);  // nothing is asked for there
  const auto held = with(-1, 1ULL << 22U);                    // CAP_SYS_BOOT
  ASSERT_TRUE(held) << held.error().text();
  EXPECT_EQ(named(*held, "reboot").by, ProbeBy::kKernel);
  EXPECT_EQ(named(*held, "process-accounting").by, ProbeBy::kCapability);
  const auto later = with(-14, 0);
  ASSERT_TRUE(later) << later.error().text();
  EXPECT_EQ(named(*later, "mknod-device").result,
            "EFAULT by the kernel, which asks for CAP_MKNOD next: let through");
  EXPECT_EQ(named(*later, "mount").by, ProbeBy::kOpen);
  const auto lacking = with(-38, 0);
  ASSERT_TRUE(lacking) << lacking.error().text();
  EXPECT_EQ(named(*lacking, "io-uring").by, ProbeBy::kKernel);
}

TEST(Probe, TakesTheMarkerForProof) {
  const filter::Program refusing = refuse(number("mount"), kEperm);
  const auto marked = with_marker(refusing);
  ASSERT_TRUE(marked);
  const auto with = [&](std::int64_t second) {
    FakeProgram first{.nr = number("mount"), .result = -1};
    FakeProgram again{.nr = number("mount"), .result = second};
    return run_probes({.start = [&](const auto& arguments) { return first(arguments); },
                       .filters = {refusing},
                       .start_marked = [&](const auto& arguments) { return again(arguments); },
                       .marked = {*marked}});
  };
  const auto proven = with(-kMarkerErrno);
  ASSERT_TRUE(proven) << proven.error().text();
  EXPECT_TRUE(proven->marker);
  EXPECT_EQ(named(*proven, "setns").by, ProbeBy::kSeccomp);
  // EPERM again, though the filter was to answer the marker: it was not the filter.
  const auto disproven = with(-1);
  ASSERT_TRUE(disproven) << disproven.error().text();
  EXPECT_FALSE(named(*disproven, "setns").blocked);
  EXPECT_EQ(named(*disproven, "setns").result,
            "EPERM by the filter, but EPERM with every errno of the filter replaced");
}

TEST(ProbeMarker, ReplacesRefusalsAndNothingElse) {
  const auto program = with_marker(refuse(39, SECCOMP_RET_KILL_PROCESS));
  ASSERT_TRUE(program);
  EXPECT_EQ((*program)[2].k, SECCOMP_RET_ERRNO | kMarkerErrno);
  EXPECT_EQ((*program)[3].k, kAllow);
  EXPECT_FALSE(with_marker({statement(BPF_RET | BPF_A, 0)}));
  const auto document = profile::read_oci(
      R"({"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [
           {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
           {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]})",
      "test");
  ASSERT_TRUE(document) << document.error().text();
  const profile::Profile marked = with_marker(*document);
  const profile::Verdict marker{profile::Action::kErrno, kMarkerErrno};
  EXPECT_EQ(marked.default_verdict(), marker);
  EXPECT_TRUE(marked.rules().at(0).verdict.allows());
  EXPECT_EQ(marked.rules().at(1).verdict, marker);
}

TEST(ProbeCatalog, HasCallsForEachStepAndAStepForEachCall) {
  EXPECT_GE(probe_steps().size(), 40U);
  std::set<std::string_view> names;
  for (const ProbeStep& step : probe_steps()) {
    EXPECT_TRUE(names.insert(step.name).second) << step.name;
    for (const std::string_view text : {step.tries, step.technique, step.source}) {
      EXPECT_FALSE(text.empty()) << step.name;
    }
    for (const std::string_view words : {step.root, step.nobody, step.docker}) {
      for (const std::string& word : split(words, '|')) {
        EXPECT_THAT(word, AnyOf("seccomp", "capability", "kernel", "open")) << step.name;
      }
    }
  }
  std::set<std::string_view> with_calls;
  for (const ProbeCall& call : probe_calls()) {
    with_calls.insert(call.step);
    EXPECT_EQ(call.capability.empty() ||
                  host::capability_bits(std::array{std::string(call.capability)}) != 0,
              true)
        << call.capability;
  }
#if defined(__x86_64__)
  EXPECT_EQ(names, with_calls);
#endif
}

TEST(Probe, BelievesTheKernelWhenTheFilterIsAnother) {
  FakeProgram program{.nr = number("mount"), .result = 0};
  const auto report = run(program, {refuse(number("mount"), kEperm)});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_FALSE(named(*report, "setns").blocked);
  EXPECT_EQ(named(*report, "setns").result, "success, where the filter was to answer errno EPERM");
}

TEST(Probe, StartsAgainAfterACallThatKills) {
  FakeProgram program{.nr = number("mount"), .result = -1, .deadly = 1};
  const auto report = run(program, {refuse(number("mount"), SECCOMP_RET_KILL_PROCESS)});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_THAT(program.starts, ElementsAre("0", "2"));
  // The second call is setns's; the fake lets the others return, which this filter would not.
  EXPECT_TRUE(named(*report, "setns").blocked);
  EXPECT_EQ(named(*report, "setns").result, "SIGSYS by the filter");
  EXPECT_FALSE(named(*report, "ptrace").blocked);
}

TEST(Probe, IsBlockedOnlyWithTheWholeSetOfArguments) {
  constexpr std::uint32_t kAlg = 38;
  FakeProgram program{.nr = number("socket"), .argument = kAlg, .result = -1};
  const auto whole = run(program, {refuse_value(number("socket"), kAlg, kEperm)});
  ASSERT_TRUE(whole) << whole.error().text();
  EXPECT_TRUE(named(*whole, "socket-af-alg").blocked) << named(*whole, "socket-af-alg").result;
  // unshare(CLONE_NEWUSER) alone is refused, not with another flag beside it.
  constexpr std::uint32_t kNewUser = 0x10000000;
  FakeProgram unshare{.nr = number("unshare"), .argument = kNewUser, .result = -1};
  const auto part = run(unshare, {refuse_value(number("unshare"), kNewUser, kEperm)});
  ASSERT_TRUE(part) << part.error().text();
  const Probe& probe = named(*part, "namespaces-unshare");
  EXPECT_FALSE(probe.blocked);
  EXPECT_THAT(probe.result, HasSubstr("EPERM by the filter, but lets through unshare("));
  // A second filter that refuses unshare altogether closes it.
  const auto two = run(unshare, {refuse_value(number("unshare"), kNewUser, kEperm),
                                 refuse(number("unshare"), kEperm)});
  ASSERT_TRUE(two) << two.error().text();
  EXPECT_TRUE(named(*two, "namespaces-unshare").blocked);
}

TEST(Probe, SaysWhatTheProgramItselfIsRefused) {
  FakeProgram program{.nr = number("mount"), .result = -1};
  for (const std::string name : {"write", "execve"}) {
    const auto report = run(program, {refuse(number(name), SECCOMP_RET_KILL_PROCESS)});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().exit_code(), 2);
    EXPECT_THAT(report.error().message, HasSubstr("refuses " + name + " (kill_process)"));
  }
  EXPECT_TRUE(program.starts.empty());
}

TEST(Probe, RefusesAReportThatIsNone) {
  const auto report_of = [](std::string output) {
    return run_probes({.start = [&](const std::vector<std::string>&) -> Result<ProgramRun> {
                         return ProgramRun{output, ExitStatus{1, 0}};
                       },
                       .filters = {}});
  };
  const auto silent = report_of("");
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().exit_code(), 2);
  EXPECT_THAT(silent.error().message, HasSubstr("exit status 1"));
  for (const char* text :
       {"hello\n", "0x0 0x1 0x2\n", "0x5 0xc000003e 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n",
        "0x0 0x12345678 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n"}) {
    const auto garbled = report_of(text);
    ASSERT_FALSE(garbled) << text;
    EXPECT_EQ(garbled.error().exit_code(), 4) << text;
  }
}

TEST(ProbeProgram, IsAStaticElfFile) {
  const std::string_view program = probe_program();
  ASSERT_GT(program.size(), 64U);
  EXPECT_EQ(program.substr(0, 4),
            "\x7f"
            "ELF");
  // e_type (elf.h) at offset 16: ET_EXEC, so that no interpreter is asked for.
  EXPECT_EQ(program[16], 2);
}

}  // namespace
}  // namespace whittle::trial
