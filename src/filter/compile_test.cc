#include "filter/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "filter/decide.h"
#include "filter/stub.h"
#include "syscalls/table.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEperm{Action::kErrno, 1};
constexpr Verdict kEnosys{Action::kErrno, 38};

Profile profile_of(std::vector<Rule> rules,
                   std::vector<std::string> architectures = {"SCMP_ARCH_X86_64"},
                   Verdict default_verdict = kEperm) {
  Profile::Parts parts;
  parts.default_verdict = default_verdict;
  parts.architectures = std::move(architectures);
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

Condition condition(std::uint32_t index, Operator op, std::uint64_t value, std::uint64_t two = 0) {
  return {index, value, two, op};
}

Verdict verdict(const Program& program, Arch arch, std::string_view name, Arguments args = {}) {
  return *evaluate(program, call(arch, *syscalls::number(arch, name), args));
}

Program compiled(const Profile& profile, Flavour flavour = Flavour::kNative) {
  auto result = compile(profile, flavour);
  EXPECT_TRUE(result) << result.error().text();
  return result ? std::move(result->program) : Program{};
}

TEST(Compile, AllowsWhatIsListedAndNothingElse) {
  const Program program =
      compiled(profile_of({{{"read", "write"}, kAllow, {}}, {{"clone3"}, kEnosys, {}}}));
  EXPECT_EQ(verdict(program, Arch::kX86_64, "read"), kAllow);
  EXPECT_EQ(verdict(program, Arch::kX86_64, "clone3"), kEnosys);
  EXPECT_EQ(verdict(program, Arch::kX86_64, "mount"), kEperm);
  // Not listed: libseccomp kills.
  EXPECT_EQ(verdict(program, Arch::kX86, "read").action, Action::kKillThread);
  EXPECT_EQ(verdict(program, Arch::kX32, "read").action, Action::kKillThread);
}

TEST(Compile, EveryAction) {
  for (const Verdict& action : {Verdict{Action::kKillProcess, 0}, Verdict{Action::kKillThread, 0},
                                Verdict{Action::kTrap, 0}, kEnosys, Verdict{Action::kNotify, 0},
                                Verdict{Action::kTrace, 9}, Verdict{Action::kLog, 0}, kAllow}) {
    const Program program = compiled(profile_of({{{"dup"}, action, {}}}));
    EXPECT_EQ(verdict(program, Arch::kX86_64, "dup"), action);
  }
}

TEST(Compile, EveryOperator) {
  const auto allowed = [](Condition c, std::uint64_t argument) {
    const Program program = compiled(profile_of({{{"dup"}, kAllow, {c}}}));
    return verdict(program, Arch::kX86_64, "dup", {argument}) == kAllow;
  };
  constexpr std::uint64_t kBig = 0x100000005;
  for (const Operator op :
       {Operator::kNe, Operator::kLt, Operator::kLe, Operator::kEq, Operator::kGe, Operator::kGt}) {
    for (const std::uint64_t argument : {kBig - 1, kBig, kBig + 1, kBig & UINT32_MAX}) {
      const Condition c = condition(0, op, kBig);
      EXPECT_EQ(allowed(c, argument), c.holds(argument)) << operator_name(op) << " " << argument;
    }
  }
  const Condition masked = condition(0, Operator::kMaskedEq, 0xf0, 0x20);
  EXPECT_TRUE(allowed(masked, 0x2f));
  EXPECT_FALSE(allowed(masked, 0x3f));
}

TEST(Compile, UnknownNamesAreSkippedAndListed) {
  const auto result =
      compile(profile_of({{{"zzz_new", "read", "aaa_new"}, kAllow, {}}}), Flavour::kRunc);
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_THAT(result->skipped, testing::ElementsAre("aaa_new", "zzz_new"));
}

// ALLOW dup + ERRNO(EPERM) dup(5) with the same default: the second rule never reaches libseccomp.
TEST(Compile, RuleThatEqualsTheDefaultIsDropped) {
  const Program program =
      compiled(profile_of({{{"dup"}, kEperm, {condition(0, Operator::kEq, 5)}},
                           {{"dup"}, kAllow, {condition(0, Operator::kLe, 9)}}}),
               Flavour::kRunc);
  EXPECT_EQ(verdict(program, Arch::kX86_64, "dup", {5}), kAllow);
}

TEST(Compile, RepeatedIndexIsAnOrOfAllConditionsInRuntimes) {
  const Profile profile =
      profile_of({{{"dup2"},
                   kAllow,
                   {condition(0, Operator::kEq, 1), condition(0, Operator::kEq, 2),
                    condition(1, Operator::kEq, 7)}}});
  for (const Flavour flavour : {Flavour::kRunc, Flavour::kCrun}) {
    const Program program = compiled(profile, flavour);
    EXPECT_EQ(verdict(program, Arch::kX86_64, "dup2", {9, 7}), kAllow);
    EXPECT_EQ(verdict(program, Arch::kX86_64, "dup2", {2, 9}), kAllow);
    EXPECT_EQ(verdict(program, Arch::kX86_64, "dup2", {9, 9}), kEperm);
  }
  const auto native = compile(profile, Flavour::kNative);
  ASSERT_FALSE(native);
  EXPECT_EQ(native.error().place, "/syscalls/0");
}

TEST(Compile, SameConditionsWithAnotherActionIsAnError) {
  const auto result = compile(profile_of({{{"dup"}, kAllow, {condition(0, Operator::kEq, 5)}},
                                          {{"dup"}, kEnosys, {condition(0, Operator::kEq, 5)}}}),
                              Flavour::kRunc);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kInput);
  EXPECT_THAT(result.error().message, testing::HasSubstr("dup"));
  EXPECT_EQ(result.error().place, "/syscalls/1");
}

