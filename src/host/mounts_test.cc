#include "host/mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::host {
namespace {

using testing::ElementsAre;

TEST(Mounts, ReadsTheFields) {
  const auto found = parse_mounts(
      "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:5 master:1 - cgroup cgroup rw,pids\n"
      "41 31 0:38 /a /with\\040blank rw - cgroup2 cgroup2 rw\n");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].root, "/");
  EXPECT_EQ(found[0].point, "/sys/fs/cgroup/pids");
  EXPECT_EQ(found[0].type, "cgroup");
  EXPECT_THAT(found[0].super_options, ElementsAre("rw", "pids"));
  EXPECT_EQ(found[1].root, "/a");
  EXPECT_EQ(found[1].point, "/with blank");
}

TEST(Mounts, LeavesOutWhatItDoesNotUnderstand) {
  EXPECT_TRUE(parse_mounts("").empty());
  EXPECT_TRUE(parse_mounts("1 2 0:1 / /x rw - cgroup\n- - - -\nnonsense\n").empty());
  // A backslash that begins no octal number stays.
  EXPECT_EQ(parse_mounts("1 2 0:1 / /x\\09 rw - a b c").at(0).point, "/x\\09");
}

TEST(Mounts, OwnNamespaceHasARoot) {
  const auto found = own_mounts();
  ASSERT_TRUE(found) << found.error().text();
  bool root = false;
  for (const Mount& mount : *found) root = root || mount.point == "/";
  EXPECT_TRUE(root);
}

}  // namespace
}  // namespace whittle::host
