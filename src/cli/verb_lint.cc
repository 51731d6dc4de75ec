#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/sarif.h"
#include "cli/verbs_list.h"
#include "review/lint.h"
#include "review/suppressions.h"

namespace whittle::cli {

namespace {

using review::Finding;
using review::LintSettings;
using review::Severity;

constexpr std::string_view kSuppressionFile = ".whittle-lint.yaml";
constexpr std::string_view kRulePages = "docs/lint.md";
constexpr std::size_t kMostProfileBytes = 64U << 20U;
constexpr std::size_t kMostFiles = 100'000;

// What is to be looked at: an operand, or a file below one that is a directory.
struct Input {
  std::string name;
  bool found = false;  // in a directory, where other JSON files may lie too
};

// The *.json files below a directory, sorted; hidden ones are left out.
Result<void> add_directory(const std::string& path, std::vector<Input>& inputs) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::recursive_directory_iterator at(path, error);
  std::vector<std::string> files;
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    if (at->path().filename().native().starts_with('.')) {
      at.disable_recursion_pending();
    } else if (at->path().extension() == ".json" && !at->is_directory(error)) {
      files.push_back(at->path().native());
    }
    if (files.size() > kMostFiles) return input_error("more than 100,000 files", path);
  }
  if (error) return input_error("can't read the directory: " + error.message(), path);
  std::sort(files.begin(), files.end());
  for (std::string& file : files) inputs.push_back({std::move(file), true});
  return {};
}

Result<std::vector<Input>> inputs_of(const std::vector<std::string>& operands) {
  std::vector<Input> inputs;
  for (const std::string& operand : operands) {
    std::error_code error;
    if (std::filesystem::is_directory(operand, error)) {
      TRY(add_directory(operand, inputs));
    } else {
      inputs.push_back({operand, false});
    }
  }
  return inputs;
}

// A document, and how its findings are placed.
struct Loaded {
  review::LintDocument document;
  std::string prefix;     // of the pointers
  bool has_lines = true;  // those of the JSON are those of the file
};

Result<Loaded> load(const std::string& p, bool docker, const profile::Setting& setting) {
  profile::ReadOptions options;
  options.setting = setting;
  options.dialect = docker && !p.starts_with("baseline:") ? profile::Dialect::kDocker
                                                          : profile::Dialect::kIgnored;
  TRY_ASSIGN(LoadedInput input, load_input(p, options));
  if (!input.document) {
    return input_error("this is a BPF program: lint looks at documents", input.place,
                       "`whittle show` and `whittle score` say what a program lets through");
  }
  profile::Document& read = *input.document;
  warn_of(read, input.place);
  Loaded loaded;
  loaded.prefix = read.pointer;
  loaded.has_lines = read.form == profile::Form::kOci || read.form == profile::Form::kDocker ||
                     read.form == profile::Form::kSpo;
  if (read.object.is_null()) {
    TRY_ASSIGN(loaded.document,
               review::read_lint_document(profile::write_oci(read.profile), input.place, nullptr));
    return loaded;
  }
  loaded.document = {input.place, std::move(read.object), std::move(read.profile),
                     std::move(read.origins), options.dialect == profile::Dialect::kDocker};
  return loaded;
}

// The base in each family: a baseline is not the same on both.
Result<void> load_base(const std::string& base, profile::Setting setting, LintSettings& settings) {
  const std::string p = baseline_or_profile(base);
  settings.base_name = base;
  for (const syscalls::Arch family : {syscalls::Arch::kX86_64, syscalls::Arch::kAarch64}) {
    if (settings.family && *settings.family != family) continue;
    setting.arch = family;
    TRY_ASSIGN(profile::Profile profile, load_profile(p, setting));
    settings.base.emplace(family, std::move(profile));
  }
  return {};
}

Result<review::Suppressions> load_suppressions(const Arguments& arguments) {
  std::string file(kSuppressionFile);
  if (const auto given = arguments.value("--suppress")) {
    file = *given;
  } else if (std::error_code error; !std::filesystem::exists(file, error)) {
    return review::Suppressions();
  }
  TRY_ASSIGN(const std::string text, read_file(file));
  return review::read_suppressions(text, file);
}

// Everything that lint found.
struct Outcome {
  review::Sifted sifted;
  review::Suppressions suppressions;
  std::size_t files = 0;
  std::size_t unreadable = 0;
};

json::Value to_json(const Finding& finding) {
  json::Value value;
  value.set("rule", finding.rule);
  value.set("severity", review::severity_name(finding.severity));
  value.set("file", finding.file);
  value.set("line", finding.line);
  value.set("pointer", finding.pointer);
  value.set("calls", json::Array(finding.calls.begin(), finding.calls.end()));
  value.set("message", finding.message);
  value.set("fix", finding.fix);
  return value;
}

