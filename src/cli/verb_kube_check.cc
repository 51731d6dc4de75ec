// `whittle kube check`: see verb_kube.cc.
#include <algorithm>
#include <array>
#include <filesystem>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/kube_inputs.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/sarif.h"
#include "cli/verb_kube.h"
#include "deploy/kube_check.h"
#include "review/suppressions.h"

namespace whittle::cli {

namespace {

using deploy::ContainerReport;
using deploy::KubeFinding;
using review::Finding;
using review::Severity;

constexpr std::size_t kLine = 2000;  // bytes of a message that are printed

constexpr std::string_view kSuppressionFile = ".whittle-kube.yaml";

struct Suppressed {
  KubeFinding found;
  std::size_t entry = 0;  // of Suppressions::entries
};

// Everything that was found, and what became of the files.
struct Outcome {
  KubeInputs inputs;
  deploy::CheckResult result;
  review::Suppressions suppressions;
  std::vector<Suppressed> suppressed;
};

json::Value to_json(const KubeFinding& one) {
  const Finding& finding = one.finding;
  json::Value value;
  value.set("rule", finding.rule).set("severity", review::severity_name(finding.severity));
  value.set("file", finding.file).set("line", finding.line).set("document", one.document);
  value.set("pointer", finding.pointer).set("kind", one.kind).set("namespace", one.name_space);
  value.set("name", one.name).set("container", one.container);
  value.set("calls", json::Array(finding.calls.begin(), finding.calls.end()));
  value.set("message", finding.message).set("fix", finding.fix);
  return value;
}

std::string_view source_of(const deploy::InForce& profile) {
  if (profile.of_container) return "container";
  return profile.what == deploy::InForce::What::kUnset ? "none" : "pod";
}

json::Value to_json(const ContainerReport& one) {
  json::Value value;
  value.set("file", one.file).set("line", one.line).set("document", one.object->document);
  value.set("pointer", one.pointer).set("kind", one.object->kind);
  value.set("namespace", one.object->name_space).set("name", one.object->name);
  value.set("container", one.container).set("type", deploy::container_kind_name(one.kind));
  value.set("profile", deploy::in_force_text(one.profile)).set("from", source_of(one.profile));
  return value;
}

json::Value to_json(const Outcome& outcome) {
  json::Array findings;
  for (const KubeFinding& one : outcome.result.findings) findings.push_back(to_json(one));
  json::Array containers;
  for (const ContainerReport& one : outcome.result.containers) containers.push_back(to_json(one));
  json::Value value;
  json::Array suppressed;
  for (const Suppressed& one : outcome.suppressed) {
    const review::Suppression& entry = outcome.suppressions.entries[one.entry];
    json::Value item = to_json(one.found);
    item.set("reason", entry.reason).set("expires", entry.expires);
    suppressed.push_back(std::move(item));
  }
  value.set("findings", std::move(findings)).set("suppressed", std::move(suppressed));
  value.set("containers", std::move(containers));
  set_libseccomp(value);
  return value;
}

SarifResult sarif_result(const KubeFinding& one) {
  const Finding& finding = one.finding;
  return {finding.rule,
          std::string(review::severity_name(finding.severity)),
          finding.fix.empty() ? finding.message : finding.message + ". Fix: " + finding.fix,
          finding.file == kStandardInput ? "-" : finding.file,
          finding.line,
          finding.pointer,
          std::nullopt};
}

json::Value to_sarif(const Outcome& outcome) {
  std::vector<SarifRule> rules;
  for (const auto& [list, page] : {std::pair(&deploy::kube_rules(), "docs/kube-check.md"),
                                   std::pair(&review::lint_rules(), "docs/lint.md")}) {
    for (const review::LintRuleInfo& rule : *list) {
      rules.push_back({std::string(rule.id), std::string(rule.summary),
                       std::string(review::severity_name(rule.severity)),
                       format("{}#{}", page, rule.id)});
    }
  }
  std::vector<SarifResult> results;
  for (const KubeFinding& one : outcome.result.findings) results.push_back(sarif_result(one));
  for (const Suppressed& one : outcome.suppressed) {
    results.push_back(sarif_result(one.found));
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

// "Deployment shop/web": what it is about.
std::string object_text(std::string_view kind, std::string_view name_space, std::string_view name) {
  std::string text(kind.empty() ? "profile" : kind);
  if (!name.empty()) text += " " + (name_space.empty() ? "" : std::string(name_space) + "/");
  return printable(text + std::string(name));
}

std::string summary(const Outcome& outcome) {
  std::array<std::size_t, 3> counts{};
  for (const KubeFinding& one : outcome.result.findings) {
    ++counts[static_cast<std::size_t>(one.finding.severity)];
  }
  std::size_t objects = 0;
  for (const deploy::Manifest& manifest : outcome.inputs.manifests) {
    objects += manifest.objects.size();
  }
  std::string text =
      format("{}, {}, {} in {} and {}", plural(counts[2], "error"), plural(counts[1], "warning"),
             plural(counts[0], "note"), plural(objects, "object"),
             plural(outcome.result.containers.size(), "container"));
  if (!outcome.suppressed.empty()) text += format("; {} suppressed", outcome.suppressed.size());
  if (outcome.inputs.unreadable != 0)
    text += format("; {} not readable", outcome.inputs.unreadable);
  return text;
}

std::string to_text(const Outcome& outcome, bool containers) {
  std::string text;
  if (containers) {
    for (const ContainerReport& one : outcome.result.containers) {
      text += format("{}:{}: {} {} {}: {}\n", printable(one.file, kLine), one.line,
                     object_text(one.object->kind, one.object->name_space, one.object->name),
                     deploy::container_kind_name(one.kind), printable(one.container),
                     printable(deploy::in_force_text(one.profile)));
    }
  }
  for (const KubeFinding& one : outcome.result.findings) {
    const Finding& finding = one.finding;
    text += printable(finding.file, kLine);
    if (finding.line != 0) text += format(":{}", finding.line);
    text += format(": {}: {}: ", severity_text(finding.severity), finding.rule);
    // A finding about a suppression is about no object.
    if (one.document != 0) text += object_text(one.kind, one.name_space, one.name) + ": ";
    text += printable(finding.message, kLine) + "\n";
    if (!finding.fix.empty()) {
      text += format("  {} {}\n", dim("fix:"), printable(finding.fix, kLine));
    }
  }
  return text + summary(outcome) + "\n";
}

Result<review::Suppressions> load_suppressions(const Arguments& arguments) {
  std::string file(kSuppressionFile);
  if (const auto given = arguments.value("--suppress")) {
    file = *given;
  } else if (std::error_code error; !std::filesystem::exists(file, error)) {
    return review::Suppressions();
  }
  review::SuppressionWords words = review::lint_words();
  for (const review::LintRuleInfo& rule : deploy::kube_rules()) words.rules.emplace_back(rule.id);
  words.labels = {"kind", "namespace", "name", "container"};
  words.page = "docs/kube-check.md";
  TRY_ASSIGN(const std::string text, read_file(file));
  return review::read_suppressions(text, file, words);
}

// Takes what is suppressed out of the findings, and adds what is to be said of the suppressions.
// `name_space`: of objects that name none.
void sift(Outcome& outcome, const std::string& name_space) {
  review::Sifter sifter(outcome.suppressions, utc_timestamp().substr(0, 10));
  std::vector<KubeFinding> left;
  for (KubeFinding& one : outcome.result.findings) {
    const review::Labels labels = {
        {"kind", one.kind},
        {"namespace", one.name_space.empty() ? name_space : one.name_space},
        {"name", one.name},
        {"container", one.container}};
    if (const auto entry = sifter.suppresses(one.finding, labels)) {
      outcome.suppressed.push_back({std::move(one), *entry});
    } else {
      left.push_back(std::move(one));
    }
  }
  std::vector<std::string> files;
  for (const deploy::Manifest& manifest : outcome.inputs.manifests) files.push_back(manifest.file);
  for (Finding& finding : sifter.about_suppressions(files)) {
    left.emplace_back().finding = std::move(finding);
  }
  outcome.result.findings = std::move(left);
}

// Puts right what can be in each file; what can't is said, and its finding stays.
Result<void> fix_all(KubeInputs& inputs, const deploy::SeccompChoice& choice) {
  for (deploy::Manifest& manifest : inputs.manifests) {
    const std::vector<deploy::EditTarget> targets = deploy::targets_to_fix(manifest);
    if (targets.empty()) continue;
    auto edited = deploy::set_seccomp(manifest, targets, choice);
    if (!edited) {
      print_error(edited.error());
      continue;
    }
    TRY(write_edited(manifest, *edited));
    TRY_ASSIGN(manifest, deploy::read_manifest(*std::move(edited), manifest.file));
  }
  return {};
}

Result<deploy::CheckSettings> settings_of(const Arguments& arguments) {
  deploy::CheckSettings settings;
  if (const auto directory = arguments.value("--profiles")) {
    TRY_ASSIGN(settings.profiles, deploy::read_profile_files(*directory));
  }
  if (const auto standard = arguments.value("--pss")) {
    TRY_ASSIGN(settings.standard, deploy::read_standard(*standard));
    const unsigned minor = settings.standard->minor;
    if (minor != deploy::kLatest && minor > deploy::newest_version()) {
      print_note(
          format("kube check: v1.{} is newer than the newest version known here, v1.{}, "
                 "which is taken",
                 minor, deploy::newest_version()));
    }
  }
  settings.name_space = arguments.value_or("--namespace", settings.name_space);
  TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
  settings.lint.runtime = flavour_of(arguments);
  if (arguments.value("--arch")) settings.lint.family = setting.arch;
  return settings;
}

Result<int> run_check(const Arguments& arguments) {
  if (arguments.flag("--json") && arguments.flag("--sarif")) {
    return input_error("kube check: --json and --sarif both write to standard output", {},
                       "give one");
  }
  const bool fix = arguments.flag("--fix");
  if (arguments.value("--set") && !fix) {
    return input_error("kube check: --set says what --fix is to write", {},
                       "give --fix with it, or use `whittle kube patch`");
  }
  TRY_ASSIGN(const deploy::SeccompChoice choice,
             deploy::read_choice(arguments.value_or("--set", "RuntimeDefault")));
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const deploy::CheckSettings settings, settings_of(arguments));
  Outcome outcome;
  TRY_ASSIGN(outcome.suppressions, load_suppressions(arguments));
  TRY_ASSIGN(outcome.inputs, read_kube_inputs(arguments.operands(), !fix));
  if (fix) {
    TRY(fix_all(outcome.inputs, choice));
  }
  outcome.result = deploy::check(outcome.inputs.manifests, settings);
  sift(outcome, settings.name_space);
  if (arguments.flag("--json")) {
    TRY(print_json(to_json(outcome)));
  } else if (arguments.flag("--sarif")) {
    TRY(print_json(to_sarif(outcome)));
  } else {
    TRY(print_result(to_text(outcome, arguments.flag("--containers"))));
  }
  if (outcome.inputs.unreadable != 0) return 2;
  const Severity least = *review::severity_from_name(arguments.value_or("--fail-on", "warning"));
  const auto& findings = outcome.result.findings;
  return std::any_of(findings.begin(), findings.end(),
                     [least](const KubeFinding& one) { return one.finding.severity >= least; })
             ? 1
             : 0;
}

}  // namespace

const Verb& kube_check_verb() {
  static const Verb verb = {
      .name = "check",
      .summary = "what is wrong with manifests",
      .synopsis = "MANIFEST... [--pss LEVEL[:VERSION]] [--profiles DIR] [--fix]",
      .description =
          "`kube check` reads manifests (YAML of one or many documents, List objects, JSON, what "
          "helm template and kustomize build print) and says for each init, normal and ephemeral "
          "container of everything with a pod template under which seccomp profile it will run, "
          "and what is wrong: none set, Unconfined, privileged, a container that undoes its pod, "
          "Localhost paths that are refused or that nobody brings. Profiles in ConfigMaps, "
          "SeccompProfile objects and OCI documents go through lint. MANIFEST is a file, a "
          "directory (every *.yaml, *.yml and *.json below it) or - for standard input.\n\n"
          "--pss checks all controls of the Pod Security Standards, as of a version; a Namespace "
          "among the manifests whose labels set a level does so for its pods. --profiles DIR names "
          "the profiles that the nodes have, DIR standing for /var/lib/kubelet/seccomp. --fix sets "
          "RuntimeDefault, or what --set says, in the files where no profile or a bad one is set, "
          "and leaves everything else in them as it is.\n\n"
          "Findings that somebody has decided to live with stand in the file of --suppress, each "
          "with a reason and the last day on which that holds.\n\n"
          "It exits with 1 when there is a finding of the severity of --fail-on or a worse one, "
          "with 2 when a file can't be read; the others are looked at all the same.",
      .examples = {"whittle kube check deploy/ --pss restricted:v1.29",
                   "helm template ./chart | whittle kube check - --profiles profiles/ --sarif",
                   "whittle kube check --fix web.yaml"},
      .options =
          {{"--pss", 0, "LEVEL[:VERSION]",
            "check the Pod Security Standards: baseline or restricted, as in restricted:v1.29"},
           {"--profiles", 0, "DIR", "the profiles that the nodes have"},
           {"--namespace", 0, "NAME", "the namespace of objects that name none (default)"},
           {"--fix", 0, "", "set a profile in the files where none or a bad one is set"},
           {"--set", 0, "PROFILE", "what to set: RuntimeDefault or localhost/PATH"},
           {"--suppress", 0, "FILE",
            "accepted findings, each with a reason and a date (default: .whittle-kube.yaml)"},
           {"--containers", 0, "", "list each container with its profile, too"},
           {"--fail-on",
            0,
            "SEVERITY",
            "exit with 1 at such a finding or a worse one (default: warning)",
            {"error", "warning", "note"}},
           {"--arch", 0, "ARCH", "lint profiles for one architecture: x86_64 or aarch64"},
           runtime_option(),
           libseccomp_option(),
           {"--json", 0, "", "print JSON"},
           {"--sarif", 0, "", "print SARIF 2.1.0, for code hosts and editors"}},
      .operand = "MANIFEST",
      .least_operands = 1,
      .most_operands = SIZE_MAX,
      .run = run_check,
  };
  return verb;
}

}  // namespace whittle::cli
