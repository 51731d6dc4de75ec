#include "generate/meaning.h"

#include <gtest/gtest.h>

#include <random>

namespace whittle::generate {
namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using syscalls::Arch;

constexpr Verdict kAllow{Action::kAllow, 0};

Profile with_rules(std::vector<Rule> rules) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

// Docker's: everything but AF_ALG (38) and AF_VSOCK (40).
Profile docker_socket() {
  return with_rules({{{"socket"}, kAllow, {{0, 38, 0, Operator::kLt}}},
                     {{"socket"}, kAllow, {{0, 39, 0, Operator::kEq}}},
                     {{"socket"}, kAllow, {{0, 40, 0, Operator::kGt}}}});
}

Region first(std::uint64_t mask, std::uint64_t value) {
  Region region{};
  region[0] = {mask, value};
  return region;
}

TEST(Meaning, KnowsWhenAUnionCoversARegion) {
  const Meaning socket(docker_socket(), Arch::kX86_64, "socket");
  EXPECT_TRUE(allows_all(socket, first(UINT32_MAX, 2)));
  // 64 bits count: 38 in the low half with anything above is over 40.
  EXPECT_FALSE(allows_all(socket, first(UINT32_MAX, 38)));
  EXPECT_FALSE(refuses_all(socket, first(UINT32_MAX, 38)));
  EXPECT_TRUE(refuses_all(socket, first(UINT64_MAX, 38)));
  EXPECT_FALSE(allows_all(socket, socket.everything()));
}

TEST(Meaning, CutsToTheBitsOfTheAbi) {
  const Meaning socket(docker_socket(), Arch::kX86, "socket");
  EXPECT_TRUE(refuses_all(socket, socket.seen(first(UINT32_MAX, 38))));
  EXPECT_TRUE(allows_all(socket, socket.seen(first(UINT64_MAX, (5ULL << 32U) + 2))));
}

TEST(Meaning, FindsTheOneLooserVector) {
  const Profile wide =
      with_rules({{{"socket"}, kAllow, {{0, 0xfffffffe, 38, Operator::kMaskedEq}}}});
  const Meaning before(docker_socket(), Arch::kX86_64, "socket");
  const Meaning after(wide, Arch::kX86_64, "socket");
  const auto witness = loosened(before, after, after.everything());
  ASSERT_TRUE(witness && *witness);
  EXPECT_EQ((**witness)[0], 38U);
  const auto none = loosened(after, after, after.everything());
  EXPECT_TRUE(none && !*none);
}

TEST(Meaning, UnconditionalRuleWinsAndFirstMatchDecides) {
  const Verdict eperm{Action::kErrno, 1};
  const Profile profile = with_rules({{{"dup"}, eperm, {{0, 5, 0, Operator::kEq}}},
                                      {{"dup"}, kAllow, {}},
                                      {{"close"}, eperm, {{0, 5, 0, Operator::kEq}}},
                                      {{"close"}, kAllow, {{0, 9, 0, Operator::kLt}}}});
  EXPECT_TRUE(allows_all(Meaning(profile, Arch::kX86_64, "dup"), first(UINT64_MAX, 5)));
  EXPECT_TRUE(refuses_all(Meaning(profile, Arch::kX86_64, "close"), first(UINT64_MAX, 5)));
  EXPECT_TRUE(allows_all(Meaning(profile, Arch::kX86_64, "close"), first(UINT64_MAX, 6)));
}

TEST(Regions, IntersectAndComeBackAsConditions) {
  const Rule rule{{"clone"}, kAllow, {{0, 0x7e020000, 0, Operator::kMaskedEq}}};
  const auto both = intersection(*region_of(rule), first(UINT32_MAX, 17));
  ASSERT_TRUE(both);
  EXPECT_EQ(conditions_of(*both),
            (std::vector<Condition>{{0, UINT32_MAX, 17, Operator::kMaskedEq}}));
  EXPECT_FALSE(intersection(*region_of(rule), first(UINT32_MAX, 0x10000000)));
  EXPECT_FALSE(region_of({{"socket"}, kAllow, {{0, 38, 0, Operator::kLt}}}));
}

// The exact answer against the documented verdict at points, over random rules of all operators.
TEST(Meaning, AgreesWithDocumentedVerdict) {
  std::mt19937_64 random(7);
  const auto small = [&random](std::uint64_t below) { return random() % below; };
  for (int round = 0; round < 400; ++round) {
    std::vector<Rule> rules;
    for (std::uint64_t i = 0; i <= small(4); ++i) {
      Rule rule{{"dup3"}, small(3) == 0 ? Verdict{Action::kErrno, 13} : kAllow, {}};
      for (std::uint64_t j = 0; j <= small(2); ++j) {
        rule.args.push_back({static_cast<std::uint32_t>(small(3)), small(8), small(8),
                             static_cast<Operator>(small(7))});
      }
      rules.push_back(std::move(rule));
    }
    const Profile profile = with_rules(rules);
    for (const Arch arch : {Arch::kX86_64, Arch::kX86}) {
      const Meaning meaning(profile, arch, "dup3");
      for (int point = 0; point < 50; ++point) {
        Region region{};
        Arguments args{};
        for (std::size_t i = 0; i < 3; ++i) {
          args[i] = small(10) + (small(4) == 0 ? 1ULL << 32U : 0);
          region[i] = {UINT64_MAX, args[i]};
        }
        const bool expected = documented_verdict(profile, arch, "dup3", args).allows();
        ASSERT_EQ(allows_all(meaning, meaning.seen(region)), expected);
        ASSERT_EQ(refuses_all(meaning, meaning.seen(region)), !expected);
        // A whole region is allowed only if its points are.
        region[small(3)] = {small(16), 0};
        for (Bits& bits : region) bits.value &= bits.mask;
        if (allows_all(meaning, meaning.seen(region))) {
          Arguments inside{};
          for (std::size_t i = 0; i < 6; ++i) {
            inside[i] = region[i].value | (random() & ~region[i].mask);
          }
          ASSERT_TRUE(documented_verdict(profile, arch, "dup3", inside).allows());
        }
      }
    }
  }
}

}  // namespace
}  // namespace whittle::generate
