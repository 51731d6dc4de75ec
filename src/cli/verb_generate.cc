#include <algorithm>
#include <cstdint>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/base_option.h"
#include "cli/compiled_profile.h"
#include "cli/load_evidence.h"
#include "cli/load_profile.h"
#include "cli/load_workload.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "evidence/evidence.h"
#include "generate/generate.h"
#include "profile/baseline.h"

namespace whittle::cli {

namespace {

using syscalls::Arch;

constexpr std::string_view kEvidenceSuffix = ".evidence.json";

// A file name that stays in the current directory, whatever the evidence says.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

std::string default_output(const std::string& workload, const std::string& first_file) {
  if (is_plain_name(workload)) return workload + ".profile.json";
  std::string name = first_file.substr(first_file.rfind('/') + 1);
  if (name.ends_with(kEvidenceSuffix)) name.resize(name.size() - kEvidenceSuffix.size());
  return (is_plain_name(name) ? name : "whittle") + ".profile.json";
}

Result<std::set<Arch>> read_arches(const Arguments& arguments) {
  std::set<Arch> arches;
  for (const std::string& word : split(arguments.value_or("--arch", "x86_64,aarch64"), ',')) {
    const auto arch = syscalls::arch_from_name(word);
    if (!arch || syscalls::native_of(*arch) != *arch) {
      return input_error(format("--arch {}: not a native architecture", printable(word)), {},
                         "name x86_64, aarch64 or both; 32-bit calls join when the evidence has "
                         "them");
    }
    arches.insert(*arch);
  }
  return arches;
}

Result<std::set<std::string>> read_runtimes(const Arguments& arguments) {
  const std::string list = arguments.value_or("--runtime", "runc,crun");
  std::set<std::string> runtimes;
  if (list == "none") return runtimes;
  for (const std::string& runtime : split(list, ',')) runtimes.insert(runtime);
  return runtimes;
}

profile::Verdict read_default(const Arguments& arguments) {
  const std::string word = arguments.value_or("--default", "errno");
  if (word == "kill") return {profile::Action::kKillProcess, 0};
  if (word == "log") return {profile::Action::kLog, 0};
  return {profile::Action::kErrno, 1};
}

syscalls::Level read_level(const Arguments& arguments) {
  const std::string word = arguments.value_or("--arguments", "safe");
  if (word == "base") return syscalls::Level::kBase;
  return word == "all" ? syscalls::Level::kAll : syscalls::Level::kSafe;
}

Result<generate::Options> read_options(const Arguments& arguments) {
  generate::Options options;
  TRY_ASSIGN(options.arches, read_arches(arguments));
  TRY_ASSIGN(options.runtimes, read_runtimes(arguments));
  options.default_verdict = read_default(arguments);
  options.arguments = read_level(arguments);
  if (arguments.value_or("--headroom", "siblings") == "none") {
    options.headroom = generate::Headroom::kNone;
  }
  for (const std::string& name : arguments.values("--allow")) options.allow.insert(name);
  options.log_denials = arguments.flag("--log-denials");
  TRY(read_base(arguments, options));
  return options;
}

// What the summary and the JSON say in numbers.
struct Numbers {
  std::size_t names = 0;           // with an allowing rule
  std::size_t argument_rules = 0;  // allowing rules with conditions
  std::vector<std::pair<Arch, std::size_t>> allowed;
  std::vector<std::pair<Arch, std::size_t>> base;
};

Numbers count(const generate::Outcome& outcome, const generate::Options& options) {
  Numbers numbers;
  std::set<std::string> names;
  for (const profile::Rule& rule : outcome.profile.rules()) {
    if (!rule.verdict.allows()) continue;
    names.insert(rule.names.begin(), rule.names.end());
    if (!rule.args.empty()) ++numbers.argument_rules;
  }
  numbers.names = names.size();
  // What the rules open, whatever a profile that only logs lets through besides.
  profile::Profile::Parts parts = outcome.profile.parts();
  parts.default_verdict = {profile::Action::kErrno, 1};
  const profile::Profile enforced(std::move(parts));
  for (const Arch arch : enforced.arches()) {
    numbers.allowed.emplace_back(arch, generate::count_allowed(enforced, arch));
    numbers.base.emplace_back(
        arch, generate::count_allowed(options.base.at(syscalls::native_of(arch)), arch));
  }
  return numbers;
}

json::Value by_arch(const std::vector<std::pair<Arch, std::size_t>>& counts) {
  json::Value object{json::Object{}};
  for (const auto& [arch, number] : counts) {
    object.set(std::string(syscalls::arch_name(arch)), number);
  }
  return object;
}

json::Value left_out_json(const std::vector<generate::LeftOut>& entries) {
  json::Value list{json::Array{}};
  for (const generate::LeftOut& entry : entries) {
    json::Value item;
    item.set("syscall", entry.syscall);
    item.set("value", entry.value);
    item.set("why", entry.why);
    item.set("fix", entry.fix);
    list.push(std::move(item));
  }
  return list;
}

json::Value reasons_json(const std::vector<generate::CallReasons>& entries) {
  json::Value list{json::Array{}};
  for (const generate::CallReasons& entry : entries) {
    json::Value why{json::Array{}};
    for (const generate::Reason& reason : entry.why) {
      json::Value one;
      one.set("because", generate::because_name(reason.because));
      one.set("text", reason.text);
      why.push(std::move(one));
    }
    json::Value item;
    item.set("syscall", entry.syscall);
    item.set("why", std::move(why));
    list.push(std::move(item));
  }
  return list;
}

json::Value result_json(const std::string& output, const generate::Outcome& outcome,
                        const generate::Options& options, const Numbers& numbers) {
  json::Value base;
  base.set("id", options.base_name == kNoBaseName ? kNoBase : options.base_name);
  base.set("allowed", by_arch(numbers.base));
  json::Value result;
  result.set("profile", output);
  result.set("names", numbers.names);
  result.set("argument_rules", numbers.argument_rules);
  result.set("allowed", by_arch(numbers.allowed));
  result.set("base", std::move(base));
  result.set("left_out", left_out_json(outcome.left_out));
  result.set("enosys", json::Array(outcome.enosys.begin(), outcome.enosys.end()));
  result.set("reasons", reasons_json(outcome.reasons));
  result.set("notes", json::Array(outcome.notes.begin(), outcome.notes.end()));
  return result;
}

void print_summary(const std::string& output, const generate::Outcome& outcome,
                   const generate::Options& options, const Numbers& numbers) {
  std::vector<std::string> counts;
  for (std::size_t i = 0; i < numbers.allowed.size(); ++i) {
    counts.push_back(format("{} {} of {}", syscalls::arch_name(numbers.allowed[i].first),
                            numbers.allowed[i].second, numbers.base[i].second));
  }
  print_note(format("{}: {}, {}; calls open: {} ({}){}",
                    output == "-" ? "profile" : printable(output), plural(numbers.names, "name"),
                    plural(numbers.argument_rules, "argument rule"), join(counts, ", "),
                    options.base_name == kNoBaseName ? "no base" : options.base_name,
                    options.default_verdict.allows() ? "; other calls pass and are logged" : ""));
  print_note("answered ENOSYS: " + join(outcome.enosys, ", "));
  for (const std::string& text : outcome.notes) print_warning(text);
  for (const generate::LeftOut& entry : outcome.left_out) {
    print_warning(format("left out: {}{}: {}{}", entry.syscall,
                         entry.value.empty() ? "" : "(" + entry.value + ")", entry.why,
                         entry.fix.empty() ? "" : "; to admit it: " + entry.fix));
  }
}

// What the policy of a workload says, for each option that was not given.
Result<Arguments> arguments_of_workload(const Arguments& given, const std::string& path) {
  TRY_ASSIGN(const host::Workload workload, load_workload("record", path));
  Arguments arguments = given;
  arguments.operands_ = {workload.evidence};
  const auto fall_back = [&](const char* option, std::vector<std::string> values) {
    if (values.empty() || values.front().empty() || arguments.value(option)) return;
    arguments.options_[option] = std::move(values);
  };
  const host::WorkloadPolicy& policy = workload.policy;
  fall_back("--output", {workload.profile});
  fall_back("--base", {policy.base});
  fall_back("--arch", {join(policy.architectures, ",")});
  fall_back("--default", {policy.default_action});
  fall_back("--arguments", {policy.arguments});
  fall_back("--headroom", {policy.headroom});
  fall_back("--allow", policy.allow);
  return arguments;
}

Result<int> generate_from(const Arguments& arguments);

Result<int> run_generate(const Arguments& arguments) {
  const std::vector<std::string>& operands = arguments.operands();
  if (operands.size() == 1 && is_workload(operands.front())) {
    TRY_ASSIGN(const Arguments of_workload, arguments_of_workload(arguments, operands.front()));
    return generate_from(of_workload);
  }
  return generate_from(arguments);
}

Result<int> generate_from(const Arguments& arguments) {
  const bool as_json = arguments.flag("--json");
  auto output = arguments.value("--output");
  if (as_json && output == "-") {
    return input_error("--json and -o - both go to standard output", {},
                       "write the profile to a file");
  }
  if (output) TRY(check_writable(*output));
  if (output && *output != "-" &&
      std::find(arguments.operands().begin(), arguments.operands().end(), *output) !=
          arguments.operands().end()) {
    return input_error("is evidence and the output, too", *output, "choose another path with -o");
  }
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const generate::Options options, read_options(arguments));
  TRY_ASSIGN(const std::vector<evidence::Evidence> parts, load_evidence(arguments.operands()));
  const evidence::Evidence evidence = evidence::merge(parts);
  if (!output) {
    output = default_output(evidence.workload, arguments.operands().front());
    TRY(check_writable(*output));
  }
  TRY_ASSIGN(const generate::Outcome outcome, generate::generate(evidence, options));
  const std::string text = profile::write_oci(outcome.profile);
  if (*output == "-") {
    TRY(print_result(text));
  } else {
    TRY(write_file(*output, text));
  }
  const Numbers numbers = count(outcome, options);
  print_summary(*output, outcome, options, numbers);
  if (as_json) TRY(print_json(result_json(*output, outcome, options, numbers)));
  return outcome.left_out.empty() ? 0 : 1;
}

}  // namespace

