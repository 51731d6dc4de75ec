#include "host/runtime.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

namespace whittle::host {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(RuntimeVersion, IsReadFromWhatTheRuntimePrints) {
  const auto runc = parse_runtime_version(
      "runc version 1.1.5+ds1\ncommit: x\nspec: 1.0.2-dev\ngo: go1.19.8\nlibseccomp: 2.5.4\n");
  ASSERT_TRUE(runc);
  EXPECT_EQ(runc->kind, RuntimeKind::kRunc);
  EXPECT_EQ(runc->version, "1.1.5+ds1");
  EXPECT_EQ(runc->libseccomp, "2.5.4");
  const auto crun = parse_runtime_version("crun version 1.8.1\ncommit: x\n+SYSTEMD +SECCOMP\n");
  ASSERT_TRUE(crun);
  EXPECT_EQ(crun->kind, RuntimeKind::kCrun);
  EXPECT_EQ(crun->version, "1.8.1");
  EXPECT_EQ(crun->libseccomp, "");
  EXPECT_FALSE(parse_runtime_version("Docker version 29.4.3\n"));
  EXPECT_FALSE(parse_runtime_version(""));
}

TEST(FindRuntime, RefusesOthers) {
  const auto unknown = find_runtime("youki");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kInput);
  EXPECT_EQ(find_runtime("/bin/true").error().message, "is neither runc nor crun");
  EXPECT_EQ(find_runtime("/nonexistent/runc").error().kind, ErrorKind::kEnvironment);
}

// A minute at most, against hanging.
bool eventually(const std::function<bool()>& holds) {
  const double limit = monotonic_seconds() + 60;
  while (!holds()) {
    if (monotonic_seconds() > limit) return false;
    ::usleep(5'000);
  }
  return true;
}

// Everything the container could leave behind.
std::string left_behind(const Bundle& bundle) {
  std::vector<std::string> found;
  std::error_code error;
  for (const char* tree :
       {"", "cpu/", "memory/", "devices/", "pids/", "freezer/", "systemd/", "unified/"}) {
    const std::string cgroup = format("/sys/fs/cgroup/{}{}", tree, bundle.id());
    if (fs::exists(cgroup, error)) found.push_back(cgroup);
  }
  for (const std::string& line : split(read_file("/proc/self/mountinfo").value_or(""), '\n')) {
    if (line.find(bundle.path()) != std::string::npos) found.push_back(line);
  }
  return join(found, "\n");
}

// A zombie is dead; it waits for whoever took it over.
bool alive(pid_t pid) {
  const auto stat = read_file(format("/proc/{}/stat", pid));
  return stat && stat->find(") Z ") == std::string::npos;
}

// With a directory that every user can write, seen at the same path inside and outside.
class Containers : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make containers";
    auto found = find_runtime(GetParam());
    if (!found) GTEST_SKIP() << found.error().text();
    runtime_ = *found;
    ::chmod(shared_.path().c_str(), 0777);
  }

  ContainerSpec shell(const std::string& script) const {
    ContainerSpec spec;
    spec.argv = {"sh", "-c", "exec >" + out() + " 2>&1; " + script};
    return spec;
  }
  std::string out() const { return shared_.path() + "/out"; }
  std::string output() const { return read_file(out()).value_or("no output"); }

  // Starts it and waits until its first process has made the output file.
  Launched start(const Bundle& bundle) {
    auto child = launch(run_spec(runtime_, bundle).value());
    EXPECT_TRUE(child->release());
    EXPECT_TRUE(eventually([this] { return fs::exists(out()); }));
    return *std::move(child);
  }

  // Runs it to its end; what it printed is in output().
  ExitStatus run(const ContainerSpec& spec) {
    const auto bundle = Bundle::create(spec);
    EXPECT_TRUE(bundle);
    auto child = launch(run_spec(runtime_, *bundle).value());
    EXPECT_TRUE(child->release());
    const ExitStatus status = child->wait();
    delete_container(runtime_, *bundle);
    EXPECT_EQ(left_behind(*bundle), "");
    return status;
  }

  Runtime runtime_{};
  TemporaryDirectory shared_ = TemporaryDirectory::create("runtime_test").value();
};

