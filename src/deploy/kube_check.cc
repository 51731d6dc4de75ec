#include "deploy/kube_check.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/text.h"
#include "deploy/kube_findings.h"

namespace whittle::deploy {

namespace {

using json::View;
using review::LintRuleInfo;
using review::Severity;

constexpr std::size_t kMostFiles = 100'000;
constexpr std::string_view kPrefix = "pss-";  // of the rules that are controls of the standards

// Their sections in docs/kube-check.md go with them: kube_check_test.cc looks for them.
constexpr std::array kRules = {
    LintRuleInfo{"container-undoes-pod", Severity::kError,
                 "a container sets a looser profile than its pod"},
    LintRuleInfo{"deprecated-annotation", Severity::kError,
                 "a seccomp annotation, which says nothing since Kubernetes 1.27"},
    LintRuleInfo{"localhost-absolute-path", Severity::kError,
                 "an absolute localhostProfile, which the API server refuses"},
    LintRuleInfo{"localhost-escaping-path", Severity::kError,
                 "a localhostProfile with \"..\", which the API server refuses"},
    LintRuleInfo{"localhost-unknown-file", Severity::kError,
                 "a localhostProfile that is not among the given profiles"},
    LintRuleInfo{"localhost-without-path", Severity::kError,
                 "type Localhost without a localhostProfile"},
    LintRuleInfo{"malformed-pod", Severity::kError, "something else stands where a pod belongs"},
    LintRuleInfo{"namespace-label", Severity::kError,
                 "a label of Pod Security Admission that says nothing"},
    LintRuleInfo{"path-without-localhost", Severity::kError,
                 "a localhostProfile with another type than Localhost"},
    LintRuleInfo{"privileged", Severity::kError, "a privileged container runs without seccomp"},
    LintRuleInfo{"profile-unreadable", Severity::kError, "a profile that no runtime could read"},
    LintRuleInfo{"seccomp-unconfined", Severity::kError, "a container runs without seccomp"},
    LintRuleInfo{"seccomp-unknown-type", Severity::kError,
                 "a seccompProfile without one of the three types"},
    LintRuleInfo{"seccomp-unset", Severity::kWarning, "no profile is set for a container"},
    LintRuleInfo{"spo-old-path", Severity::kWarning,
                 "a path at which the Security Profiles Operator puts nothing since 0.9"},
    LintRuleInfo{"spo-version", Severity::kWarning,
                 "a version of SeccompProfile that is not served"},
    LintRuleInfo{"tighter-profile-given", Severity::kWarning,
                 "RuntimeDefault for a container for which a profile is given"},
};

// The standards that count for a pod, and whether breaking them stops it.
struct Asked {
  Standard standard;
  std::string by;  // in words
  Severity severity = Severity::kError;
};

std::vector<Asked> asked_of(const Labels* labels, const CheckSettings& settings) {
  std::vector<Asked> all;
  if (settings.standard) all.push_back({*settings.standard, "--pss", Severity::kError});
  if (labels == nullptr) return all;
  for (const std::string_view mode : {"enforce", "audit", "warn"}) {
    const auto at = labels->find(std::string(mode));
    if (at == labels->end()) continue;
    all.push_back({at->second, format("the namespace's label {}", mode),
                   mode == "enforce" ? Severity::kError : Severity::kWarning});
  }
  return all;
}

void check_standards(const Pod& pod, const std::vector<Asked>& asked, Reporter& reporter) {
  std::set<std::pair<std::string, std::string>> said;  // control and field
  for (const Asked& one : asked) {
    for (Violation& found : violations(pod, one.standard)) {
      if (!said.emplace(found.control, found.pointer).second) continue;
      reporter.at(std::string(kPrefix) + found.control, one.severity, found.pointer, found.line,
                  found.container, format("{} (asked for by {})", found.message, one.by),
                  std::move(found.fix));
    }
  }
}

std::string name_space_of(const Object& object, const CheckSettings& settings) {
  return object.name_space.empty() ? settings.name_space : object.name_space;
}

void check_object(const Manifest& manifest, const Object& object,
                  const std::map<std::string, Labels>& namespaces, const CheckSettings& settings,
                  const Surroundings& surroundings, Reporter& reporter, CheckResult& result,
                  std::set<std::string>& named) {
  std::vector<View> malformed;
  const auto labels = namespaces.find(name_space_of(object, settings));
  const std::vector<Asked> asked =
      asked_of(labels == namespaces.end() ? nullptr : &labels->second, settings);
  for (const Pod& pod : pods_of(object, &malformed)) {
    check_seccomp(pod, settings, surroundings, reporter);
    check_standards(pod, asked, reporter);
    for (const Container& container : pod.containers) {
      const InForce profile = in_force(pod, container);
      if (profile.what == InForce::What::kLocalhost) named.insert(profile.path);
      result.containers.push_back({manifest.file, &object, container.name, container.kind,
                                   container.view.pointer(), container.view.value().line(),
                                   profile});
    }
  }
  for (const View& place : malformed) {
    reporter.at("malformed-pod", place, {},
                "something else stands where a pod belongs: the API server refuses it",
                "a pod has containers, a list of objects");
  }
  check_profiles(manifest, object, settings, reporter);
}

}  // namespace

void Reporter::at(std::string_view rule, const View& place, const std::string& container,
                  std::string message, std::string fix) {
  at(rule, severity_of(rule), place.pointer(), place.value().line(), container, std::move(message),
     std::move(fix));
}

void Reporter::at(std::string_view rule, Severity severity, std::string pointer, std::uint32_t line,
                  const std::string& container, std::string message, std::string fix) {
  findings_.push_back({{std::string(rule),
                        severity,
                        file_,
                        std::move(pointer),
                        line,
                        {},
                        std::move(message),
                        std::move(fix)},
                       object_.document,
                       object_.kind,
                       object_.name_space,
                       object_.name,
                       container});
}

void Reporter::take(review::Finding finding) {
  findings_.push_back(
      {std::move(finding), object_.document, object_.kind, object_.name_space, object_.name, {}});
}

Severity severity_of(std::string_view rule) {
  const auto at = std::find_if(kRules.begin(), kRules.end(),
                               [rule](const LintRuleInfo& info) { return info.id == rule; });
  return at == kRules.end() ? Severity::kError : at->severity;
}

const std::vector<LintRuleInfo>& kube_rules() {
  static const std::vector<std::string> ids = [] {
    std::vector<std::string> all;
    for (const std::string& id : control_ids()) all.push_back(std::string(kPrefix) + id);
    return all;
  }();
  static const std::vector<LintRuleInfo> rules = [] {
    std::vector<LintRuleInfo> all(kRules.begin(), kRules.end());
    for (const std::string& id : ids) {
      all.push_back({id, Severity::kError, "a control of the Pod Security Standards"});
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return all;
  }();
  return rules;
}

Result<ProfileFiles> read_profile_files(const std::string& directory) {
  namespace fs = std::filesystem;
  ProfileFiles files{directory, {}};
  while (files.directory.size() > 1 && files.directory.ends_with('/')) files.directory.pop_back();
  std::error_code error;
  fs::recursive_directory_iterator at(directory, error);
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    files.paths.push_back(at->path().lexically_relative(directory).native());
    if (files.paths.size() > kMostFiles) return input_error("more than 100,000 files", directory);
  }
  if (error) return input_error("can't read the directory: " + error.message(), directory);
  std::sort(files.paths.begin(), files.paths.end());
  return files;
}

CheckResult check(const std::vector<Manifest>& manifests, const CheckSettings& settings) {
  CheckResult result;
  std::map<std::string, Labels> namespaces;
  Surroundings surroundings;
  for (const Manifest& manifest : manifests) {
    for (const Object& object : manifest.objects) {
      add_brought(object, surroundings);
      if (object.kind != "Namespace") continue;
      Reporter reporter(manifest.file, object, result.findings);
      namespaces[object.name] = check_namespace(object, reporter);
    }
  }
  std::set<std::string> seen;  // profiles that were looked at
  for (const Manifest& manifest : manifests) {
    for (const Object& object : manifest.objects) {
      Reporter reporter(manifest.file, object, result.findings);
      std::set<std::string> named;
      check_object(manifest, object, namespaces, settings, surroundings, reporter, result, named);
      if (!settings.profiles) continue;
      for (const std::string& path : named) {
        const auto file = given_file(*settings.profiles, path);
        if (file && seen.insert(*file).second) check_profile_file(*file, settings, reporter);
      }
    }
  }
  std::map<std::string, std::size_t> order;
  for (const Manifest& manifest : manifests) order.emplace(manifest.file, order.size());
  const auto place = [&](const KubeFinding& one) {
    const auto at = order.find(one.finding.file);
    return std::tuple(at == order.end() ? order.size() : at->second, one.document, one.finding.line,
                      -static_cast<int>(one.finding.severity));
  };
  std::stable_sort(result.findings.begin(), result.findings.end(),
                   [&](const KubeFinding& a, const KubeFinding& b) { return place(a) < place(b); });
  return result;
}

}  // namespace whittle::deploy
