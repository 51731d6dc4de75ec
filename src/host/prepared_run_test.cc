#include "host/prepared_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file_system.h"
#include "base/json.h"

namespace whittle::host {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(PreparedRun, NativelyItIsTheProgramAsItWasSaid) {
  WorkloadRun run;
  run.command = {"sh", "-c", "true"};
  run.environment = {{"PATH", "/nowhere"}, {"MODE", "a=b"}};
  run.uid = 33;
  const auto prepared = PreparedRun::prepare(run, {});
  ASSERT_TRUE(prepared) << prepared.error().text();
  const LaunchSpec& launch = prepared->launch();
  EXPECT_THAT(launch.program, testing::EndsWith("/sh"));
  EXPECT_THAT(launch.argv, ElementsAre("sh", "-c", "true"));
  EXPECT_TRUE(launch.no_new_privileges);
  EXPECT_FALSE(launch.filter);
  EXPECT_EQ(launch.user, (std::pair(33U, 33U)));
  ASSERT_TRUE(launch.environment);
  EXPECT_THAT(*launch.environment, Contains("MODE=a=b"));
  EXPECT_THAT(*launch.environment, Contains("PATH=/nowhere"));
  EXPECT_EQ(std::count_if(launch.environment->begin(), launch.environment->end(),
                          [](const std::string& entry) { return entry.starts_with("PATH="); }),
            1);
  EXPECT_EQ(prepared->runtime(), nullptr);
  EXPECT_EQ(prepared->root(), "");
}

TEST(PreparedRun, ARelativeProgramIsFoundFromWhereWeAre) {
  const auto made = TemporaryDirectory::create("whittle-prepared-test.");
  ASSERT_TRUE(made);
  const fs::path before = fs::current_path();
  fs::current_path(made->path());
  fs::copy_file("/bin/true", "tool");
  WorkloadRun run;
  run.command = {"./tool"};
  run.directory = "/";
  const auto prepared = PreparedRun::prepare(run, {});
  fs::current_path(before);
  ASSERT_TRUE(prepared);
  EXPECT_TRUE(fs::equivalent(prepared->launch().program, made->path() + "/tool"));
  EXPECT_EQ(prepared->launch().directory, "/");
  EXPECT_FALSE(prepared->launch().environment);
}

TEST(PreparedRun, RefusesAProgramThatIsNotThere) {
  WorkloadRun run;
  run.command = {"no-such-program-at-all"};
  const auto prepared = PreparedRun::prepare(run, {});
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().kind, ErrorKind::kInput);
  EXPECT_THAT(prepared.error().text(), HasSubstr("no-such-program-at-all"));
}

// A root file system with what a container is mounted over, and a bundle of it.
struct Box {
  Box() : made(TemporaryDirectory::create("whittle-box-test.").value()) {
    fs::create_directories(path() + "/rootfs/srv");
  }
  std::string path() const { return made.path(); }
  void write(const json::Value& config) const {
    EXPECT_TRUE(write_file(path() + "/config.json", json::dump(config)));
  }
  TemporaryDirectory made;
};

json::Value config_of(const Bundle& bundle) {
  const std::string path = bundle.path() + "/config.json";
  return json::parse(read_file(path).value(), path).value();
}

constexpr const char* kProfile = R"({"defaultAction":"SCMP_ACT_ALLOW"})";

TEST(BundleOfRootfs, HasPidsOfItsOwnAndTheHostsNetwork) {
  const Box box;
  ContainerSpec spec;
  spec.argv = {"/srv/server", "-x"};
  spec.directory = "/srv";
  spec.profile_json = kProfile;
  spec.environment = {"A=b"};
  const auto bundle = Bundle::of_rootfs(box.path() + "/rootfs", spec);
  ASSERT_TRUE(bundle) << bundle.error().text();
  EXPECT_EQ(bundle->root(), fs::canonical(box.path() + "/rootfs").string());
  EXPECT_THAT(bundle->command(), ElementsAre("/srv/server", "-x"));
  const json::Value config = config_of(*bundle);
  EXPECT_EQ(*config.find("root")->find("path")->string(), bundle->root());
  EXPECT_EQ(*config.find("process")->find("cwd")->string(), "/srv");
  const json::Value& section = *config.find("linux");
  EXPECT_EQ(json::dump_compact(*section.find("seccomp")), kProfile);
  const std::string namespaces = json::dump_compact(*section.find("namespaces"));
  EXPECT_THAT(namespaces, HasSubstr("\"pid\""));
  EXPECT_THAT(namespaces, testing::Not(HasSubstr("network")));
  const std::string mounts = json::dump_compact(*config.find("mounts"));
  for (const char* place : {"\"/proc\"", "\"/sys\"", "\"/dev\""}) {
    EXPECT_THAT(mounts, HasSubstr(place));
  }
}

