#include "filter/handed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "filter/faithful.h"
#include "syscalls/table.h"

namespace whittle::filter {
namespace {

using profile::Action;
using profile::Condition;
using profile::Operator;
using profile::Profile;
using profile::Rule;
using profile::Verdict;
using testing::ElementsAre;

constexpr Verdict kAllow{Action::kAllow, 0};
constexpr Verdict kEperm{Action::kErrno, 1};

Condition when(std::uint32_t index, Operator op, std::uint64_t value, std::uint64_t two = 0) {
  return {.index = index, .value = value, .value_two = two, .op = op};
}

Profile of_rules(std::vector<Rule> rules) {
  Profile::Parts parts;
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
  parts.rules = std::move(rules);
  return Profile(std::move(parts));
}

TEST(Handed, SplitsARepeatedIndexAndDropsRulesEqualToTheDefault) {
  const Profile profile =
      of_rules({{{"read", "dup"}, kAllow, {}},
                {{"dup"}, kEperm, {when(0, Operator::kEq, 5)}},
                {{"fcntl"}, kAllow, {when(1, Operator::kEq, 1), when(1, Operator::kEq, 2)}}});
  const Handed runc(profile, Flavour::kRunc);
  EXPECT_THAT(runc.calls(), ElementsAre("read", "dup", "fcntl"));
  EXPECT_EQ(runc.rules("dup").size(), 1U);
  EXPECT_EQ(runc.rules("fcntl").size(), 2U);
  EXPECT_EQ(runc.rules("fcntl")[1].rule, 2U);
  EXPECT_EQ(runc.rules("close").size(), 0U);
  EXPECT_EQ(*runc.constant("dup"), kAllow);
  EXPECT_EQ(*runc.constant("close"), kEperm);
  EXPECT_EQ(runc.constant("fcntl"), nullptr);
  const Handed native(profile, Flavour::kNative);
  EXPECT_EQ(native.rules("dup").size(), 2U);
  EXPECT_EQ(native.rules("fcntl").size(), 1U);
}

// Rules of the forms that compiled_as_written() lets pass.
class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::vector<Rule> rules() {
    const std::size_t form = below(3);
    std::vector<Rule> rules;
    if (form == 0) {
      rules.push_back({{"dup"}, kAllow, {}});
      for (std::uint32_t i = 0; i < 6; ++i) {
        if (below(2) == 0) rules.back().args.push_back(any(i, true));
      }
      return rules;
    }
    const std::size_t count = 2 + below(6);
    if (form == 1) {
      const auto index = static_cast<std::uint32_t>(below(6));
      while (rules.size() < count) rules.push_back({{"dup"}, kAllow, {any(index, false)}});
      return rules;
    }
    std::vector<Condition> shape;
    for (std::uint32_t i = 0; i < 6; ++i) {
      if (below(2) != 0) continue;
      shape.push_back(below(2) == 0 ? when(i, Operator::kEq, 0)
                                    : when(i, Operator::kMaskedEq, 1 + small()));
    }
    while (rules.size() < count) {
      for (Condition& condition : shape) {
        if (condition.op == Operator::kEq) {
          condition.value = small();
        } else {
          condition.value_two = small() & condition.value;
        }
      }
      rules.push_back({{"dup"}, kAllow, shape});
    }
    return rules;
  }

 private:
  std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }
  std::uint64_t small() {
    return below(3) != 0 ? below(5)
                         : std::uniform_int_distribution<std::uint64_t>(0, UINT32_MAX - 1)(random_);
  }
  Condition any(std::uint32_t index, bool large) {
    std::uint64_t value = small();
    if (large && below(4) == 0) value |= (1 + small()) << 32U;
    const auto op = static_cast<Operator>(below(7));
    return when(index, op, value, op == Operator::kMaskedEq ? value & small() : 0);
  }

  std::mt19937 random_;
};

TEST(CompiledAsWritten, HoldsOfWhatLibseccompMakes) {
  Maker maker(20261125);
  for (int i = 0; i < 40; ++i) {
    const Profile profile = of_rules(maker.rules());
    const Handed handed(profile, Flavour::kNative);
    ASSERT_TRUE(compiled_as_written(handed.rules("dup"))) << profile::write_oci(profile);
    const auto compiled = compile(profile, Flavour::kNative);
    if (!compiled) {  // the same conditions twice
      ADD_FAILURE() << compiled.error().text() << profile::write_oci(profile);
      continue;
    }
    const auto found = differences(profile, compiled->program, Flavour::kNative);
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_TRUE(found->empty()) << profile::write_oci(profile);
  }
}

TEST(CompiledAsWritten, IsFalseForWhatIsKnownToGoWrong) {
  const std::vector<HandedRule> weaker = {
      {kAllow, {when(0, Operator::kLt, 2), when(1, Operator::kLt, 1)}},
      {kAllow, {when(0, Operator::kLe, 2), when(1, Operator::kEq, 3)}}};
  EXPECT_FALSE(compiled_as_written(weaker));
  const std::vector<HandedRule> large = {{kEperm, {when(0, Operator::kLe, 1)}},
                                         {kEperm, {when(0, Operator::kGt, 1ULL << 33U)}}};
  EXPECT_FALSE(compiled_as_written(large));
  const std::vector<HandedRule> mixed = {{kAllow, {when(0, Operator::kGt, 5)}},
                                         {kEperm, {when(0, Operator::kGt, 10)}}};
  EXPECT_FALSE(compiled_as_written(mixed));
}

}  // namespace
}  // namespace whittle::filter
