#include "cli/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::cli {

namespace {

constexpr std::size_t kLineLimit = 4000;  // bytes of one message

bool g_progress_shown = false;

// Columns of the terminal on standard error.
std::size_t terminal_width() {
  winsize size = {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20;
  return known ? size.ws_col : 80;
}

bool terminal_is_ours() {
  termios modes = {};
  return errors_on_terminal() && ::tcgetpgrp(STDERR_FILENO) == ::getpgrp() &&
         ::tcgetattr(STDERR_FILENO, &modes) == 0 && (modes.c_lflag & ICANON) != 0;
}

void print_line(std::string_view kind, std::string_view text) {
  end_progress();
  const std::string line = format("whittle: {}{}\n", kind, printable(text, kLineLimit));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string styled(std::string_view text, std::string_view code) {
  return use_colour() ? format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

}  // namespace

void print_error(const Error& error) {
  const bool is_bug = error.kind == ErrorKind::kBug;
  print_line(is_bug ? "a bug in whittle: " : "error: ", error.text());
  const std::string hint = is_bug && error.hint.empty()
                               ? "please report this line with the command line, the input files "
                                 "and what `whittle --version` and `uname -a` print"
                               : error.hint;
  if (hint.empty()) return;
  const std::string line = format("  hint: {}\n", printable(hint, kLineLimit));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print_warning(std::string_view text) { print_line("warning: ", text); }
void print_note(std::string_view text) { print_line("", text); }

bool output_closed() {
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

void print_tail(std::string_view output) {
  constexpr std::size_t kLines = 40;
  if (trim(output).empty()) return;
  const std::vector<std::string> lines = split(trim(output), '\n');
  print_note("the last that the workload wrote:");
  for (std::size_t i = lines.size() - std::min(lines.size(), kLines); i < lines.size(); ++i) {
    print_note("| " + printable(lines[i], 1000));
  }
}

Result<void> print_result(std::string_view text) {
  static bool dropped = false;
  auto written = write_file("-", text);
  if (!written && !dropped && output_closed()) {
    dropped = true;
    return {};
  }
  return written;
}

Result<void> print_json(const json::Value& value) { return print_result(json::dump(value) + "\n"); }

bool errors_on_terminal() { return ::isatty(STDERR_FILENO) == 1; }

void show_progress(std::string_view text) {
  if (!terminal_is_ours()) return;
  // One write, and the old line is cleared only behind the new one: nothing flickers. A line that
  // wraps could not be taken away again.
  const std::string line = "\r" + printable(text, terminal_width() - 4) + "\x1b[K";
  std::fwrite(line.data(), 1, line.size(), stderr);
  g_progress_shown = true;
}

void end_progress() {
  if (!g_progress_shown) return;
  std::fputs("\r\x1b[K", stderr);
  g_progress_shown = false;
}

bool use_colour() {
  // https://no-color.org: set and not empty.
  static const bool use = [] {
    const char* no_colour = std::getenv("NO_COLOR");
    return (no_colour == nullptr || *no_colour == '\0') && ::isatty(STDOUT_FILENO) == 1;
  }();
  return use;
}

std::string bold(std::string_view text) { return styled(text, "1"); }
std::string good(std::string_view text) { return styled(text, "32"); }
std::string bad(std::string_view text) { return styled(text, "31"); }
std::string dim(std::string_view text) { return styled(text, "2"); }

}  // namespace whittle::cli
