#include "host/containers.h"

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
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kHash = "9f6c01d2e3f49f6c01d2e3f49f6c01d2e3f49f6c01d2e3f49f6c01d2e3f4abcd";

std::string own_start_time() {
  const std::string stat = read_file("/proc/self/stat").value();
  return split(stat.substr(stat.rfind(')')), ' ').at(20);
}

// State of containers whose first process is this test.
class ContainersTest : public testing::Test {
 protected:
  void SetUp() override {
    places_.runtime_roots = {base() + "/run/runc", base() + "/run/crun"};
    places_.containerd_roots = {base() + "/run/containerd"};
    places_.docker_data = {base() + "/none", base() + "/docker"};
    places_.podman_storage = {base() + "/none", base() + "/storage"};
  }

  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(base() + path).parent_path());
    ASSERT_TRUE(write_file(base() + path, text));
  }
  void put_runc(const std::string& directory, const std::string& bundle,
                const std::string& start = own_start_time(), pid_t pid = ::getpid()) {
    put(directory + "/state.json",
        format(R"({{"id":"x","init_process_pid":{},"init_process_start":{},)"
               R"("cgroup_paths":{{"":"/nowhere"}},"config":{{"seccomp":null,)"
               R"("labels":["a=b","bundle={}"]}}}})",
               pid, start, bundle));
  }
  void put_crun(const std::string& directory, const std::string& bundle) {
    put(directory + "/status",
        format(R"({{"pid":{},"process-start-time":{},"cgroup-path":"/c","bundle":"{}"}})",
               ::getpid(), own_start_time(), bundle));
  }
  std::vector<Container> found() const { return containers(Cgroups(), places_); }
  const std::string& base() const { return directory_->path(); }

  Result<TemporaryDirectory> directory_ = TemporaryDirectory::create("whittle-containers");
  StatePlaces places_;
};

TEST_F(ContainersTest, ReadsRuncAndCrun) {
  put_runc("/run/runc/one", "/b1");
  auto all = found();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].id, "one");
  EXPECT_EQ(all[0].runtime, "runc");
  EXPECT_EQ(all[0].bundle, "/b1");
  EXPECT_EQ(all[0].pid, ::getpid());
  EXPECT_EQ(all[0].manager, "");
  EXPECT_THAT(all[0].cgroups, IsEmpty());
  std::filesystem::remove_all(base() + "/run/runc/one");
  put_crun("/run/crun/two", "/b2");
  all = found();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].id, "two");
  EXPECT_EQ(all[0].runtime, "crun");
  EXPECT_EQ(all[0].bundle, "/b2");
  EXPECT_FALSE(all[0].filtered);
  put("/run/crun/two/config.json", R"({"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}})");
  EXPECT_TRUE(found().at(0).filtered);
}

TEST_F(ContainersTest, AProcessThatTookOverThePidIsNoContainer) {
  put_runc("/run/runc/one", "/b", "1");
  put_runc("/run/runc/gone", "/b", "5", 2'000'000'000);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ContainersTest, HostileStateIsLeftOut) {
  put("/run/runc/empty/state.json", "");
  put("/run/runc/text/state.json", R"("text")");
  put("/run/runc/deep/state.json", std::string(1000, '['));
  put("/run/runc/negative/state.json", R"({"init_process_pid":-1,"init_process_start":1})");
  put("/run/runc/large/state.json",
      R"({"init_process_pid":18446744073709551615,"init_process_start":1})");
  put("/run/runc/typed/state.json", format(R"({{"init_process_pid":{},"init_process_start":"{}"}})",
                                           ::getpid(), own_start_time()));
  put("/run/runc/file", "no directory");
  put("/run/runc/huge/state.json", std::string(5U << 20U, ' '));
  std::filesystem::create_directories(base() + "/run/runc/pipe");
  ASSERT_EQ(::mkfifo((base() + "/run/runc/pipe/state.json").c_str(), 0600), 0);
  EXPECT_THAT(found(), IsEmpty());
  // Odd members of a good state do no harm.
  put("/run/runc/odd/state.json",
      format(R"({{"init_process_pid":{},"init_process_start":{},"cgroup_paths":[1],)"
             R"("config":{{"seccomp":{{}},"labels":[1,"bundle=/b"]}}}})",
             ::getpid(), own_start_time()));
  ASSERT_EQ(found().size(), 1U);
  EXPECT_EQ(found()[0].bundle, "/b");
  EXPECT_TRUE(found()[0].filtered);
}

TEST_F(ContainersTest, DockerIsKnownByItsNamespaceAndNames) {
  const std::string task = "/run/containerd/io.containerd.runtime.v2.task/moby/" + kHash;
  put(task + "/options.json", format(R"({{"root":"{}/dockerroot"}})", base()));
  put_runc("/dockerroot/moby/" + kHash, "/elsewhere");
  put("/docker/containers/" + kHash + "/config.v2.json",
      format(R"({{"ID":"{}","Name":"/web","Config":{{"Image":"nginx:1"}}}})", kHash));
  auto all = found();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].manager, "docker");
  EXPECT_EQ(all[0].name, "web");
  EXPECT_EQ(all[0].image, "nginx:1");
  EXPECT_EQ(all[0].bundle, base() + task);
  // Another data directory is seen from the mounts that it gives its containers.
  put(task + "/config.json",
      format(R"({{"mounts":[{{}},{{"source":"{}/data/containers/{}/hosts"}}]}})", base(), kHash));
  put("/data/containers/" + kHash + "/config.v2.json",
      format(R"({{"ID":"{}","Name":"/api"}})", kHash));
  EXPECT_EQ(found().at(0).name, "api");
  // A file that is about another container is not believed.
  put("/data/containers/" + kHash + "/config.v2.json", R"({"ID":"other","Name":"/db"})");
  EXPECT_EQ(found().at(0).name, "web");
}

