#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "base/file_system.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/base_option.h"
#include "cli/compiled_profile.h"
#include "cli/explain_report.h"
#include "cli/load_evidence.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "review/explain.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using syscalls::Arch;

constexpr std::string_view kProfileSuffix = ".profile.json";
constexpr std::string_view kEvidenceSuffix = ".evidence.json";

// What the first operand turned out to be, and the evidence that goes with it.
struct Subject {
  std::optional<profile::Profile> profile;  // nullopt: evidence is explained
  std::optional<evidence::Evidence> evidence;
  std::string evidence_place;
};

// Evidence says so in its "schema"; everything else is read as a profile.
Result<bool> is_evidence(const std::string& text, const std::string& place) {
  TRY_ASSIGN(const json::Value document, json::parse(text, place));
  const json::Value* schema = document.find("schema");
  return schema != nullptr && schema->string() != nullptr &&
         schema->string()->starts_with("whittle.evidence/");
}

bool is_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// Where generate's input for NAME.profile.json stands by default; empty: not there.
std::string evidence_beside(const std::string& p) {
  if (!p.ends_with(kProfileSuffix)) return {};
  const std::string path =
      p.substr(0, p.size() - kProfileSuffix.size()) + std::string(kEvidenceSuffix);
  return is_file(path) ? path : std::string();
}

Result<Subject> load_subject(const std::string& p, const Arguments& arguments) {
  Subject subject;
  if (p.starts_with("baseline:")) {
    TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
    TRY_ASSIGN(subject.profile, load_profile(p, setting));
    return subject;
  }
  const std::string place = p == "-" ? "standard input" : p;
  TRY_ASSIGN(const std::string text, read_file(p));
  TRY_ASSIGN(const bool evidence, is_evidence(text, place));
  if (evidence) {
    TRY_ASSIGN(subject.evidence, evidence::read(text, place));
    subject.evidence_place = p;
  } else {
    TRY_ASSIGN(subject.profile, profile::read_oci(text, place));
  }
  return subject;
}

// --evidence, else the evidence beside the profile.
Result<void> add_evidence(const std::string& p, const Arguments& arguments, Subject& subject) {
  std::vector<std::string> paths = arguments.values("--evidence");
  if (!subject.profile) {
    if (paths.empty()) return {};
    return input_error("--evidence goes with a profile, and this is evidence itself", p,
                       "`whittle merge` makes one file of several");
  }
  if (paths.empty()) {
    const std::string beside = evidence_beside(p);
    if (beside.empty()) {
      print_note(
          "no evidence was given (--evidence E): who makes a call, when and from where is not "
          "told");
      return {};
    }
    print_note(format("explained with the evidence beside it, {}", printable(beside, 4096)));
    paths.push_back(beside);
  }
  TRY_ASSIGN(const std::vector<evidence::Evidence> parts, load_evidence(paths));
  subject.evidence = evidence::merge(parts);
  subject.evidence_place = join(paths, ", ");
  return {};
}

std::optional<Arch> asked_arch(const Arguments& arguments) {
  const std::string word = arguments.value_or("--arch", "");
  for (const Arch arch : syscalls::kAllArches) {
    if (word == syscalls::arch_name(arch) || word == syscalls::docker_arch(arch)) return arch;
  }
  return std::nullopt;
}

// The name of CALL.
Result<std::string> read_call(const std::string& text, std::optional<Arch> asked) {
  if (const auto number = parse_u64(text)) {
    if (*number > UINT32_MAX) {
      return input_error(format("{} is no system-call number: they have 32 bits", *number));
    }
    const Arch arch = asked.value_or(syscalls::host_arch());
    const std::uint32_t bit = arch == Arch::kX32 ? syscalls::kX32Bit : 0;
    return syscalls::display_name(arch, static_cast<std::uint32_t>(*number) | bit);
  }
  if (syscalls::is_known(text) || text.starts_with("syscall_")) return text;
  const auto near = nearest(text, syscalls::known_names());
  return input_error(format("there is no system call \"{}\"", printable(text)), {},
                     near ? format("did you mean \"{}\"?", *near)
                          : std::string("`whittle syscall` takes a name or a number"));
}

