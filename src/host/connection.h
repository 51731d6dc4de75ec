// A TCP connection to a server that is looked at from outside, with a limit for each step.
//
//   Connection connection(cancel);
//   if (!connection.open({"127.0.0.1", 6379}, deadline) || !connection.send("PING\r\n", deadline))
//     return connection.problem();
#pragma once

#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/fd.h"
#include "host/address.h"

namespace whittle::host {

// Deadlines are monotonic_seconds(). Everything gives up when `cancel` is set. Move-only.
class Connection {
 public:
  explicit Connection(const Cancel& cancel) : cancel_(&cancel) {}

  // Tries each socket address of it. Closes what was open.
  bool open(const Address& address, double deadline);
  bool is_open() const { return fd_.valid(); }
  void close() { fd_.reset(); }
  bool send(std::string_view bytes, double deadline);
  // Adds what comes next. False at the end, or when there is none in time.
  bool receive(std::string& into, double deadline);

  // Why the last one of these failed, as one line: "connection refused", "closed by the server".
  const std::string& problem() const { return problem_; }

 private:
  bool connect(const SocketAddress& address, double deadline);
  bool take_source_port(const SocketAddress& target);
  bool wait(short events, double deadline);
  bool fail(int error);

  const Cancel* cancel_;
  UniqueFd fd_;
  std::string problem_;
};

}  // namespace whittle::host
