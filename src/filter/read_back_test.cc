#include "filter/read_back.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "base/clock.h"
#include "base/text.h"

namespace whittle::filter {
namespace {

// A child with these filters installed, the last of them newest, that waits for signals.
class Child {
 public:
  explicit Child(const std::vector<Program>& filters) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) run(filters, ready[1]);
    char byte = 0;
    ready_ = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  bool ready() const { return ready_; }
  // "S (sleeping)", "T (stopped)"; "t (tracing stop)" while under ptrace.
  std::string state() const { return field("State:"); }
  std::string tracer() const { return field("TracerPid:"); }

  // Waits for a state, because signals take effect a moment later.
  bool reaches(char letter) const {
    const double limit = monotonic_seconds() + 60;  // against hanging
    while (state().front() != letter && monotonic_seconds() < limit) ::usleep(1000);
    return state().front() == letter;
  }

 private:
  [[noreturn]] static void run(const std::vector<Program>& filters, int ready) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (const Program& program : filters) {
      const sock_fprog load{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
      if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &load) != 0) ::_exit(1);
    }
    if (::write(ready, "k", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }

  std::string field(std::string_view name) const {
    std::ifstream status(format("/proc/{}/status", pid_));
    for (std::string line; std::getline(status, line);) {
      if (std::string_view(line).substr(0, name.size()) == name) {
        return std::string(trim(std::string_view(line).substr(name.size())));
      }
    }
    return "?";
  }

  pid_t pid_ = -1;
  bool ready_ = false;
};

Program returning(std::uint32_t value, std::size_t loads) {
  Program program(loads, {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0});
  program.push_back({BPF_RET | BPF_K, 0, 0, value});
  return program;
}

bool same(const Program& a, const Program& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0;
}

// True when the kernel lets us see no filters: no privilege, or under a filter ourselves.
bool is_refused(const Result<std::vector<Program>>& filters) {
  return !filters && filters.error().kind == ErrorKind::kEnvironment;
}

TEST(ReadBack, NewestFirstAndTheProcessGoesOn) {
  const Program oldest = returning(SECCOMP_RET_ALLOW, 1);
  const Program middle = returning(SECCOMP_RET_LOG, 7);
  const Program newest = returning(SECCOMP_RET_ALLOW, 3);
  const Child child({oldest, middle, newest});
  ASSERT_TRUE(child.ready());
  const auto filters = read_back(child.pid());
  if (is_refused(filters)) GTEST_SKIP() << filters.error().text();
  ASSERT_TRUE(filters) << filters.error().text();
  ASSERT_EQ(filters->size(), 3U);
  EXPECT_TRUE(same((*filters)[0], newest));
  EXPECT_TRUE(same((*filters)[1], middle));
  EXPECT_TRUE(same((*filters)[2], oldest));
  EXPECT_TRUE(child.reaches('S')) << child.state();
  EXPECT_EQ(child.tracer(), "0");
}

TEST(ReadBack, NoFilterIsAnEmptyAnswer) {
  const Child child({});
  ASSERT_TRUE(child.ready());
  const auto filters = read_back(child.pid());
  if (is_refused(filters)) GTEST_SKIP() << filters.error().text();
  ASSERT_TRUE(filters) << filters.error().text();
  EXPECT_TRUE(filters->empty());
}

TEST(ReadBack, StoppedProcessStaysStoppedAndCanGoOn) {
  const Child child({returning(SECCOMP_RET_ALLOW, 0)});
  ASSERT_TRUE(child.ready());
  ::kill(child.pid(), SIGSTOP);
  ASSERT_TRUE(child.reaches('T'));
  const auto filters = read_back(child.pid());
  if (is_refused(filters)) GTEST_SKIP() << filters.error().text();
  ASSERT_TRUE(filters) << filters.error().text();
  EXPECT_EQ(filters->size(), 1U);
  EXPECT_TRUE(child.reaches('T')) << child.state();
  EXPECT_EQ(child.tracer(), "0");
  ::usleep(20'000);
  EXPECT_EQ(child.state().front(), 'T');
  ::kill(child.pid(), SIGCONT);
  EXPECT_TRUE(child.reaches('S')) << child.state();
}

TEST(ReadBack, SignalsThatComeMeanwhileStillArrive) {
  for (int i = 0; i < 20; ++i) {
    const Child child({returning(SECCOMP_RET_ALLOW, 0)});
    ASSERT_TRUE(child.ready());
    ::kill(child.pid(), SIGTERM);
    // The process is either read or gone before it could be.
    const auto filters = read_back(child.pid());
    if (is_refused(filters)) GTEST_SKIP() << filters.error().text();
    EXPECT_TRUE(child.reaches('Z')) << child.state();
  }
}

TEST(ReadBack, ProcessThatDoesNotExist) {
  const auto filters = read_back(0x3fffffff);
  ASSERT_FALSE(filters);
  EXPECT_EQ(filters.error().kind, ErrorKind::kInput);
}

}  // namespace
}  // namespace whittle::filter
