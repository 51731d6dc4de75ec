#include "generate/proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::generate {
namespace {

using profile::Action;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using syscalls::Arch;
using testing::HasSubstr;

constexpr profile::Verdict kAllow{Action::kAllow, 0};

Profile with_rules(std::vector<Rule> rules) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64"};
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

struct Limits {
  std::map<Arch, Profile> base = {{Arch::kX86_64, no_base(Arch::kX86_64)}};
  std::set<Arch> abis = {Arch::kX86_64};
  BaseLimit limit{base, abis};
};

TEST(Proof, FindsWhatTheBaseRefuses) {
  const Limits limits;
  const Profile loose =
      with_rules({{{"clone"}, kAllow, {{0, 0x20000000, 0, Operator::kMaskedEq}}}});
  const auto proof = prove_not_looser(loose, {"clone"}, limits.limit, "docker");
  ASSERT_FALSE(proof);
  EXPECT_EQ(proof.error().kind, ErrorKind::kBug);
  EXPECT_THAT(proof.error().message, HasSubstr("clone"));
  EXPECT_TRUE(prove_not_looser(loose, {"read"}, limits.limit, "docker"));
  const Profile tight =
      with_rules({{{"clone"}, kAllow, {{0, 0x7e0200ff, 17, Operator::kMaskedEq}}}});
  EXPECT_TRUE(prove_not_looser(tight, {"clone"}, limits.limit, "docker"));
}

TEST(Proof, OfALoggingDefaultOnlyTheRulesCount) {
  const Limits limits;
  Profile::Parts parts = with_rules({}).parts();
  parts.default_verdict = {Action::kLog, 0};
  EXPECT_TRUE(prove_not_looser(Profile(parts), {"clone"}, limits.limit, "docker"));
}

// A rule set that libseccomp is known to miscompile: it allows (2, 0), which no rule does.
TEST(Proof, FindsWhatLibseccompMiscompiles) {
  const Limits limits;
  const Profile ranges =
      with_rules({{{"dup2"}, kAllow, {{0, 2, 0, Operator::kLt}, {1, 1, 0, Operator::kLt}}},
                  {{"dup2"}, kAllow, {{0, 2, 0, Operator::kLe}, {1, 3, 0, Operator::kEq}}}});
  const auto proof = prove_faithful(ranges, limits.limit);
  ASSERT_FALSE(proof);
  EXPECT_THAT(proof.error().message, HasSubstr("dup2"));
  EXPECT_TRUE(prove_faithful(with_rules({{{"dup2", "read"}, kAllow, {}}}), limits.limit));
}

}  // namespace
}  // namespace whittle::generate
