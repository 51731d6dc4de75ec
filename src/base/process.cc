#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

namespace whittle {

std::string ExitStatus::text() const {
  if (signal == 0) return format("exit status {}", code);
  return "killed by " + signal_name(signal);
}

ExitStatus ExitStatus::from_wait(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {0, WTERMSIG(wait_status)};
  return {WEXITSTATUS(wait_status), 0};
}

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal); name != nullptr) return format("SIG{}", name);
  if (signal == SIGRTMIN) return "SIGRTMIN";
  if (signal > SIGRTMIN && signal <= SIGRTMAX) return format("SIGRTMIN+{}", signal - SIGRTMIN);
  return format("signal {}", signal);
}

std::optional<int> signal_from_name(std::string_view name) {
  if (const auto number = parse_u64(name)) {
    if (*number < 1 || *number > static_cast<std::uint64_t>(SIGRTMAX)) return std::nullopt;
    return static_cast<int>(*number);
  }
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  const bool from_first = name.starts_with("RTMIN");
  if (!from_first && !name.starts_with("RTMAX")) return std::nullopt;
  if (name.size() == 5) return from_first ? SIGRTMIN : SIGRTMAX;
  const auto step = parse_u64(name.substr(6));
  const auto most = static_cast<std::uint64_t>(SIGRTMAX - SIGRTMIN);
  if (name[5] != (from_first ? '+' : '-') || !step || *step > most) return std::nullopt;
  return from_first ? SIGRTMIN + static_cast<int>(*step) : SIGRTMAX - static_cast<int>(*step);
}

namespace {

enum class Lookup { kFound, kMissing, kDirectory, kNotExecutable };

Lookup look_up(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return Lookup::kMissing;
  if (S_ISDIR(info.st_mode)) return Lookup::kDirectory;
  return ::access(path.c_str(), X_OK) == 0 ? Lookup::kFound : Lookup::kNotExecutable;
}

}  // namespace

Result<std::string> find_program(const std::string& program) {
  if (program.empty()) return input_error("the command is empty");
  if (program.find('/') != std::string::npos) {
    switch (look_up(program)) {
      case Lookup::kFound:
        return program;
      case Lookup::kMissing:
        return input_error("no such file", program);
      case Lookup::kDirectory:
        return input_error("is a directory, not a program", program);
      case Lookup::kNotExecutable:
        return input_error("is not executable", program, "chmod +x it, or run its interpreter");
    }
  }
  const char* path = std::getenv("PATH");
  for (const std::string& directory : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    std::string candidate = (directory.empty() ? "." : directory) + "/" + program;
    if (look_up(candidate) == Lookup::kFound) return candidate;
  }
  return input_error("no such command in PATH", printable(program), "give its path, or install it");
}

namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return errno_error(ErrorKind::kEnvironment, "cannot make a pipe", errno);
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Moves what is ready between the program and us. Returns false when a limit is passed.
class Pump {
 public:
  Pump(UniqueFd in, UniqueFd out, UniqueFd err, const CommandOptions& options)
      : options_(options), in_(std::move(in)), out_(std::move(out)), err_(std::move(err)) {
    ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
  }

  // Until both outputs are closed. Error: a limit.
  Result<void> run(double deadline, CommandResult& result) {
    while (out_.valid() || err_.valid()) {
      if (in_.valid() && sent_ == options_.standard_input.size()) in_.reset();
      std::array<pollfd, 3> polled = {pollfd{in_.get(), POLLOUT, 0}, pollfd{out_.get(), POLLIN, 0},
                                      pollfd{err_.get(), POLLIN, 0}};
      const double left = deadline - monotonic_seconds();
      if (left <= 0) return environment_error("took longer than its time limit");
      ::poll(polled.data(), polled.size(), static_cast<int>(left * 1000) + 1);
      if (polled[0].revents != 0) send();
      if (polled[1].revents != 0) receive(out_, result.output);
      if (polled[2].revents != 0) receive(err_, result.errors);
      if (result.output.size() + result.errors.size() > options_.output_limit) {
        return environment_error("printed more than its output limit");
      }
    }
    return {};
  }

 private:
  void send() {
    const ssize_t n = ::write(in_.get(), options_.standard_input.data() + sent_,
                              options_.standard_input.size() - sent_);
    if (n > 0) {
      sent_ += static_cast<std::size_t>(n);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      in_.reset();
    }
  }
  static void receive(UniqueFd& fd, std::string& into) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      fd.reset();
    }
  }

  const CommandOptions& options_;
  UniqueFd in_;
  UniqueFd out_;
  UniqueFd err_;
  std::size_t sent_ = 0;
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

Result<pid_t> spawn(const std::string& path, std::vector<std::string> argv,
                    const CommandOptions& options, const std::array<int, 3>& standard) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; ++fd) posix_spawn_file_actions_adddup2(&actions, standard.at(fd), fd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  environment.insert(environment.end(), options.add_environment.begin(),
                     options.add_environment.end());
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), &actions, &attributes, pointers(argv).data(),
                                  pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return errno_error(ErrorKind::kEnvironment, "cannot start", error, path);
  return pid;
}

}  // namespace

Result<CommandResult> run_command(const std::vector<std::string>& argv,
                                  const CommandOptions& options) {
  auto found = find_program(argv.at(0));
  if (!found) {
    found.error().kind = ErrorKind::kEnvironment;
    return tl::unexpected(std::move(found).error());
  }
  TRY_ASSIGN(Pipe in, make_pipe());
  TRY_ASSIGN(Pipe out, make_pipe());
  TRY_ASSIGN(Pipe err, make_pipe());
  const double deadline = monotonic_seconds() + options.time_limit;
  TRY_ASSIGN(const pid_t pid, spawn(*found, argv, options,
                                    {in.read_end.get(), out.write_end.get(), err.write_end.get()}));
  in.read_end.reset();
  out.write_end.reset();
  err.write_end.reset();
  CommandResult result;
  Pump pump(std::move(in.write_end), std::move(out.read_end), std::move(err.read_end), options);
  auto pumped = pump.run(deadline, result);
  if (!pumped) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!pumped) {
    pumped.error().place = argv[0];
    return tl::unexpected(std::move(pumped).error());
  }
  result.status = ExitStatus::from_wait(status);
  return result;
}

}  // namespace whittle
