#include "record/ready.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

namespace whittle::record {
namespace {

using testing::HasSubstr;

const Cancel kGoOn;

ReadySpec parsed(std::string_view text) {
  auto spec = parse_ready(text);
  EXPECT_TRUE(spec) << spec.error().text();
  return spec ? *spec : ReadySpec{};
}

TEST(ParseReady, TakesAPort) {
  EXPECT_EQ(parsed("tcp:80").address.host, "localhost");
  EXPECT_EQ(parsed("tcp:80").address.port, 80);
  EXPECT_EQ(parsed("tcp:[::1]:8080").address.host, "::1");
  EXPECT_EQ(parsed("tcp:[::1]:8080").address.port, 8080);
  EXPECT_EQ(parsed("tcp:localhost:8080").address.host, "localhost");
  EXPECT_EQ(parsed("tcp:::1:8080").address.host, "::1");
}

TEST(ParseReady, TakesAUrl) {
  for (const char* text : {"http://127.0.0.1:8080/a/b?c=d", "http:http://127.0.0.1:8080/a/b?c=d"}) {
    const ReadySpec spec = parsed(text);
    EXPECT_EQ(spec.kind, ReadySpec::Kind::kHttp);
    EXPECT_EQ(spec.url.address.host, "127.0.0.1");
    EXPECT_EQ(spec.url.address.port, 8080);
    EXPECT_EQ(spec.url.path, "/a/b?c=d");
    EXPECT_EQ(spec.status, 0);
  }
  EXPECT_EQ(parsed("http://localhost").url.address.port, 80);
  EXPECT_EQ(parsed("http://localhost").url.path, "/");
  EXPECT_EQ(parsed("http://[::1]:81?x").url.path, "/?x");
}

TEST(ParseReady, TakesAStatusAfterAUrl) {
  EXPECT_EQ(parsed("http://localhost/=404").status, 404);
  EXPECT_EQ(parsed("http://localhost/=404").url.path, "/");
  EXPECT_EQ(parsed("http://localhost:81=204").status, 204);
  // In a query it is a value, but for a value that is there already.
  EXPECT_EQ(parsed("http://localhost/?id=404").status, 0);
  EXPECT_EQ(parsed("http://localhost/?id=404").url.path, "/?id=404");
  EXPECT_EQ(parsed("http://localhost/?id=1=404").status, 404);
  EXPECT_EQ(parsed("http://localhost/?id=1=404").url.path, "/?id=1");
  EXPECT_EQ(parsed("http://localhost/=999").url.path, "/=999");
}

TEST(ParseReady, TakesAPatternOrACommand) {
  EXPECT_EQ(parsed("log:ready (now|soon): 100%").pattern, "ready (now|soon): 100%");
  EXPECT_EQ(parsed("exec:test -e x").command, "test -e x");
}

TEST(ParseReady, RefusesTheRestWithAHint) {
  for (const char* text : {"",
                           "80",
                           "tcp:",
                           "tcp:0",
                           "tcp:65536",
                           "tcp:example.org:80",
                           "tcp:[::1:80",
                           "tcp:[::1]80",
                           "tcp::80",
                           "exec:",
                           "log:",
                           "log:(",
                           "log:a{2,1}",
                           "http:",
                           "http://",
                           "http://x/",
                           "http://127.0.0.1:0/",
                           "http://127.0.0.1:x/",
                           "http://a@127.0.0.1/",
                           "http://127.0.0.1/a b",
                           "http://127.0.0.1/a\nb",
                           "http://127.0.0.1/#a",
                           "http:127.0.0.1/"}) {
    const auto ready = parse_ready(text);
    ASSERT_FALSE(ready) << text;
    EXPECT_EQ(ready.error().kind, ErrorKind::kInput);
    EXPECT_THAT(ready.error().text(), HasSubstr("--ready " + printable(text))) << text;
    EXPECT_THAT(ready.error().hint, HasSubstr("tcp:[HOST:]PORT")) << text;
  }
  EXPECT_THAT(parse_ready("https://127.0.0.1/").error().text(), HasSubstr("TLS"));
}

// A server that says what it is told to, whatever it is asked.
class Server {
 public:
  explicit Server(std::string answer) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_.get(), any, size), 0);
    EXPECT_EQ(::listen(socket_.get(), 1), 0);
    EXPECT_EQ(::getsockname(socket_.get(), any, &size), 0);
    port_ = ::ntohs(address.sin_port);
    thread_ = std::thread([this, text = std::move(answer)] {
      while (serve(text)) {
      }
    });
  }
  ~Server() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string url(std::string_view rest) const {
    return format("http://127.0.0.1:{}{}", port_, rest);
  }
  std::string request() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return request_;
  }

 private:
  bool serve(const std::string& answer) {
    const UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid()) return false;
    std::array<char, 4096> buffer;
    const ssize_t n = ::read(client.get(), buffer.data(), buffer.size());
    if (n > 0) request_.assign(buffer.data(), static_cast<std::size_t>(n));
    ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    return true;
  }

  UniqueFd socket_;
  int port_ = 0;
  std::string request_;
  std::thread thread_;
};