TEST(Compile, RuncRefusesNotifyWhereItWouldHang) {
  const Verdict notify{Action::kNotify, 0};
  EXPECT_FALSE(compile(profile_of({}, {"SCMP_ARCH_X86_64"}, notify), Flavour::kRunc));
  EXPECT_FALSE(compile(profile_of({{{"write"}, notify, {}}}), Flavour::kRunc));
  EXPECT_TRUE(compile(profile_of({{{"write"}, notify, {}}}), Flavour::kCrun));
}

TEST(Compile, ArchitecturesThatCannotBeMixed) {
  const auto big_endian =
      compile(profile_of({}, {"SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"}), Flavour::kRunc);
  ASSERT_FALSE(big_endian);
  EXPECT_EQ(big_endian.error().place, "/architectures/1");
  EXPECT_FALSE(compile(profile_of({}, {"SCMP_ARCH_Z80"}), Flavour::kRunc));
}

// A profile for another machine has the native ABI of that machine, not of this one.
TEST(Compile, NativeAbiFollowsTheListedFamily) {
  const std::vector<Rule> read = {{{"read"}, kAllow, {}}};
  const Program arm = compiled(profile_of(read, {"SCMP_ARCH_ARM"}));
  EXPECT_EQ(verdict(arm, Arch::kAarch64, "read"), kAllow);
  EXPECT_EQ(verdict(arm, Arch::kArm, "read"), kAllow);
  EXPECT_EQ(verdict(arm, Arch::kX86_64, "read").action, Action::kKillThread);
  const Program x86 = compiled(profile_of(read, {"SCMP_ARCH_X86"}));
  EXPECT_EQ(verdict(x86, Arch::kX86_64, "read"), kAllow);
  EXPECT_EQ(verdict(x86, Arch::kX86, "read"), kAllow);
  const Program none = compiled(profile_of(read, {}));
  EXPECT_EQ(verdict(none, syscalls::host_arch(), "read"), kAllow);
}