std::string mkdir_refused() {
  return R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":18}]})";
}

TEST_P(Containers, GiveTheExitStatus) {
  EXPECT_EQ(run(shell("exit 7")).code, 7);
  EXPECT_EQ(run(shell("kill -TERM $$")).code, 128 + SIGTERM);
}

TEST_P(Containers, AreOnTheHostsFilesPidsAndNetworkWithMountsOfTheirOwn) {
  const std::string script =
      "for n in mnt net pid user; do readlink /proc/self/ns/$n; done; ls -a / | tr '\\n' ' '";
  EXPECT_TRUE(run(shell(script)).success());
  const auto own = [](const char* name) {
    return fs::read_symlink(format("/proc/self/ns/{}", name)).string() + "\n";
  };
  EXPECT_THAT(output(), AllOf(HasSubstr(own("net")), HasSubstr(own("pid")), HasSubstr(own("user")),
                              Not(HasSubstr(own("mnt")))));
  for (const auto& entry : fs::directory_iterator("/")) {
    EXPECT_THAT(output(), HasSubstr(entry.path().filename().string() + " "));
  }
}

// On most hosts / is shared: what is mounted under a shared mount appears on all its peers.
TEST_P(Containers, KeepTheirMountsToThemselvesOnAHostWithSharedMounts) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWNS) != 0) ::_exit(2);
    // Peers of our own, not the host's: what others mount meanwhile would appear here, too.
    if (::mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("", "/", "", MS_REC | MS_SHARED, nullptr) != 0) {
      ::_exit(3);
    }
    const std::string before = read_file("/proc/self/mountinfo").value();
    run(shell("cat /proc/self/mountinfo"));
    ::_exit(read_file("/proc/self/mountinfo").value() == before ? 0 : 4);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(ExitStatus::from_wait(status).text(), "exit status 0");
  EXPECT_THAT(output(), AllOf(HasSubstr(" /usr "), Not(HasSubstr("shared:"))));
}

TEST_P(Containers, ServeBindMounts) {
  ContainerSpec spec = shell("cat /etc/hostname; touch /etc/hostname; cat /whittle-test/note");
  ASSERT_TRUE(write_file(shared_.path() + "/note", "a note\n"));
  spec.binds = {{shared_.path() + "/note", "/etc/hostname"}, {shared_.path(), "/whittle-test"}};
  run(spec);
  EXPECT_THAT(output(), AllOf(testing::StartsWith("a note\n"), testing::EndsWith("a note\n"),
                              HasSubstr("Read-only file system")));
}

TEST_P(Containers, HaveTheDevicesAndTheOpenFileLimitOfANativeProgram) {
  rlimit limit = {};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  rlimit lower = limit;
  lower.rlim_cur = 777;
  ::setrlimit(RLIMIT_NOFILE, &lower);
  // A device with no driver, of a number that is free for experiments and not on Docker's list.
  run(shell(format("ulimit -n; mknod {0}/d c 60 0; : <{0}/d", shared_.path())));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_THAT(output(), AllOf(testing::StartsWith("777\n"), HasSubstr("cannot open"),
                              Not(HasSubstr("not permitted"))));
}

// Capabilities, user and profile, as the process itself sees them; with and without
// no_new_privileges a runtime loads the filter at different times.
class ContainerSecurity : public Containers {
 protected:
  void check(bool no_new_privileges, unsigned uid) {
    SCOPED_TRACE(format("uid {}", uid));
    ContainerSpec spec = shell(
        "id -u; id -g; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; mkdir " +
        shared_.path() + "/d");
    spec.profile_json = mkdir_refused();
    spec.no_new_privileges = no_new_privileges;
    spec.uid = spec.gid = uid;
    run(spec);
    EXPECT_EQ(
        output().substr(0, output().find("mkdir: ")),
        format("{0}\n{0}\nCapEff:\t{1}\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t{2}\n"
               "Seccomp:\t2\n",
               uid, uid == 0 ? "00000000a80425fb" : "0000000000000000", no_new_privileges ? 1 : 0));
    EXPECT_THAT(output(), HasSubstr("Invalid cross-device link"));
    fs::remove(out());
  }
};

