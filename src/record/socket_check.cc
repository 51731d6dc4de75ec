#include "record/socket_check.h"

#include "base/clock.h"
#include "base/text.h"
#include "host/connection.h"
#include "host/http_answer.h"

namespace whittle::record {

namespace {

constexpr double kLimit = 2;                     // seconds of one check
constexpr std::size_t kAnswerLimit = 1U << 20U;  // bytes

}  // namespace

bool accepts_connections(const host::Address& address, const Cancel& cancel) {
  return host::Connection(cancel).open(address, monotonic_seconds() + kLimit);
}

std::optional<int> http_status(const host::HttpUrl& url, const Cancel& cancel) {
  const double deadline = monotonic_seconds() + kLimit;
  host::Connection connection(cancel);
  const std::string request = format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: whittle\r\nAccept: */*\r\nConnection: "
      "close\r\n\r\n",
      url.path, host::address_text(url.address));
  if (!connection.open(url.address, deadline) || !connection.send(request, deadline)) {
    return std::nullopt;
  }
  host::HttpAnswer answer("GET");
  std::size_t size = 0;
  std::string bytes;
  while (!answer.complete() && !answer.broken() && size < kAnswerLimit &&
         connection.receive(bytes, deadline)) {
    size += bytes.size();
    answer.add(bytes);
    bytes.clear();
  }
  if (answer.status() == 0 || (answer.broken() && answer.status() < 200)) return std::nullopt;
  return answer.status();
}

}  // namespace whittle::record
