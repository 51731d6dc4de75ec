#include "host/container_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file_system.h"

namespace whittle::host {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

class ContainerPlaces : public testing::Test {
 protected:
  void put(const std::string& path, std::string_view text) {
    const std::string whole = directory_->path() + path;
    std::filesystem::create_directories(std::filesystem::path(whole).parent_path());
    ASSERT_TRUE(write_file(whole, text));
  }
  void put_process(const std::string& pid, std::vector<std::string> args) {
    std::string text;
    for (const std::string& arg : args) text += arg + '\0';
    put("/proc/" + pid + "/cmdline", text);
  }
  StatePlaces places() const { return state_places(directory_->path()); }

  Result<TemporaryDirectory> directory_ = TemporaryDirectory::create("whittle-places");
};

TEST_F(ContainerPlaces, TheUsualOnes) {
  const StatePlaces found = places();
  EXPECT_THAT(found.docker_data, ElementsAre("/var/lib/docker"));
  EXPECT_THAT(found.podman_storage, ElementsAre("/var/lib/containers/storage"));
  EXPECT_THAT(found.runtime_roots, Contains("/run/runc"));
  EXPECT_THAT(found.containerd_roots, Contains("/run/containerd"));
}

TEST_F(ContainerPlaces, DockersConfiguration) {
  put("/etc/docker/daemon.json", R"({"data-root": "/srv/docker/", "exec-root": "/srv/run"})");
  put("/etc/other.json", R"({"graph": "/old/docker", "data-root": 3})");
  put_process("17", {"/usr/bin/dockerd", "-H", "fd://", "--config-file=/etc/other.json"});
  put_process("18", {"dockerd", "--data-root", "/mnt/docker"});
  put_process("19", {"dockerd", "--data-root=relative", "--exec-root"});
  put_process("20", {"sh", "--data-root", "/not/docker"});
  put_process("21", {});
  const StatePlaces found = places();
  EXPECT_THAT(found.docker_data,
              ElementsAre("/var/lib/docker", "/srv/docker", "/old/docker", "/mnt/docker"));
  EXPECT_THAT(found.containerd_roots, Contains("/srv/run/containerd/daemon"));
}

TEST_F(ContainerPlaces, AnotherUsersProcessIsNoDaemon) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a directory away";
  put_process("17", {"dockerd", "--data-root", "/home/mallory"});
  ASSERT_EQ(::chown((directory_->path() + "/proc/17").c_str(), 65534, 65534), 0);
  EXPECT_THAT(places().docker_data, ElementsAre("/var/lib/docker"));
}

TEST_F(ContainerPlaces, ContainerdsConfiguration) {
  put("/etc/containerd/config.toml",
      "version = 2\n# state = \"/comment\"\nstate = \"/srv/state\"\n");
  put("/etc/mine.toml", "[grpc]\n  state = '/of/a/table'\n");
  put_process("17", {"containerd", "-c", "/etc/mine.toml", "--state", "/mnt/state"});
  const StatePlaces found = places();
  EXPECT_THAT(found.containerd_roots, Contains("/srv/state"));
  EXPECT_THAT(found.containerd_roots, Contains("/mnt/state"));
  EXPECT_THAT(found.containerd_roots, Not(Contains("/of/a/table")));
  EXPECT_THAT(found.containerd_roots, Not(Contains("/comment")));
}

TEST_F(ContainerPlaces, PodmansStorageAndThatOfUsers) {
  put("/etc/containers/storage.conf",
      "[storage]\ndriver = \"overlay\"\ngraphroot = \"/srv/storage\"\n"
      "rootless_storage_path = \"/scratch/$USER/$UID\"\n[storage.options]\ngraphroot = \"/no\"\n");
  put("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1234:1234:,,,:/home/ann:/bin/sh\nbad\n");
  put("/home/ann/.config/containers/storage.conf", "[storage]\ngraphroot = '$HOME/pods'\n");
  std::filesystem::create_directories(directory_->path() + "/run/user/1234");
  const StatePlaces found = places();
  EXPECT_THAT(found.podman_storage,
              ElementsAre("/var/lib/containers/storage", "/srv/storage", "/scratch/ann/1234",
                          "/home/ann/pods", "/home/ann/.local/share/containers/storage"));
  EXPECT_THAT(found.docker_data, ElementsAre("/var/lib/docker", "/home/ann/.local/share/docker"));
  EXPECT_THAT(found.runtime_roots, Contains("/run/user/1234/crun"));
}

TEST_F(ContainerPlaces, RuntimeDirectoriesInTmpAreTheirOwners) {
  const std::string own = "/tmp/podman-run-" + std::to_string(::geteuid());
  std::filesystem::create_directories(directory_->path() + own);
  std::filesystem::create_directories(directory_->path() + "/tmp/podman-run-4321");
  const StatePlaces found = places();
  EXPECT_THAT(found.runtime_roots, Contains(own + "/crun"));
  EXPECT_THAT(found.runtime_roots, Not(Contains("/tmp/podman-run-4321/crun")));
}

TEST_F(ContainerPlaces, HostileFilesDoNoHarm) {
  put("/etc/docker/daemon.json", std::string(100000, '['));
  put("/etc/containers/storage.conf",
      "[storage\ngraphroot = \"/x\"\n[storage]\ngraphroot = \"/y\n");
  std::filesystem::create_directories(directory_->path() + "/etc/containerd");
  ASSERT_EQ(::mkfifo((directory_->path() + "/etc/containerd/config.toml").c_str(), 0600), 0);
  EXPECT_THAT(places().docker_data, ElementsAre("/var/lib/docker"));
  EXPECT_THAT(places().podman_storage, ElementsAre("/var/lib/containers/storage"));
}

TEST(TomlText, OneLineOfQuotedText) {
  constexpr std::string_view kText = "a = \"1\" # c\n[t]\nb='2'\n b2 = 3\n[t.u]\na = \"x\\n\"\n";
  EXPECT_EQ(toml_text(kText, "", "a"), "1");
  EXPECT_EQ(toml_text(kText, "t", "b"), "2");
  EXPECT_EQ(toml_text(kText, "t", "b2"), "");
  EXPECT_EQ(toml_text(kText, "t", "a"), "");
  EXPECT_EQ(toml_text(kText, "t.u", "a"), "");
}

}  // namespace
}  // namespace whittle::host
