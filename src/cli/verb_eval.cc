#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "filter/program.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using syscalls::Arch;

struct Answer {
  Arch arch;
  std::string syscall;
  std::uint32_t nr = 0;
  profile::Verdict verdict;
};

// One symbol or number.
Result<std::uint64_t> read_term(const std::string& text) {
  if (const auto number = parse_u64(text)) return *number;
  if (text.starts_with('-')) {
    // As the C library passes a negative int or long: with its sign in all 64 bits.
    const auto number = parse_u64(text.substr(1));
    if (number && *number <= std::uint64_t{1} << 63U) return 0U - *number;
  }
  if (const auto value = syscalls::constant(text)) return *value;
  return input_error(format("\"{}\" is no argument value", printable(text)), {},
                     "write a number (5, -1, 0x10000000) or a symbol such as CLONE_NEWUSER");
}

// Terms joined with '|'.
Result<std::uint64_t> read_argument(const std::string& text) {
  std::uint64_t value = 0;
  for (const std::string& term : split(text, '|')) {
    TRY_ASSIGN(const std::uint64_t one, read_term(term));
    value |= one;
  }
  return value;
}

tl::unexpected<Error> unknown_call(const std::string& name, Arch arch) {
  if (syscalls::is_known(name)) {
    return input_error(format("{} has no system call \"{}\"", syscalls::arch_name(arch), name), {},
                       format("`whittle syscall {}` shows where it exists", name));
  }
  const auto near = nearest(name, syscalls::known_names());
  return input_error(
      format("there is no system call \"{}\"", printable(name)), {},
      near ? format("did you mean \"{}\"?", *near) : std::string("a number is taken as it is"));
}

Result<std::uint32_t> read_call(const std::string& text, Arch arch) {
  if (const auto number = parse_u64(text)) {
    if (*number > UINT32_MAX) {
      return input_error(format("{} is no system-call number: they have 32 bits", *number));
    }
    const std::uint32_t bit = arch == Arch::kX32 ? syscalls::kX32Bit : 0;
    return static_cast<std::uint32_t>(*number) | bit;
  }
  if (const auto number = syscalls::number(arch, text)) return *number;
  return unknown_call(text, arch);
}

// For `--arch all`: those of the ABIs that have the call.
std::vector<Arch> all_arches(std::vector<Arch> arches, const std::string& text) {
  if (parse_u64(text)) return arches;
  std::erase_if(arches, [&text](Arch arch) { return !syscalls::number(arch, text); });
  return arches;
}

json::Value to_json(const Answer& answer, const filter::Arguments& args) {
  json::Array numbers;
  json::Array hex;
  for (const std::uint64_t arg : args) {
    numbers.emplace_back(arg);
    hex.emplace_back(format("{:#x}", arg));
  }
  json::Value value;
  value.set("arch", syscalls::arch_name(answer.arch));
  value.set("syscall", answer.syscall);
  value.set("nr", answer.nr);
  value.set("args", std::move(numbers));
  value.set("hex", std::move(hex));
  value.set("action", profile::action_name(answer.verdict.action));
  value.set("data", static_cast<unsigned>(answer.verdict.data));
  set_libseccomp(value);
  return value;
}

// "x86_64 clone(CLONE_NEWUSER): errno EPERM", with as many arguments as were given.
std::string to_text(const Answer& answer, const filter::Arguments& args, std::size_t given) {
  const auto shown = syscalls::arguments_text(answer.syscall, std::span(args).first(given));
  const std::string verdict = profile::verdict_text(answer.verdict);
  return format("{} {}({}): {}\n", syscalls::arch_name(answer.arch), answer.syscall,
                join(shown, ", "), answer.verdict.allows() ? good(verdict) : bad(verdict));
}

// The ABIs to answer for, and the setting in which a baseline is read.
struct Question {
  bool all = false;
  Arch arch = syscalls::host_arch();
  profile::Setting setting;
};

