#include "record/socket_check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

namespace whittle::record {

namespace {

constexpr double kLimit = 2;                     // seconds of one check
constexpr int kSlice = 50;                       // milliseconds between two looks at `cancelled`
constexpr std::size_t kAnswerLimit = 1U << 20U;  // bytes
constexpr std::size_t kStatusLineLimit = 8192;   // bytes

// A numeric address as connect(2) takes it; its length is 0 for one that is not understood.
struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

Address parse_address(const std::string& host, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof(*v6);
  }
  return address;
}

in_port_t port_of(const Address& address) {
  return address.storage.ss_family == AF_INET6
             ? reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port
             : reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port;
}

std::vector<std::string> addresses_of(const std::string& host) {
  if (host == "localhost") return {"127.0.0.1", "::1"};
  return {host};
}

// One connection, with the time that is left for it.
class Connection {
 public:
  explicit Connection(const std::atomic<bool>& cancelled)
      : cancelled_(cancelled), deadline_(monotonic_seconds() + kLimit) {}

  bool connect(const Address& address) {
    fd_ = UniqueFd(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!take_source_port(address)) return false;
    // An address without a route fails at once, and leaves nothing in SO_ERROR.
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) !=
            0 &&
        errno != EINPROGRESS) {
      return false;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    return wait(POLLOUT) && ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
           error == 0;
  }

  bool send(std::string_view text) {
    while (!text.empty()) {
      if (!wait(POLLOUT)) return false;
      const ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
      if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
    }
    return true;
  }

  // Adds what comes next. False at the end, or when there is none in time.
  bool receive(std::string& into) {
    while (wait(POLLIN)) {
      std::array<char, 16384> buffer;
      const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (n > 0) into.append(buffer.data(), static_cast<std::size_t>(n));
      if (n > 0) return true;
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) return false;
    }
    return false;
  }

 private:
  // Takes a port of our own, and not the one that we ask: with nobody there a connection from a
  // local port to itself succeeds (simultaneous open, RFC 9293 3.5), and holds the port that the
  // server is about to bind.
  bool take_source_port(const Address& target) const {
    Address own;
    own.storage.ss_family = target.storage.ss_family;
    socklen_t length = target.length;
    auto* any = reinterpret_cast<sockaddr*>(&own.storage);
    return ::bind(fd_.get(), any, length) == 0 && ::getsockname(fd_.get(), any, &length) == 0 &&
           port_of(own) != port_of(target);
  }

  bool wait(short events) const {
    while (!cancelled_ && monotonic_seconds() < deadline_) {
      pollfd polled = {fd_.get(), events, 0};
      if (::poll(&polled, 1, kSlice) == 1) return true;
    }
    return false;
  }

  const std::atomic<bool>& cancelled_;
  const double deadline_;
  UniqueFd fd_;
};

// "HTTP/1.1 200 OK" -> 200
std::optional<int> status_of(std::string_view line) {
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ') return std::nullopt;
  if (line.size() > 12 && line[12] != ' ' && line[12] != '\r') return std::nullopt;
  const auto status = parse_u64(line.substr(9, 3));
  if (!status || *status < 100) return std::nullopt;
  return static_cast<int>(*status);
}

std::optional<int> ask(Connection& connection, const std::string& host, std::uint16_t port,
                       const std::string& path) {
  const bool v6 = host.find(':') != std::string::npos;
  const std::string request = format(
      "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: whittle\r\nAccept: */*\r\nConnection: "
      "close\r\n\r\n",
      path, v6 ? "[" + host + "]" : host, port);
  if (!connection.send(request)) return std::nullopt;
  std::string answer;
  while (answer.find('\n') == std::string::npos) {
    if (answer.size() > kStatusLineLimit || !connection.receive(answer)) return std::nullopt;
  }
  const auto status = status_of(std::string_view(answer).substr(0, answer.find('\n')));
  std::size_t read = answer.size();
  while (status && read < kAnswerLimit) {
    answer.clear();
    if (!connection.receive(answer)) break;
    read += answer.size();
  }
  return status;
}

}  // namespace

bool is_usable_host(const std::string& host) {
  return host == "localhost" || parse_address(host, 1).length != 0;
}

bool accepts_connections(const std::string& host, std::uint16_t port,
                         const std::atomic<bool>& cancelled) {
  const auto addresses = addresses_of(host);
  return std::any_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
    return Connection(cancelled).connect(parse_address(address, port));
  });
}

std::optional<int> http_status(const std::string& host, std::uint16_t port, const std::string& path,
                               const std::atomic<bool>& cancelled) {
  for (const std::string& address : addresses_of(host)) {
    Connection connection(cancelled);
    if (connection.connect(parse_address(address, port))) {
      return ask(connection, host, port, path);
    }
  }
  return std::nullopt;
}

}  // namespace whittle::record
