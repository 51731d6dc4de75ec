#include "review/refuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "filter/decide.h"
#include "syscalls/table.h"

namespace whittle::review {
namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using syscalls::Arch;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr profile::Verdict kAllow{Action::kAllow, 0};
const Way kNewUser = {"clone", {{0, 0x10000000, 0, true}}, {"CLONE_NEWUSER"}};
const Way kCrypto = {"socket", {{0, UINT32_MAX, 38, false}}, {"AF_ALG"}};
const Way kTls = {
    "setsockopt", {{1, UINT32_MAX, 6, false}, {2, UINT32_MAX, 31, false}}, {"SOL_TCP", "TCP_ULP"}};

Profile of(std::vector<Rule> rules, profile::Verdict by_default = {Action::kErrno, 1}) {
  Profile::Parts parts;
  parts.default_verdict = by_default;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

Rule allow(std::string name, std::vector<Condition> args = {}) {
  return {{std::move(name)}, kAllow, std::move(args)};
}

// What the compiled filter of runc answers.
bool allows(const Profile& profile, std::string_view call, filter::Arguments args = {}) {
  const auto compiled = filter::compile(profile, filter::Flavour::kRunc);
  EXPECT_TRUE(compiled) << compiled.error().text();
  const auto nr = syscalls::number(Arch::kX86_64, call);
  const auto verdict = filter::evaluate(compiled->program, filter::call(Arch::kX86_64, *nr, args));
  EXPECT_TRUE(verdict);
  return verdict->allows();
}

Refusal refused(const Profile& profile, const Way& way) {
  return refuse(profile, filter::Flavour::kRunc, way);
}

TEST(Refuse, AnUnconditionalRuleGetsTheCondition) {
  const Refusal result = refused(of({{{"read", "clone", "write"}, kAllow, {}}}), kNewUser);
  EXPECT_THAT(result.pointers, ElementsAre("/syscalls/0"));
  EXPECT_EQ(result.text,
            "refuse clone with CLONE_NEWUSER: allow it only when (arg0 & CLONE_NEWUSER) == 0 (the "
            "rule at /syscalls/0)");
  EXPECT_TRUE(allows(result.profile, "clone", {0x11}));
  EXPECT_FALSE(allows(result.profile, "clone", {0x10000011}));
  EXPECT_TRUE(allows(result.profile, "read"));
}

TEST(Refuse, SeveralArgumentsLeaveEachAlone) {
  const Refusal result = refused(of({allow("setsockopt")}), kTls);
  EXPECT_EQ(result.rules.size(), 2U);
  EXPECT_FALSE(allows(result.profile, "setsockopt", {3, 6, 31}));
  EXPECT_TRUE(allows(result.profile, "setsockopt", {3, 6, 1}));
  EXPECT_TRUE(allows(result.profile, "setsockopt", {3, 1, 31}));
}

TEST(Refuse, ConditionsOnOneArgumentBecomeOne) {
  // Docker's form: no other namespace either.
  const auto masked = of({allow("clone", {{0, 0x6e020000, 0, Operator::kMaskedEq}})});
  const Refusal both = refused(masked, kNewUser);
  EXPECT_THAT(both.rules, ElementsAre(allow("clone", {{0, 0x7e020000, 0, Operator::kMaskedEq}})));
  // Refused already.
  const auto narrow = of({allow("clone", {{0, 0x7e020000, 0, Operator::kMaskedEq}})});
  EXPECT_THAT(refused(narrow, kNewUser).rules, ElementsAre(narrow.rules()[0]));
  // Nothing else was allowed.
  const auto only = of({allow("clone", {{0, 0x10000000, 0x10000000, Operator::kMaskedEq}})});
  EXPECT_THAT(refused(only, kNewUser).rules, IsEmpty());
  EXPECT_THAT(refused(of({allow("socket", {{0, 38, 0, Operator::kEq}})}), kCrypto).rules,
              IsEmpty());
  // Up to and from 38: one less.
  EXPECT_THAT(refused(of({allow("socket", {{0, 38, 0, Operator::kLe}})}), kCrypto).rules,
              ElementsAre(allow("socket", {{0, 38, 0, Operator::kLt}})));
  EXPECT_THAT(refused(of({allow("socket", {{0, 38, 0, Operator::kGe}})}), kCrypto).rules,
              ElementsAre(allow("socket", {{0, 38, 0, Operator::kGt}})));
}

// Two conditions on one argument would be an OR to runc: the families are listed instead.
TEST(Refuse, NeverWritesTwoConditionsOnOneArgument) {
  const auto no_unix = of({allow("socket", {{0, 1, 0, Operator::kNe}})});
  const Refusal result = refused(no_unix, kCrypto);
  for (const Rule& rule : result.rules) EXPECT_EQ(rule.args.size(), 1U);
  EXPECT_FALSE(allows(result.profile, "socket", {1}));
  EXPECT_FALSE(allows(result.profile, "socket", {38}));
  EXPECT_TRUE(allows(result.profile, "socket", {2}));
  EXPECT_TRUE(allows(result.profile, "socket", {45}));
}

TEST(Refuse, WhatNoConditionSaysGoesWhole) {
  const auto odd = of({allow("clone", {{0, 0x20000000, 0, Operator::kLt}})});
  const Refusal result = refused(odd, kNewUser);
  EXPECT_THAT(result.rules, IsEmpty());
  EXPECT_EQ(result.text, "remove clone from the rule at /syscalls/0");
}

TEST(Refuse, WholeCalls) {
  const Refusal bpf = refused(of({{{"bpf", "read"}, kAllow, {}}}), {"bpf", {}, {}});
  EXPECT_EQ(bpf.text, "remove bpf from the rule at /syscalls/0");
  EXPECT_FALSE(allows(bpf.profile, "bpf"));
  EXPECT_TRUE(allows(bpf.profile, "read"));
  const Refusal clone3 = refuse_whole(of({allow("clone3")}), "clone3");
  ASSERT_EQ(clone3.rules.size(), 1U);
  EXPECT_EQ(clone3.rules[0].verdict.data, 38);
  EXPECT_THAT(clone3.text, HasSubstr("ENOSYS"));
}

TEST(Refuse, ADefaultThatAllowsGetsARefusingRule) {
  const Refusal result = refused(of({}, kAllow), kTls);
  EXPECT_FALSE(allows(result.profile, "setsockopt", {3, 6, 31}));
  EXPECT_TRUE(allows(result.profile, "setsockopt", {3, 6, 1}));
  EXPECT_FALSE(allows(refused(of({}, kAllow), kNewUser).profile, "clone", {0x10000011}));
  EXPECT_FALSE(allows(refuse_whole(of({}, kAllow), "bpf").profile, "bpf"));
}

}  // namespace
}  // namespace whittle::review
