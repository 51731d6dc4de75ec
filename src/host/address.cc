#include "host/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace whittle::host {

namespace {

SocketAddress numeric(const std::string& host, std::uint16_t port) {
  SocketAddress address;
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

}  // namespace

std::vector<SocketAddress> socket_addresses(const Address& address) {
  if (address.host == "localhost") {
    return {numeric("127.0.0.1", address.port), numeric("::1", address.port)};
  }
  SocketAddress one = numeric(address.host, address.port);
  if (one.length == 0) return {};
  return {one};
}

std::string parse_address(std::string_view text, bool port_alone, Address& address) {
  std::string_view host = "localhost";
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return "the address has no closing bracket";
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return "there must be a colon after the bracket";
    if (!rest.empty()) port = rest.substr(1);
  } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  } else if (port_alone) {
    port = text;
  } else {
    host = text;
  }
  address.host = host;
  if (socket_addresses(address).empty()) {
    return format("{} is not a numeric address or localhost",
                  host.empty() ? "nothing" : printable(host));
  }
  if (port) {
    const auto number = parse_u64(*port);
    if (!number || *number < 1 || *number > 65535) {
      return format("{} is not a port (1 to 65535)", port->empty() ? "nothing" : printable(*port));
    }
    address.port = static_cast<std::uint16_t>(*number);
  }
  return address.port == 0 ? "the port is missing" : "";
}

std::string parse_http_url(std::string_view text, HttpUrl& url) {
  constexpr std::string_view kScheme = "http://";
  if (text.starts_with("https://")) return "whittle speaks no TLS";
  if (!text.starts_with(kScheme)) return "it does not start with http://";
  text.remove_prefix(kScheme.size());
  const auto slash = text.find_first_of("/?");
  url.path = slash == std::string_view::npos ? "/" : std::string(text.substr(slash));
  if (url.path[0] == '?') url.path.insert(0, "/");
  const bool sendable = std::all_of(url.path.begin(), url.path.end(),
                                    [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
  if (!sendable) return "the path holds a blank, a # or a byte that must be written as %XX";
  const std::string_view place = text.substr(0, slash);
  if (place.find('@') != std::string_view::npos) return "a user in the URL is not supported";
  url.address.port = 80;
  return parse_address(place, false, url.address);
}

std::string address_text(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return format("{}:{}", v6 ? "[" + address.host + "]" : address.host, address.port);
}

}  // namespace whittle::host
