// Running other programs: found in PATH, started without a shell, output caught, time limited.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace whittle {

// How a process ended: an exit status, or the signal that ended it.
struct ExitStatus {
  int code = 0;    // 0..255 when signal is 0
  int signal = 0;  // 0 when it exited by itself

  bool success() const { return code == 0 && signal == 0; }
  // The shell's convention: the code, or 128 + the signal.
  int shell_code() const { return signal != 0 ? 128 + signal : code; }
  std::string text() const;  // "exit status 1", "killed by SIGSEGV"
  static ExitStatus from_wait(int wait_status);
};

// The signal of a name or a number, as kill(1) and Docker's STOPSIGNAL take it: "TERM", "SIGTERM",
// "15", "RTMIN+3", "RTMAX-1". nullopt: there is none.
std::optional<int> signal_from_name(std::string_view name);
// "SIGTERM", "SIGRTMIN+3".
std::string signal_name(int signal);

// The path that execvp(3) would run for `program`: itself if it holds a slash, else the first
// executable of that name in PATH. Errors (kind input): not found, a directory, not executable.
Result<std::string> find_program(const std::string& program);

struct CommandOptions {
  std::string standard_input;  // what the program reads
  double time_limit = 60;      // seconds; then SIGKILL and an error
  std::size_t output_limit = 16U << 20U;
  std::vector<std::string> add_environment;  // "NAME=value", on top of our own
};

struct CommandResult {
  ExitStatus status;
  std::string output;  // standard output
  std::string errors;  // standard error
};

// Runs argv to its end. An exit status other than 0 is not an error here; not being able to start
// it (kind environment), the time limit and the output limit are.
Result<CommandResult> run_command(const std::vector<std::string>& argv,
                                  const CommandOptions& options = {});

}  // namespace whittle
