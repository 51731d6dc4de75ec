// When a workload counts as ready: what `--ready` says, and the checks from outside. (A line of its
// output is watched for by output_tap.h.)
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace whittle::record {

struct ReadySpec {
  enum class Kind {
    kTcp,   // "tcp:[HOST:]PORT": a connection is accepted
    kHttp,  // "http://HOST[:PORT]/PATH[=STATUS]": a GET is answered with that status, or any 2xx,
            // 3xx
    kLog,   // "log:REGEX": a line of the command's output matches
    kExec,  // "exec:COMMAND": a shell command succeeds
  };
  Kind kind = Kind::kTcp;
  std::string text;  // as it was given
  std::string host;  // kTcp, kHttp: a numeric address, or "localhost"
  std::uint16_t port = 0;
  std::string path;     // kHttp: with the query
  int status = 0;       // kHttp; 0: any 2xx or 3xx
  std::string pattern;  // kLog: a POSIX extended regular expression
  std::string command;  // kExec
};

// Errors, kind input: the text is of no kind, or its address or pattern cannot be used. Names other
// than "localhost" are not resolved: in a static binary getaddrinfo(3) needs the C library's shared
// parts at run time. https is refused: whittle speaks no TLS.
Result<ReadySpec> parse_ready(std::string_view text);

// One look. At most two seconds for tcp, http and five for exec; less once `cancelled`, which then
// answers false. What a check starts is gone when it returns.
// REQUIRES: the kind is not kLog.
bool is_ready(const ReadySpec& spec, const std::atomic<bool>& cancelled);

}  // namespace whittle::record
