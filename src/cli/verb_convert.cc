#include <unistd.h>

#include <algorithm>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/prove_conversion.h"
#include "cli/verbs_list.h"
#include "filter/bytes.h"
#include "filter/compact.h"
#include "filter/compare.h"
#include "profile/convert.h"
#include "profile/kubernetes.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using profile::Document;
using profile::Form;
using profile::Loss;
using profile::Target;

// What comes out.
struct Made {
  std::string bytes;
  json::Value document;
  std::vector<Loss> lost;
};

std::optional<Target> target_of(const std::string& to) {
  if (to == "oci") return Target::kOci;
  if (to == "docker") return Target::kDocker;
  if (to == "podman") return Target::kPodman;
  if (to == "spo-v1") return Target::kSpoV1;
  if (to == "systemd") return Target::kSystemd;
  if (to == "spo-v1beta1" || to == "SeccompProfile") return Target::kSpoV1Beta1;
  return std::nullopt;  // bpf, bpf-compact
}

// The name of the object: --name, else that of what was read, else that of the file.
Result<std::string> name_of(const Document& document, const std::string& p,
                            const Arguments& arguments) {
  const auto given = arguments.value("--name");
  if (given && document.name != *given) {
    if (profile::is_object_name(*given)) return *given;
    return input_error(
        format("--name: \"{}\" is no name of a Kubernetes object", printable(*given)), {},
        format("for example {}", profile::object_name(*given)));
  }
  return profile::object_name(profile_stem(document, p));
}

Result<std::string> name_space_of(const std::string& to, const Arguments& arguments) {
  const auto given = arguments.value("--namespace");
  if (!given) return std::string();
  if (to == "spo-v1") {
    return input_error(
        "--namespace: a SeccompProfile of v1 belongs to the cluster, not to a "
        "namespace",
        {}, "leave it out");
  }
  if (to != "spo-v1beta1" && to != "SeccompProfile") {
    return input_error(to == "systemd" ? "--namespace: a systemd unit has none"
                                       : "--namespace goes with --to spo-v1beta1 only");
  }
  constexpr std::size_t kMostLabel = 63;
  if (!profile::is_object_name(*given) || given->size() > kMostLabel ||
      given->find('.') != std::string::npos) {
    return input_error(format("--namespace: \"{}\" is no name of a namespace", printable(*given)),
                       {}, "lower-case letters, digits and dashes, 63 at most");
  }
  print_note(
      "SeccompProfile objects belong to the cluster since version 0.9 of the operator: "
      "--namespace is for older ones");
  return *given;
}

Result<profile::ConvertSettings> settings_of(const Document& document, const std::string& to,
                                             const Arguments& arguments) {
  profile::ConvertSettings settings;
  TRY_ASSIGN(settings.setting, setting_of(arguments));
  settings.said = {arguments.value("--caps").has_value(), arguments.value("--kernel").has_value(),
                   arguments.value("--arch").has_value()};
  settings.by_runtime = flavour_of(arguments) != filter::Flavour::kNative;
  TRY_ASSIGN(settings.name, name_of(document, arguments.operands().at(0), arguments));
  TRY_ASSIGN(settings.name_space, name_space_of(to, arguments));
  return settings;
}

// Programs ---------------------------------------------------------------------------------------

json::Value to_json(const filter::Program& program) {
  json::Array instructions;
  for (const sock_filter& i : program) {
    instructions.push_back(
        json::Array{unsigned{i.code}, unsigned{i.jt}, unsigned{i.jf}, unsigned{i.k}});
  }
  return instructions;
}

// With --arch for one machine: ABIs of the other are left out, as no call comes from them.
profile::Profile for_machine(const profile::Profile& profile, const Arguments& arguments,
                             syscalls::Arch family) {
  if (!arguments.value("--arch")) return profile;
  profile::Profile::Parts parts = profile.parts();
  std::erase_if(parts.architectures, [family](const std::string& word) {
    const auto arch = syscalls::arch_from_oci(word);
    return arch && syscalls::native_of(*arch) != family;
  });
  const bool native = std::any_of(
      parts.architectures.begin(), parts.architectures.end(),
      [](const std::string& word) { return syscalls::arch_from_oci(word).has_value(); });
  if (!native) parts.architectures.emplace_back(syscalls::oci_arch(family));
  return profile::Profile(std::move(parts));
}