TEST(BundleOfRootfs, RefusesBadInput) {
  const Box box;
  ContainerSpec spec;
  EXPECT_FALSE(Bundle::of_rootfs(box.path() + "/rootfs", spec));  // no command
  spec.argv = {"a"};
  EXPECT_EQ(Bundle::of_rootfs(box.path() + "/none", spec).error().kind, ErrorKind::kInput);
  for (const char* directory : {"srv", "/none", ""}) {
    spec.directory = directory;
    EXPECT_EQ(Bundle::of_rootfs(box.path() + "/rootfs", spec).error().kind, ErrorKind::kInput);
  }
  spec.directory = "/";
  spec.profile_json = "[]x";
  EXPECT_FALSE(Bundle::of_rootfs(box.path() + "/rootfs", spec));
}

json::Value small_config() {
  return json::parse(R"({"ociVersion":"1.0.2","hostname":"kept","root":{"path":"rootfs"},
    "process":{"terminal":true,"consoleSize":{"height":1,"width":1},"args":["/a","b"],"cwd":"/"},
    "mounts":[{"destination":"/x","source":"data","type":"bind","options":["ro"]},
              {"destination":"/proc","source":"proc","type":"proc"}],
    "linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"},"namespaces":[{"type":"network"}]}})",
                     "config.json")
      .value();
}

TEST(BundleOfBundle, IsTheSameButForProfileTerminalAndPaths) {
  const Box box;
  box.write(small_config());
  const auto bundle = Bundle::of_bundle(box.path(), kProfile);
  ASSERT_TRUE(bundle) << bundle.error().text();
  const json::Value config = config_of(*bundle);
  EXPECT_EQ(json::dump_compact(*config.find("linux")->find("seccomp")), kProfile);
  EXPECT_EQ(json::dump_compact(*config.find("linux")->find("namespaces")),
            R"([{"type":"network"}])");
  EXPECT_EQ(*config.find("process")->find("terminal")->boolean(), false);
  EXPECT_EQ(config.find("process")->find("consoleSize"), nullptr);
  EXPECT_EQ(*config.find("hostname")->string(), "kept");
  EXPECT_TRUE(fs::equivalent(*config.find("root")->find("path")->string(), box.path() + "/rootfs"));
  const json::Array& mounts = *config.find("mounts")->array();
  EXPECT_TRUE(fs::path(*mounts[0].find("source")->string()).is_absolute());
  EXPECT_EQ(*mounts[1].find("source")->string(), "proc");
  EXPECT_THAT(bundle->command(), ElementsAre("/a", "b"));
  // The bundle itself is as it was.
  EXPECT_EQ(json::dump(small_config()), read_file(box.path() + "/config.json").value());
}

TEST(BundleOfBundle, WithoutAProfileThereIsNone) {
  const Box box;
  box.write(small_config());
  const auto bundle = Bundle::of_bundle(box.path(), "");
  ASSERT_TRUE(bundle);
  EXPECT_EQ(config_of(*bundle).find("linux")->find("seccomp"), nullptr);
}

TEST(BundleOfBundle, RefusesBadInput) {
  const Box box;
  EXPECT_EQ(Bundle::of_bundle(box.path(), "").error().kind, ErrorKind::kInput);  // no config.json
  for (const char* config :
       {"{", "[]", "{}", R"({"process":{"args":[]},"root":{"path":"r"}})",
        R"({"process":{"args":[1]},"root":{"path":"r"}})", R"({"process":{"args":["a"]}})",
        R"({"process":[],"root":{"path":"r"}})",
        R"({"process":{"args":["a"]},"root":{"path":1}})"}) {
    ASSERT_TRUE(write_file(box.path() + "/config.json", config));
    const auto bundle = Bundle::of_bundle(box.path(), "");
    ASSERT_FALSE(bundle) << config;
    EXPECT_EQ(bundle.error().kind, ErrorKind::kInput) << config;
    EXPECT_THAT(bundle.error().place, HasSubstr("config.json")) << config;
  }
}

}  // namespace
}  // namespace whittle::host
