#include "host/http_answer.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/text.h"

namespace whittle::host {

namespace {

constexpr std::size_t kHeadLimit = 64U << 10U;
constexpr std::size_t kLineLimit = 16U << 10U;
constexpr std::size_t kBodyKept = 1U << 20U;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

}  // namespace

void HttpAnswer::fail(std::string problem) {
  state_ = State::kBroken;
  problem_ = std::move(problem);
}

void HttpAnswer::add(std::string_view bytes) {
  started_ = started_ || !bytes.empty();
  if (complete() || broken()) return;
  pending_ += bytes;
  State before = State::kComplete;
  std::size_t size = 0;
  do {
    before = state_;
    size = pending_.size();
    step();
  } while (!complete() && !broken() && (state_ != before || pending_.size() != size));
}

void HttpAnswer::end() {
  if (state_ == State::kToEnd) state_ = State::kComplete;
  if (!complete() && !broken()) fail("the answer broke off");
}

// A line without its end (CR LF, or LF alone); false: it has not ended yet.
bool HttpAnswer::take_line(std::string& line) {
  const auto end = pending_.find('\n');
  if (end == std::string::npos) {
    if (pending_.size() > kLineLimit) fail("a line of the answer's head is too long");
    return false;
  }
  line = pending_.substr(0, end);
  if (line.ends_with('\r')) line.pop_back();
  pending_.erase(0, end + 1);
  return true;
}

void HttpAnswer::step() {
  std::string line;
  switch (state_) {
    case State::kHead:
      if (take_line(line)) read_head_line(line);
      break;
    case State::kChunkSize:
      if (take_line(line)) read_chunk_size(line);
      break;
    case State::kChunkEnd:
      if (take_line(line)) line.empty() ? void(state_ = State::kChunkSize) : fail("a broken chunk");
      break;
    case State::kTrailer:
      if (take_line(line) && line.empty()) state_ = State::kComplete;
      break;
    case State::kSized:
      take_body(State::kComplete);
      break;
    case State::kChunk:
      take_body(State::kChunkEnd);
      break;
    case State::kToEnd:
      keep(pending_);
      pending_.clear();
      break;
    case State::kComplete:
    case State::kBroken:
      break;
  }
}

void HttpAnswer::keep(std::string_view bytes) {
  body_ += bytes.substr(0, kBodyKept - std::min(kBodyKept, body_.size()));
}

void HttpAnswer::take_body(State next) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, pending_.size()));
  keep(std::string_view(pending_).substr(0, size));
  pending_.erase(0, size);
  left_ -= size;
  if (left_ == 0) state_ = next;
}

// "HTTP/1.1 200 OK", then fields, then an empty line.
void HttpAnswer::read_head_line(const std::string& line) {
  head_size_ += line.size();
  if (head_size_ > kHeadLimit) return fail("the answer's head is too long");
  if (first_line_) {
    first_line_ = false;
    const bool http = line.starts_with("HTTP/1.") && line.size() >= 12 && line[8] == ' ' &&
                      (line.size() == 12 || line[12] == ' ');
    const auto status = http ? parse_u64(std::string_view(line).substr(9, 3)) : std::nullopt;
    if (!status || *status < 100) return fail("not an HTTP answer: " + printable(line, 80));
    status_ = static_cast<int>(*status);
    keeps_alive_ = line[7] != '0';
    return;
  }
  if (line.empty()) return head_is_read();
  const auto colon = line.find(':');
  if (colon == std::string::npos) return fail("a broken field in the answer's head");
  read_field(std::string_view(line).substr(0, colon),
             trim(std::string_view(line).substr(colon + 1)));
}

void HttpAnswer::read_field(std::string_view name, std::string_view value) {
  const std::string key = lower(name);
  if (key == "content-length") {
    const auto size = parse_u64(value);
    if (!size || (sized_ && *size != left_)) return fail("a broken Content-Length");
    left_ = *size;
    sized_ = true;
  } else if (key == "transfer-encoding") {
    chunked_ = lower(value).ends_with("chunked");
  } else if (key == "connection") {
    const std::string word = lower(value);
    if (word.find("close") != std::string::npos) keeps_alive_ = false;
    if (word.find("keep-alive") != std::string::npos) keeps_alive_ = true;
  }
}

void HttpAnswer::head_is_read() {
  if (status_ < 200) {  // an interim answer, such as 100: the real one follows
    if (status_ == 101) return fail("the server switches protocols");
    first_line_ = true;
    chunked_ = sized_ = false;
    left_ = 0;
  } else if (no_body_ || status_ == 204 || status_ == 304) {
    state_ = State::kComplete;
  } else if (chunked_) {
    state_ = State::kChunkSize;
  } else if (sized_) {
    state_ = left_ == 0 ? State::kComplete : State::kSized;
  } else {
    keeps_alive_ = false;
    state_ = State::kToEnd;
  }
}

// "1a;extension"
void HttpAnswer::read_chunk_size(const std::string& line) {
  const std::string_view digits = trim(std::string_view(line).substr(0, line.find(';')));
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, left_, 16);
  if (error != std::errc() || stop != end || digits.empty()) return fail("a broken chunk size");
  state_ = left_ == 0 ? State::kTrailer : State::kChunk;
}

}  // namespace whittle::host
