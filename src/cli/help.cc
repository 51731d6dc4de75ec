#include "cli/help.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/text.h"
#include "cli/output.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

constexpr std::size_t kWidth = 80;

constexpr std::string_view kSummary =
    "cut a container workload's system calls down to what it needs, and prove it";

constexpr std::pair<int, std::string_view> kExitCodes[] = {
    {0, "good"},
    {1, "findings: a denial, an open probe, calls left out of a profile, incomplete evidence"},
    {2, "bad usage or bad input"},
    {3, "the machine lacks something: a privilege, a kernel feature, a tool"},
    {4, "a bug in whittle"},
};

constexpr std::string_view kProfileWords =
    "A profile P is a file, - for standard input, or a baseline such as baseline:docker or "
    "baseline:docker@29.4.3: the default profile of a container runtime. Results go to standard "
    "output, messages to standard error; --json gives results for programs.";

// "-o, --output FILE", with blanks in place of a letter that is not there.
std::string option_head(const Option& option) {
  std::string head = option.letter != 0 ? format("-{}, ", option.letter) : "    ";
  head += option.name;
  if (!option.metavar.empty()) head += " " + option.metavar;
  return head;
}

// A left column padded to `width`, then the text wrapped beside it.
std::string two_columns(const std::string& left, std::size_t width, std::string_view right) {
  const std::string text = wrap(right, kWidth, width);
  if (left.size() + 2 > width) return left + "\n" + text;
  return left + std::string(width - left.size(), ' ') + text.substr(width);
}

std::string option_help(const Option& option) {
  std::string help = option.help;
  if (!option.choices.empty() && help.find(option.choices.back()) == std::string::npos) {
    help += "; one of " + join(option.choices, ", ");
  }
  return option.repeatable ? help + "; can be given several times" : help;
}

std::string options_text(const Verb& verb) {
  std::string text;
  std::size_t width = 0;
  for (const Option& option : verb.options) {
    width = std::max(width, option_head(option).size());
  }
  width = std::min<std::size_t>(width + 4, 30);
  for (const Option& option : verb.options) {
    text += two_columns("  " + option_head(option), width, option_help(option));
  }
  return text + two_columns("  -h, --help", width, "show this text");
}

std::string roff_paragraphs(std::string_view text) {
  std::string out;
  for (const std::string& line : split(text, '\n')) {
    out += line.empty() ? ".PP\n" : roff(line) + "\n";
  }
  return out;
}

std::string roff_example(const std::string& example) {
  return ".PP\n.nf\n.RS\n" + roff(example) + "\n.RE\n.fi\n";
}

std::string man_section(const Verb& verb) {
  std::string out = format(".SS \"whittle {} {}\"\n", verb.name, roff(verb.synopsis));
  out += roff_paragraphs(verb.description);
  for (const Option& option : verb.options) {
    const std::string letter = option.letter == 0 ? "" : format("\\fB\\-{}\\fR, ", option.letter);
    out += format(".TP\n{}\\fB{}\\fR", letter, roff(option.name));
    if (!option.metavar.empty()) out += format(" \\fI{}\\fR", roff(option.metavar));
    out += "\n" + roff(option_help(option)) + "\n";
  }
  for (const std::string& example : verb.examples) out += roff_example(example);
  return out;
}

// The words of one case branch: what may follow `whittle VERB`.
std::string completion_words(const Verb& verb) {
  std::vector<std::string> words = {"--help"};
  for (const Option& option : verb.options) words.push_back(option.name);
  return join(words, " ");
}

// What is offered for a value that may be many things. Options of one name mean the same in every
// verb. An empty list stands for the names of all system calls.
struct Offer {
  std::string_view name;
  std::string_view words;
};

constexpr Offer kOptionWords[] = {
    {"--against", "docker containerd podman cri-o"},
    {"--allow", ""},
    {"--arch", "x86_64 aarch64 x86 x32 arm"},
    {"--base", "docker containerd podman cri-o none"},
    {"--caps", "docker none"},
    {"--ready", "tcp: http:// log: exec:"},
    {"--runtime", "runc crun none"},
    {"--stop-signal", "TERM INT QUIT HUP USR1 USR2 WINCH"},
    {"--under", "fallbacks docker containerd podman cri-o none"},
};

constexpr Offer kOperandWords[] = {
    {"list, show or capture", "list show capture"},
    {"NAME|NR", ""},
};

std::string words_offered(std::span<const Offer> offers, std::string_view name) {
  const auto found = std::find_if(offers.begin(), offers.end(),
                                  [&](const Offer& offer) { return offer.name == name; });
  if (found == offers.end()) return {};
  return found->words.empty() ? "$calls" : std::string(found->words);
}

// Empty: files, by the shell's own completion.
std::string values_offered(const Option& option) {
  return option.choices.empty() ? words_offered(kOptionWords, option.name)
                                : join(option.choices, " ");
}

