// Addresses as users write them: "8080", "127.0.0.1:8080", "[::1]:8080", "http://localhost/a?b".
//
// Hosts are numeric, or "localhost". Other names are not resolved: in a static binary
// getaddrinfo(3) needs the C library's shared parts at run time.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::host {

struct Address {
  std::string host = "localhost";
  std::uint16_t port = 0;
  bool operator==(const Address&) const = default;
};

// "[HOST:]PORT", or with `port_alone` false "HOST[:PORT]" where a missing port leaves the one that
// is there. Returns what is wrong with it, empty when nothing is.
std::string parse_address(std::string_view text, bool port_alone, Address& address);

struct HttpUrl {
  Address address;
  std::string path = "/";  // with the query
};

// "http://HOST[:PORT][/PATH][?QUERY]". https is refused: whittle speaks no TLS. Returns as above.
std::string parse_http_url(std::string_view text, HttpUrl& url);

// What connect(2) takes.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};
// Those that it stands for, in the order in which they are tried: "localhost" is 127.0.0.1 and then
// ::1. Empty: the host is not numeric.
std::vector<SocketAddress> socket_addresses(const Address& address);

// As the Host field of a request has it: "127.0.0.1:80", "[::1]:80".
std::string address_text(const Address& address);

}  // namespace whittle::host
