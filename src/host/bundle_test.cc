#include "host/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/json.h"

namespace whittle::host {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

ContainerSpec simple() {
  ContainerSpec spec;
  spec.argv = {"true"};
  return spec;
}

json::Value config_of(const Bundle& bundle) {
  const std::string path = bundle.path() + "/config.json";
  return json::parse(read_file(path).value(), path).value();
}

// The value at "a/b/c".
const json::Value& at(const json::Value& value, std::string_view path) {
  static const json::Value kMissing;
  const json::Value* here = &value;
  while (!path.empty() && here != nullptr) {
    const std::size_t end = std::min(path.find('/'), path.size());
    here = here->find(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return here != nullptr ? *here : kMissing;
}

std::string text_at(const json::Value& value, std::string_view path) {
  return json::dump_compact(at(value, path));
}

TEST(Bundle, MirrorsTheHostsRoot) {
  const auto bundle = Bundle::create(simple());
  ASSERT_TRUE(bundle);
  const json::Value config = config_of(*bundle);
  std::vector<std::string> mounted;
  for (const json::Value& mount : *at(config, "mounts").array()) {
    mounted.push_back(*mount.find("destination")->string());
    EXPECT_EQ(json::dump_compact(*mount.find("options")), R"(["rbind","rprivate"])");
  }
  for (const auto& entry : fs::directory_iterator("/")) {
    const fs::path inside = fs::path(bundle->path()) / "rootfs" / entry.path().filename();
    EXPECT_TRUE(fs::exists(fs::symlink_status(inside))) << inside;
    EXPECT_EQ(entry.is_symlink(), fs::is_symlink(inside)) << inside;
    EXPECT_THAT(mounted,
                testing::Contains(entry.path().string()).Times(entry.is_symlink() ? 0 : 1));
  }
  EXPECT_EQ("/" + fs::canonical(bundle->path()).relative_path().begin()->string(), mounted[0])
      << "else it would copy the mounts before it";
}

TEST(Bundle, IsAContainerLikeDockersOnTheHostsNetworkAndPids) {
  ContainerSpec spec = simple();
  spec.environment = {"A=b"};
  spec.directory = "/usr";
  const auto bundle = Bundle::create(spec);
  ASSERT_TRUE(bundle);
  const json::Value config = config_of(*bundle);
  EXPECT_EQ(text_at(config, "ociVersion"), R"("1.0.2")");
  EXPECT_EQ(text_at(config, "process/noNewPrivileges"), "true");
  EXPECT_EQ(text_at(config, "process/cwd"), R"("/usr")");
  EXPECT_EQ(text_at(config, "process/args"), R"(["true"])");
  EXPECT_EQ(text_at(config, "process/env"),
            R"(["A=b","PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])");
  EXPECT_EQ(text_at(config, "linux/namespaces"),
            R"([{"type":"mount"},{"type":"ipc"},{"type":"uts"}])");
  EXPECT_EQ(text_at(config, "linux/cgroupsPath"), "\"/" + bundle->id() + "\"");
  EXPECT_EQ(text_at(config, "linux/resources"), R"({"devices":[{"allow":true,"access":"rwm"}]})");
  EXPECT_TRUE(at(config, "linux/seccomp").is_null());
  EXPECT_EQ(at(config, "process/capabilities/effective").array()->size(), 14U);
}

TEST(Bundle, KeepsAGivenPath) {
  ContainerSpec spec = simple();
  spec.environment = {"PATH=/x"};
  EXPECT_EQ(text_at(config_of(*Bundle::create(spec)), "process/env"), R"(["PATH=/x"])");
}

TEST(Bundle, AUserHasTheCapabilitiesAsBoundsOnly) {
  ContainerSpec spec = simple();
  spec.uid = 1000;
  spec.gid = 100;
  const json::Value config = config_of(*Bundle::create(spec));
  EXPECT_EQ(text_at(config, "process/user"), R"({"uid":1000,"gid":100})");
  EXPECT_EQ(at(config, "process/capabilities/bounding").array()->size(), 14U);
  EXPECT_EQ(text_at(config, "process/capabilities/effective"), "[]");
  EXPECT_EQ(text_at(config, "process/capabilities/permitted"), "[]");
}

TEST(Bundle, TakesOtherCapabilitiesThanDockers) {
  ContainerSpec spec = simple();
  spec.capabilities = {{"CAP_SYS_BOOT"}};
  const json::Value config = config_of(*Bundle::create(spec));
  for (const char* set : {"bounding", "effective", "permitted"}) {
    EXPECT_EQ(text_at(config, std::string("process/capabilities/") + set), R"(["CAP_SYS_BOOT"])");
  }
}

TEST(Bundle, TakesTheProfileAsItIs) {
  ContainerSpec spec = simple();
  spec.profile_json =
      R"({"defaultAction":"SCMP_ACT_ERRNO","x":[18446744073709551615,{}],"y":null})";
  EXPECT_EQ(text_at(config_of(*Bundle::create(spec)), "linux/seccomp"), spec.profile_json);
}

TEST(Bundle, HasAnIdOfItsOwn) {
  EXPECT_NE(Bundle::create(simple())->id(), Bundle::create(simple())->id());
}

TEST(Bundle, RefusesWhatARuntimeWouldMakeOnTheHost) {
  ContainerSpec spec = simple();
  spec.directory = "/usr/nonexistent";
  EXPECT_EQ(Bundle::create(spec).error().place, "/usr/nonexistent");
  spec = simple();
  spec.binds = {{"/etc/passwd", "/usr/nonexistent/x"}};
  EXPECT_EQ(Bundle::create(spec).error().message, "no such path to bind over");
  EXPECT_FALSE(fs::exists("/usr/nonexistent"));
}

TEST(Bundle, RefusesBadInput) {
  ContainerSpec spec;
  EXPECT_EQ(Bundle::create(spec).error().message, "the command is empty");
  spec = simple();
  spec.profile_json = "{";
  EXPECT_THAT(Bundle::create(spec).error().place, StartsWith("profile"));
  spec = simple();
  spec.binds = {{"/nonexistent", "/etc/passwd"}};
  EXPECT_EQ(Bundle::create(spec).error().place, "/nonexistent");
  for (const char* destination : {"etc", "/", ""}) {
    spec.binds = {{"/etc/passwd", destination}};
    EXPECT_THAT(Bundle::create(spec).error().message, HasSubstr("absolute path")) << destination;
  }
}

TEST(Bundle, MakesMountPointsThatTheHostHasNot) {
  ContainerSpec spec = simple();
  spec.binds = {{"/etc", "/whittle-test/a"}, {"/etc/passwd", "/whittle-test/b"}};
  const auto bundle = Bundle::create(spec);
  ASSERT_TRUE(bundle);
  EXPECT_TRUE(fs::is_directory(bundle->path() + "/rootfs/whittle-test/a"));
  EXPECT_TRUE(fs::is_regular_file(bundle->path() + "/rootfs/whittle-test/b"));
  EXPECT_FALSE(fs::exists("/whittle-test"));
  EXPECT_EQ(json::dump_compact(at(config_of(*bundle), "mounts").array()->back()),
            R"({"destination":"/whittle-test/b","type":"bind","source":"/etc/passwd",)"
            R"("options":["rbind","rprivate","ro"]})");
}

TEST(Bundle, IsRemovedWhenItGoes) {
  std::string path;
  {
    const auto bundle = Bundle::create(simple());
    path = bundle->path();
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

// In a process of its own with its own mounts: 0 when good, else the number of the step that
// failed.
int removal_with_a_mount_left(const std::string& precious) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0) {
    return 1;
  }
  std::string path;
  {
    const auto bundle = Bundle::create(simple());
    path = bundle->path();
    const std::string point = path + "/rootfs/a \\ b";
    fs::create_directory(point);
    if (::mount(precious.c_str(), point.c_str(), "", MS_BIND, nullptr) != 0) return 2;
    if (!fs::exists(point + "/file")) return 3;
  }
  return fs::exists(path) ? 4 : 0;
}

TEST(Bundle, RemovalNeverReachesThroughAMount) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount";
  const auto directory = TemporaryDirectory::create("bundle_test");
  ASSERT_TRUE(write_file(directory->path() + "/file", "precious"));
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(removal_with_a_mount_left(directory->path()));
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(directory->path() + "/file").value(), "precious");
}

}  // namespace
}  // namespace whittle::host