// Of those that were waited for.
double processor_seconds_of_children() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// ERRNO{a0<8 && a1<8} then ERRNO{a0<8 && a1==9}: seccomp_rule_add() of 2.5.4 and 2.6.1 never
// returns.
TEST(Compile, EndlessLoopIsAnError) {
  const Profile profile = profile_of(
      {{{"dup2"}, kEperm, {condition(0, Operator::kLt, 8), condition(1, Operator::kLt, 8)}},
       {{"dup2"}, kEperm, {condition(0, Operator::kLt, 8), condition(1, Operator::kEq, 9)}}},
      {"SCMP_ARCH_X86_64"}, kAllow);
  const double before = processor_seconds_of_children();
  const auto result = compile(profile, Flavour::kNative);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kInput);
  EXPECT_THAT(result.error().message, testing::HasSubstr("loops for ever"));
  EXPECT_LT(processor_seconds_of_children() - before, 1);
}

TEST(Stub, NumbersAboveTheNewestNameAreEnosys) {
  const Profile profile = profile_of({{{"read", "openat2"}, kAllow, {}}, {{"clone3"}, kEperm, {}}},
                                     {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"});
  const Program runc = compiled(profile, Flavour::kRunc);
  const Program crun = compiled(profile, Flavour::kCrun);
  EXPECT_EQ(runc.size(), crun.size() + 14);
  EXPECT_TRUE(std::equal(crun.begin(), crun.end(), runc.begin() + 14, [](auto& a, auto& b) {
    return a.code == b.code && a.jt == b.jt && a.jf == b.jf && a.k == b.k;
  }));
  for (const Arch arch : {Arch::kX86_64, Arch::kX86, Arch::kX32}) {
    // The dropped rule counts too: 437 is openat2, 435 clone3, 439 faccessat2.
    EXPECT_EQ(verdict(runc, arch, "openat2"), kAllow);
    EXPECT_EQ(verdict(runc, arch, "clone3"), kEperm);
    EXPECT_EQ(verdict(runc, arch, "faccessat2"), kEnosys);
    EXPECT_EQ(verdict(crun, arch, "faccessat2"), kEperm);
    EXPECT_EQ(verdict(runc, arch, "mount"), kEperm);
  }
  EXPECT_EQ(verdict(runc, Arch::kAarch64, "read").action, Action::kKillThread);
}

TEST(Stub, OneAbiOfTwoThatShareAnAuditValue) {
  const NewestCall x86_64{syscalls::audit_arch(Arch::kX86_64), false, 100};
  const NewestCall x32{syscalls::audit_arch(Arch::kX86_64), true, syscalls::kX32Bit | 100};
  const auto answer = [](Program stub, std::uint32_t nr) {
    stub.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
    return *evaluate(stub, call(Arch::kX86_64, nr, {}));
  };
  const Program plain = enosys_stub({{x86_64}});
  EXPECT_EQ(answer(plain, 100), kAllow);
  EXPECT_EQ(answer(plain, 101), kEnosys);
  EXPECT_EQ(answer(plain, syscalls::kX32Bit | 101), kAllow);
  const Program with_bit = enosys_stub({{x32}});
  EXPECT_EQ(answer(with_bit, 101), kAllow);
  EXPECT_EQ(answer(with_bit, syscalls::kX32Bit | 100), kAllow);
  EXPECT_EQ(answer(with_bit, syscalls::kX32Bit | 101), kEnosys);
  EXPECT_EQ(answer(enosys_stub({}), 5000), kAllow);
}

TEST(Stub, OnlyInFrontOfDefaultsThatRefuse) {
  EXPECT_TRUE(has_stub(kEperm));
  EXPECT_TRUE(has_stub({Action::kKillProcess, 0}));
  EXPECT_FALSE(has_stub(kAllow));
  EXPECT_FALSE(has_stub({Action::kLog, 0}));
  EXPECT_FALSE(has_stub({Action::kTrace, 1}));
}

}  // namespace
}  // namespace whittle::filter