TEST_F(ContainersTest, ContainerdKeepsStateByNamespace) {
  put("/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/options.json",
      format(R"({{"root":"{}/shimroot"}})", base()));
  put("/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/config.json",
      R"({"process":{"args":["app","-v"]},"annotations":{"io.kubernetes.cri.container-name":"app",)"
      R"("io.kubernetes.cri.image-name":"registry/app:2"}})");
  put_crun("/shimroot/k8s.io/abc", "");
  const auto all = found();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].manager, "containerd");
  EXPECT_EQ(all[0].runtime, "crun");
  EXPECT_EQ(all[0].name, "app");
  EXPECT_EQ(all[0].image, "registry/app:2");
  EXPECT_THAT(all[0].command, ElementsAre("app", "-v"));
}

TEST_F(ContainersTest, PodmanKeepsItsNamesBesideTheBundle) {
  const std::string bundle = "/storage/vfs-containers/" + kHash + "/userdata";
  put(bundle + "/config.json", R"({"annotations":{"io.container.manager":"libpod"}})");
  put("/storage/vfs-containers/containers.json",
      format(R"([{{"id":"other","names":["no"]}},{{"id":"{}","names":["db"],)"
             R"("metadata":"{{\"image-name\":\"postgres:16\"}}"}}])",
             kHash));
  put_crun("/run/crun/" + kHash, base() + bundle);
  const auto all = found();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].manager, "podman");
  EXPECT_EQ(all[0].name, "db");
  EXPECT_EQ(all[0].image, "postgres:16");
}

TEST_F(ContainersTest, ACgroupNamesItsContainerBeforeItStarts) {
  const auto of = [this](const std::string& path) { return container_of_cgroup(path, places_); };
  EXPECT_FALSE(of("/web"));
  std::filesystem::create_directories(base() + "/run/runc/web");
  EXPECT_EQ(of("/a/web").value().id, "web");
  EXPECT_EQ(of("/a/web").value().name, "");
  EXPECT_FALSE(of("/a/crio-web"));  // CRI-O has a name for it, which we don't know
  put("/docker/containers/" + kHash + "/config.v2.json",
      format(R"({{"ID":"{}","Name":"/api"}})", kHash));
  EXPECT_EQ(of("/docker/" + kHash)->name, "api");
  EXPECT_EQ(of("/system.slice/docker-" + kHash + ".scope")->name, "api");
  std::filesystem::remove_all(base() + "/docker");
  put("/storage/overlay-containers/containers.json",
      format(R"([{{"id":"{}","names":["db"]}}])", kHash));
  EXPECT_EQ(of("/machine.slice/libpod-" + kHash + ".scope/container")->name, "db");
  EXPECT_EQ(of("/libpod_parent/libpod-" + kHash)->manager, "podman");
  put("/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/config.json",
      R"({"annotations":{"io.kubernetes.cri.container-name":"app"}})");
  EXPECT_EQ(of("/kubepods/pod1/abc")->name, "app");
  EXPECT_FALSE(of("/"));
  EXPECT_FALSE(of(""));
}

Container container(const std::string& id, const std::string& name) {
  Container result;
  result.id = id;
  result.name = name;
  result.runtime = "runc";
  return result;
}

TEST(FindContainer, TakesIdsThenNamesThenBeginnings) {
  const std::vector<Container> all = {container(kHash, "web"), container("web2", ""),
                                      container("db", "web2"), container("dbx", "")};
  EXPECT_EQ(find_container(all, kHash)->id, kHash);
  EXPECT_EQ(find_container(all, kHash.substr(0, 12))->id, kHash);
  EXPECT_EQ(find_container(all, "web")->id, kHash);
  EXPECT_EQ(find_container(all, "web2")->id, "web2");  // the id, not the name
  EXPECT_EQ(find_container(all, "db")->id, "db");      // whole, though dbx begins so too
  EXPECT_EQ(find_container(all, "dbx")->id, "dbx");
}

TEST(FindContainer, OneThatIsWaitedForIsCalledByMoreThanABeginning) {
  const Container web = container(kHash, "web");
  EXPECT_TRUE(is_called(web, kHash));
  EXPECT_TRUE(is_called(web, "web"));
  EXPECT_TRUE(is_called(web, kHash.substr(0, 12)));
  EXPECT_FALSE(is_called(web, kHash.substr(0, 11)));
  EXPECT_FALSE(is_called(web, "we"));
  EXPECT_FALSE(is_called(container("web2", ""), "web"));
  EXPECT_FALSE(is_called(container("", ""), ""));
}

TEST(FindContainer, SaysWhatThereIs) {
  const std::vector<Container> all = {container(kHash, "web"), container("app-1", ""),
                                      container("app-2", "web")};
  const auto none = find_container(all, "nginx");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kInput);
  EXPECT_THAT(none.error().hint, HasSubstr("web (runc 9f6c01d2e3f4), app-1 (runc)"));
  for (const std::string wanted : {"app", "web"}) {
    const auto several = find_container(all, wanted);
    ASSERT_FALSE(several);
    EXPECT_EQ(several.error().message, "2 containers are meant by " + wanted);
    EXPECT_THAT(several.error().hint, HasSubstr("app-2"));
  }
  EXPECT_FALSE(find_container(all, ""));
  EXPECT_THAT(find_container({}, "x").error().hint, HasSubstr("no container runs"));
}

}  // namespace
}  // namespace whittle::host
