#include "record/session.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file_system.h"
#include "base/text.h"

namespace whittle::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A TCP port of this host that refuses connections until listen() is called.
class Port {
 public:
  Port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_.get(), any, size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), any, &size), 0);
    number_ = ::ntohs(address.sin_port);
  }
  void listen() { EXPECT_EQ(::listen(socket_.get(), 1), 0); }
  std::string ready() const { return format("tcp:{}", number_); }

 private:
  UniqueFd socket_;
  int number_ = 0;
};

RecordSpec with_ready(const std::string& text) {
  RecordSpec spec;
  auto ready = parse_ready(text);
  EXPECT_TRUE(ready) << ready.error().text();
  spec.ready = *std::move(ready);
  return spec;
}

void wait(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

constexpr double kNever = 60;  // seconds that no test comes to: only against hanging

// The phase when it is no longer startup.
std::string phase_after_startup(const Session& session) {
  const double start = monotonic_seconds();
  while (session.phase() == "startup" && monotonic_seconds() - start < kNever) wait(1);
  return session.phase();
}

// Seconds from the start of the session until it asks to stop, with looks that see this. However
// slow the machine is, no limit comes too early.
double seconds_to_the_stop(Session& session, const evidence::Run& run = {}) {
  while (!session.stop_requested() && session.seconds() < kNever) {
    wait(1);
    session.checkpoint(run);
  }
  return session.seconds();
}

TEST(Session, IsReadyWhenThePortTakesConnections) {
  Port port;
  const RecordSpec spec = with_ready(port.ready());
  Session session(spec);
  session.start();
  wait(40);
  EXPECT_EQ(session.phase(), "startup");
  port.listen();
  EXPECT_EQ(phase_after_startup(session), "ready");
}

TEST(Session, IsNotReadyAtAnAddressWithoutARoute) {
  const RecordSpec spec = with_ready("tcp:255.255.255.255:80");  // TCP never goes there
  Session session(spec);
  session.start();
  wait(40);
  EXPECT_EQ(session.phase(), "startup");
}

TEST(Session, WarnsOfAServerThatIsThereAlready) {
  Port port;
  port.listen();
  RecordSpec spec = with_ready(port.ready());
  std::vector<std::string> warnings;
  spec.warn = [&](const std::string& text) { warnings.push_back(text); };
  Session session(spec);
  host::LaunchSpec launch;
  ASSERT_TRUE(session.prepare(launch));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("answers before the command is started")));
  EXPECT_THAT(session.notes(), ElementsAre(HasSubstr("phases may be wrong")));
}

TEST(Session, IsReadyWhenTheCommandSucceeds) {
  const RecordSpec good = with_ready("exec:true");
  Session session(good);
  session.start();
  EXPECT_EQ(phase_after_startup(session), "ready");
  const RecordSpec bad = with_ready("exec:false");
  Session never(bad);
  never.start();
  wait(40);
  EXPECT_EQ(never.phase(), "startup");
}

TEST(Session, IsReadyWhenALineOfTheOutputMatches) {
  const RecordSpec spec = with_ready("log:^up and [a-z]+$");
  Session session(spec);
  host::LaunchSpec launch;
  ASSERT_TRUE(session.prepare(launch));
  const UniqueFd errors(::dup(launch.errors));
  session.start();
  EXPECT_EQ(session.phase(), "startup");
  EXPECT_EQ(::write(errors.get(), "up and running\n", 15), 15);
  EXPECT_EQ(phase_after_startup(session), "ready");
  EXPECT_TRUE(session.ready_after());
  EXPECT_TRUE(session.notes().empty());
}

