#include "filter/describe.h"

#include <gtest/gtest.h>

#include <functional>

namespace whittle::filter {
namespace {

Path with(std::size_t word, const std::function<void(WordConstraint&)>& constrain) {
  Path path;
  constrain(path.words[word]);
  return path;
}

TEST(Describe, WordsOfAPath) {
  EXPECT_EQ(path_text({}), "any");
  EXPECT_EQ(path_text(with(0, [](auto& w) { w.require_equal(0x7e020000, 0); })),
            "(arg0 & 0x7e020000) == 0x0");
  EXPECT_EQ(path_text(with(2, [](auto& w) { w.require_equal(UINT32_MAX, 5); })), "low arg1 == 0x5");
  EXPECT_EQ(path_text(with(2, [](auto& w) { w.require_between(2, 9); })),
            "low arg1 >= 0x2 and low arg1 <= 0x9");
  EXPECT_EQ(path_text(with(3, [](auto& w) { w.require_different(0xf0, 0x20); })),
            "(high arg1 & 0xf0) != 0x20");
}

TEST(Describe, WholeArguments) {
  Path path;
  ASSERT_TRUE(path.words[0].require_equal(UINT32_MAX, 5));
  ASSERT_TRUE(path.words[1].require_equal(UINT32_MAX, 1));
  EXPECT_EQ(path_text(path), "arg0 == 0x100000005");
  Path small;
  ASSERT_TRUE(small.words[0].require_between(2, 9));
  ASSERT_TRUE(small.words[1].require_equal(UINT32_MAX, 0));
  EXPECT_EQ(path_text(small), "arg0 <= 0x9 and arg0 >= 0x2");
}

TEST(Describe, MasksOfManyFlagsAreNumbers) {
  EXPECT_EQ(path_text(with(0, [](auto& w) { w.require_equal(0x7e020000, 0); }), "clone"),
            "(arg0 & (CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWUSER|"
            "CLONE_NEWPID|CLONE_NEWNET)) == 0x0");
  EXPECT_EQ(path_text(with(0, [](auto& w) { w.require_equal(0xfe87ffff, 0x11); }), "clone"),
            "(arg0 & 0xfe87ffff) == SIGCHLD");
}

TEST(Describe, OnlyPathsThatGetThrough) {
  Decision decision;
  decision.paths.push_back({{}, {profile::Action::kErrno, 1}});
  EXPECT_TRUE(allowing_paths(decision).empty());
  decision.paths.push_back({{}, {profile::Action::kLog, 0}});
  EXPECT_EQ(allowing_paths(decision), (std::vector<std::string>{"any"}));
}

}  // namespace
}  // namespace whittle::filter
