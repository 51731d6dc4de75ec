// When a workload counts as ready: what `--ready` says, and the checks from outside. (A line of its
// output is watched for by output_tap.h.)
#pragma once

#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/result.h"
#include "host/address.h"

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
  std::string text;       // as it was given
  host::Address address;  // kTcp
  host::HttpUrl url;      // kHttp
  int status = 0;         // kHttp; 0: any 2xx or 3xx
  std::string pattern;    // kLog: a POSIX extended regular expression
  std::string command;    // kExec
};

// Errors, kind input: the text is of no kind, or its address or pattern cannot be used. Names other
// than "localhost" are not resolved (host/address.h). https is refused: whittle speaks no TLS.
Result<ReadySpec> parse_ready(std::string_view text);

// One look. At most two seconds for tcp, http and five for exec; less once `cancel` is set, which
// then answers false. What a check starts is gone when it returns. REQUIRES: the kind is not kLog.
bool is_ready(const ReadySpec& spec, const Cancel& cancel);

}  // namespace whittle::record
