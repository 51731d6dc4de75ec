// Reads an HTTP/1.x answer (RFC 9112) as it comes, in pieces of any size. A pure parser.
//
//   HttpAnswer answer("GET");
//   while (!answer.complete() && connection.receive(bytes, deadline)) { answer.add(bytes); ... }
//
// Hostile input is bounded: the head by 64 KiB; of the body the first MiB is kept, and the rest
// counted and dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace whittle::host {

class HttpAnswer {
 public:
  explicit HttpAnswer(std::string_view method) : no_body_(method == "HEAD") {}

  // Bytes after the end are dropped.
  void add(std::string_view bytes);
  // The connection has ended. An answer without a length is complete by that.
  void end();

  bool complete() const { return state_ == State::kComplete; }
  bool broken() const { return state_ == State::kBroken; }
  bool started() const { return started_; }
  // What is wrong with it, as one line; empty while nothing is.
  const std::string& problem() const { return problem_; }

  int status() const { return status_; }  // 100 to 999, once the head was read; 0 before
  const std::string& body() const { return body_; }
  bool keeps_alive() const { return keeps_alive_; }  // REQUIRES: complete

 private:
  enum class State {
    kHead,
    kSized,
    kChunkSize,
    kChunk,
    kChunkEnd,
    kTrailer,
    kToEnd,
    kComplete,
    kBroken
  };

  void step();
  bool take_line(std::string& line);
  void read_head_line(const std::string& line);
  void read_field(std::string_view name, std::string_view value);
  void head_is_read();
  void read_chunk_size(const std::string& line);
  void take_body(State next);
  void keep(std::string_view bytes);
  void fail(std::string problem);

  State state_ = State::kHead;
  bool started_ = false;
  bool no_body_;
  bool keeps_alive_ = true;
  bool chunked_ = false;
  bool sized_ = false;
  bool first_line_ = true;
  int status_ = 0;
  std::size_t head_size_ = 0;
  std::uint64_t left_ = 0;  // of the body, or of this chunk
  std::string pending_;     // read and not yet understood
  std::string body_;
  std::string problem_;
};

}  // namespace whittle::host