json::Value to_json(const Outcome& outcome) {
  json::Array findings;
  for (const Finding& finding : outcome.sifted.findings) findings.push_back(to_json(finding));
  json::Array suppressed;
  for (const review::Suppressed& one : outcome.sifted.suppressed) {
    const review::Suppression& entry = outcome.suppressions.entries[one.entry];
    json::Value value = to_json(one.finding);
    value.set("reason", entry.reason);
    value.set("expires", entry.expires);
    suppressed.push_back(std::move(value));
  }
  json::Value value;
  value.set("findings", std::move(findings));
  value.set("suppressed", std::move(suppressed));
  set_libseccomp(value);
  return value;
}

SarifResult sarif_result(const Finding& finding) {
  SarifResult result;
  result.rule = finding.rule;
  result.level = review::severity_name(finding.severity);
  result.message = finding.message;
  if (!finding.fix.empty()) result.message += ". Fix: " + finding.fix;
  result.file = finding.file == "standard input" ? "-" : finding.file;
  result.line = finding.line;
  result.pointer = finding.pointer;
  return result;
}

json::Value to_sarif(const Outcome& outcome) {
  std::vector<SarifRule> rules;
  for (const review::LintRuleInfo& rule : review::lint_rules()) {
    rules.push_back({std::string(rule.id), std::string(rule.summary),
                     std::string(review::severity_name(rule.severity)),
                     format("{}#{}", kRulePages, rule.id)});
  }
  std::vector<SarifResult> results;
  for (const Finding& finding : outcome.sifted.findings) results.push_back(sarif_result(finding));
  for (const review::Suppressed& one : outcome.sifted.suppressed) {
    results.push_back(sarif_result(one.finding));
    results.back().suppressed = outcome.suppressions.entries[one.entry].reason;
  }
  return sarif(rules, results);
}

std::string severity_text(Severity severity) {
  const std::string name(review::severity_name(severity));
  return severity == Severity::kError     ? bad(name)
         : severity == Severity::kWarning ? bold(name)
                                          : dim(name);
}

// "3 errors, no warnings, 1 note in 2 profiles; 4 suppressed"
std::string summary(const Outcome& outcome) {
  std::array<std::size_t, 3> counts{};
  for (const Finding& finding : outcome.sifted.findings) {
    ++counts[static_cast<std::size_t>(finding.severity)];
  }
  const auto counted = [](std::size_t n, std::string_view what) {
    return format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  std::string text =
      format("{}, {}, {} in {}", counted(counts[2], "error"), counted(counts[1], "warning"),
             counted(counts[0], "note"), counted(outcome.files, "profile"));
  if (!outcome.sifted.suppressed.empty()) {
    text += format("; {} suppressed", outcome.sifted.suppressed.size());
  }
  if (outcome.unreadable != 0) text += format("; {} not readable", outcome.unreadable);
  return text;
}

std::string to_text(const Outcome& outcome) {
  constexpr std::size_t kLine = 2000;
  std::string text;
  for (const Finding& finding : outcome.sifted.findings) {
    text += printable(finding.file, kLine);
    if (finding.line != 0) text += format(":{}", finding.line);
    text += format(": {}: {}: {}\n", severity_text(finding.severity), finding.rule,
                   printable(finding.message, kLine));
    if (!finding.fix.empty())
      text += format("  {} {}\n", dim("fix:"), printable(finding.fix, kLine));
  }
  return text + summary(outcome) + "\n";
}

// What became of one input.
struct Looked {
  std::optional<Error> error;  // it can't be read
  std::vector<Finding> findings;
};

Looked look_at(const std::string& name, bool docker, const profile::Setting& setting,
               const LintSettings& settings) {
  const auto loaded = load(name, docker, setting);
  if (!loaded) return {loaded.error(), {}};
  std::vector<Finding> findings = review::lint(loaded->document, settings);
  for (Finding& finding : findings) {
    finding.pointer.insert(0, loaded->prefix);
    if (!loaded->has_lines) finding.line = 0;
  }
  return {std::nullopt, std::move(findings)};
}

// Each of them, on all processors: they have nothing to do with each other.
template <typename Look>
std::vector<Looked> look_at_all(const std::vector<std::string>& names, const Look& look) {
  constexpr std::size_t kWorthAThread = 16;
  std::vector<Looked> looked(names.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < names.size(); i = next++) looked[i] = look(names[i]);
  };
  const std::size_t threads =
      std::min<std::size_t>(std::thread::hardware_concurrency(), names.size() / kWorthAThread);
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  return looked;
}

// Of a JSON file in a directory: no key can be the default action of a profile.
bool is_something_else(const Input& input) {
  if (!input.found) return false;
  const auto text = read_file(input.name, kMostProfileBytes);
  return text && text->find("\"defaultAction\"") == std::string::npos;
}

