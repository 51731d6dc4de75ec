#include <gtest/gtest.h>

#include "profile/profile.h"

namespace whittle::profile {
namespace {

using syscalls::Arch;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kDefault{Action::kErrno, 1};
constexpr Verdict kEinval{Action::kErrno, 22};
constexpr Verdict kKill{Action::kKillThread, 0};

Profile with(std::vector<Rule> rules, std::vector<std::string> arches = {"SCMP_ARCH_X86_64"}) {
  Profile::Parts parts;
  parts.architectures = std::move(arches);
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

Verdict ask(const Profile& profile, std::uint64_t arg0, std::uint64_t arg1 = 0,
            Arch arch = Arch::kX86_64) {
  return documented_verdict(profile, arch, "dup", {arg0, arg1, 0, 0, 0, 0});
}

Condition equals(std::uint32_t index, std::uint64_t value) {
  return {index, value, 0, Operator::kEq};
}

TEST(Condition, OperatorsCompareUnsigned) {
  const std::uint64_t big = UINT64_MAX;
  EXPECT_TRUE((Condition{0, 5, 0, Operator::kNe}.holds(6)));
  EXPECT_FALSE((Condition{0, 5, 0, Operator::kNe}.holds(5)));
  EXPECT_TRUE((Condition{0, 5, 0, Operator::kLt}.holds(4)));
  EXPECT_FALSE((Condition{0, 5, 0, Operator::kLt}.holds(5)));
  EXPECT_FALSE((Condition{0, 5, 0, Operator::kLt}.holds(big)));
  EXPECT_TRUE((Condition{0, 5, 0, Operator::kLe}.holds(5)));
  EXPECT_FALSE((Condition{0, 5, 0, Operator::kLe}.holds(6)));
  EXPECT_TRUE((Condition{0, 5, 0, Operator::kEq}.holds(5)));
  EXPECT_FALSE((Condition{0, 5, 0, Operator::kEq}.holds((1ULL << 32U) + 5)));
  EXPECT_TRUE((Condition{0, 5, 0, Operator::kGe}.holds(5)));
  EXPECT_FALSE((Condition{0, 5, 0, Operator::kGe}.holds(4)));
  EXPECT_TRUE((Condition{0, 5, 0, Operator::kGt}.holds(big)));
  EXPECT_FALSE((Condition{0, 5, 0, Operator::kGt}.holds(5)));
}

TEST(Condition, MaskedEqualHasItsMaskInValue) {
  const Condition masked{0, 0xf0, 0x10, Operator::kMaskedEq};
  EXPECT_TRUE(masked.holds(0x1f));
  EXPECT_FALSE(masked.holds(0x2f));
  EXPECT_FALSE((Condition{0, 0xf0, 0x11, Operator::kMaskedEq}.holds(0x11)));
}

TEST(Meaning, AnotherCallGetsTheDefault) {
  const Profile profile = with({{{"dup2", "read"}, kAllow, {}}});
  EXPECT_EQ(ask(profile, 0), kDefault);
  EXPECT_EQ(documented_verdict(profile, Arch::kX86_64, "read", {}), kAllow);
}

TEST(Meaning, ConditionsOfARuleAreAllNeeded) {
  const Profile profile = with({{{"dup"}, kAllow, {equals(0, 1), equals(1, 2)}}});
  EXPECT_EQ(ask(profile, 1, 2), kAllow);
  EXPECT_EQ(ask(profile, 1, 3), kDefault);
  EXPECT_EQ(ask(profile, 9, 2), kDefault);
}

TEST(Meaning, ARepeatedIndexIsStillAConjunction) {
  const Profile profile =
      with({{{"dup"}, kAllow, {{0, 10, 0, Operator::kNe}, {0, 20, 0, Operator::kNe}}}});
  EXPECT_EQ(ask(profile, 5), kAllow);
  EXPECT_EQ(ask(profile, 10), kDefault);
  EXPECT_EQ(ask(profile, 20), kDefault);
}

TEST(Meaning, RulesOfACallAreAUnion) {
  const Profile profile =
      with({{{"dup"}, kAllow, {equals(0, 1)}}, {{"dup"}, kAllow, {equals(0, 2)}}});
  EXPECT_EQ(ask(profile, 1), kAllow);
  EXPECT_EQ(ask(profile, 2), kAllow);
  EXPECT_EQ(ask(profile, 3), kDefault);
}

TEST(Meaning, TheFirstUnconditionalRuleWins) {
  EXPECT_EQ(ask(with({{{"dup"}, kAllow, {}}, {{"dup"}, kEinval, {}}}), 0), kAllow);
  EXPECT_EQ(ask(with({{{"dup"}, kEinval, {}}, {{"dup"}, kAllow, {}}}), 0), kEinval);
}

TEST(Meaning, UnconditionalBeatsConditionalInAnyOrder) {
  const Rule conditional{{"dup"}, kEinval, {equals(0, 5)}};
  const Rule unconditional{{"dup"}, kAllow, {}};
  EXPECT_EQ(ask(with({conditional, unconditional}), 5), kAllow);
  EXPECT_EQ(ask(with({unconditional, conditional}), 5), kAllow);
}

TEST(Meaning, AmongConditionalRulesTheFirstMatchWins) {
  const Rule above{{"dup"}, kAllow, {{0, 3, 0, Operator::kGt}}};
  const Rule five{{"dup"}, kEinval, {equals(0, 5)}};
  EXPECT_EQ(ask(with({above, five}), 5), kAllow);
  EXPECT_EQ(ask(with({five, above}), 5), kEinval);
  EXPECT_EQ(ask(with({five, above}), 6), kAllow);
}

TEST(Meaning, OnlyListedArchitecturesAndTheirNativeOnesAreCovered) {
  const Profile native = with({{{"dup"}, kAllow, {}}});
  EXPECT_EQ(ask(native, 0, 0, Arch::kX86_64), kAllow);
  EXPECT_EQ(ask(native, 0, 0, Arch::kX86), kKill);
  EXPECT_EQ(ask(native, 0, 0, Arch::kX32), kKill);
  EXPECT_EQ(ask(native, 0, 0, Arch::kAarch64), kKill);

  const Profile thirty_two = with({{{"dup"}, kAllow, {}}}, {"SCMP_ARCH_ARM"});
  EXPECT_EQ(ask(thirty_two, 0, 0, Arch::kArm), kAllow);
  EXPECT_EQ(ask(thirty_two, 0, 0, Arch::kAarch64), kAllow);
  EXPECT_EQ(ask(thirty_two, 0, 0, Arch::kX86_64), kKill);
}

TEST(Meaning, WithoutArchitecturesTheHostCounts) {
  for (const auto& arches : {std::vector<std::string>{}, {"SCMP_ARCH_S390X"}}) {
    const Profile profile = with({{{"dup"}, kAllow, {}}}, arches);
    for (const Arch arch : syscalls::kAllArches) {
      const bool host = arch == syscalls::native_of(syscalls::host_arch());
      EXPECT_EQ(ask(profile, 0, 0, arch), host ? kAllow : kKill) << syscalls::arch_name(arch);
    }
  }
}

TEST(Meaning, ThirtyTwoBitAbisCompareTheLowHalf) {
  const std::uint64_t high = 1ULL << 32U;
  const Profile profile = with(
      {{{"dup"}, kAllow, {equals(0, high + 5)}}},
      {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"});
  for (const Arch arch : {Arch::kX86, Arch::kX32, Arch::kArm}) {
    EXPECT_EQ(ask(profile, 5, 0, arch), kAllow);
    EXPECT_EQ(ask(profile, high * 7 + 5, 0, arch), kAllow);
    EXPECT_EQ(ask(profile, 6, 0, arch), kDefault);
  }
  for (const Arch arch : {Arch::kX86_64, Arch::kAarch64}) {
    EXPECT_EQ(ask(profile, 5, 0, arch), kDefault);
    EXPECT_EQ(ask(profile, high + 5, 0, arch), kAllow);
  }
}

TEST(Meaning, ThirtyTwoBitAbisCutMaskAndExpectedValue) {
  const std::uint64_t high = 1ULL << 32U;
  const Profile profile =
      with({{{"dup"}, kAllow, {{0, high | 0xf, high | 1, Operator::kMaskedEq}}}},
           {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"});
  EXPECT_EQ(ask(profile, 1, 0, Arch::kX86_64), kDefault);
  EXPECT_EQ(ask(profile, high | 1, 0, Arch::kX86_64), kAllow);
  EXPECT_EQ(ask(profile, 1, 0, Arch::kX86), kAllow);
}

}  // namespace
}  // namespace whittle::profile