TEST(Session, SaysThatItIsNotReadyInTimeAndGoesOn) {
  Port port;
  RecordSpec spec = with_ready(port.ready());
  spec.ready_limit = 0.05;
  std::vector<std::string> warnings;
  double warned_at = 0;
  Session session(spec);
  spec.warn = [&](const std::string& text) {
    warnings.push_back(text);
    warned_at = session.seconds();
  };
  session.start();
  while (warnings.empty() && session.seconds() < kNever) {
    EXPECT_FALSE(session.stop_requested());
    wait(1);
  }
  EXPECT_GE(warned_at, 0.05);
  EXPECT_FALSE(session.stop_requested());  // and does not say so again
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("not ready after 0.05 s (tcp:")));
  EXPECT_THAT(session.notes(), ElementsAre(HasSubstr("never became ready")));
  port.listen();
  EXPECT_EQ(phase_after_startup(session), "ready");
  EXPECT_THAT(session.notes(), ElementsAre(HasSubstr("later than the limit")));
}

// A FIFO for marks, and a session that reads it.
class Marked {
 public:
  Marked()
      : directory_(*TemporaryDirectory::create("whittle-test")),
        path_(directory_.path() + "/marks"),
        pipe_(*MarkPipe::open(path_)) {
    spec_.marks = &pipe_;
    spec_.warn = [this](const std::string& text) { warnings.push_back(text); };
  }
  void write(std::string_view text) const {
    const UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Waits until the session is in this phase.
  bool comes_to(Session& session, const std::string& phase) const {
    const double start = monotonic_seconds();
    while (session.phase() != phase && monotonic_seconds() - start < kNever) session.wait({}, 100);
    return session.phase() == phase;
  }
  RecordSpec& spec() { return spec_; }
  const std::string& directory() const { return directory_.path(); }

  std::vector<std::string> warnings;

 private:
  TemporaryDirectory directory_;
  std::string path_;
  MarkPipe pipe_;
  RecordSpec spec_;
};

TEST(Session, TakesItsPhaseFromTheLastMark) {
  Marked marked;
  marked.write("of-an-earlier-run\n");
  Session session(marked.spec());
  session.start();
  EXPECT_EQ(session.phase(), "startup");
  marked.write("ready\n");
  EXPECT_TRUE(marked.comes_to(session, "ready"));
  EXPECT_TRUE(session.ready_after());
  marked.write("reload\nload_2\n");
  EXPECT_TRUE(marked.comes_to(session, "load_2"));
  marked.write("Not A Name\nruntime\nlast\n");
  EXPECT_TRUE(marked.comes_to(session, "last"));
  EXPECT_FALSE(session.stop_requested());
  EXPECT_THAT(marked.warnings, ElementsAre(HasSubstr("Not A Name"), HasSubstr("runtime")));
}

TEST(Session, KeepsAMarkWhenItBecomesReady) {
  Marked marked;
  const std::string ready = marked.directory() + "/ready";
  marked.spec().ready = *parse_ready("exec:test -e " + ready);
  Session session(marked.spec());
  session.start();
  marked.write("warm-up\n");
  EXPECT_TRUE(marked.comes_to(session, "warm-up"));
  EXPECT_FALSE(session.ready_after());
  ASSERT_TRUE(write_file(ready, ""));
  while (!session.ready_after() && session.seconds() < kNever) wait(1);
  EXPECT_TRUE(session.ready_after());
  EXPECT_EQ(session.phase(), "warm-up");
}

TEST(Session, TakesThirtyPhasesAndNoMore) {
  Marked marked;
  Session session(marked.spec());
  session.start();
  std::string names;
  for (int i = 0; i < 27; ++i) names += format("p{}\n", i);  // beside startup, ready and stop
  marked.write(names);
  EXPECT_TRUE(marked.comes_to(session, "p26"));
  marked.write("too-many\np3\n");
  EXPECT_TRUE(marked.comes_to(session, "p3"));
  EXPECT_FALSE(session.stop_requested());
  EXPECT_THAT(marked.warnings, ElementsAre(HasSubstr("too-many")));
}

TEST(Session, StopsAtTheFirstSignalAndKillsAtTheSecond) {
  const RecordSpec spec;
  Session session(spec);
  session.start();
  EXPECT_FALSE(session.stop_requested());
  ::raise(SIGHUP);
  EXPECT_TRUE(session.stop_requested());
  ::raise(SIGHUP);  // a terminal that goes may send it twice
  ::raise(SIGTERM);
  EXPECT_FALSE(session.kill_requested());
  ::raise(SIGINT);
  EXPECT_TRUE(session.kill_requested());
}

TEST(Session, KillsAtTheFirstSignalOnceTheTimeIsOver) {
  RecordSpec spec;
  spec.time_limit = 0;
  Session session(spec);
  session.start();
  EXPECT_TRUE(session.stop_requested());
  EXPECT_FALSE(session.kill_requested());
  ::raise(SIGINT);
  EXPECT_TRUE(session.kill_requested());
}

TEST(SignalCatcher, GoesOnCountingInTheLifeOfAnother) {
  const SignalCatcher outer;
  ::raise(SIGTERM);
  {
    const SignalCatcher inner;
    EXPECT_EQ(SignalCatcher::caught(), 1);
  }
  ::raise(SIGINT);
  EXPECT_EQ(SignalCatcher::caught(), 2);
}

TEST(SignalCatcher, LeavesAnIgnoredHangupAlone) {
  std::signal(SIGHUP, SIG_IGN);
  {
    const SignalCatcher catcher;
    ::raise(SIGHUP);
    EXPECT_EQ(SignalCatcher::caught(), 0);
  }
  EXPECT_EQ(std::signal(SIGHUP, SIG_DFL), SIG_IGN);
}

TEST(Session, StopsAtTheTimeLimit) {
  RecordSpec spec;
  spec.time_limit = 0.2;
  Session session(spec);
  session.start();
  EXPECT_EQ(session.phase(), "startup");
  EXPECT_GE(seconds_to_the_stop(session), 0.2);
  EXPECT_TRUE(session.stop_requested());
  EXPECT_EQ(session.phase(), "stop");
}

// What drives it ends with it, and that asks for a stop: of what is left.
TEST(Session, AnEndBeforeTheStopIsItsOwn) {
  RecordSpec spec;
  spec.drive = [](host::Running&) {};
  Session session(spec);
  session.start();
  session.ended("exit status 7");
  while (!session.stop_requested()) session.wait({}, 1000);
  EXPECT_TRUE(session.ended_by_itself());
  session.finish();
}

TEST(Session, AnEndAfterTheStopIsNot) {
  RecordSpec spec;
  spec.time_limit = 0;
  Session session(spec);
  session.start();
  ASSERT_TRUE(session.stop_requested());
  session.ended("SIGTERM");
  EXPECT_FALSE(session.ended_by_itself());
}

TEST(Session, StopsWhenNothingNewCame) {
  RecordSpec spec;
  spec.quiet = 0.2;
  Session session(spec);
  session.start();
  evidence::Run run;
  wait(210);
  EXPECT_FALSE(session.stop_requested());  // nobody has looked yet
  run.syscalls.emplace_back();
  const double news = session.seconds();
  session.checkpoint(run);
  EXPECT_FALSE(session.stop_requested());
  // Nothing new in the later ones.
  EXPECT_GE(seconds_to_the_stop(session, run), news + 0.2);
  EXPECT_TRUE(session.stop_requested());
}

TEST(Session, IsNotQuietBeforeItIsReady) {
  Port port;
  RecordSpec spec = with_ready(port.ready());
  spec.quiet = 0.1;
  Session session(spec);
  session.start();
  wait(120);
  session.checkpoint({});
  EXPECT_FALSE(session.stop_requested());
  port.listen();
  EXPECT_EQ(phase_after_startup(session), "ready");
  EXPECT_GE(seconds_to_the_stop(session), session.ready_after().value() + 0.1);
  EXPECT_TRUE(session.stop_requested());
}

}  // namespace
}  // namespace whittle::record
