#include "host/workload_check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "host/http_answer.h"

namespace whittle::host {

namespace {

constexpr std::size_t kOutputKept = 64U << 10U;
constexpr std::size_t kShown = 300;  // bytes of an answer or an output in a message

// In one line, the end of it.
std::string shown(std::string_view text) {
  std::string line(trim(text));
  if (line.size() > kShown) line = "..." + line.substr(line.size() - kShown);
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return printable(line, kShown + 3);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Ours with those of the setting in place of others of the same name.
std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    bool replaced = false;
    for (const std::string& other : added) replaced = replaced || other.starts_with(name);
    if (!replaced) all.emplace_back(text);
  }
  return all;
}

// The pid, or minus the errno.
pid_t spawn_in_group(std::vector<std::string> argv, const CheckSetting& setting, int output) {
  const auto program = find_program(argv.at(0));
  if (!program) return -ENOENT;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  if (!setting.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, setting.directory.c_str());
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t set;
  sigemptyset(&set);
  posix_spawnattr_setsigmask(&attributes, &set);
  for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  posix_spawnattr_setsigdefault(&attributes, &set);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> environment = environment_with(setting.environment);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program->c_str(), &actions, &attributes,
                                  pointers(argv).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -error;
}

void keep_tail(std::string& text) {
  if (text.size() > 2 * kOutputKept) text.erase(0, text.size() - kOutputKept);
}

}  // namespace

CommandOutcome run_check_command(const std::vector<std::string>& argv, const CheckSetting& setting,
                                 double deadline, const Cancel& cancel) {
  CommandOutcome outcome;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {true, 127, "no descriptor is left"};
  const UniqueFd from(ends[0]);
  UniqueFd into(ends[1]);
  const pid_t pid = spawn_in_group(argv, setting, into.get());
  into.reset();
  if (pid < 0) return {true, 127, format("cannot be started: {}", ::strerrordesc_np(-pid))};
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ::fcntl(from.get(), F_SETFL, O_NONBLOCK);
  const auto take_output = [&] {
    std::array<char, 16384> buffer;
    const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
    if (n > 0) outcome.output.append(buffer.data(), static_cast<std::size_t>(n));
    keep_tail(outcome.output);
    return n;
  };
  bool open = true;
  // Looked at once more when the time is over: it may have ended while we were not running.
  for (double left = 1; !outcome.ended && !cancel.is_set() && left > 0;) {
    std::array<pollfd, 3> polled = {pollfd{pidfd.get(), POLLIN, 0},
                                    pollfd{open ? from.get() : -1, POLLIN, 0},
                                    pollfd{cancel.fd(), POLLIN, 0}};
    left = deadline - monotonic_seconds();
    // Never less than 0, which would be no limit at all.
    ::poll(polled.data(), polled.size(), left > 0 ? static_cast<int>(left * 1000) + 1 : 0);
    if (polled[1].revents != 0 && take_output() == 0) open = false;
    outcome.ended = polled[0].revents != 0;
  }
  while (outcome.ended && take_output() > 0) {
  }
  // Before it is waited for, and so while its id is its own.
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.status = ExitStatus::from_wait(status).shell_code();
  if (outcome.output.size() > kOutputKept) {
    outcome.output.erase(0, outcome.output.size() - kOutputKept);
  }
  return outcome;
}

std::string check_text(const WorkloadCheck& check) {
  switch (check.kind) {
    case WorkloadCheck::Kind::kCommand:
      // The shell that a text is given to says nothing.
      return "command " + printable(check.command.size() == 3 && check.command[0] == "sh" &&
                                            check.command[1] == "-c"
                                        ? check.command[2]
                                        : join(check.command, " "));
    case WorkloadCheck::Kind::kHttp:
      return printable(check.method + " " + check.url);
    case WorkloadCheck::Kind::kTcp:
      break;
  }
  return "tcp " + printable(check.address);
}

