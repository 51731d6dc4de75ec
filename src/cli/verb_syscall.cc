#include <algorithm>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using syscalls::Arch;

struct Found {
  std::string name;
  std::vector<std::pair<Arch, std::uint32_t>> numbers;
  std::vector<std::string> legacy;  // older calls that this one replaces on aarch64
  std::vector<std::string> modern;  // the calls that replace this one there
};

Result<std::optional<Arch>> asked_arch(const Arguments& arguments) {
  const auto text = arguments.value("--arch");
  if (!text) return std::optional<Arch>();
  if (const auto arch = syscalls::arch_from_name(*text)) return arch;
  return input_error(format("--arch: unknown architecture \"{}\"", printable(*text)), {},
                     "known are x86_64, x86, x32, aarch64 and arm");
}

Result<std::string> name_of_number(std::uint64_t number, std::optional<Arch> asked) {
  const Arch native = asked.value_or(syscalls::host_arch());
  if (number > UINT32_MAX) {
    return input_error(format("{} is no system-call number: they have 32 bits", number));
  }
  auto nr = static_cast<std::uint32_t>(number);
  if (native == Arch::kX32) nr |= syscalls::kX32Bit;
  const Arch arch = syscalls::arch_from_audit(syscalls::audit_arch(native), nr).value_or(native);
  if (const auto name = syscalls::name(arch, nr)) return std::string(*name);
  return input_error(format("number {} has no name on {} up to Linux {}", nr,
                            syscalls::arch_name(arch), syscalls::table_kernel()),
                     {}, "--arch says of which architecture a number is");
}

Result<std::string> name_of(const std::string& operand, std::optional<Arch> asked) {
  if (const auto number = parse_u64(operand)) return name_of_number(*number, asked);
  if (syscalls::is_known(operand)) return operand;
  const auto near = nearest(operand, syscalls::known_names());
  return input_error(
      format("Linux {} has no system call \"{}\"", syscalls::table_kernel(), printable(operand)),
      {}, near ? format("did you mean \"{}\"?", *near) : std::string());
}

Found look_up(std::string name, std::optional<Arch> asked) {
  Found found;
  for (const Arch arch : syscalls::kAllArches) {
    if (asked && arch != *asked) continue;
    if (const auto nr = syscalls::number(arch, name)) found.numbers.emplace_back(arch, *nr);
  }
  for (const syscalls::LegacyCall& call : syscalls::legacy_calls()) {
    if (call.legacy == name) found.modern = call.modern;
    const auto& modern = call.modern;
    if (std::find(modern.begin(), modern.end(), name) != modern.end()) {
      found.legacy.push_back(call.legacy);
    }
  }
  found.name = std::move(name);
  return found;
}

std::string_view level_name(syscalls::Level level) {
  constexpr std::string_view kNames[] = {"base", "safe", "all"};
  return kNames[static_cast<std::size_t>(level)];
}

json::Value to_json(const syscalls::ArgumentSpec& spec) {
  json::Array indexes;
  for (const unsigned index : spec.indexes) indexes.emplace_back(index);
  json::Array widths;
  for (const unsigned width : spec.widths) widths.emplace_back(width);
  json::Value object;
  object.set("indexes", std::move(indexes));
  object.set("kind", syscalls::kind_name(spec.kind));
  object.set("widths", std::move(widths));
  object.set("level", level_name(spec.level));
  object.set("per_architecture", spec.per_architecture);
  object.set("in_struct", spec.in_struct);
  json::Array not_on;
  for (const Arch arch : spec.not_on) not_on.emplace_back(syscalls::arch_name(arch));
  object.set("not_on", std::move(not_on));
  object.set("source", spec.source);
  return object;
}

