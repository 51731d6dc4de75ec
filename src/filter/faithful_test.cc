#include "filter/faithful.h"

#include <gtest/gtest.h>

#include "syscalls/table.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEperm{Action::kErrno, 1};

Condition condition(std::uint32_t index, Operator op, std::uint64_t value, std::uint64_t two = 0) {
  return {index, value, two, op};
}

std::vector<Difference> compare(std::vector<Rule> rules, Flavour flavour = Flavour::kNative,
                                std::vector<std::string> architectures = {"SCMP_ARCH_X86_64"}) {
  Profile::Parts parts;
  parts.default_verdict = kEperm;
  parts.architectures = std::move(architectures);
  parts.rules = std::move(rules);
  const Profile profile(std::move(parts));
  const auto compiled = compile(profile, flavour);
  EXPECT_TRUE(compiled) << compiled.error().text();
  if (!compiled) return {};
  auto found = differences(profile, compiled->program, flavour);
  EXPECT_TRUE(found) << found.error().text();
  return found.value_or(std::vector<Difference>{});
}

TEST(Faithful, OrdinaryRulesCompileAsDocumented) {
  const std::vector<Rule> rules = {
      {{"read", "write", "openat"}, kAllow, {}},
      {{"clone"}, kAllow, {condition(0, Operator::kMaskedEq, 0x7e020000, 0)}},
      {{"personality"}, kAllow, {condition(0, Operator::kEq, 0)}},
      {{"personality"}, kAllow, {condition(0, Operator::kEq, 0xffffffff)}},
      {{"clone3"}, {Action::kErrno, 38}, {}}};
  const std::vector<std::string> architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
                                                  "SCMP_ARCH_X32"};
  for (const Flavour flavour : {Flavour::kNative, Flavour::kRunc, Flavour::kCrun}) {
    EXPECT_TRUE(compare(rules, flavour, architectures).empty());
  }
}

// Two rules over two arguments: libseccomp merges them wrongly and allows (2, 0).
TEST(Faithful, FindsWhatLibseccompMergesWrongly) {
  const auto found = compare(
      {{{"dup2"}, kAllow, {condition(0, Operator::kLt, 2), condition(1, Operator::kLt, 1)}},
       {{"dup2"}, kAllow, {condition(0, Operator::kLe, 2), condition(1, Operator::kEq, 3)}}});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].syscall, "dup2");
  EXPECT_EQ(found[0].documented, kEperm);
  EXPECT_EQ(found[0].compiled, kAllow);
  EXPECT_EQ(found[0].args, (Arguments{2, 0}));
}

TEST(Faithful, FindsTheOrOfRepeatedIndexes) {
  const auto found = compare(
      {{{"socket"}, kAllow, {condition(0, Operator::kNe, 38), condition(0, Operator::kNe, 40)}}},
      Flavour::kRunc);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].documented, kEperm);
  EXPECT_EQ(found[0].compiled, kAllow);
}

TEST(Faithful, FindsNamesThatLibseccompDoesNotKnow) {
  // Newer than Linux 6.7, the newest that libseccomp 2.5.4 knows.
  const Profile profile([] {
    Profile::Parts parts;
    parts.architectures = {"SCMP_ARCH_X86_64"};
    parts.rules = {{{"mseal"}, kAllow, {}}};
    return parts;
  }());
  const Program refuse_all = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 1}};
  const auto found = differences(profile, refuse_all, Flavour::kCrun);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ((*found)[0].syscall, "mseal");
  EXPECT_EQ((*found)[0].nr, *syscalls::number(syscalls::Arch::kX86_64, "mseal"));
}

// The family of a socket rule is lost in socketcall, whose arguments are behind a pointer.
TEST(Faithful, FindsSocketcallOnX86) {
  const auto found = compare({{{"socket"}, kAllow, {condition(0, Operator::kEq, 1)}}},
                             Flavour::kNative, {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].arch, syscalls::Arch::kX86);
  EXPECT_EQ(found[0].syscall, "socketcall");
  EXPECT_EQ(found[0].compiled, kAllow);
}

}  // namespace
}  // namespace whittle::filter
