#include "record/ready.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "record/line_pattern.h"
#include "record/socket_check.h"

namespace whittle::record {

namespace {

constexpr double kCommandLimit = 5;  // seconds
constexpr int kSlice = 20;           // milliseconds between two looks at `cancelled`

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

// "8080", "127.0.0.1:8080", "[::1]:8080"; without a port where there is one to fall back on.
// Returns what is wrong with it, or nothing.
std::string parse_place(std::string_view text, bool port_alone, ReadySpec& spec) {
  std::string_view host = "localhost";
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return "the address has no closing bracket";
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return "there must be a colon after the bracket";
    if (!rest.empty()) port = rest.substr(1);
  } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  } else if (port_alone) {
    port = text;
  } else {
    host = text;
  }
  spec.host = host;
  if (!is_usable_host(spec.host)) {
    return format("{} is not a numeric address or localhost",
                  host.empty() ? "nothing" : printable(host));
  }
  if (port) {
    const auto number = parse_u64(*port);
    if (!number || *number < 1 || *number > 65535) {
      return format("{} is not a port (1 to 65535)", port->empty() ? "nothing" : printable(*port));
    }
    spec.port = static_cast<std::uint16_t>(*number);
  }
  return spec.port == 0 ? "the port is missing" : "";
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

// What follows "http://".
std::string parse_url(std::string_view text, ReadySpec& spec) {
  take_status(text, spec);
  const auto slash = text.find_first_of("/?");
  spec.path = slash == std::string_view::npos ? "/" : std::string(text.substr(slash));
  if (spec.path[0] == '?') spec.path.insert(0, "/");
  const bool printable_path = std::all_of(spec.path.begin(), spec.path.end(),
                                          [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
  if (!printable_path) return "the path holds a blank, a # or a byte that must be written as %XX";
  const std::string_view place = text.substr(0, slash);
  if (place.find('@') != std::string_view::npos) return "a user in the URL is not supported";
  spec.port = 80;
  return parse_place(place, false, spec);
}

// A shell command in a process group of its own, so that it goes as a whole.
class ShellCheck {
 public:
  explicit ShellCheck(const std::string& command) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t set;
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attributes, &set);
    sigaddset(&set, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string shell = "sh";
    std::string option = "-c";
    std::string text = command;
    char* const argv[] = {shell.data(), option.data(), text.data(), nullptr};
    if (::posix_spawn(&pid_, "/bin/sh", &actions, &attributes, argv, environ) != 0) pid_ = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  ShellCheck(const ShellCheck&) = delete;
  ShellCheck& operator=(const ShellCheck&) = delete;

  bool succeeds(const std::atomic<bool>& cancelled) const {
    if (pid_ < 0) return false;
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const double deadline = monotonic_seconds() + kCommandLimit;
    bool ended = false;
    while (!ended && !cancelled && monotonic_seconds() < deadline) {
      pollfd polled = {pidfd.get(), POLLIN, 0};
      ended = ::poll(&polled, 1, kSlice) == 1;
    }
    // Before it is waited for, and so while its id is its own.
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t pid_ = -1;
};

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
    wrong = parse_place(rest, true, spec);
  } else if (take(rest, "http:http://") || take(rest, "http://")) {
    spec.kind = ReadySpec::Kind::kHttp;
    wrong = parse_url(rest, spec);
  } else if (take(rest, "http:")) {
    wrong = "a URL starts with http://";
  } else {
    wrong = "of no known kind";
  }
  if (!wrong.empty()) return not_understood(text, wrong);
  return spec;
}

bool is_ready(const ReadySpec& spec, const std::atomic<bool>& cancelled) {
  if (spec.kind == ReadySpec::Kind::kTcp) {
    return accepts_connections(spec.host, spec.port, cancelled);
  }
  if (spec.kind == ReadySpec::Kind::kExec) return ShellCheck(spec.command).succeeds(cancelled);
  const auto status = http_status(spec.host, spec.port, spec.path, cancelled);
  if (!status) return false;
  return spec.status != 0 ? *status == spec.status : *status >= 200 && *status < 400;
}

}  // namespace whittle::record
