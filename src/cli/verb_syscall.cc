#include <algorithm>
#include <set>

#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "filter/compile.h"
#include "filter/describe.h"
#include "filter/library.h"
#include "filter/survey.h"
#include "generate/patterns.h"
#include "review/dangerous.h"
#include "review/exploits.h"
#include "syscalls/arguments.h"
#include "syscalls/purposes.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using syscalls::Arch;

// A step of known exploits that the call makes.
struct UsedStep {
  std::string name;
  std::string way;  // "socket with AF_ALG"
  std::size_t exploits = 0;
};

struct BaselineAnswer {
  std::string id;
  Arch arch;
  std::string text;
  bool allows = false;  // with some arguments
};

struct Found {
  std::string name;
  std::vector<std::pair<Arch, std::uint32_t>> numbers;
  std::vector<std::string> legacy;    // older calls that this one replaces on aarch64
  std::vector<std::string> modern;    // the calls that replace this one there
  std::vector<std::string> family;    // other forms of the call
  std::vector<std::string> siblings;  // what generate allows with it (--headroom siblings)
  const syscalls::Purpose* purpose = nullptr;
  const review::Dangerous* danger = nullptr;
  std::vector<UsedStep> steps;
  std::vector<BaselineAnswer> baselines;
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

// The others of the groups between which timing and sizes choose.
std::vector<std::string> siblings_of(const std::string& name) {
  std::vector<std::string> names;
  for (const generate::CallSiblings& group : generate::call_siblings()) {
    if (std::find(group.seen.begin(), group.seen.end(), name) == group.seen.end()) continue;
    for (const std::string& other : group.also) {
      if (other != name) names.push_back(other);
    }
  }
  return names;
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
  for (const std::string_view other : syscalls::family(name)) {
    if (other != name) found.family.emplace_back(other);
  }
  found.siblings = siblings_of(name);
  found.purpose = syscalls::purpose(name);
  found.danger = review::dangerous_call(name);
  found.name = std::move(name);
  return found;
}

Result<std::vector<UsedStep>> steps_of(const std::string& name) {
  TRY_ASSIGN(const review::Exploits known, review::known_exploits());
  std::vector<UsedStep> steps;
  for (std::size_t i = 0; i < known.steps.size(); ++i) {
    const auto exploits =
        std::count_if(known.exploits.begin(), known.exploits.end(), [i](const auto& exploit) {
          return std::find(exploit.needs.begin(), exploit.needs.end(), i) != exploit.needs.end();
        });
    for (const review::Way& way : known.steps[i].ways) {
      if (way.syscall != name) continue;
      steps.push_back({known.steps[i].name, way_text(way), static_cast<std::size_t>(exploits)});
    }
  }
  return steps;
}

// What the newest default of each runtime answers on this kernel, as the runtime loads it.
Result<std::vector<BaselineAnswer>> baseline_answers(const Found& found) {
  struct Started {
    std::string id;
    Arch family;
    filter::Compilation compilation;
  };
  std::vector<Started> started;
  std::set<Arch> families;
  for (const auto& [arch, nr] : found.numbers) families.insert(syscalls::native_of(arch));
  profile::Setting setting = default_setting();
  for (const std::string& runtime : profile::baseline_runtime_names()) {
    for (const Arch family : families) {
      setting.arch = family;
      TRY_ASSIGN(const profile::ResolvedBaseline base, profile::resolve_baseline(runtime, setting));
      TRY_ASSIGN(filter::Compilation compilation,
                 filter::Compilation::start(base.profile, filter::Flavour::kRunc));
      started.push_back({base.id, family, std::move(compilation)});
    }
  }
  std::vector<BaselineAnswer> answers;
  for (Started& one : started) {
    TRY_ASSIGN(const filter::Compiled compiled, one.compilation.finish());
    for (const auto& [arch, nr] : found.numbers) {
      if (syscalls::native_of(arch) != one.family) continue;
      const filter::Decision decision = filter::decide(compiled.program, arch, nr);
      std::string text = filter::decision_text(decision, found.name);
      const auto& skipped = compiled.skipped;
      if (std::find(skipped.begin(), skipped.end(), found.name) != skipped.end()) {
        text += format(" (libseccomp {} here does not know the name, so its rule is passed over)",
                       filter::libseccomp().version);
      }
      answers.push_back({one.id, arch, std::move(text), filter::can_allow(decision)});
    }
  }
  return answers;
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

void add_purpose(const Found& found, json::Value& object) {
  const syscalls::Purpose& purpose = *found.purpose;
  object.set("purpose", purpose.text);
  object.set("group", purpose.group);
  object.set("subsystem", syscalls::group(purpose.group)->subsystem);
  object.set("exposes", purpose.exposes);
  json::Value danger;
  if (found.danger != nullptr) {
    danger.set("severity", review::severity_name(found.danger->severity));
    danger.set("why", found.danger->why);
  }
  object.set("dangerous", std::move(danger));
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
  object.set("family", json::Array(found.family.begin(), found.family.end()));
  object.set("siblings", json::Array(found.siblings.begin(), found.siblings.end()));
  add_purpose(found, object);
  json::Array steps;
  for (const UsedStep& step : found.steps) {
    json::Value one;
    one.set("step", step.name);
    one.set("way", step.way);
    one.set("exploits", step.exploits);
    steps.push_back(std::move(one));
  }
  object.set("exploit_steps", std::move(steps));
  json::Array baselines;
  for (const BaselineAnswer& answer : found.baselines) {
    json::Value one;
    one.set("id", answer.id);
    one.set("arch", syscalls::arch_name(answer.arch));
    one.set("allows", answer.allows);
    one.set("text", answer.text);
    baselines.push_back(std::move(one));
  }
  object.set("baselines", std::move(baselines));
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

std::string purpose_lines(const Found& found) {
  const syscalls::Group& group = *syscalls::group(found.purpose->group);
  std::string text = format("  {}\n", found.purpose->text);
  text += format("  group {}: {}\n", group.name, group.subsystem);
  if (!found.purpose->exposes.empty()) text += format("  exposes {}\n", found.purpose->exposes);
  if (found.danger != nullptr) {
    text += format("  dangerous ({}): {}\n", review::severity_name(found.danger->severity),
                   found.danger->why);
  }
  for (const UsedStep& step : found.steps) {
    text += format("  {}: step {} of {}\n", step.way, step.name,
                   plural(step.exploits, "known exploit"));
  }
  return text;
}

// One line for each runtime and answer, with the architectures that share it.
std::string baseline_lines(const std::vector<BaselineAnswer>& answers) {
  std::vector<std::pair<std::pair<std::string, std::string>, std::vector<std::string>>> lines;
  for (const BaselineAnswer& answer : answers) {
    const std::pair key(answer.id, answer.text);
    auto line = std::find_if(lines.begin(), lines.end(),
                             [&key](const auto& other) { return other.first == key; });
    if (line == lines.end()) line = lines.insert(line, {key, {}});
    line->second.emplace_back(syscalls::arch_name(answer.arch));
  }
  std::string text;
  for (const auto& [key, arches] : lines) {
    text += format("  {} on {}: {}\n", key.first, join(arches, ", "), key.second);
  }
  return text;
}

std::string to_text(const Found& found, std::optional<Arch> asked) {
  std::string text = bold(found.name) + "\n" + purpose_lines(found);
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
  if (!found.family.empty()) text += format("  other forms: {}\n", join(found.family, ", "));
  if (!found.siblings.empty()) {
    text += format("  generate allows with it: {}\n", join(found.siblings, ", "));
  }
  return text + baseline_lines(found.baselines);
}

Result<int> run_syscall(const Arguments& arguments) {
  TRY_ASSIGN(const std::optional<Arch> asked, asked_arch(arguments));
  TRY_ASSIGN(std::string name, name_of(arguments.operands().at(0), asked));
  Found found = look_up(std::move(name), asked);
  TRY_ASSIGN(found.steps, steps_of(found.name));
  TRY_ASSIGN(found.baselines, baseline_answers(found));
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
      .summary = "what a system call is for, its numbers and arguments, who allows it",
      .synopsis = "NAME|NR [--arch A] [--json]",
      .description =
          "Prints the number of a call on every architecture as a filter sees it (those of x32 "
          "carry bit 30), which of its arguments whittle records, and the older or newer call that "
          "C libraries use in its place on aarch64. Tells what the call is for, what it opens, the "
          "other "
          "forms of it, and what the newest default profile of each runtime answers to it on this "
          "kernel.\n\n"
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
