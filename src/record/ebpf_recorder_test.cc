// The targets that are no command of ours, and what happens when the maps are full. As root.
#include "record/ebpf_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/text.h"
#include "record/process_tree.h"
#include "record/record.h"

namespace whittle::record {
namespace {

using Source = EbpfRecorder::Source;

std::uint64_t count(const Snapshot& snapshot, const std::string& name) {
  for (const evidence::Observation& seen : snapshot.syscalls) {
    if (seen.name == name) return seen.count;
  }
  return 0;
}

// Waits until the condition holds; a minute at most, against hanging.
bool eventually(const std::function<bool()>& condition) {
  const double deadline = monotonic_seconds() + 60;
  while (!condition()) {
    if (monotonic_seconds() > deadline) return false;
    ::usleep(1000);
  }
  return true;
}

// A shell that reads its next command when asked for.
class Shell {
 public:
  Shell() {
    int ends[2] = {};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 0);
      ::dup2(ends[1], 1);
      ::execl("/bin/bash", "bash", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    fd_ = ends[0];
    run("true");
  }
  ~Shell() { end(); }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  pid_t pid() const { return pid_; }

  // Returns when the command has ended.
  void run(const std::string& command) const {
    const std::string line = command + "\necho .\n";
    ASSERT_EQ(::write(fd_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    pollfd polled = {fd_, POLLIN, 0};
    ASSERT_EQ(::poll(&polled, 1, 60'000), 1) << command;
    char answer[16] = {};
    ASSERT_GT(::read(fd_, answer, sizeof(answer)), 0);
  }

  void end() {
    if (pid_ == 0) return;
    ::close(fd_);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
  int fd_ = -1;
};

// A cgroup of the v1 pids hierarchy, or of the v2 one.
class TestCgroup {
 public:
  explicit TestCgroup(const std::string& name, const std::string& below = {}) {
    std::ifstream own("/proc/self/cgroup");
    std::string line;
    std::string root = "/sys/fs/cgroup";
    while (std::getline(own, line)) {
      if (line.find(":pids:") == std::string::npos) continue;
      hierarchy_ = static_cast<std::uint32_t>(std::stoul(line));
      root = "/sys/fs/cgroup/pids";
    }
    directory_ = root + "/" + below + name;
    EXPECT_EQ(::mkdir(directory_.c_str(), 0755), 0) << directory_;
  }
  ~TestCgroup() {
    eventually([&] { return ::rmdir(directory_.c_str()) == 0 || errno == ENOENT; });
  }
  TestCgroup(const TestCgroup&) = delete;
  TestCgroup& operator=(const TestCgroup&) = delete;

  EbpfRecorder::Cgroup cgroup() const {
    struct stat info = {};
    ::stat(directory_.c_str(), &info);
    return {hierarchy_, info.st_ino};
  }
  std::uint32_t hierarchy() const { return hierarchy_; }
  std::string procs() const { return directory_ + "/cgroup.procs"; }
  std::string procs_of_parent() const {
    return std::filesystem::path(directory_).parent_path().string() + "/cgroup.procs";
  }

 private:
  std::uint32_t hierarchy_ = 0;
  std::string directory_;
};

std::string unique(const char* what) { return format("whittle-test-{}-{}", what, ::getpid()); }

class EbpfRecorderTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_use_ebpf()) GTEST_SKIP() << "needs CAP_BPF and CAP_PERFMON (root)";
  }
  static EbpfRecorder open(unsigned sources) {
    auto recorder = EbpfRecorder::open({.sources = sources, .stacks = false, .targets = true});
    EXPECT_TRUE(recorder) << recorder.error().text();
    return *std::move(recorder);
  }
};

TEST_F(EbpfRecorderTest, FollowsARunningTreeWithAllItsDescendants) {
  Shell shell;
  Shell other;
  shell.run("setsid sleep 100 >&- & sh -c 'sleep 100; true' >&- & echo -n");
  std::vector<pid_t> tree;  // the shell first
  ASSERT_TRUE(eventually([&] { return (tree = tree_of(shell.pid())).size() == 4; }));
  EbpfRecorder recorder = open(1);
  const auto marked = recorder.add_tree(shell.pid());
  ASSERT_TRUE(marked) << marked.error().text();
  EXPECT_EQ(*marked, 4U);
  EXPECT_EQ(recorder.live(), 4U);
  other.run("mkdir /proc/none 2>/dev/null");
  shell.run("rmdir /proc/none 2>&-");
  shell.end();
  const auto snapshot = recorder.snapshot();
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(count(*snapshot, "rmdir"), 1U);
  EXPECT_EQ(count(*snapshot, "mkdir"), 0U);
  for (std::size_t i = 1; i < tree.size(); ++i) ::kill(tree[i], SIGKILL);
}

TEST_F(EbpfRecorderTest, TellsExecSessionsOfACgroupApart) {
  const TestCgroup group(unique("apart"));
  EbpfRecorder recorder = open(2);
  ASSERT_TRUE(recorder.follow_cgroup(group.cgroup(), 0, 1));
  const std::string enter = format("echo $$ >{}; cd /proc/none 2>&-", group.procs());
  // What the shell itself does in the cgroup before it execs does not count.
  Shell first;
  first.run(format("sh -c '{}; exec sh -c \"mkdir /proc/none; rmdir /proc/none\" 2>&-'", enter));
  Shell second;
  second.run(format("sh -c '{}; exec rmdir /proc/none 2>&-'", enter));
  const auto main = recorder.snapshot(0);
  const auto exec = recorder.snapshot(1);
  ASSERT_TRUE(main && exec);
  EXPECT_EQ(count(*main, "mkdir"), 1U);
  EXPECT_EQ(count(*main, "rmdir"), 1U);
  EXPECT_EQ(count(*main, "execve"), 3U);
  EXPECT_EQ(count(*main, "chdir"), 0U);
  EXPECT_EQ(count(*exec, "rmdir"), 1U);
  EXPECT_EQ(count(*exec, "execve"), 1U);
  EXPECT_EQ(count(*exec, "mkdir"), 0U);
  EXPECT_TRUE(eventually([&] { return recorder.live(0) == 0 && recorder.live(1) == 0; }));
}

// `runc exec` into a container whose own program has not started yet.
TEST_F(EbpfRecorderTest, WhoWasFirstInACgroupIsTheOneThatStartsIt) {
  const TestCgroup group(unique("first"));
  EbpfRecorder recorder = open(2);
  ASSERT_TRUE(recorder.follow_cgroup(group.cgroup(), 0, 1));
  Shell first;
  first.run(format("echo $$ >{}", group.procs()));
  Shell second;
  second.run(format("sh -c 'echo $$ >{}; exec rmdir /proc/none 2>&-'", group.procs()));
  first.run("exec bash");
  first.run("mkdir /proc/none 2>&-");
  const auto main = recorder.snapshot(0);
  const auto exec = recorder.snapshot(1);
  ASSERT_TRUE(main && exec);
  EXPECT_EQ(count(*main, "mkdir"), 1U);
  EXPECT_EQ(count(*main, "rmdir"), 0U);
  EXPECT_EQ(count(*exec, "mkdir"), 0U);
  EXPECT_EQ(count(*exec, "rmdir"), 1U);
}

TEST_F(EbpfRecorderTest, ATaskThatLeavesACgroupCountsNoMore) {
  const TestCgroup group(unique("leave"));
  const TestCgroup below("below", unique("leave") + "/");
  EbpfRecorder recorder = open(2);
  ASSERT_TRUE(recorder.follow_cgroup(group.cgroup(), 0, 1));
  Shell shell;
  shell.run(format("echo $$ >{}; exec bash", group.procs()));
  shell.run("mkdir /proc/none 2>&-");
  shell.run(format("echo $$ >{}; mkdir /proc/none 2>&-", below.procs()));
  EXPECT_EQ(recorder.live(0), 1U);
  shell.run(format("echo $$ >{}; mkdir /proc/none 2>&-", group.procs_of_parent()));
  EXPECT_EQ(recorder.live(0), 0U);
  const auto snapshot = recorder.snapshot(0);
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(count(*snapshot, "mkdir"), 2U);
}

TEST_F(EbpfRecorderTest, TakesWhatRunsInACgroupAlready) {
  const TestCgroup group(unique("running"));
  Shell init;
  Shell session;
  init.run(format("echo $$ >{}; sleep 100 >&- & echo -n", group.procs()));
  session.run(format("echo $$ >{}", group.procs()));
  EbpfRecorder recorder = open(2);
  ASSERT_TRUE(recorder.follow_cgroup(group.cgroup(), 0, 1));
  const auto marked = recorder.add_cgroup_tasks(group.cgroup(), init.pid(), 0, 1);
  ASSERT_TRUE(marked) << marked.error().text();
  EXPECT_EQ(*marked, 3U);
  EXPECT_EQ(recorder.live(0), 2U);
  EXPECT_EQ(recorder.live(1), 1U);
  init.run("mkdir /proc/none 2>&-; kill $!");
  session.run("rmdir /proc/none 2>&-");
  // Another that enters now did not start it either.
  Shell late;
  late.run(format("sh -c 'echo $$ >{}; exec rmdir /proc/none 2>&-'", group.procs()));
  const auto main = recorder.snapshot(0);
  const auto exec = recorder.snapshot(1);
  ASSERT_TRUE(main && exec);
  EXPECT_EQ(count(*main, "mkdir"), 1U);
  EXPECT_EQ(count(*main, "rmdir"), 0U);
  EXPECT_EQ(count(*exec, "rmdir"), 2U);
}

TEST_F(EbpfRecorderTest, FollowsNewCgroupsOfTheWholeHostOnTrial) {
  EbpfRecorder recorder = open(8);
  const std::vector<Source> mains = {0, 2, 4, 6};
  std::vector<EbpfRecorder::NewCgroup> made;
  {
    const TestCgroup outside(unique("outside"));
    ASSERT_TRUE(recorder.watch_new_cgroups(outside.hierarchy(), mains));
  }
  const TestCgroup wanted(unique("wanted"));
  const TestCgroup unwanted(unique("unwanted"));
  const TestCgroup inside("inside", unique("wanted") + "/");
  // What others make on this machine meanwhile takes pairs of sources, too: it gives them back.
  const auto take_new = [&] {
    for (auto& group : recorder.drain()) {
      if (group.path.find("whittle-test-") == std::string::npos ||
          group.path.find(format("-{}", ::getpid())) == std::string::npos) {
        ASSERT_TRUE(recorder.release(group.cgroup));
      } else {
        made.push_back(group);
      }
    }
  };
  const auto run_in = [&](const TestCgroup& group, const char* command) {
    const Shell shell;
    take_new();
    shell.run(format("sh -c 'echo $$ >{}; exec {} /proc/none 2>&-'", group.procs(), command));
  };
  run_in(wanted, "mkdir");
  run_in(unwanted, "rmdir");
  take_new();
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made[0].cgroup, wanted.cgroup());
  EXPECT_THAT(made[0].path, testing::EndsWith(unique("wanted")));
  EXPECT_EQ(made[2].cgroup, inside.cgroup());  // a container's may be below another new one
  const auto count_in = [&](const TestCgroup& group, const char* name) {
    const auto main = recorder.main_of(group.cgroup());
    EXPECT_TRUE(main);
    return main ? count(*recorder.snapshot(*main), name) : 0;
  };
  EXPECT_EQ(count_in(wanted, "mkdir"), 1U);
  EXPECT_EQ(count_in(wanted, "rmdir"), 0U);
  EXPECT_EQ(count_in(unwanted, "rmdir"), 1U);
  // There are sources for four. For one more there are none; once some are given back there are.
  std::vector<std::unique_ptr<TestCgroup>> more;
  do {
    more.push_back(std::make_unique<TestCgroup>(unique(format("more-{}", more.size()).c_str())));
    EXPECT_FALSE(recorder.had_no_pair(more.back()->cgroup()));
    run_in(*more.back(), "mkdir");
  } while (more.size() < mains.size() && !recorder.had_no_pair(more.back()->cgroup()));
  EXPECT_TRUE(recorder.had_no_pair(more.back()->cgroup()));
  EXPECT_FALSE(recorder.main_of(more.back()->cgroup()));
  EXPECT_EQ(recorder.snapshot()->lost.at("cgroups"), 0U);  // it may be nobody's that is wanted
  for (const auto& one : more) ASSERT_TRUE(recorder.release(one->cgroup()));
  ASSERT_TRUE(recorder.release(unwanted.cgroup()));
  const TestCgroup last(unique("last"));
  run_in(unwanted, "rmdir");
  run_in(last, "mkdir");
  EXPECT_EQ(count_in(last, "rmdir"), 0U);
  EXPECT_EQ(count_in(last, "mkdir"), 1U);
  recorder.stop_watching();
}

}  // namespace
}  // namespace whittle::record
