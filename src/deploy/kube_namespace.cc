// The labels pod-security.kubernetes.io/* of a Namespace.
//
// Source: https://kubernetes.io/docs/concepts/security/pod-security-admission/ and
// k8s.io/pod-security-admission api/helpers.go (PolicyToEvaluate): an unknown level or version is
// an error of the API server; an unknown level counts as restricted for enforce and as privileged
// for the others, an unknown version as latest.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "deploy/kube_findings.h"

namespace whittle::deploy {

namespace {

using review::Severity;

constexpr std::string_view kPrefix = "pod-security.kubernetes.io/";
constexpr std::string_view kVersion = "-version";
const std::array<std::string, 6> kSuffixes = {
    "enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version"};

}  // namespace

Labels check_namespace(const Object& object, Reporter& reporter) {
  Labels labels;
  const auto all = member_at(object.view, "metadata.labels");
  const auto members = all ? all->members() : object.view.members();
  if (!all || !members) return labels;
  std::map<std::string, unsigned> versions;
  std::map<std::string, json::View> version_places;
  for (const auto& [key, view] : *members) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string suffix = key.substr(kPrefix.size());
    const std::string* text = view.value().string();
    const std::string value = text == nullptr ? json::dump_compact(view.value()) : *text;
    if (std::find(kSuffixes.begin(), kSuffixes.end(), suffix) == kSuffixes.end()) {
      const auto near = nearest(suffix, kSuffixes);
      reporter.at("namespace-label", Severity::kWarning, view.pointer(), view.value().line(), {},
                  format("the label {} says nothing", printable(key)),
                  near ? format("did you mean {}{}?", kPrefix, *near)
                       : "they are enforce, audit and warn, each with -version");
      continue;
    }
    if (suffix.ends_with(kVersion)) {
      const std::string mode = suffix.substr(0, suffix.size() - kVersion.size());
      const auto minor = text == nullptr ? std::nullopt : version_from_label(value);
      if (!minor) {
        reporter.at("namespace-label", view, {},
                    format("\"{}\" is no version: the API server refuses it", printable(value)),
                    "write v1.N, as in v1.29, or latest");
      }
      versions[mode] = minor.value_or(kLatest);
      version_places.emplace(mode, view);
      if (minor && *minor != kLatest && *minor > newest_version()) {
        reporter.at("namespace-label", Severity::kNote, view.pointer(), view.value().line(), {},
                    format("{} is newer than the newest version known here, v1.{}, which is taken",
                           printable(value), newest_version()),
                    {});
      }
      continue;
    }
    const auto level = text == nullptr ? std::nullopt : level_from_name(value);
    if (!level) {
      reporter.at("namespace-label", view, {},
                  format("\"{}\" is no level: the API server refuses it", printable(value)),
                  "write privileged, baseline or restricted");
    }
    labels[suffix].level =
        level.value_or(suffix == "enforce" ? Level::kRestricted : Level::kPrivileged);
  }
  for (const auto& [mode, minor] : versions) {
    const auto at = labels.find(mode);
    if (at != labels.end()) {
      at->second.minor = minor;
      continue;
    }
    const json::View& place = version_places.at(mode);
    reporter.at("namespace-label", Severity::kNote, place.pointer(), place.value().line(), {},
                format("a version for {} without a level: the level is then that of the cluster, "
                       "privileged when nothing is configured",
                       mode),
                format("add {}{}", kPrefix, mode));
  }
  return labels;
}

}  // namespace whittle::deploy
