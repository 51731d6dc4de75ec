#include "review/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_system.h"
#include "base/json.h"
#include "filter/compile.h"
#include "profile/baseline.h"
#include "review/exploits.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::review {
namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr Verdict kAllow{Action::kAllow, 0};

Score score_of(const Profile& profile, std::vector<Arch> arches) {
  const auto compiled = filter::compile(profile, filter::Flavour::kRunc);
  EXPECT_TRUE(compiled) << compiled.error().text();
  auto result = score({&compiled->program, 1}, arches);
  EXPECT_TRUE(result) << result.error().text();
  return *result;
}

Profile of_rules(std::vector<Rule> rules, std::vector<std::string> architectures) {
  Profile::Parts parts;
  parts.rules = std::move(rules);
  parts.architectures = std::move(architectures);
  return Profile(std::move(parts));
}

// The names that a tool which records names only gives for nginx.
const std::vector<std::string> kNginxNames = {"accept4",
                                              "access",
                                              "arch_prctl",
                                              "bind",
                                              "brk",
                                              "capget",
                                              "capset",
                                              "chdir",
                                              "clone",
                                              "close",
                                              "connect",
                                              "dup2",
                                              "epoll_create",
                                              "epoll_ctl",
                                              "epoll_wait",
                                              "eventfd2",
                                              "execve",
                                              "exit",
                                              "exit_group",
                                              "fchmod",
                                              "fchown",
                                              "fcntl",
                                              "fstat",
                                              "fstatfs",
                                              "futex",
                                              "getdents64",
                                              "getegid",
                                              "geteuid",
                                              "getgid",
                                              "getpid",
                                              "getppid",
                                              "getuid",
                                              "ioctl",
                                              "listen",
                                              "lseek",
                                              "madvise",
                                              "mmap",
                                              "mprotect",
                                              "munmap",
                                              "nanosleep",
                                              "newfstatat",
                                              "openat",
                                              "pipe2",
                                              "prctl",
                                              "pread64",
                                              "prlimit64",
                                              "pwrite64",
                                              "read",
                                              "recvfrom",
                                              "recvmsg",
                                              "rt_sigaction",
                                              "rt_sigprocmask",
                                              "rt_sigreturn",
                                              "sched_getaffinity",
                                              "sendfile",
                                              "sendmsg",
                                              "set_robust_list",
                                              "set_tid_address",
                                              "setgid",
                                              "setgroups",
                                              "setsockopt",
                                              "setuid",
                                              "shutdown",
                                              "sigaltstack",
                                              "socket",
                                              "socketpair",
                                              "stat",
                                              "statfs",
                                              "sysinfo",
                                              "uname",
                                              "unlink",
                                              "wait4",
                                              "write",
                                              "writev"};

TEST(Score, BareNamesStopLittle) {
  const Score result =
      score_of(of_rules({{kNginxNames, kAllow, {}}}, {"SCMP_ARCH_X86_64"}), {Arch::kX86_64});
  EXPECT_EQ(result.total, 59U);
  EXPECT_EQ(result.blocked(), 11U);
  ASSERT_EQ(result.arches.size(), 1U);
  EXPECT_EQ(result.arches[0].allowed, kNginxNames.size());
}

TEST(Score, DockersDefaultStopsMost) {
  profile::Setting setting;
  setting.kernel = {6, 18};
  const auto docker = profile::baseline("docker@29.4.3", setting);
  ASSERT_TRUE(docker) << docker.error().text();
  const Score result = score_of(*docker, {Arch::kX86_64, Arch::kX86, Arch::kX32});
  EXPECT_EQ(result.blocked(), 51U);
  EXPECT_THAT(result.open, Contains("CVE-2024-36972"));
  // Its rule against AF_ALG compares 64 bits, the kernel looks at 32 of them.
  EXPECT_THAT(result.open_adapted, ElementsAre("CVE-2024-26824"));
  EXPECT_EQ(result.arches.size(), 3U);
}

TEST(Score, EverythingAndNothing) {
  Profile::Parts open;
  open.default_verdict = kAllow;
  open.architectures = {"SCMP_ARCH_X86_64"};
  EXPECT_EQ(score_of(Profile(open), {Arch::kX86_64}).blocked(), 0U);
  const Score closed = score_of(of_rules({}, {"SCMP_ARCH_X86_64"}), {Arch::kX86_64});
  EXPECT_EQ(closed.blocked(), closed.total);
  EXPECT_THAT(closed.open_adapted, IsEmpty());
  EXPECT_EQ(closed.arches[0].allowed, 0U);
}