std::string Checker::attempt(double deadline) {
  std::string problem;
  switch (check_.kind) {
    case WorkloadCheck::Kind::kCommand:
      problem = attempt_command(deadline);
      break;
    case WorkloadCheck::Kind::kHttp:
      problem = attempt_http(deadline);
      break;
    case WorkloadCheck::Kind::kTcp:
      problem = attempt_tcp(deadline);
      break;
  }
  return problem.empty() ? problem : check_text(check_) + ": " + problem;
}

std::string Checker::attempt_command(double deadline) const {
  const CommandOutcome outcome = run_check_command(check_.command, setting_, deadline, cancel_);
  if (outcome.ended && outcome.status == 0) return {};
  std::string problem = outcome.ended      ? format("exit status {}", outcome.status)
                        : cancel_.is_set() ? "given up: the workload has ended"
                                           : "not done in time";
  const std::string output = shown(outcome.output);
  return output.empty() ? problem : problem + "; it printed: " + output;
}

std::string Checker::attempt_http(double deadline) {
  HttpUrl url;
  if (const std::string wrong = parse_http_url(check_.url, url); !wrong.empty()) return wrong;
  std::string request =
      format("{} {} HTTP/1.1\r\nHost: {}\r\n", check_.method, url.path, address_text(url.address));
  bool has_agent = false;
  for (const auto& [name, value] : check_.headers) {
    request += format("{}: {}\r\n", name, value);
    has_agent = has_agent || name == "User-Agent";
  }
  if (!has_agent) request += "User-Agent: whittle\r\n";
  request +=
      format("Accept: */*\r\nConnection: {}\r\n", check_.keep_alive ? "keep-alive" : "close");
  if (!check_.body.empty() || check_.method == "POST" || check_.method == "PUT") {
    request += format("Content-Length: {}\r\n", check_.body.size());
  }
  request += "\r\n" + check_.body;
  HttpAnswer answer(check_.method);
  const auto talk = [&] {
    if (!connection_.is_open() && !connection_.open(url.address, deadline)) return false;
    if (!connection_.send(request, deadline)) return false;
    std::string bytes;
    while (!answer.complete() && !answer.broken()) {
      bytes.clear();
      if (connection_.receive(bytes, deadline)) {
        answer.add(bytes);
      } else {
        if (monotonic_seconds() >= deadline || cancel_.is_set()) return false;
        answer.end();
      }
    }
    return answer.complete();
  };
  const bool reused = connection_.is_open();
  bool good = talk();
  // A server may end a connection that is kept alive between two requests (RFC 9112 9.3.1).
  if (!good && reused && !answer.started() && monotonic_seconds() < deadline) {
    connection_.close();
    answer = HttpAnswer(check_.method);
    good = talk();
  }
  if (!good || !check_.keep_alive || !answer.keeps_alive()) connection_.close();
  if (!good) {
    return answer.started() && !answer.problem().empty() ? answer.problem() : connection_.problem();
  }
  const int status = answer.status();
  const bool expected = check_.status != 0 ? status == static_cast<int>(check_.status)
                                           : status >= 200 && status < 400;
  if (!expected) {
    return format("status {}, expected {}; body: {}", status,
                  check_.status != 0 ? format("{}", check_.status) : "2xx or 3xx",
                  shown(answer.body()));
  }
  if (answer.body().find(check_.contains) == std::string::npos) {
    return format("the body does not have \"{}\"; body: {}", printable(check_.contains),
                  shown(answer.body()));
  }
  return {};
}

std::string Checker::attempt_tcp(double deadline) {
  Address address;
  if (const std::string wrong = parse_address(check_.address, true, address); !wrong.empty()) {
    return wrong;
  }
  Connection connection(cancel_);
  if (!connection.open(address, deadline) || !connection.send(check_.send, deadline)) {
    return connection.problem();
  }
  std::string answer;
  while (answer.find(check_.expect) == std::string::npos) {
    if (!connection.receive(answer, deadline)) {
      return format("{}; expected \"{}\", came: {}", connection.problem(), printable(check_.expect),
                    answer.empty() ? "nothing" : shown(answer));
    }
    keep_tail(answer);
  }
  return {};
}

}  // namespace whittle::host