Result<Question> read_question(const Arguments& arguments) {
  Question question;
  Arguments rest = arguments;
  const std::string word = arguments.value_or("--arch", "");
  question.all = word == "all";
  if (question.all) rest.options_.erase("--arch");
  if (const auto arch = syscalls::arch_from_name(word)) question.arch = *arch;
  TRY_ASSIGN(question.setting, setting_of(rest));
  return question;
}

Result<int> run_eval(const Arguments& arguments) {
  const std::vector<std::string>& operands = arguments.operands();
  const std::string& call_text = operands.at(1);
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const Question question, read_question(arguments));
  // Compiled in a process of its own, while the rest is read.
  TRY_ASSIGN(FilterInput input, FilterInput::start(operands[0], question.setting, arguments));
  filter::Arguments args{};
  const std::size_t given = operands.size() - 2;
  for (std::size_t i = 0; i < given; ++i) {
    TRY_ASSIGN(args[i], read_argument(operands[i + 2]));
  }
  const std::vector<Arch> arches =
      question.all ? all_arches(input.arches(), call_text) : std::vector<Arch>{question.arch};
  if (arches.empty()) return unknown_call(call_text, input.arches().front());
  for (const Arch arch : arches) TRY(read_call(call_text, arch));
  TRY_ASSIGN(const filter::Program program, input.program());

  json::Array as_json;
  std::string as_text;
  for (const Arch arch : arches) {
    TRY_ASSIGN(const std::uint32_t nr, read_call(call_text, arch));
    TRY_ASSIGN(const profile::Verdict verdict,
               filter::evaluate(program, filter::call(arch, nr, args)));
    const Answer answer{arch, syscalls::display_name(arch, nr), nr, verdict};
    as_json.push_back(to_json(answer, args));
    as_text += to_text(answer, args, given);
  }
  if (!arguments.flag("--json")) {
    TRY(print_result(as_text));
  } else if (question.all) {
    TRY(print_json(std::move(as_json)));
  } else {
    TRY(print_json(as_json.front()));
  }
  return 0;
}

}  // namespace

const Verb& eval_verb() {
  static const Verb verb = {
      .name = "eval",
      .summary = "what a profile answers to one system call, with its arguments",
      .synopsis =
          "P CALL [ARG0 ... ARG5] [--arch A|all] [--runtime runc|crun|none] [--libseccomp FILE] "
          "[--json]",
      .description =
          "Compiles the profile with libseccomp as the runtime does, and runs the filter that "
          "comes "
          "out on one call. So the answer is what the kernel would do, which is not always what "
          "the document seems to say.\n\n"
          "P is a file, - for standard input, or baseline:ID; a file may also be a SeccompProfile, "
          "a "
          "ConfigMap, a systemd unit or a BPF program (see whittle convert). CALL is a name or a "
          "number. An ARG "
          "is "
          "decimal, negative, hexadecimal or a symbol, or several of those joined with |; "
          "arguments "
          "that are not given are 0. The architecture is this machine's unless --arch says "
          "another; "
          "--arch all answers for each that the profile covers and that has the call.",
      .examples = {"whittle eval nginx.profile.json openat",
                   "whittle eval baseline:docker clone CLONE_NEWUSER",
                   "whittle eval nginx.profile.json socket AF_ALG SOCK_STREAM --arch all --json"},
      .options = {{"--arch", 0, "ARCH", "the architecture, as in x86_64 or arm64; or all"},
                  {"--caps", 0, "LIST",
                   "for a baseline: the container's capabilities, as in docker,SYS_ADMIN"},
                  {"--kernel", 0, "VERSION", "for a baseline: the kernel of the host, as in 6.18"},
                  runtime_option(),
                  libseccomp_option(),
                  {"--json", 0, "", "print JSON"}},
      .operand = "P, CALL and ARGs",
      .least_operands = 2,
      .most_operands = 8,
      .run = run_eval,
  };
  return verb;
}

}  // namespace whittle::cli
