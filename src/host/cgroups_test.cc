#include "host/cgroups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Cgroups, ReadsMemberships) {
  const auto found = parse_memberships(
      "9:name=systemd:/\n3:cpu,cpuacct:/a:b\n0::/user.slice\nnonsense\n7:pids\nx:y:/z\n");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].hierarchy, 9U);
  EXPECT_THAT(found[0].controllers, ElementsAre("name=systemd"));
  EXPECT_THAT(found[1].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_EQ(found[1].path, "/a:b");
  EXPECT_THAT(found[2].controllers, IsEmpty());
  EXPECT_EQ(found[2].path, "/user.slice");
}

TEST(Cgroups, KnowsWhatIsWithin) {
  EXPECT_TRUE(path_within("/a/b", "/a"));
  EXPECT_TRUE(path_within("/a", "/a"));
  EXPECT_TRUE(path_within("/a", "/"));
  EXPECT_FALSE(path_within("/ab", "/a"));
  EXPECT_FALSE(path_within("/", "/a"));
}

// A hybrid host whose hierarchies are plain directories.
class FakeHost : public testing::Test {
 protected:
  void make(const std::string& path) { std::filesystem::create_directories(base() + path); }
  void put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(write_file(base() + path, text));
  }
  const std::string& base() const { return directory_->path(); }
  Cgroups cgroups(const std::string& own_path = "/", const std::string& root = "/") const {
    const std::vector<Mount> mounted = {
        {"/", base() + "/memory", "cgroup", {"rw", "memory"}},
        {"/", base() + "/pids", "cgroup", {"rw", "pids"}},
        {"/", base() + "/freezer", "cgroup", {"rw", "freezer"}},
        {"/a/longer/part", base() + "/part", "cgroup2", {"rw"}},
        {root, base() + "/unified", "cgroup2", {"rw"}},
    };
    return Cgroups::from(mounted, parse_memberships("4:memory:/\n6:freezer:/\n8:pids:" + own_path +
                                                    "\n5:devices:/\n0::" + own_path + "\n"));
  }
  Result<TemporaryDirectory> directory_ = TemporaryDirectory::create("whittle-cgroups");
};

TEST_F(FakeHost, OrdersItsHierarchies) {
  const auto hierarchies = cgroups().hierarchies();
  ASSERT_EQ(hierarchies.size(), 4U);  // devices is not mounted
  EXPECT_TRUE(hierarchies[0].is_v2());
  EXPECT_EQ(hierarchies[0].point, base() + "/unified");  // the whole of it, not a part
  EXPECT_TRUE(hierarchies[1].has("pids"));
  EXPECT_TRUE(hierarchies[2].has("freezer"));
  EXPECT_TRUE(hierarchies[3].has("memory"));
}

TEST_F(FakeHost, FindsByDirectoryAndByPath) {
  make("/pids/a/b");
  make("/unified/c");
  const auto by_path = cgroups().find("/a/b");
  ASSERT_TRUE(by_path);
  EXPECT_EQ(by_path->hierarchy, 8U);
  EXPECT_EQ(by_path->path, "/a/b");
  struct stat info = {};
  ASSERT_EQ(::stat((base() + "/pids/a/b").c_str(), &info), 0);
  EXPECT_EQ(by_path->id, info.st_ino);
  EXPECT_EQ(cgroups().find(base() + "/pids/a/b/").value(), *by_path);
  EXPECT_EQ(cgroups().find("/c")->hierarchy, 0U);
  EXPECT_TRUE(cgroups().exists(*by_path));
  CgroupRef other = *by_path;  // one that had its path before
  ++other.id;
  EXPECT_FALSE(cgroups().exists(other));
  // The directory says which hierarchy: no other one is taken instead.
  EXPECT_FALSE(cgroups().find(base() + "/pids/c"));
}

TEST_F(FakeHost, PrefersTheHierarchyWithProcesses) {
  make("/unified/a");
  make("/pids/a/b");
  EXPECT_EQ(cgroups().find("/a")->hierarchy, 0U);
  put("/pids/a/b/cgroup.procs", "17\n4\n");
  EXPECT_EQ(cgroups().find("/a")->hierarchy, 8U);
  EXPECT_THAT(cgroups().processes(*cgroups().find("/a")), ElementsAre(4, 17));
}

TEST_F(FakeHost, RefusesRootsAndWhatIsNotThere) {
  make("/unified");
  for (const std::string& path : {std::string("/"), base() + "/pids", std::string("")}) {
    const auto found = cgroups().find(path);
    ASSERT_FALSE(found) << path;
    EXPECT_THAT(found.error().message, testing::HasSubstr("root of a cgroup hierarchy"));
  }
  EXPECT_FALSE(cgroups().find("/none"));
  EXPECT_FALSE(cgroups().find("/../etc"));
}

TEST_F(FakeHost, OwnPathIsThatOfTheFirstProcess) {
  // /proc/self/cgroup is real: take a path of ours that exists here under a hierarchy of that id.
  const auto real = memberships(::getpid());
  ASSERT_TRUE(real);
  for (const CgroupMembership& membership : *real) {
    const std::string controller =
        membership.controllers.empty() ? "" : membership.controllers.front();
    const std::vector<Mount> mounted = {
        {"/", base() + "/m", controller.empty() ? "cgroup2" : "cgroup", {"rw", controller}}};
    const Cgroups one = Cgroups::from(mounted, {membership});
    make("/m/other" + membership.path);
    make("/m" + membership.path);
    EXPECT_THAT(one.own(::getpid(), {{"*", "/other"}}), IsEmpty());
    EXPECT_THAT(one.own(::getpid(), {{"no-such-controller", membership.path}}), IsEmpty());
    const auto own = one.own(::getpid(), {{controller, base() + "/m" + membership.path}});
    // The root is nobody's own.
    EXPECT_EQ(own.size(), membership.path == "/" ? 0U : 1U) << membership.path;
    EXPECT_EQ(one.own(::getpid(), {{"*", membership.path}}), own);
  }
}

TEST_F(FakeHost, SeesOnlyBelowTheRootOfItsMount) {
  make("/unified/x");
  const Cgroups inside = cgroups("/", "/outer");
  EXPECT_EQ(inside.hierarchies().at(0).root, "/outer");
  const auto found = inside.find(base() + "/unified/x");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, "/outer/x");
  EXPECT_EQ(inside.find("/outer/x").value(), *found);
  EXPECT_FALSE(inside.find("/x"));
}

TEST(CgroupsOfHost, HoldOurOwnProcess) {
  const auto cgroups = Cgroups::of_host();
  if (!cgroups) GTEST_SKIP() << cgroups.error().text();
  const auto ours = memberships(::getpid());
  ASSERT_TRUE(ours);
  for (const Cgroups::Hierarchy& hierarchy : cgroups->hierarchies()) {
    for (const CgroupMembership& membership : *ours) {
      if (membership.hierarchy != hierarchy.id) continue;
      const auto ref = cgroups->at(hierarchy, membership.path);
      if (!ref) continue;  // outside of what our cgroup namespace shows
      EXPECT_THAT(cgroups->processes(*ref), testing::Contains(::getpid())) << ref->path;
    }
  }
}

}  // namespace
}  // namespace whittle::host