Result<filter::Program> program_of(const LoadedInput& input, const Arguments& arguments) {
  if (!input.document) return filter::read_bytes(input.bytes, input.place);
  TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
  const profile::Profile profile = for_machine(input.document->profile, arguments, setting.arch);
  TRY_ASSIGN(filter::Compilation compilation,
             filter::Compilation::start(profile, flavour_of(arguments)));
  TRY_ASSIGN(filter::Compiled made, finish_compilation(compilation, input.place));
  warn_of_skipped(made.skipped, input.place);
  return std::move(made.program);
}

Result<Made> to_program(const LoadedInput& input, bool compact, const Arguments& arguments) {
  Made made;
  if (input.document) {
    TRY_ASSIGN(const auto settings, settings_of(*input.document, "bpf", arguments));
    made.lost = profile::lost_in_program(*input.document, settings);
  }
  TRY_ASSIGN(filter::Program program, program_of(input, arguments));
  if (compact) {
    const std::size_t size = program.size();
    auto small = filter::compact(program);
    if (!small) {
      Error error = std::move(small).error();
      if (error.place.empty()) error.place = input.place;
      return tl::unexpected(std::move(error));
    }
    program = *std::move(small);
    print_note(format("{} of {}, the same answer to every call",
                      plural(program.size(), "instruction"), size));
  }
  made.bytes = filter::write_bytes(program);
  TRY_ASSIGN(const filter::Program again, filter::read_bytes(made.bytes, "the converted program"));
  if (!filter::same_program(program, again)) return bug("the program's bytes read otherwise");
  made.document = to_json(program);
  return made;
}

// ------------------------------------------------------------------------------------------------

Result<Made> to_document(const LoadedInput& input, Target target, const std::string& to,
                         const Arguments& arguments) {
  if (!input.document) {
    return input_error(format("a BPF program has no rules to write as {}", to), input.place,
                       "programs can be converted to bpf and bpf-compact");
  }
  const Document& document = *input.document;
  TRY_ASSIGN(const auto settings, settings_of(document, to, arguments));
  TRY_ASSIGN(profile::Conversion made, profile::convert(document, target, settings));
  TRY(prove_conversion(document, arguments.operands().at(0), made, target, settings, arguments));
  return Made{std::move(made.text), std::move(made.value), std::move(made.lost)};
}

json::Value to_json(const std::string& to, const Made& made, bool written) {
  json::Array lost;
  for (const Loss& loss : made.lost) {
    json::Value item;
    item.set("pointer", loss.pointer).set("what", loss.what);
    lost.push_back(std::move(item));
  }
  json::Value value;
  value.set("format", to);
  value.set("lossless", made.lost.empty());
  value.set("lost", std::move(lost));
  value.set("document", written ? made.document : json::Value());
  return value;
}

Result<LoadedInput> load(const Arguments& arguments) {
  profile::ReadOptions options;
  TRY_ASSIGN(options.setting, setting_of(arguments));
  options.dialect = profile::Dialect::kDocker;
  options.name = arguments.value_or("--name", "");
  TRY_ASSIGN(LoadedInput input, load_input(arguments.operands().at(0), options));
  if (!input.document) return input;
  for (const std::string& warning : input.document->warnings) print_warning(warning);
  return input;
}