json::Value to_json(const Found& found) {
  json::Value numbers = json::Object();
  for (const auto& [arch, nr] : found.numbers) {
    numbers.set(std::string(syscalls::arch_name(arch)), nr);
  }
  json::Array arguments;
  for (const auto& spec : syscalls::argument_specs(found.name)) arguments.push_back(to_json(spec));
  json::Value object;
  object.set("name", found.name);
  object.set("numbers", std::move(numbers));
  object.set("arguments", std::move(arguments));
  object.set("legacy", json::Array(found.legacy.begin(), found.legacy.end()));
  object.set("modern", json::Array(found.modern.begin(), found.modern.end()));
  return object;
}

std::string number_line(Arch arch, std::uint32_t nr) {
  std::string line = format("  {:<8} {}", syscalls::arch_name(arch), nr);
  if (arch == Arch::kX32) line += format(" ({} with bit 30)", nr & ~syscalls::kX32Bit);
  return line + "\n";
}

std::string argument_line(const syscalls::ArgumentSpec& spec) {
  std::vector<std::string> indexes;
  for (const unsigned index : spec.indexes) indexes.push_back(format("{}", index));
  std::string where = spec.in_struct ? ", in the struct that it points to" : "";
  for (const Arch arch : spec.not_on) where += format(", not on {}", syscalls::arch_name(arch));
  const std::string rule = spec.level == syscalls::Level::kBase
                               ? "recorded only"
                               : format("a rule at --arguments {}", level_name(spec.level));
  return format("  argument{} {}: {}{}, {}\n    {}\n", indexes.size() == 1 ? "" : "s",
                join(indexes, ", "), syscalls::kind_name(spec.kind), where, rule, spec.source);
}

std::string to_text(const Found& found, std::optional<Arch> asked) {
  std::string text = bold(found.name) + "\n";
  for (const auto& [arch, nr] : found.numbers) text += number_line(arch, nr);
  if (found.numbers.empty()) {
    text += asked ? format("  not a call of {}\n", syscalls::arch_name(*asked))
                  : std::string("  a call of other architectures only\n");
  }
  for (const auto& spec : syscalls::argument_specs(found.name)) text += argument_line(spec);
  if (!found.modern.empty()) {
    text += format("  on aarch64 C libraries call {}\n", join(found.modern, " or "));
  }
  if (!found.legacy.empty()) {
    text += format("  on aarch64 C libraries call it for {}\n", join(found.legacy, ", "));
  }
  return text;
}

Result<int> run_syscall(const Arguments& arguments) {
  TRY_ASSIGN(const std::optional<Arch> asked, asked_arch(arguments));
  TRY_ASSIGN(std::string name, name_of(arguments.operands().at(0), asked));
  const Found found = look_up(std::move(name), asked);
  if (arguments.flag("--json")) {
    TRY(print_json(to_json(found)));
  } else {
    TRY(print_result(to_text(found, asked)));
  }
  return 0;
}

}  // namespace

const Verb& syscall_verb() {
  static const Verb verb = {
      .name = "syscall",
      .summary = "the name, numbers and recorded arguments of a system call",
      .synopsis = "NAME|NR [--arch A] [--json]",
      .description =
          "Prints the number of a call on every architecture as a filter sees it (those of x32 "
          "carry bit 30), which of its arguments whittle records, and the older or newer call that "
          "C libraries use in its place on aarch64.\n\n"
          "NR is decimal or 0x hex, and is a number of --arch, else of this machine. With a NAME, "
          "--arch leaves out the numbers of other architectures.\n\n"
          "The names and numbers are part of whittle: they know newer calls than the kernel, the C "
          "library and libseccomp of this machine may.",
      .examples = {"whittle syscall openat", "whittle syscall 435 --json",
                   "whittle syscall 56 --arch aarch64"},
      .options = {{"--arch", 0, "ARCH", "x86_64, x86, x32, aarch64 or arm"},
                  {"--json", 0, "", "print JSON"}},
      .operand = "NAME|NR",
      .least_operands = 1,
      .most_operands = 1,
      .run = run_syscall,
  };
  return verb;
}

}  // namespace whittle::cli