TEST_P(ContainerSecurity, IsAsAskedForWithNoNewPrivileges) {
  check(true, 0);
  check(true, 1000);
}

TEST_P(ContainerSecurity, IsAsAskedForWithoutNoNewPrivileges) {
  check(false, 0);
  check(false, 1000);
}

TEST_P(Containers, TellTheirPidAndTakeSignals) {
  const auto bundle =
      Bundle::create(shell("trap 'echo got it; exit 3' TERM; echo up; "
                           "while :; do sleep 0.01; done"));
  EXPECT_EQ(container_pid(runtime_, *bundle).value(), std::nullopt);
  Launched child = start(*bundle);
  ASSERT_TRUE(eventually([this] { return output() == "up\n"; }));
  const auto pid = container_pid(runtime_, *bundle);
  ASSERT_TRUE(pid && *pid);
  EXPECT_EQ(read_file(format("/proc/{}/comm", **pid)).value(), "sh\n");
  EXPECT_TRUE(signal_container(runtime_, *bundle, SIGTERM));
  EXPECT_EQ(child.wait().code, 3);
  EXPECT_EQ(output(), "up\ngot it\n");
  EXPECT_EQ(container_pid(runtime_, *bundle).value(), std::nullopt);
  EXPECT_FALSE(signal_container(runtime_, *bundle, SIGTERM));
  delete_container(runtime_, *bundle);
  EXPECT_EQ(left_behind(*bundle), "");
}

TEST_P(Containers, GetTheSignalsThatTheRuntimeGets) {
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT}) {
    const auto bundle = Bundle::create(
        shell(format("trap 'exit 5' {}; echo up; while :; do sleep 0.01; done", signal)));
    Launched child = start(*bundle);
    ASSERT_TRUE(eventually([this] { return output() == "up\n"; }));
    ::kill(child.pid(), signal);
    EXPECT_EQ(child.wait().code, 5) << signal;
    delete_container(runtime_, *bundle);
    fs::remove(out());
  }
}

TEST_P(Containers, RunASecondCommandWithTheSameSecurity) {
  const std::string facts =
      "id -u; echo $NAME; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; mkdir " +
      shared_.path() + "/d; ";
  ContainerSpec spec = shell(facts + "echo up; exec sleep 100");
  spec.profile_json = mkdir_refused();
  spec.uid = spec.gid = 1000;
  spec.environment = {"NAME=value"};
  const auto bundle = Bundle::create(spec);
  Launched child = start(*bundle);
  ASSERT_TRUE(eventually([this] { return output().ends_with("up\n"); }));
  const std::string second = shared_.path() + "/second";
  const std::string script = "exec >" + second + " 2>&1; " + facts + "echo up; exit 9";
  auto exec = launch(exec_spec(runtime_, *bundle, {"sh", "-c", script}).value());
  ASSERT_TRUE(exec->release());
  EXPECT_EQ(exec->wait().code, 9);
  EXPECT_EQ(read_file(second).value_or("nothing"), output());
  EXPECT_THAT(output(), AllOf(testing::StartsWith("1000\nvalue\n"), HasSubstr("NoNewPrivs:\t1\n"),
                              HasSubstr("Seccomp:\t2\n"), HasSubstr("cross-device link")));
  EXPECT_TRUE(signal_container(runtime_, *bundle, SIGKILL));
  EXPECT_EQ(child.wait().code, 128 + SIGKILL);
  delete_container(runtime_, *bundle);
}

