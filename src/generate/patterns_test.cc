#include "generate/patterns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace whittle::generate {
namespace {

using testing::Contains;
using testing::Not;

using Tuples = std::set<std::vector<std::uint64_t>>;

std::vector<Pattern> of(const char* name, const Tuples& values,
                        Headroom headroom = Headroom::kSiblings) {
  return patterns(syscalls::argument_specs(name)[0], values, headroom);
}

std::vector<std::string> texts(const std::vector<Pattern>& all) {
  std::vector<std::string> found;
  found.reserve(all.size());
  for (const Pattern& pattern : all) found.push_back(pattern.text);
  return found;
}

bool all_same_indexes(const std::vector<Pattern>& all) {
  return std::all_of(all.begin(), all.end(), [&all](const Pattern& pattern) {
    for (std::size_t i = 0; i < pattern.region.size(); ++i) {
      if ((pattern.region[i].mask == 0) != (all[0].region[i].mask == 0)) return false;
    }
    return true;
  });
}

TEST(Patterns, HaveConditionsOnTheSameArguments) {
  EXPECT_TRUE(all_same_indexes(of("socket", {{2, 1, 0}, {1, 2, 0}, {16, 3, 0}})));
  EXPECT_TRUE(all_same_indexes(of("setsockopt", {{6, 1}, {1, 2}, {99, 7}})));
}

TEST(Patterns, CloneLeavesOnlyHarmlessBitsFree) {
  const auto clone = of("clone", {{0x1200011}});
  ASSERT_EQ(clone.size(), 1U);
  const std::uint64_t free = UINT32_MAX & ~clone[0].region[0].mask;
  EXPECT_EQ(free, 0x01780000U);
  EXPECT_EQ(clone[0].region[0].value, 0x11U);
  // Two libraries' threads differ in those bits only.
  EXPECT_EQ(of("clone", {{0x3d0f00}, {0x7d0f00}}).size(), 1U);
}

TEST(Patterns, NamespacesAndRiskyFamiliesAreDangers) {
  EXPECT_FALSE(of("clone", {{0x10000011}})[0].danger.empty());
  for (const auto& value : Tuples{{16, 3, 9}, {17, 3, 0}, {38, 5, 0}, {40, 1, 0}}) {
    EXPECT_FALSE(of("socket", {value})[0].danger.empty()) << value[0];
  }
  for (const auto& value : Tuples{{16, 3, 0}, {1, 1, 0}, {2, 3, 1}}) {
    EXPECT_TRUE(of("socket", {value})[0].danger.empty()) << value[0];
  }
}

TEST(Patterns, ObservedIsNeverCalledASibling) {
  for (const Pattern& pattern : of("setsockopt", {{6, 1}, {6, 3}})) {
    EXPECT_EQ(pattern.sibling,
              pattern.text != "SOL_TCP, TCP_NODELAY" && pattern.text != "SOL_TCP, TCP_CORK");
  }
}

TEST(Patterns, NoSiblingTakesCodeKeysOrMemberships) {
  const auto all = of("setsockopt", {{6, 1}, {1, 2}, {0, 1}, {41, 26}, {17, 1}});
  EXPECT_GT(all.size(), 30U);
  for (const char* text :
       {"SOL_TCP, TCP_ULP", "SOL_SOCKET, SO_ATTACH_FILTER", "SOL_SOCKET, SO_ATTACH_BPF",
        "SOL_IP, IP_ADD_MEMBERSHIP", "SOL_IPV6, IPV6_ADD_MEMBERSHIP", "SOL_TCP, TCP_REPAIR"}) {
    EXPECT_THAT(texts(all), Not(Contains(text)));
  }
  EXPECT_THAT(texts(all), Contains("SOL_TCP, TCP_KEEPIDLE"));
  EXPECT_EQ(of("setsockopt", {{6, 31}}).size(), 1U);  // TCP_ULP itself, and alone
}

TEST(Patterns, FutexesWithPriorityInheritanceStandAlone) {
  const auto plain = of("futex", {{0x189}});  // FUTEX_WAIT_BITSET, private, on the real-time clock
  EXPECT_THAT(texts(plain), Contains("FUTEX_WAKE"));
  EXPECT_THAT(texts(plain), Not(Contains("FUTEX_LOCK_PI")));
  const auto inheriting = of("futex", {{0x86}});  // FUTEX_LOCK_PI, private
  EXPECT_THAT(texts(inheriting), Contains("FUTEX_UNLOCK_PI"));
  EXPECT_THAT(texts(inheriting), Not(Contains("FUTEX_CMP_REQUEUE_PI")));
  EXPECT_THAT(texts(inheriting), Not(Contains("FUTEX_WAKE")));
  EXPECT_EQ(of("futex", {{0x86}, {6}, {0x106}}, Headroom::kNone).size(), 1U);
}

TEST(Patterns, ProtectionsAreReadForWriteAndExecute) {
  EXPECT_EQ(of("mprotect", {{0}, {1}, {0x10}}, Headroom::kNone).size(), 1U);
  EXPECT_EQ(of("mprotect", {{5}, {0x1000007}}, Headroom::kNone).size(), 2U);
  for (const Pattern& pattern : of("mmap", {{1}})) EXPECT_EQ(pattern.region[2].mask, 6U);
}

TEST(Patterns, OptionsAreReadByTheGroupsOfTheirCall) {
  EXPECT_THAT(texts(of("getsockopt", {{1, 2}})), Contains("SOL_SOCKET, SO_ERROR"));
  EXPECT_THAT(texts(of("setsockopt", {{1, 2}})), Not(Contains("SOL_SOCKET, SO_ERROR")));
  EXPECT_THAT(texts(of("tgkill", {{10}})), Contains("SIGABRT"));
}

TEST(Patterns, FollowTheWidthOfTheArgument) {
  EXPECT_EQ(of("personality", {{8}})[0].region[0].mask, UINT32_MAX);
  EXPECT_EQ(of("unshare", {{0x200}})[0].region[0].mask, UINT64_MAX);
}

}  // namespace
}  // namespace whittle::generate
