#include "record/ready.h"

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "base/text.h"
#include "host/workload_check.h"
#include "record/line_pattern.h"
#include "record/socket_check.h"

namespace whittle::record {

namespace {

constexpr double kCommandLimit = 5;  // seconds

constexpr const char* kHint =
    "it is tcp:[HOST:]PORT, http://HOST[:PORT]/PATH[=STATUS], log:REGEX or exec:COMMAND, and HOST "
    "is a numeric address or localhost";

tl::unexpected<Error> not_understood(std::string_view text, const std::string& why) {
  return input_error(format("--ready {}: {}", printable(text), why), {}, kHint);
}

// Takes `prefix` off the front.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// "=204" at the end. In a query it is the last parameter's value, unless that has one already.
void take_status(std::string_view& text, ReadySpec& spec) {
  const auto sign = text.rfind('=');
  if (sign == std::string_view::npos || text.size() - sign != 4) return;
  const auto status = parse_u64(text.substr(sign + 1));
  if (!status || *status < 100 || *status > 599) return;
  if (text.find('?') != std::string_view::npos) {
    const std::string_view last = text.substr(text.find_last_of("?&") + 1);
    if (std::count(last.begin(), last.end(), '=') < 2) return;
  }
  spec.status = static_cast<int>(*status);
  text = text.substr(0, sign);
}

}  // namespace

Result<ReadySpec> parse_ready(std::string_view text) {
  ReadySpec spec;
  spec.text = text;
  std::string_view rest = text;
  std::string wrong;
  if (text.starts_with("https:") || text.starts_with("http:https:")) {
    return input_error(format("--ready {}: whittle speaks no TLS", printable(text)), {},
                       "use tcp:[HOST:]PORT, or exec:COMMAND with curl");
  }
  if (take(rest, "exec:")) {
    spec.kind = ReadySpec::Kind::kExec;
    spec.command = rest;
    if (rest.empty()) wrong = "the command is missing";
  } else if (take(rest, "log:")) {
    spec.kind = ReadySpec::Kind::kLog;
    spec.pattern = rest;
    if (rest.empty()) {
      wrong = "the pattern is missing";
    } else if (const auto compiled = LinePattern::compile(spec.pattern); !compiled) {
      wrong = "not a regular expression: " + compiled.error().message;
    }
  } else if (take(rest, "tcp:")) {
    wrong = host::parse_address(rest, true, spec.address);
  } else if (text.starts_with("http:http://") || text.starts_with("http://")) {
    if (text.starts_with("http:http:")) rest.remove_prefix(5);
    spec.kind = ReadySpec::Kind::kHttp;
    take_status(rest, spec);
    wrong = host::parse_http_url(rest, spec.url);
  } else if (take(rest, "http:")) {
    wrong = "a URL starts with http://";
  } else {
    wrong = "of no known kind";
  }
  if (!wrong.empty()) return not_understood(text, wrong);
  return spec;
}

bool is_ready(const ReadySpec& spec, const Cancel& cancel) {
  if (spec.kind == ReadySpec::Kind::kTcp) return accepts_connections(spec.address, cancel);
  if (spec.kind == ReadySpec::Kind::kExec) {
    const host::CommandOutcome outcome = host::run_check_command(
        {"/bin/sh", "-c", spec.command}, {}, monotonic_seconds() + kCommandLimit, cancel);
    return outcome.ended && outcome.status == 0;
  }
  const auto status = http_status(spec.url, cancel);
  if (!status) return false;
  return spec.status != 0 ? *status == spec.status : *status >= 200 && *status < 400;
}

}  // namespace whittle::record