TEST_P(Containers, LeaveTheHostsNullDeviceAlone) {
  struct stat before = {};
  ASSERT_EQ(::stat("/dev/null", &before), 0);
  ContainerSpec spec = shell("exec sleep 100");
  spec.uid = spec.gid = before.st_uid + 1000;  // somebody who does not own it already
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::array<UniqueFd, 3> saved;
  for (int fd = 0; fd < 3; ++fd) {
    saved.at(fd) = UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    ::dup2(null.get(), fd);
  }
  const auto bundle = Bundle::create(spec);
  Launched child = start(*bundle);
  auto exec = launch(exec_spec(runtime_, *bundle, {"sh", "-c", "echo nothing >/dev/null"}).value());
  EXPECT_TRUE(exec->release());
  const ExitStatus status = exec->wait();
  EXPECT_TRUE(signal_container(runtime_, *bundle, SIGKILL));
  child.wait();
  delete_container(runtime_, *bundle);
  for (int fd = 0; fd < 3; ++fd) ::dup2(saved.at(fd).get(), fd);
  EXPECT_TRUE(status.success()) << status.text();
  EXPECT_EQ(left_behind(*bundle), "");
  struct stat after = {};
  ASSERT_EQ(::stat("/dev/null", &after), 0);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_gid, before.st_gid);
  EXPECT_EQ(::fchown(null.get(), before.st_uid, before.st_gid), 0);
}

// There is no pid namespace whose end would take them along.
TEST_P(Containers, EndWithTheProcessesThatTheFirstOneLeavesWhenDeleted) {
  const auto bundle = Bundle::create(shell("sleep 100 & echo $!; exit 4"));
  Launched child = start(*bundle);
  ASSERT_TRUE(eventually([this] { return output().ends_with('\n'); }));
  const auto left = static_cast<pid_t>(*parse_u64(trim(output())));
  ASSERT_TRUE(eventually([&] { return !*container_pid(runtime_, *bundle); }));
  delete_container(runtime_, *bundle);
  EXPECT_EQ(child.wait().code, 4);
  EXPECT_TRUE(eventually([&] { return !alive(left); }));
  EXPECT_EQ(left_behind(*bundle), "");
}

TEST_P(Containers, AreDeletedAlsoWhenTheRuntimeWasKilled) {
  const auto bundle = Bundle::create(shell("sleep 100 & echo $!; exec sleep 100"));
  Launched child = start(*bundle);
  ASSERT_TRUE(eventually([&] {
    return container_pid(runtime_, *bundle).value().has_value() && output().ends_with('\n');
  }));
  const pid_t first = **container_pid(runtime_, *bundle);
  const auto second = static_cast<pid_t>(*parse_u64(trim(output())));
  ::kill(child.pid(), SIGKILL);
  child.wait();
  EXPECT_TRUE(alive(first) && alive(second)) << "the container outlives the runtime";
  delete_container(runtime_, *bundle);
  EXPECT_TRUE(eventually([&] { return !alive(first) && !alive(second); }));
  EXPECT_EQ(left_behind(*bundle), "");
}

INSTANTIATE_TEST_SUITE_P(Runtimes, Containers, testing::Values("runc", "crun"),
                         [](const auto& name) { return std::string(name.param); });

INSTANTIATE_TEST_SUITE_P(Runtimes, ContainerSecurity, testing::Values("runc", "crun"),
                         [](const auto& name) { return std::string(name.param); });

TEST(RunSpec, NeedsRoot) {
  ContainerSpec spec;
  spec.argv = {"true"};
  const auto bundle = Bundle::create(spec);
  const uid_t before = ::geteuid();
  ASSERT_EQ(before == 0 ? ::seteuid(65534) : 0, 0);
  const auto run = run_spec(Runtime{RuntimeKind::kRunc, "/usr/sbin/runc", "1", ""}, *bundle);
  ASSERT_EQ(::seteuid(before), 0);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::kEnvironment);
  EXPECT_THAT(run.error().message, HasSubstr("needs root"));
}

}  // namespace
}  // namespace whittle::host
