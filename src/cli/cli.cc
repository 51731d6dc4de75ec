#include "cli/cli.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/verb.h"

namespace whittle::cli {

namespace {

constexpr int kExitBug = static_cast<int>(ErrorKind::kBug);

const Verb& help_verb();

Result<int> show_help(const Arguments& arguments) {
  std::string text;
  if (arguments.flag("--man")) {
    text = man_page();
  } else if (arguments.flag("--completion")) {
    text = bash_completion();
  } else if (!arguments.operands().empty() && arguments.operands().front() == help_verb().name) {
    text = verb_help(help_verb());
  } else if (!arguments.operands().empty()) {
    TRY_ASSIGN(const Verb* verb, find_verb(arguments.operands().front()));
    text = verb_help(*verb);
  } else {
    text = overview();
  }
  TRY(print_result(text));
  return 0;
}

// Not in the table of verbs: it is about them. --man and --completion are for the build.
const Verb& help_verb() {
  static const Verb verb = {
      .name = "help",
      .summary = "show what whittle or one of its commands does",
      .synopsis = "[COMMAND]",
      .description = "Shows the commands, or one of them with its options.",
      .examples = {},
      .options = {{"--man", 0, "", "print the manual page (roff)"},
                  {"--completion", 0, "SHELL", "print the completion script", {"bash"}}},
      .operand = "COMMAND",
      .most_operands = 1,
      .run = show_help,
  };
  return verb;
}

Result<int> run_verb(const Verb& verb, std::span<const std::string> words) {
  TRY_ASSIGN(const Arguments arguments, parse_arguments(verb, words));
  if (arguments.flag("--help")) {
    TRY(print_result(verb_help(verb)));
    return 0;
  }
  return verb.run(arguments);
}

Result<int> run_words(std::span<const std::string> words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h") {
    TRY(print_result(overview()));
    return 0;
  }
  if (words[0] == "--version") {
    TRY(print_result(format("whittle {}\n", version())));
    return 0;
  }
  if (words[0] == help_verb().name) return run_verb(help_verb(), words.subspan(1));
  TRY_ASSIGN(const Verb* verb, find_verb(words[0]));
  return run_verb(*verb, words.subspan(1));
}

// With one of the three closed, the next file opened would take its place and get our output.
void fill_standard_descriptors() {
  while (true) {
    // Only to be read: writing a result to a standard output that was closed is an error.
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd > STDERR_FILENO) {
      if (fd >= 0) ::close(fd);
      return;
    }
    // Programs that we start inherit it like any other standard descriptor.
    ::fcntl(fd, F_SETFD, 0);
  }
}

void print_crash(const std::string& what) {
  print_error(Error{ErrorKind::kBug, "unexpected: " + what, {}, {}});
}

int finish(const Result<int>& result) {
  if (result) return *result;
  if (result.error().place == kStandardOutput && output_closed()) return 0;
  print_error(result.error());
  return result.error().exit_code();
}

}  // namespace

int run(int argc, char** argv) {
  fill_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return finish(run_words(words));
  } catch (const std::bad_alloc&) {
    print_error(Error{ErrorKind::kEnvironment, "out of memory", {}, {}});
    return static_cast<int>(ErrorKind::kEnvironment);
  } catch (const std::exception& exception) {
    print_crash(exception.what());
  } catch (...) {
    print_crash("an exception of unknown type");
  }
  return kExitBug;
}

}  // namespace whittle::cli
