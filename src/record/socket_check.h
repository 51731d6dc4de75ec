// Looking at a server from outside: does it take connections, and how does it answer a GET?
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace whittle::record {

// A numeric address, without brackets, or "localhost", which is 127.0.0.1 and then ::1.
bool is_usable_host(const std::string& host);

// Both give up when `cancelled`, and after two seconds.
bool accepts_connections(const std::string& host, std::uint16_t port,
                         const std::atomic<bool>& cancelled);

// The status of an HTTP/1.1 answer to GET `path` (RFC 9112); nullopt without such an answer. The
// rest of the answer is read, up to 1 MiB, so that the server does not see a broken connection that
// no real client makes.
std::optional<int> http_status(const std::string& host, std::uint16_t port, const std::string& path,
                               const std::atomic<bool>& cancelled);

}  // namespace whittle::record