const Verb& generate_verb() {
  static const Verb verb = {
      .name = "generate",
      .summary = "make a profile from evidence, never weaker than the runtime's default",
      .synopsis = "(EVIDENCE... | DIR) [-o PROFILE] [OPTION...]",
      .description =
          "Writes an OCI seccomp profile that allows the calls that the evidence needs, in the "
          "argument values that were seen, and those that the container runtime makes under the "
          "filter. Several files of evidence are merged first.\n\n"
          "What the base refuses stays refused: it is left out, listed with the option that would "
          "admit it, and the exit status is 1. Both architectures are written from evidence of "
          "either; 32-bit entry points stay closed unless they were seen to work. clone3 is "
          "answered ENOSYS, so that C libraries fall back to clone, whose flags a filter can "
          "read.\n\n"
          "The profile is compiled as runc and crun would and proven to mean what it says before "
          "it "
          "is written. Without -o it goes to NAME.profile.json, with the workload's name.\n\n"
          "DIR, or a workload.yaml, stands for the evidence of a workload, the place of its "
          "profile "
          "and its policy; options that are given win over the policy.",
      .examples = {"whittle generate deploy/web                # the workload of "
                   "deploy/web/workload.yaml",
                   "whittle generate nginx.evidence.json",
                   "whittle generate app.evidence.json --allow unshare -o app.profile.json",
                   "whittle generate app.evidence.json --base containerd@2.2.4 --json -o p.json"},
      .options =
          {{"--output", 'o', "FILE", "where to write the profile; - is standard output"},
           {"--base", 0, "BASELINE", "the default profile that must not be loosened; or none"},
           {"--arch", 0, "A,B", "native architectures to write: x86_64,aarch64 by default"},
           {"--default",
            0,
            "ACTION",
            "what happens to other calls: errno (EPERM) by default",
            {"errno", "kill", "log"}},
           {"--runtime", 0, "R,R", "runtimes that start the container: runc,crun by default; none"},
           {"--arguments",
            0,
            "LEVEL",
            "which argument values become rules: safe by default",
            {"base", "safe", "all"}},
           {"--headroom",
            0,
            "KIND",
            "what is added to the values seen: siblings by default",
            {"none", "siblings"}},
           {"--allow", 0, "CALL", "admit this call beyond the base, in the values seen", {}, true},
           {"--caps", 0, "LIST",
            "the container's capabilities, as in CHOWN,KILL; docker: its default ones; none"},
           {"--kernel", 0, "VERSION", "the oldest kernel of the hosts, as in 6.1"},
           libseccomp_option(),
           {"--log-denials", 0, "", "have the kernel log every refusal"},
           {"--json", 0, "", "print what was done as JSON"}},
      .operand = "EVIDENCE",
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_generate,
  };
  return verb;
}

}  // namespace whittle::cli