std::string completion_case(const Verb& verb) {
  std::string out = format("    {})\n      case $previous in\n", verb.name);
  std::vector<std::string> with_files;
  for (const Option& option : verb.options) {
    if (option.metavar.empty()) continue;
    const std::string pattern =
        option.letter == 0 ? option.name : format("-{}|{}", option.letter, option.name);
    const std::string values = values_offered(option);
    if (values.empty()) {
      with_files.push_back(pattern);
    } else {
      out += format("        {}) COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); return ;;\n",
                    pattern, values);
    }
  }
  if (!with_files.empty()) out += format("        {}) return ;;\n", join(with_files, "|"));
  return out + format("      esac\n      words='{}' operands=\"{}\" ;;\n", completion_words(verb),
                      words_offered(kOperandWords, verb.operand));
}

}  // namespace

std::string_view version() { return WHITTLE_VERSION; }

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  const std::string margin(indent, ' ');
  std::string out;
  for (const std::string& paragraph : split(text, '\n')) {
    std::string line;
    for (const std::string& word : split(paragraph, ' ')) {
      if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
        out += margin + line + "\n";
        line.clear();
      }
      line += (line.empty() ? "" : " ") + word;
    }
    out += line.empty() ? "\n" : margin + line + "\n";
  }
  return out;
}

std::string roff(std::string_view text) {
  std::string out;
  // A plain minus may come out as a hyphen, which can't be pasted.
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string overview() {
  std::string text = wrap(format("whittle {}: {}", version(), kSummary), kWidth, 0) + "\n";
  text +=
      bold("Usage") + "\n  whittle COMMAND [OPTION...] [ARGUMENT...]\n\n" + bold("Commands") + "\n";
  std::size_t width = 0;
  for (const Verb& verb : verbs()) width = std::max(width, verb.name.size());
  for (const Verb& verb : verbs()) text += two_columns("  " + verb.name, width + 4, verb.summary);
  text += "\n" + wrap(kProfileWords, kWidth, 0) + "\n" + bold("Exit status") + "\n";
  for (const auto& [code, meaning] : kExitCodes) text += format("  {}  {}\n", code, meaning);
  return text + "\n`whittle COMMAND --help` explains a command.\n";
}

std::string verb_help(const Verb& verb) {
  std::string text = wrap(format("whittle {}: {}", verb.name, verb.summary), kWidth, 0) + "\n";
  text += bold("Usage") + "\n" + wrap(format("whittle {} {}", verb.name, verb.synopsis), kWidth, 2);
  text += "\n" + wrap(verb.description, kWidth, 0);
  text += "\n" + bold("Options") + "\n" + options_text(verb);
  if (verb.examples.empty()) return text;
  text += "\n" + bold("Examples") + "\n";
  for (const std::string& example : verb.examples) text += "  " + example + "\n";
  return text;
}

std::string man_page() {
  std::string out = format(".TH WHITTLE 1 \"\" \"whittle {}\" \"User Commands\"\n", version());
  out += ".SH NAME\nwhittle \\- " + roff(kSummary) + "\n";
  out += ".SH SYNOPSIS\n.B whittle\n\\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n";
  out += ".SH DESCRIPTION\n" + roff_paragraphs(kProfileWords) + ".SH COMMANDS\n";
  for (const Verb& verb : verbs()) out += man_section(verb);
  out += ".SH \"EXIT STATUS\"\n";
  for (const auto& [code, meaning] : kExitCodes)
    out += format(".TP\n{}\n{}\n", code, roff(meaning));
  out += ".SH ENVIRONMENT\n.TP\nNO_COLOR\nset and not empty: no colours on a terminal\n";
  out += ".TP\nTMPDIR\nwhere temporary directories are made (default: /tmp)\n";
  return out + ".SH \"SEE ALSO\"\nseccomp(2), runc(8), crun(1)\n";
}

std::string bash_completion() {
  std::vector<std::string> names = {"help"};
  for (const Verb& verb : verbs()) names.push_back(verb.name);
  const std::string all = join(names, " ");
  std::string out = "# bash completion for whittle, made by `whittle help --completion bash`\n";
  out += "_whittle() {\n";
  out += "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n";
  out += format("  local words= operands= i calls='{}'\n", join(syscalls::known_names(), " "));
  out += "  COMPREPLY=()\n";
  // Bash takes --option=value apart.
  out += "  if [[ $word == = ]]; then word=; fi\n";
  out += "  if [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi\n";
  out += "  if ((COMP_CWORD == 1)); then\n";
  out += format("    COMPREPLY=($(compgen -W '{} --help --version' -- \"$word\"))\n", all);
  out += "    return\n  fi\n";
  out += "  for ((i = 2; i < COMP_CWORD; i++)); do\n";
  out += "    if [[ ${COMP_WORDS[i]} == -- ]]; then\n";
  out += "      declare -F _command_offset >/dev/null && _command_offset $((i + 1))\n";
  out += "      return\n    fi\n  done\n";
  out += "  case ${COMP_WORDS[1]} in\n";
  for (const Verb& verb : verbs()) out += completion_case(verb);
  out += format("    help) words='{}' ;;\n  esac\n", all);
  out += "  if [[ $word == -* || ${COMP_WORDS[1]} == help ]]; then\n";
  out += "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n";
  out += "  else\n    COMPREPLY=($(compgen -W \"$operands\" -- \"$word\"))\n  fi\n}\n";
  return out + "complete -o default -F _whittle whittle\n";
}

}  // namespace whittle::cli
