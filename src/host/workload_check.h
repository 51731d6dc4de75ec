// Trying one check of a workload: a command, an HTTP request, or bytes over TCP.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "host/connection.h"
#include "host/workload.h"

namespace whittle::host {

// What holds for all checks of one workload.
struct CheckSetting {
  std::string directory;                 // where commands run; empty: ours
  std::vector<std::string> environment;  // "NAME=value", added to ours
};

// Tries a check again and again; a connection that is kept alive goes on from one time to the next.
// Not thread-safe: each thread has its own.
class Checker {
 public:
  // REQUIRES: all three outlive it.
  Checker(const WorkloadCheck& check, const CheckSetting& setting, const Cancel& cancel)
      : check_(check), setting_(setting), cancel_(cancel), connection_(cancel) {}

  // Once, by the deadline (monotonic_seconds()). What is wrong, as one line of text with all that
  // can be known ("status 502, expected 200; body: ..."); empty when it came out as said.
  std::string attempt(double deadline);

 private:
  std::string attempt_command(double deadline) const;
  std::string attempt_http(double deadline);
  std::string attempt_tcp(double deadline);

  const WorkloadCheck& check_;
  const CheckSetting& setting_;
  const Cancel& cancel_;
  Connection connection_;  // of http with keep-alive, between two times
};

// What it does, for people: "GET http://127.0.0.1/", "command redis-cli ping".
std::string check_text(const WorkloadCheck& check);

struct CommandOutcome {
  bool ended = false;  // else it was killed: the time was over, or cancelled
  int status = 0;      // as a shell has it, 128 + signal; 127 when it could not be started
  std::string output;  // the last 64 KiB of both streams
};
// Runs a command in a process group of its own, which is gone when it returns: /dev/null as input,
// no signal blocked or ignored, both outputs kept.
CommandOutcome run_check_command(const std::vector<std::string>& argv, const CheckSetting& setting,
                                 double deadline, const Cancel& cancel);

}  // namespace whittle::host