TEST(Score, ArgumentRulesAreJudgedOverAllValues) {
  const auto with_sockets = [](Operator op, std::uint64_t value, std::uint64_t two = 0) {
    return score_of(
        of_rules({{{"socket"}, kAllow, {Condition{0, value, two, op}}}}, {"SCMP_ARCH_X86_64"}),
        {Arch::kX86_64});
  };
  const std::string crypto = "CVE-2024-26824";
  EXPECT_THAT(with_sockets(Operator::kEq, 38).open, Contains(crypto));
  EXPECT_THAT(with_sockets(Operator::kLe, 38).open, Contains(crypto));
  EXPECT_THAT(with_sockets(Operator::kLt, 38).open, Not(Contains(crypto)));
  // NE 38 leaves 38 + 2^32, which the kernel takes for 38.
  EXPECT_THAT(with_sockets(Operator::kNe, 38).open, Not(Contains(crypto)));
  EXPECT_THAT(with_sockets(Operator::kNe, 38).open_adapted, Contains(crypto));
  const auto masked = with_sockets(Operator::kMaskedEq, UINT32_MAX, 2);
  EXPECT_THAT(masked.open, Not(Contains(crypto)));
  EXPECT_THAT(masked.open_adapted, Not(Contains(crypto)));
}

TEST(Score, SocketcallOfX86CarriesEveryFamily) {
  const Profile profile =
      of_rules({{{"socketcall"}, kAllow, {}}}, {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"});
  const Score result = score_of(profile, {Arch::kX86_64, Arch::kX86});
  EXPECT_THAT(result.open, IsEmpty());
  EXPECT_THAT(result.open_adapted, Contains("CVE-2024-26824"));
  EXPECT_THAT(score_of(profile, {Arch::kX86_64}).open_adapted, IsEmpty());
}

TEST(Exploits, DataIsSound) {
  const auto known = known_exploits();
  ASSERT_TRUE(known) << known.error().text();
  EXPECT_EQ(known->exploits.size(), 59U);
  for (const Step& step : known->steps) {
    for (const Way& way : step.ways) {
      EXPECT_TRUE(syscalls::number(Arch::kX86_64, way.syscall)) << way.syscall;
      EXPECT_TRUE(syscalls::number(Arch::kAarch64, way.syscall)) << way.syscall;
    }
  }
  std::vector<bool> used(known->steps.size());
  for (const Exploit& exploit : known->exploits) {
    for (const std::size_t step : exploit.needs) used[step] = true;
  }
  EXPECT_THAT(used, Not(Contains(false)));
}

TEST(Exploits, ErrorsNameThePlace) {
  const auto error = [](std::string_view text) {
    const auto result = read_exploits(text, "x.json");
    return result ? std::string() : result.error().text();
  };
  const std::string start = R"({"schema": "whittle.exploits/v1", "source": "", )";
  EXPECT_EQ(error(start + R"("steps": {}, "exploits": []})"), "");
  EXPECT_THAT(error(R"({"schema": "other"})"), testing::HasSubstr("/schema"));
  EXPECT_THAT(error(start + R"("steps": {"a": {"what": "", "any_of": []}}, "exploits": []})"),
              testing::HasSubstr("/steps/a/any_of"));
  EXPECT_THAT(error(start + R"("steps": {}, "exploits": [{"cve": "C", "needs": ["a"]}]})"),
              testing::HasSubstr("unknown step"));
  EXPECT_THAT(error(start + R"("steps": {"a": {"what": "", "any_of": [{"syscall": "bpf",
                               "args": [{"index": 6, "mask": 1, "value": 0}]}]}},
                              "exploits": []})"),
              testing::HasSubstr("/index"));
}

// The numbers in the data are those of the symbols beside them.
TEST(Exploits, SymbolsMatchTheirNumbers) {
  const auto text = read_file(WHITTLE_SOURCE_DIR "/data/exploits.json");
  ASSERT_TRUE(text);
  const auto document = json::parse(*text, "exploits.json");
  ASSERT_TRUE(document);
  int checked = 0;
  for (const auto& [name, step] : *document->find("steps")->object()) {
    for (const json::Value& way : *step.find("any_of")->array()) {
      const json::Value* args = way.find("args");
      if (args == nullptr) continue;
      for (const json::Value& arg : *args->array()) {
        const auto value = syscalls::constant(*arg.find("symbol")->string());
        if (!value) continue;
        const json::Value* number = arg.find(arg.find("nonzero") != nullptr ? "mask" : "value");
        EXPECT_EQ(number->u64(), value) << *arg.find("symbol")->string();
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 10);
}

}  // namespace
}  // namespace whittle::review
