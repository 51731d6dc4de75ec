// Profiles that manifests carry: values of ConfigMaps, SeccompProfile objects of the Security
// Profiles Operator, and OCI documents as they are. They go through lint.
#include <algorithm>
#include <array>

#include "base/file_system.h"
#include "base/text.h"
#include "deploy/kube_findings.h"
#include "profile/kubernetes.h"
#include "profile/oci_reader.h"

namespace whittle::deploy {

namespace {

using json::View;
using profile::Dialect;
using review::Finding;
using review::Severity;

constexpr std::string_view kDefaultAction = "\"defaultAction\"";
constexpr std::size_t kMostProfileBytes = 16U << 20U;

void report_unreadable(const Error& error, const View& place, Reporter& reporter) {
  reporter.at("profile-unreadable", place, {},
              format("{}: no runtime takes this profile", error.text()), error.hint);
}

// The text of a line, counted from 1.
std::string_view line_of(std::string_view text, std::uint32_t line) {
  for (std::uint32_t at = 1; at < line; ++at) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// The line of the manifest behind which the lines of a value of several lines stand; 0 when its
// lines are not those of the manifest.
std::uint32_t line_before(const Manifest& manifest, const View& value) {
  // A literal block: the lines behind "key: |" are the text.
  const std::string_view head = trim(line_of(manifest.text, value.value().line()));
  const std::size_t mark = head.rfind('|');
  if (mark == std::string_view::npos) return 0;
  const bool literal =
      head.substr(mark).find_first_not_of("|+-0123456789") == std::string_view::npos;
  return literal ? value.value().line() : 0;
}

// A profile as JSON in a text.
void lint_text(const std::string& text, const View& place, std::uint32_t before,
               const CheckSettings& settings, Reporter& reporter) {
  const auto document = review::read_lint_document(text, place.file(), nullptr);
  if (!document) {
    // Its place is within the text.
    const auto read = review::read_lint_document(text, "in it", nullptr);
    report_unreadable(read ? document.error() : read.error(), place, reporter);
    return;
  }
  for (Finding& finding : review::lint(*document, settings.lint)) {
    finding.pointer.insert(0, place.pointer());
    finding.line = before == 0 || finding.line == 0 ? place.value().line() : before + finding.line;
    reporter.take(std::move(finding));
  }
}

void lint_view(const View& view, Dialect dialect, const CheckSettings& settings,
               Reporter& reporter) {
  std::vector<std::size_t> origins;
  auto read = profile::read_object(view, dialect, nullptr, &origins);
  if (!read) {
    report_unreadable(read.error(), view, reporter);
    return;
  }
  const review::LintDocument document{view.file(), view.value(), *std::move(read),
                                      std::move(origins), false};
  for (Finding& finding : review::lint(document, settings.lint)) {
    finding.pointer.insert(0, view.pointer());
    reporter.take(std::move(finding));
  }
}

bool is_spo(const Object& object) {
  return object.kind == "SeccompProfile" &&
         object.api_version.starts_with(std::string(profile::kSpoGroup) + "/");
}

// Keys of Docker's dialect in an SPO object: the API server prunes them, and nobody says so.
// Returns the spec without them.
json::Value without_docker_keys(const View& spec, Reporter& reporter) {
  json::Value copy = spec.value();
  const auto strip = [&](json::Value& object, const std::string& pointer) {
    json::Object* members = object.object();
    if (members == nullptr) return;
    std::erase_if(*members, [&](const json::Member& one) {
      if (!profile::is_docker_key(one.first)) return false;
      reporter.at(
          "docker-only-key", Severity::kError, pointer + "/" + one.first, one.second.line(), {},
          format("\"{}\" is a key of Docker's dialect: the API server drops it silently, "
                 "and the rule holds on every host and for every container",
                 one.first),
          "write out the rules that hold on your hosts (`whittle convert --to spo-v1beta1`)");
      return true;
    });
  };
  strip(copy, spec.pointer());
  json::Object* members = copy.object();
  for (auto& [key, value] : *members) {
    if (key != "syscalls" || value.array() == nullptr) continue;
    for (std::size_t i = 0; i < value.array()->size(); ++i) {
      strip((*value.array())[i], format("{}/syscalls/{}", spec.pointer(), i));
    }
  }
  return copy;
}

void check_spo(const Object& object, const CheckSettings& settings, Reporter& reporter) {
  const std::string version = object.api_version.substr(profile::kSpoGroup.size() + 1);
  if (version == "v1alpha1") {
    reporter.at("spo-version", *member(object.view, "apiVersion"), {},
                "SeccompProfile of v1alpha1 is no longer served by the Security Profiles Operator",
                "write it as v1beta1, or as v1 for an operator that serves it (`whittle convert`)");
  } else if (version != "v1beta1" && version != "v1") {
    reporter.at("spo-version", *member(object.view, "apiVersion"), {},
                format("the version \"{}\" of SeccompProfile is not known", printable(version)),
                "known are v1beta1 and v1");
  }
  const auto spec = member(object.view, "spec");
  if (!spec || !spec->value().is_object()) {
    reporter.at("profile-unreadable", object.view, {}, "a SeccompProfile without a spec",
                "write the profile under spec");
    return;
  }
  const json::Value clean = without_docker_keys(*spec, reporter);
  // The same document around it, so that places stay.
  json::Value around = object.view.value();
  for (auto& [key, value] : *around.object()) {
    if (key == "spec") value = clean;
  }
  const View root(around, reporter.file());
  std::vector<std::size_t> origins;
  const View clean_spec = *member(root, "spec");
  auto read = profile::read_object(clean_spec, Dialect::kSpo, nullptr, &origins);
  if (!read) {
    report_unreadable(read.error(), *spec, reporter);
    return;
  }
  const review::LintDocument document{reporter.file(), clean, *std::move(read), std::move(origins),
                                      false};
  for (Finding& finding : review::lint(document, settings.lint)) {
    finding.pointer.insert(0, spec->pointer());
    reporter.take(std::move(finding));
  }
}

void check_config_map(const Manifest& manifest, const Object& object, const CheckSettings& settings,
                      Reporter& reporter) {
  const auto data = member(object.view, "data");
  const auto members = data ? data->members() : object.view.members();
  if (!data || !members) return;
  for (const auto& [key, view] : *members) {
    const std::string* text = view.value().string();
    if (text == nullptr || text->find(kDefaultAction) == std::string::npos) continue;
    lint_text(*text, view, line_before(manifest, view), settings, reporter);
  }
}

}  // namespace

bool is_oci(const Object& object) {
  return object.kind.empty() && object.api_version.empty() &&
         member(object.view, "defaultAction").has_value();
}

void check_profiles(const Manifest& manifest, const Object& object, const CheckSettings& settings,
                    Reporter& reporter) {
  if (is_oci(object)) {
    lint_view(object.view, Dialect::kIgnored, settings, reporter);
  } else if (object.kind == "ConfigMap") {
    check_config_map(manifest, object, settings, reporter);
  } else if (is_spo(object)) {
    check_spo(object, settings, reporter);
  }
}

void check_profile_file(const std::string& path, const CheckSettings& settings,
                        Reporter& reporter) {
  const std::string file = settings.profiles->directory + "/" + path;
  const auto text = read_file(file, kMostProfileBytes);
  const auto document = text ? review::read_lint_document(*text, file, nullptr)
                             : Result<review::LintDocument>(tl::unexpected(text.error()));
  if (!document) {
    Finding finding{"profile-unreadable", Severity::kError, file, {}, 0, {}, {}, {}};
    finding.message = document.error().text() + ": no runtime takes this profile";
    finding.fix = document.error().hint;
    reporter.take(std::move(finding));
    return;
  }
  for (Finding& finding : review::lint(*document, settings.lint)) reporter.take(std::move(finding));
}

void add_brought(const Object& object, Surroundings& surroundings) {
  if (object.kind == "ConfigMap") {
    const auto data = member(object.view, "data");
    const auto members = data ? data->members() : object.view.members();
    if (!data || !members) return;
    for (const auto& [key, view] : *members) {
      const std::string* text = view.value().string();
      if (text != nullptr && text->find(kDefaultAction) != std::string::npos) {
        surroundings.carried.insert(key);
      }
    }
  }
  if (!is_spo(object)) return;
  // Where the operator puts it: since 0.9 without the namespace (docs of the operator,
  // installation-usage.md).
  surroundings.brought.insert(format("operator/{}.json", object.name));
  surroundings.brought.insert(format("operator/{}/{}.json",
                                     object.name_space.empty() ? "default" : object.name_space,
                                     object.name));
}

}  // namespace whittle::deploy
