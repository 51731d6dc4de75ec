// Bytes as a server's answer to a request. The first says how: its lowest bit that the request was
// HEAD, the others in pieces of which size it comes. It is understood the same whatever the pieces,
// and what is kept is bounded.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "host/http_answer.h"

namespace {

using whittle::host::HttpAnswer;

HttpAnswer read(std::string_view method, std::string_view text, std::size_t piece) {
  HttpAnswer answer(method);
  while (!text.empty()) {
    const std::size_t size = std::min(piece, text.size());
    answer.add(text.substr(0, size));
    text.remove_prefix(size);
  }
  answer.end();
  return answer;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view method = (data[0] & 1U) != 0 ? "HEAD" : "GET";
  const HttpAnswer whole = read(method, text, text.size());
  const HttpAnswer pieces = read(method, text, 1 + data[0] / 2);
  require(whole.complete() != whole.broken());
  require(whole.broken() == !whole.problem().empty());
  require(whole.body().size() <= text.size() && whole.body().size() <= 1U << 20U);
  require(whole.started() == !text.empty());
  require(whole.complete() == pieces.complete());
  if (!whole.complete()) return 0;
  require(whole.status() >= 100 && whole.status() <= 999);
  require(whole.status() == pieces.status() && whole.body() == pieces.body());
  require(whole.keeps_alive() == pieces.keeps_alive());
  require(method != "HEAD" || whole.body().empty());
  return 0;
}