Result<int> run_convert(const Arguments& arguments) {
  const auto wanted = arguments.value("--to");
  if (!wanted) {
    return input_error("convert: say into what, with --to", {},
                       "for example `whittle convert nginx.profile.json --to spo-v1`");
  }
  const std::string output = arguments.value_or("--output", "-");
  const bool as_json = arguments.flag("--json");
  const auto target = target_of(*wanted);
  if (output != "-") TRY(check_writable(output));
  if (!target && output == "-" && !as_json && ::isatty(STDOUT_FILENO) != 0) {
    return input_error("a program is no text for a terminal", {},
                       "write it to a file with -o FILE");
  }
  TRY_ASSIGN(const LoadedInput input, load(arguments));
  Made made;
  if (target) {
    TRY_ASSIGN(made, to_document(input, *target, *wanted, arguments));
  } else {
    TRY_ASSIGN(made, to_program(input, *wanted == "bpf-compact", arguments));
  }
  for (const Loss& loss : made.lost) {
    print_note(format("lost: {}: {}", printable(loss.pointer, 1000), printable(loss.what, 2000)));
  }
  const bool written = made.lost.empty() || arguments.flag("--lossy");
  if (!written) {
    print_note(format("{} can't be said in {}: nothing is written (--lossy writes the rest)",
                      plural(made.lost.size(), "thing"), *wanted));
  }
  if (written && output != "-") TRY(write_file(output, made.bytes));
  if (as_json) {
    TRY(print_json(to_json(*wanted, made, written)));
  } else if (written && output == "-") {
    TRY(print_result(made.bytes));
  }
  return written ? 0 : 1;
}

std::vector<Option> options() {
  std::vector<Option> all = {
      {"--to",
       0,
       "FORMAT",
       "what to write",
       {"oci", "docker", "podman", "spo-v1beta1", "spo-v1", "SeccompProfile", "systemd", "bpf",
        "bpf-compact"}},
      {"--output", 'o', "FILE", "where to write it; - is standard output (default)"},
      {"--lossy", 0, "", "write what can be said, and list the rest"},
      {"--name", 0, "NAME", "the object's name; of several profiles in P the one to read"},
      {"--namespace", 0, "NAME", "the object's namespace, for spo-v1beta1"}};
  for (Option& option : setting_options()) all.push_back(std::move(option));
  all.push_back(runtime_option());
  all.push_back({"--json", 0, "", "print JSON"});
  return all;
}

}  // namespace

const Verb& convert_verb() {
  static const Verb verb = {
      .name = "convert",
      .summary = "write a profile in another format: OCI, Docker, Podman, SPO, systemd, BPF",
      .synopsis = "P --to FORMAT [-o FILE] [--lossy] [--name NAME] [--json]",
      .description =
          "P is a file, - or baseline:ID. What a file is is told by its content: OCI JSON, the "
          "dialects of Docker and Podman, a SeccompProfile of the Security Profiles Operator, a "
          "ConfigMap with profiles in it, a systemd unit with SystemCallFilter=, or a BPF program "
          "(an array of struct sock_filter).\n\n"
          "FORMAT is one of oci, docker, podman, spo-v1beta1 (or SeccompProfile), spo-v1, systemd, "
          "bpf (the program that the runtime of --runtime would load) and bpf-compact (the same "
          "answers in fewer instructions, for programs that load their filter themselves).\n\n"
          "What the format can't say is listed, each with its place in P; then nothing is written "
          "and the exit status is 1, unless --lossy is given. What is written then lets through no "
          "more than P does. Conditions of Docker's dialect are resolved for --caps, --kernel and "
          "--arch where the format has none. The result is read again and proven equal to P, for "
          "every call and all argument values, before it is written. docs/convert.md has the "
          "formats.",
      .examples = {"whittle convert nginx.profile.json --to spo-v1 --name nginx -o nginx.yaml",
                   "whittle convert default.json --to oci --caps docker,SYS_ADMIN --arch amd64 "
                   "--kernel 6.1",
                   "whittle convert app.service --to oci -o app.profile.json",
                   "whittle convert baseline:docker --to bpf-compact -o docker.bpf"},
      .options = options(),
      .operand = "P",
      .least_operands = 1,
      .most_operands = 1,
      .run = run_convert,
  };
  return verb;
}

}  // namespace whittle::cli
