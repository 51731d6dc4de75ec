#include "record/session.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

namespace whittle::record {
namespace {

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

// The phase when it is no longer startup, or after ten seconds.
std::string phase_after_startup(const Session& session) {
  const double start = monotonic_seconds();
  while (session.phase() == "startup" && monotonic_seconds() - start < 10) wait(1);
  return session.phase();
}

TEST(ParseReady, TakesAPortAnAddressOrACommand) {
  const auto port = parse_ready("tcp:80");
  ASSERT_TRUE(port);
  EXPECT_EQ(port->host, "127.0.0.1");
  EXPECT_EQ(port->port, 80);
  const auto address = parse_ready("tcp:[::1]:8080");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "::1");
  EXPECT_EQ(address->port, 8080);
  const auto command = parse_ready("exec:test -e x");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->kind, ReadySpec::Kind::kExec);
  EXPECT_EQ(command->command, "test -e x");
}

TEST(ParseReady, RefusesTheRestWithAHint) {
  for (const char* text :
       {"", "80", "tcp:", "tcp:0", "tcp:65536", "tcp:localhost:80", "exec:", "http://x"}) {
    const auto ready = parse_ready(text);
    ASSERT_FALSE(ready) << text;
    EXPECT_THAT(ready.error().text(), HasSubstr(text)) << text;
    EXPECT_THAT(ready.error().hint, HasSubstr("tcp:HOST:PORT")) << text;
  }
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

TEST(Session, StopsAtTheTimeLimit) {
  RecordSpec spec;
  spec.time_limit = 0.2;
  Session session(spec);
  session.start();
  EXPECT_FALSE(session.stop_requested());
  EXPECT_EQ(session.phase(), "startup");
  wait(210);
  EXPECT_TRUE(session.stop_requested());
  EXPECT_EQ(session.phase(), "stop");
}

TEST(Session, StopsWhenNothingNewCame) {
  RecordSpec spec;
  spec.quiet = 0.2;
  Session session(spec);
  session.start();
  evidence::Run run;
  wait(210);
  run.syscalls.emplace_back();
  session.checkpoint(run);
  EXPECT_FALSE(session.stop_requested());
  wait(210);
  session.checkpoint(run);  // nothing new in it
  EXPECT_TRUE(session.stop_requested());
}

}  // namespace
}  // namespace whittle::record
