// Looking at a server from outside: does it take connections, and how does it answer a GET?
#pragma once

#include <optional>
#include <string>

#include "base/cancel.h"
#include "host/address.h"

namespace whittle::record {

// Both give up when `cancel` is set, and after two seconds.
bool accepts_connections(const host::Address& address, const Cancel& cancel);

// The status of an HTTP/1.1 answer to GET `path` (RFC 9112); nullopt without such an answer. The
// rest of the answer is read, up to 1 MiB, so that the server does not see a broken connection that
// no real client makes.
std::optional<int> http_status(const host::HttpUrl& url, const Cancel& cancel);

}  // namespace whittle::record