// One look has no more than a few seconds. As a session does, look again where it is to be ready.
bool becomes_ready(const ReadySpec& spec) {
  const double start = monotonic_seconds();
  bool ready = false;
  while (!ready && monotonic_seconds() - start < 60) ready = is_ready(spec, kGoOn);
  return ready;
}

bool ready_when_answered(const std::string& answer, std::string_view rest) {
  const Server server(answer);
  return becomes_ready(parsed(server.url(rest)));
}

bool unready_when_answered(const std::string& answer, std::string_view rest) {
  const Server server(answer);
  return !is_ready(parsed(server.url(rest)), kGoOn);
}

TEST(IsReady, TakesAnAnswerOf2xxAnd3xx) {
  EXPECT_TRUE(ready_when_answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "/"));
  EXPECT_TRUE(ready_when_answered("HTTP/1.0 302 Found\r\n\r\n", "/"));
  EXPECT_TRUE(ready_when_answered("HTTP/1.1 204\r\n\r\n", "/"));  // the reason may be missing
  EXPECT_TRUE(unready_when_answered("HTTP/1.1 404 Not Found\r\n\r\n", "/"));
  EXPECT_TRUE(unready_when_answered("HTTP/1.1 503 Not yet\r\n\r\n", "/"));
}

TEST(IsReady, TakesTheStatusThatIsAskedFor) {
  EXPECT_TRUE(ready_when_answered("HTTP/1.1 404 Not Found\r\n\r\n", "/=404"));
  EXPECT_TRUE(unready_when_answered("HTTP/1.1 200 OK\r\n\r\n", "/=404"));
}

TEST(IsReady, TakesNothingThatIsNotHttp) {
  for (const char* answer : {"", "\n", "200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 2xx\r\n",
                             "HTTP/2 200\r\n", "SSH-2.0-OpenSSH_9\r\n", "HTTP/1.1 200"}) {
    EXPECT_TRUE(unready_when_answered(answer, "/")) << answer;
  }
  EXPECT_TRUE(unready_when_answered(std::string(100000, 'x'), "/"));
}

TEST(IsReady, AsksAsAClientDoes) {
  Server server("HTTP/1.1 200 OK\r\n\r\n" + std::string(100000, 'x'));
  EXPECT_TRUE(becomes_ready(parsed(server.url("/health?deep=1"))));
  const std::string request = server.request();
  EXPECT_TRUE(request.starts_with("GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
  EXPECT_THAT(request, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_TRUE(request.ends_with("\r\n\r\n"));
}

TEST(IsReady, GivesUpWhenCancelled) {
  Cancel cancelled;
  cancelled.set();
  EXPECT_FALSE(is_ready(parsed("exec:true"), cancelled));
  const Server server("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_FALSE(is_ready(parsed(server.url("/")), cancelled));
}

TEST(IsReady, LeavesNothingOfACommandBehind) {
  EXPECT_TRUE(becomes_ready(parsed("exec:exec 1>&2; true")));
  EXPECT_FALSE(is_ready(parsed("exec:exit 3"), kGoOn));
  EXPECT_FALSE(is_ready(parsed("exec:kill -9 $$"), kGoOn));
  EXPECT_FALSE(is_ready(parsed("exec:/nonexistent/command"), kGoOn));
}

}  // namespace
}  // namespace whittle::record