Result<generate::Options> read_options(const Arguments& arguments, const Subject& subject,
                                       std::optional<Arch> asked) {
  generate::Options options;
  if (subject.profile) {
    options.arches.clear();
    for (const Arch arch : filter::covered_arches(*subject.profile)) {
      options.arches.insert(syscalls::native_of(arch));
    }
    options.default_verdict = subject.profile->default_verdict();
  } else if (asked) {
    options.arches = {syscalls::native_of(*asked)};
  }
  if (const auto runtime = arguments.value("--runtime")) {
    options.runtimes.clear();
    if (*runtime != "none") options.runtimes.insert(*runtime);
  }
  TRY(read_base(arguments, options));
  return options;
}

Result<int> run_explain(const Arguments& arguments) {
  const std::vector<std::string>& operands = arguments.operands();
  const std::string& p = operands.at(0);
  TRY(choose_libseccomp(arguments));
  TRY(setting_of(arguments));  // --arch, --caps and --kernel make sense
  const std::optional<Arch> asked = asked_arch(arguments);
  review::ExplainQuestion question;
  if (operands.size() > 1) {
    TRY_ASSIGN(question.call, read_call(operands[1], asked));
  }
  TRY_ASSIGN(Subject subject, load_subject(p, arguments));
  // A profile that does not compile is an error with its place, as everywhere, and what the runtime
  // passes over a warning.
  if (subject.profile) TRY(compile_profile(*subject.profile, p, arguments));
  TRY(add_evidence(p, arguments, subject));
  TRY_ASSIGN(question.options, read_options(arguments, subject, asked));
  question.profile = subject.profile ? &*subject.profile : nullptr;
  question.evidence = subject.evidence ? &*subject.evidence : nullptr;
  question.flavour = flavour_of(arguments);
  if (asked) question.arches = {*asked};

  Explained explained;
  if (subject.profile) explained.profile = p;
  explained.evidence = subject.evidence_place;
  explained.base =
      question.options.base_name == kNoBaseName ? "without a base" : question.options.base_name;
  TRY_ASSIGN(explained.calls, review::explain(question));
  if (!question.call.empty() && explained.calls.empty()) {
    return input_error(
        format("{} is no call of the architectures that are asked about", printable(question.call)),
        {}, "`whittle syscall` shows where a call exists");
  }
  if (subject.evidence && !subject.evidence->complete()) {
    print_warning("the evidence is incomplete: calls may be missing from it");
  }
  if (arguments.flag("--json")) {
    json::Value value = explain_json(explained);
    set_libseccomp(value);
    TRY(print_json(value));
  } else {
    TRY(print_result(question.call.empty() ? explain_list(explained) : explain_detail(explained)));
  }
  return 0;
}

}  // namespace

const Verb& explain_verb() {
  static const Verb verb = {
      .name = "explain",
      .summary = "why each call is in a profile, what it opens, and what the base says",
      .synopsis = "P|E [CALL] [--evidence E] [--base BASELINE] [OPTION...]",
      .description =
          "Tells of each call of a profile what it is for; why it is allowed: how often it was "
          "seen, in which phase, by which thread, with which arguments, and from where in the "
          "program; what it opens: a part of the kernel, steps of known exploits; and what the "
          "base "
          "says. Of evidence it tells the same of the profile that generate would make, with the "
          "calls that were refused and those that only failed.\n\n"
          "For NAME.profile.json the evidence is NAME.evidence.json beside it, unless --evidence "
          "names another. Without evidence it tells what whittle puts into every profile, and what "
          "the base says.\n\n"
          "With CALL, a name or a number, everything that is known of this one call, the stacks "
          "of its first calls included.",
      .examples = {"whittle explain nginx.profile.json",
                   "whittle explain nginx.profile.json socket",
                   "whittle explain nginx.evidence.json --base containerd@2.2.4 --json",
                   "whittle explain baseline:docker clone --arch aarch64"},
      .options =
          [] {
            std::vector<Option> options = {
                {"--evidence", 0, "E", "the evidence that the profile was made of", {}, true},
                {"--base", 0, "BASELINE",
                 "the default profile to compare with, docker's newest by default; or none"}};
            for (Option& option : setting_options()) options.push_back(std::move(option));
            options.push_back(runtime_option());
            options.push_back(libseccomp_option());
            options.push_back({"--json", 0, "", "print JSON"});
            return options;
          }(),
      .operand = "P|E and CALL",
      .least_operands = 1,
      .most_operands = 2,
      .run = run_explain,
  };
  return verb;
}

}  // namespace whittle::cli