Result<Outcome> lint_all(const Arguments& arguments) {
  TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
  LintSettings settings;
  settings.runtime = flavour_of(arguments);
  if (arguments.value("--arch")) settings.family = setting.arch;
  if (const auto base = arguments.value("--base")) TRY(load_base(*base, setting, settings));
  Outcome outcome;
  TRY_ASSIGN(outcome.suppressions, load_suppressions(arguments));
  TRY_ASSIGN(const std::vector<Input> inputs, inputs_of(arguments.operands()));
  std::vector<std::string> names;
  for (const Input& input : inputs) {
    if (is_something_else(input)) {
      print_note(
          format("{}: passed over: no seccomp profile (it has no defaultAction)", input.name));
    } else {
      names.push_back(input.name);
    }
  }
  const bool docker = arguments.value_or("--dialect", "oci") == "docker";
  std::vector<Looked> looked = look_at_all(
      names, [&](const std::string& name) { return look_at(name, docker, setting, settings); });
  std::vector<Finding> findings;
  for (Looked& one : looked) {
    if (one.error) {
      print_error(*one.error);
      ++outcome.unreadable;
    }
    std::move(one.findings.begin(), one.findings.end(), std::back_inserter(findings));
  }
  outcome.files = names.size() - outcome.unreadable;
  const std::string today = utc_timestamp().substr(0, 10);
  outcome.sifted = review::sift(std::move(findings), outcome.suppressions, names, today);
  return outcome;
}

Result<int> run_lint(const Arguments& arguments) {
  if (arguments.flag("--json") && arguments.flag("--sarif")) {
    return input_error("lint: --json and --sarif both write to standard output", {}, "give one");
  }
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const Outcome outcome, lint_all(arguments));
  if (arguments.flag("--json")) {
    TRY(print_json(to_json(outcome)));
  } else if (arguments.flag("--sarif")) {
    TRY(print_json(to_sarif(outcome)));
  } else {
    TRY(print_result(to_text(outcome)));
  }
  if (outcome.unreadable != 0) return 2;
  const Severity least = *review::severity_from_name(arguments.value_or("--fail-on", "warning"));
  const auto& findings = outcome.sifted.findings;
  return std::any_of(findings.begin(), findings.end(),
                     [least](const Finding& finding) { return finding.severity >= least; })
             ? 1
             : 0;
}

std::vector<Option> options() {
  std::vector<Option> all = {
      {"--base", 0, "BASELINE", "report what is looser than this baseline or profile"},
      {"--fail-on",
       0,
       "SEVERITY",
       "exit with 1 at such a finding or a worse one (default: warning)",
       {"error", "warning", "note"}},
      {"--suppress", 0, "FILE", "accepted findings (default: .whittle-lint.yaml, when it is here)"},
      {"--dialect",
       0,
       "NAME",
       "how files are read: oci (default), as runc, crun and containerd do, or docker",
       {"oci", "docker"}}};
  for (Option& option : setting_options()) all.push_back(std::move(option));
  all.push_back(runtime_option());
  all.push_back(libseccomp_option());
  all.push_back({"--json", 0, "", "print JSON"});
  all.push_back({"--sarif", 0, "", "print SARIF 2.1.0, for code hosts and editors"});
  return all;
}

}  // namespace

const Verb& lint_verb() {
  static const Verb verb = {
      .name = "lint",
      .summary = "what is wrong with a profile, or looks so",
      .synopsis = "P... [--base BASELINE] [--fail-on SEVERITY] [--json|--sarif]",
      .description =
          "Reads profiles as the runtime reads them and reports what means something else than it "
          "seems to (misspelled names, conditions that become alternatives, rules that are "
          "dropped, rules that libseccomp compiles wrongly, with arguments that show it), what is "
          "left open (namespaces, socket families, 32-bit entries, dangerous calls), and what "
          "keeps containers or programs from working. Each finding has its place, its reason and "
          "a fix; docs/lint.md has a section for each rule.\n\n"
          "P is a file, a directory (every *.json below it), baseline:ID or - for standard input. "
          "--arch looks at one architecture alone; without it those count that a profile lists. "
          "Files are read as plain OCI, as containerd and Kubernetes read them: keys of Docker's "
          "dialect are findings. --dialect docker reads them as Docker does, for --caps, --kernel "
          "and --arch.\n\n"
          "Accepted findings stand in .whittle-lint.yaml or the file of --suppress, each with a "
          "reason and a date on which it ends.\n\n"
          "Exits with 1 when there is a finding of the severity of --fail-on or a worse one, with "
          "2 when a file can't be read; the others are looked at all the same.",
      .examples = {"whittle lint profiles/ --base docker",
                   "whittle lint nginx.profile.json --sarif >lint.sarif",
                   "whittle lint default.json --dialect docker --caps docker,SYS_ADMIN"},
      .options = options(),
      .operand = "P",
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_lint,
  };
  return verb;
}

}  // namespace whittle::cli
