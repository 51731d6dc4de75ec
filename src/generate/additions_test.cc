#include "generate/additions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "generate/evidence_for_test.h"
#include "profile/baseline.h"

namespace whittle::generate {
namespace {

using profile::Action;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

constexpr Verdict kAllow{Action::kAllow, 0};

Profile profile_of(std::vector<Rule> rules,
                   std::vector<std::string> architectures = {"SCMP_ARCH_X86_64"}) {
  Profile::Parts parts;
  parts.architectures = std::move(architectures);
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

Options options_for(const Profile& profile) {
  Options options;
  options.arches = native_arches(profile);
  options.base_name = "docker";
  for (const Arch arch : options.arches) {
    profile::Setting setting;
    setting.arch = arch;
    options.base.emplace(arch, profile::baseline("docker", setting).value());
  }
  return options;
}

Added add(const Profile& profile, std::vector<evidence::Observation> missing,
          const std::vector<LeftOut>& never = {}, const std::set<std::string>& allow = {}) {
  Options options = options_for(profile);
  options.allow = allow;
  auto added = add_missing(profile, evidence_of(std::move(missing)), options, never);
  EXPECT_TRUE(added) << (added ? "" : added.error().text());
  return added ? *std::move(added) : Added{};
}

Verdict answer(const Profile& profile, const std::string& name,
               const std::array<std::uint64_t, 6>& args = {}) {
  return profile::documented_verdict(profile, Arch::kX86_64, name, args);
}

TEST(AddMissing, AddsTheCallAndNothingElse) {
  const Profile before = profile_of({{{"read", "write"}, kAllow, {}}});
  const Added added = add(before, {seen("mkdir")});
  ASSERT_EQ(added.additions.size(), 1U);
  EXPECT_EQ(added.additions[0].syscall, "mkdir");
  Profile::Parts expected = before.parts();
  expected.rules.push_back({{"mkdir"}, kAllow, {}});
  EXPECT_EQ(added.profile.parts(), expected);
  EXPECT_TRUE(added.left_out.empty());
}

TEST(AddMissing, AddsWhatTheOtherArchitectureCalls) {
  const Profile before =
      profile_of({{{"read"}, kAllow, {}}}, {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"});
  const Added added = add(before, {seen("mkdir")});
  ASSERT_EQ(added.additions.size(), 2U);
  EXPECT_EQ(added.additions[1].syscall, "mkdirat");
  EXPECT_EQ(added.additions[1].why.front().because, Because::kCounterpart);
}

TEST(AddMissing, AddsArgumentValuesNextToThoseThatAreThere) {
  const Profile before =
      add(profile_of({{{"read"}, kAllow, {}}}), {seen("socket", {{2, 1, 0}})}).profile;
  EXPECT_TRUE(answer(before, "socket", {2, 1, 0}).allows());
  EXPECT_FALSE(answer(before, "socket", {16, 3, 0}).allows());
  const Profile after = add(before, {seen("socket", {{16, 3, 0}})}).profile;
  EXPECT_TRUE(answer(after, "socket", {2, 1, 0}).allows());
  EXPECT_TRUE(answer(after, "socket", {16, 3, 0}).allows());
  EXPECT_FALSE(answer(after, "socket", {17, 3, 0}).allows());
  EXPECT_TRUE(add(after, {seen("socket", {{16, 3, 0}})}).additions.empty());
}

TEST(AddMissing, OpensACallWhoseValuesAreNotKnown) {
  const Profile before =
      add(profile_of({{{"read"}, kAllow, {}}}), {seen("madvise", {{4}})}).profile;
  const Profile after = add(before, {seen("madvise")}).profile;
  EXPECT_TRUE(answer(after, "madvise", {0, 0, 99}).allows());
}

TEST(AddMissing, NeverGoesBeyondTheBase) {
  const Profile before = profile_of({{{"read"}, kAllow, {}}});
  for (const char* name : {"mount", "kexec_load"}) {
    const Added added = add(before, {seen(name)});
    EXPECT_EQ(added.profile, before) << name;
    ASSERT_EQ(added.left_out.size(), 1U) << name;
    EXPECT_EQ(added.left_out[0].fix, std::string("--allow ") + name);
    EXPECT_TRUE(answer(add(before, {seen(name)}, {}, {name}).profile, name).allows()) << name;
  }
  const Added family = add(before, {seen("socket", {{38, 5, 0}})});  // AF_ALG
  EXPECT_EQ(family.profile, before);
  ASSERT_EQ(family.left_out.size(), 1U);
}

TEST(AddMissing, NeverAddsWhatIsForbidden) {
  const Profile before =
      profile_of({{{"read"}, kAllow, {}}}, {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"});
  const std::vector<LeftOut> never = {{"mkdir", "", "said so", ""}, {"umount2", "", "no", ""}};
  const Added added = add(before, {seen("mkdir"), seen("rmdir")}, never);
  ASSERT_EQ(added.left_out.size(), 1U);
  EXPECT_EQ(added.left_out[0], never[0]);
  for (const Addition& addition : added.additions) {
    EXPECT_TRUE(addition.syscall == "rmdir" || addition.syscall == "unlinkat") << addition.syscall;
  }
  EXPECT_FALSE(answer(added.profile, "mkdirat").allows());
}

TEST(AddMissing, KeepsARefusalThatIsARuleOfItsOwn) {
  const Profile before =
      profile_of({{{"read"}, kAllow, {}}, {{"mkdir", "rmdir"}, {Action::kErrno, EACCES}, {}}});
  const Added added = add(before, {seen("mkdir")});
  EXPECT_EQ(added.profile, before);
  ASSERT_EQ(added.left_out.size(), 1U);
  const Added asked = add(before, {seen("mkdir")}, {}, {"mkdir"});
  EXPECT_TRUE(answer(asked.profile, "mkdir").allows());
  EXPECT_EQ(answer(asked.profile, "rmdir"), (Verdict{Action::kErrno, EACCES}));
}

TEST(AddMissing, TakesARuleOutOfADenyListWhenAsked) {
  Profile::Parts parts;
  parts.default_verdict = kAllow;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = {{{"mkdir", "rmdir"}, {Action::kErrno, EACCES}, {}}};
  const Profile before{parts};
  EXPECT_EQ(add(before, {seen("mkdir")}).profile, before);
  const Added asked = add(before, {seen("mkdir")}, {}, {"mkdir"});
  EXPECT_TRUE(answer(asked.profile, "mkdir").allows());
  EXPECT_FALSE(answer(asked.profile, "rmdir").allows());
}

TEST(AddMissing, AnswersClone3WithENOSYSAndAllowsTheClone) {
  const Profile before = profile_of({{{"read"}, kAllow, {}}});
  const Added added = add(before, {seen("clone3", {{0x11}})});
  EXPECT_EQ(answer(added.profile, "clone3"), (Verdict{Action::kErrno, ENOSYS}));
  EXPECT_TRUE(answer(added.profile, "clone", {0x11}).allows());
  EXPECT_FALSE(answer(added.profile, "clone", {0x10000011}).allows());  // CLONE_NEWUSER
  EXPECT_EQ(added.additions.size(), 2U);
}

TEST(AddMissing, ReplacesRulesThatAWiderOneHolds) {
  const Profile before =
      profile_of({{{"read"}, kAllow, {}}, {{"fcntl"}, kAllow, {{1, 3, 0, Operator::kEq}}}});
  Options options = options_for(before);
  options.arguments = syscalls::Level::kBase;
  const auto added = add_missing(before, evidence_of({seen("fcntl", {{4}})}), options, {});
  ASSERT_TRUE(added) << added.error().text();
  EXPECT_TRUE(answer(added->profile, "fcntl", {0, 77}).allows());
  const auto& rules = added->profile.rules();
  EXPECT_EQ(std::count_if(rules.begin(), rules.end(),
                          [](const Rule& rule) { return rule.names[0] == "fcntl"; }),
            1);
}

}  // namespace
}  // namespace whittle::generate
