#include "filter/word.h"

#include <gtest/gtest.h>

#include <random>

namespace whittle::filter {
namespace {

TEST(Word, FreeWordIsZero) { EXPECT_EQ(witness({}), 0U); }

TEST(Word, EndsOfTheRange) {
  WordConstraint c;
  ASSERT_TRUE(c.require_between(UINT32_MAX, UINT32_MAX));
  EXPECT_EQ(witness(c), UINT32_MAX);
  EXPECT_FALSE(c.require_different(UINT32_MAX, UINT32_MAX));
  EXPECT_FALSE(c.require_between(0, 5));
}

TEST(Word, KnownBitsAgainstAnInterval) {
  WordConstraint c;
  ASSERT_TRUE(c.require_between(5, 8));
  ASSERT_TRUE(c.require_equal(0x3, 0x3));  // 7 is the only one
  EXPECT_EQ(witness(c), 7U);
  ASSERT_TRUE(c.require_different(UINT32_MAX, 7));
  EXPECT_EQ(witness(c), std::nullopt);
}

TEST(Word, ExclusionsOfAllValuesUnderAMaskLeaveNothing) {
  WordConstraint c;
  for (std::uint32_t value = 0; value < 16; ++value) c.require_different(0xf0, value << 4U);
  EXPECT_EQ(witness(c), std::nullopt);
}

TEST(Word, ValueOutsideOfItsMask) {
  WordConstraint c;
  EXPECT_FALSE(c.require_equal(0xf, 0x10));
  EXPECT_TRUE(c.require_different(0xf, 0x10));
  EXPECT_TRUE(c.excluded.empty());
}

TEST(Word, ManyExcludedValues) {
  WordConstraint c;
  for (std::uint32_t value = 0; value < 2000; ++value) {
    ASSERT_TRUE(c.require_different(UINT32_MAX, value * 2));
  }
  EXPECT_EQ(witness(c), 1U);
}

// Random constraints on the low 8 bits, against a look at every word.
TEST(Word, SmallestWitnessAgreesWithBruteForce) {
  std::mt19937 random(20261125);
  int satisfiable = 0;
  int unsatisfiable = 0;
  for (int round = 0; round < 5'000; ++round) {
    WordConstraint c;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> unlike;
    bool possible = c.require_equal(0xffffff00U, 0);
    std::uint32_t lo = 0;
    std::uint32_t hi = 255;
    if (random() % 2 == 0) {
      lo = random() % 256;
      hi = random() % 256;
      possible = c.require_between(lo, hi) && possible;
    }
    const std::uint32_t mask = random() % 3 == 0 ? random() % 256 : 0;
    const std::uint32_t value = random() % 256 & mask;
    possible = c.require_equal(mask, value) && possible;
    const unsigned exclusions = random() % 24;
    for (unsigned i = 0; i < exclusions; ++i) {
      const std::uint32_t bits = random() % 4 == 0 ? UINT32_MAX : random() % 256;
      unlike.emplace_back(bits, random() % 256 & bits);
      possible = c.require_different(bits, unlike.back().second) && possible;
    }
    std::optional<std::uint32_t> expected;
    for (std::uint32_t word = 0; word < 256 && !expected; ++word) {
      bool holds = word >= lo && word <= hi && (word & mask) == value;
      for (const auto& [bits, other] : unlike) holds = holds && (word & bits) != other;
      if (holds) expected = word;
    }
    ++(expected ? satisfiable : unsatisfiable);
    if (!possible) {
      ASSERT_EQ(expected, std::nullopt) << "round " << round;
      continue;
    }
    const auto found = witness(c);
    ASSERT_EQ(found, expected) << "round " << round;
    ASSERT_TRUE(!found || c.holds(*found));
  }
  EXPECT_GT(satisfiable, 500);
  EXPECT_GT(unsatisfiable, 500);
}

}  // namespace
}  // namespace whittle::filter
