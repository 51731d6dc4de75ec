#include "host/connection.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace whittle::host {

namespace {

in_port_t port_of(const SocketAddress& address) {
  return address.storage.ss_family == AF_INET6
             ? reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port
             : reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port;
}

}  // namespace

bool Connection::fail(int error) {
  problem_ = ::strerrordesc_np(error) != nullptr ? ::strerrordesc_np(error) : "unknown error";
  return false;
}

bool Connection::wait(short events, double deadline) {
  if (cancel_->wait(fd_.get(), events, deadline)) return true;
  problem_ = cancel_->is_set() ? "given up: the workload has ended" : "no answer in time";
  return false;
}

// Takes a port of our own, and not the one that we ask: with nobody there a connection from a local
// port to itself succeeds (simultaneous open, RFC 9293 3.5), and holds the port that the server is
// about to bind.
bool Connection::take_source_port(const SocketAddress& target) {
  SocketAddress own;
  own.storage.ss_family = target.storage.ss_family;
  socklen_t length = target.length;
  auto* any = reinterpret_cast<sockaddr*>(&own.storage);
  if (::bind(fd_.get(), any, length) != 0 || ::getsockname(fd_.get(), any, &length) != 0) {
    return fail(errno);
  }
  return port_of(own) != port_of(target) || fail(EADDRINUSE);
}

bool Connection::connect(const SocketAddress& address, double deadline) {
  fd_ =
      UniqueFd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) return fail(errno);
  if (!take_source_port(address)) return false;
  // An address without a route fails at once, and leaves nothing in SO_ERROR.
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) !=
          0 &&
      errno != EINPROGRESS) {
    return fail(errno);
  }
  if (!wait(POLLOUT, deadline)) return false;
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 || fail(error);
}

bool Connection::open(const Address& address, double deadline) {
  std::string first;
  for (const SocketAddress& one : socket_addresses(address)) {
    if (connect(one, deadline)) return true;
    if (first.empty()) first = problem_;
  }
  fd_.reset();
  problem_ = address_text(address) + ": " + (first.empty() ? "not a numeric address" : first);
  return false;
}

bool Connection::send(std::string_view bytes, double deadline) {
  while (!bytes.empty()) {
    if (!wait(POLLOUT, deadline)) return false;
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && errno != EAGAIN && errno != EINTR) return fail(errno);
  }
  return true;
}

bool Connection::receive(std::string& into, double deadline) {
  while (wait(POLLIN, deadline)) {
    std::array<char, 16384> buffer;
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n > 0) into.append(buffer.data(), static_cast<std::size_t>(n));
    if (n > 0) return true;
    if (n == 0) {
      problem_ = "closed by the server";
      return false;
    }
    if (errno != EAGAIN && errno != EINTR) return fail(errno);
  }
  return false;
}

}  // namespace whittle::host
