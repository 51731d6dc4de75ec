#include "cli/kube_export.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/help.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/prove_conversion.h"
#include "deploy/node_store.h"
#include "profile/kubernetes.h"

namespace whittle::cli {

namespace {

using deploy::ExportTarget;
using json::Value;

constexpr const char* kBusyboxImage = "busybox:1.36";
// Static lists in CEL are walked for every container of a pod that is created.
constexpr std::size_t kMostListed = 1000;
constexpr std::size_t kMostName = 253;
// "-99999" of another ConfigMap.
constexpr std::size_t kMostMapName = 247;

// Which kinds an option goes with.
const std::map<std::string, std::vector<std::string>, std::less<>>& takers() {
  static const std::map<std::string, std::vector<std::string>, std::less<>> all = {
      {"--api-version", {kSeccompProfile, kPolicy}},
      {"--into", {kConfigMap, kDaemonSet, kPatch, kPolicy}},
      {"--image", {kDaemonSet}},
      {"--pause-image", {kDaemonSet}},
      {"--plain", {kDaemonSet}},
      {"--kind", {kPatch}},
      {"--container", {kPatch}},
      {"--localhost-profile", {kPatch, kPolicy}},
      {"--pss", {kNamespace}},
  };
  return all;
}

}  // namespace

// What was asked for -----------------------------------------------------------------------------

Result<void> Export::check() const {
  if (kind_.empty()) {
    return input_error("kube export: say as what, with --as", {},
                       "for example `whittle kube export nginx.profile.json --as ConfigMap`");
  }
  for (const auto& [option, kinds] : takers()) {
    if (arguments_.options_.find(option) == arguments_.options_.end()) continue;
    if (std::find(kinds.begin(), kinds.end(), kind_) != kinds.end()) continue;
    return input_error(format("{} goes with --as {} only", option, join(kinds, ", ")));
  }
  const bool listed = !arguments_.values("--localhost-profile").empty();
  if ((carries() || (is(kPatch) && !listed)) && arguments_.operands().empty()) {
    return input_error(format("kube export --as {}: which profile?", kind_), {},
                       "a file, a directory with *.json files, -, or baseline:ID");
  }
  const std::string into = Export::into();
  if (!into.empty()) {
    if (auto named = deploy::check_profile_name(into); !named) {
      return input_error(format("--into: {}", named.error().message), {}, named.error().hint);
    }
  }
  return {};
}

profile::Target Export::form() const {
  if (!is(kSeccompProfile)) return profile::Target::kOci;
  return api_version() == "v1" ? profile::Target::kSpoV1 : profile::Target::kSpoV1Beta1;
}

// v1 of the operator is young; v1 of admission policies is older than every supported cluster but
// 1.29.
std::string Export::api_version() const {
  return arguments_.value_or("--api-version", is(kPolicy) ? "v1" : "v1beta1");
}

// An object without a namespace: --namespace is no error, since a script has one command for all.
bool Export::of_cluster() const {
  return is(kNamespace) || (is(kSeccompProfile) && api_version() == "v1");
}

std::string Export::into() const {
  std::string into = arguments_.value_or("--into", "profiles");
  while (into.ends_with('/')) into.pop_back();
  return into;
}

// --name, which must be a name, or one made of the fallback.
Result<std::string> Export::name(const std::string& fallback, std::size_t most) const {
  const auto given = arguments_.value("--name");
  if (!given) return deploy::stable_name(fallback, most);
  const bool label = most == deploy::kMostLabel && given->find('.') != std::string::npos;
  if (profile::is_object_name(*given) && given->size() <= most && !label) return *given;
  return input_error(format("--name: \"{}\" is no name for this object", printable(*given)), {},
                     format("lower-case letters, digits, dashes{}, {} at most: for example {}",
                            most == deploy::kMostLabel ? "" : " and dots", most,
                            deploy::stable_name(*given, most)));
}

Result<ExportTarget> Export::target(const std::string& fallback, std::size_t most) const {
  ExportTarget target;
  TRY_ASSIGN(target.name, name(fallback, most));
  const auto given = arguments_.value("--namespace");
  if (!given) return target;
  if (!profile::is_object_name(*given) || given->size() > deploy::kMostLabel ||
      given->find('.') != std::string::npos) {
    return input_error(format("--namespace: \"{}\" is no name of a namespace", printable(*given)),
                       {}, "lower-case letters, digits and dashes, 63 at most");
  }
  if (!of_cluster()) target.name_space = *given;
  return target;
}

std::string Export::together() const {
  const auto& operands = arguments_.operands();
  if (operands.size() != 1) return "seccomp-profiles";
  if (items_.size() == 1) return "seccomp-" + items_[0].profile.name;
  std::string directory = operands[0];
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  return "seccomp-" + directory.substr(directory.rfind('/') + 1);
}

// The profiles -----------------------------------------------------------------------------------

Result<std::string> Export::own_name(const profile::Document& document,
                                     const std::string& p) const {
  // Of several objects --name is that of what they are in.
  const bool own = is(kSeccompProfile) || p == "-";
  if (own && arguments_.value("--name")) return name("", deploy::kMostProfileName);
  const std::string stem = profile_stem(document, p);
  if (stem.empty()) return input_error("- needs a name", {}, "add --name NAME");
  return deploy::stable_name(stem, deploy::kMostProfileName);
}

Result<Item> Export::read_one(const std::string& p) const {
  profile::ReadOptions options;
  TRY_ASSIGN(options.setting, setting_of(arguments_));
  options.dialect = profile::Dialect::kDocker;
  TRY_ASSIGN(const LoadedInput input, load_input(p, options));
  if (!input.document) {
    return input_error("this is a BPF program, and a profile as a document is needed here",
                       input.place);
  }
  for (const std::string& warning : input.document->warnings) print_warning(warning);
  Item item;
  item.p = p;
  TRY_ASSIGN(item.profile.name, own_name(*input.document, p));
  profile::ConvertSettings settings;
  settings.setting = options.setting;
  settings.said = {arguments_.value("--caps").has_value(), arguments_.value("--kernel").has_value(),
                   arguments_.value("--arch").has_value()};
  settings.by_runtime = flavour_of(arguments_) != filter::Flavour::kNative;
  settings.name = item.profile.name;
  if (is(kSeccompProfile)) {
    TRY_ASSIGN(const ExportTarget own, target(item.profile.name, deploy::kMostProfileName));
    settings.name_space = own.name_space;
  }
  TRY_ASSIGN(profile::Conversion made, profile::convert(*input.document, form(), settings));
  TRY(prove_conversion(*input.document, p, made, form(), settings, arguments_));
  item.profile.text = std::move(made.text);
  item.object = std::move(made.value);
  item.lost = std::move(made.lost);
  return item;
}

Result<void> Export::read() {
  TRY_ASSIGN(const std::vector<std::string> files, profile_files(arguments_.operands()));
  if (is(kSeccompProfile) && files.size() != 1 && arguments_.value("--name")) {
    return input_error("--name is for one SeccompProfile");
  }
  std::map<std::string, std::string> taken;
  for (const std::string& p : files) {
    TRY_ASSIGN(Item item, read_one(p));
    if (const auto [at, fresh] = taken.emplace(item.profile.name, p); !fresh) {
      return input_error(format("{} and {} would both be called {}", printable(at->second),
                                printable(p), item.profile.name),
                         {}, "rename one, or export them one by one");
    }
    items_.push_back(std::move(item));
    if (files.size() > 10) show_progress(format("read {} of {}", items_.size(), files.size()));
  }
  end_progress();
  std::sort(items_.begin(), items_.end(),
            [](const Item& a, const Item& b) { return a.profile.name < b.profile.name; });
  return {};
}

// The Localhost profiles of a patch or a policy: those given by path, and where a DaemonSet of the
// same profiles puts them.
Result<std::vector<std::string>> Export::listed() const {
  std::vector<std::string> paths;
  for (const std::string& path : arguments_.values("--localhost-profile")) {
    if (auto named = deploy::check_profile_name(path); !named) {
      return input_error(format("--localhost-profile: {}", named.error().message), {},
                         "a path below the kubelet's directory: profiles/nginx.json");
    }
    paths.push_back(path);
  }
  const std::string prefix = into().empty() ? "" : into() + "/";
  for (const Item& item : items_) paths.push_back(prefix + item.profile.name + ".json");
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

// The objects ------------------------------------------------------------------------------------

void Export::say_paths(Exported& made) const {
  if (items_.size() > 10) return;
  for (const Item& item : items_) {
    const std::string directory = is(kSeccompProfile) ? "operator" : into();
    made.notes.push_back(
        format("in a pod: seccompProfile: {{type: Localhost, localhostProfile: {}{}.json}}",
               directory.empty() ? "" : directory + "/", item.profile.name));
  }
}

Result<Exported> Export::seccomp_profiles() {
  Exported made;
  for (Item& item : items_) made.objects.push_back(std::move(item.object));
  if (of_cluster() || !arguments_.value("--namespace")) {
    if (arguments_.value("--namespace")) {
      made.notes.emplace_back(
          "a SeccompProfile of v1 belongs to the cluster: --namespace is left out");
    }
    say_paths(made);
  } else {
    made.notes.emplace_back(
        "SeccompProfile objects belong to the cluster since version 0.9 of the operator: "
        "--namespace is for older ones, and their path is operator/NAMESPACE/NAME.json");
  }
  return made;
}

Result<Exported> Export::config_maps() {
  TRY_ASSIGN(const ExportTarget own, target(together(), kMostMapName));
  std::vector<deploy::ExportProfile> profiles;
  for (const Item& item : items_) profiles.push_back(item.profile);
  Exported made;
  TRY_ASSIGN(made.objects, deploy::config_maps(profiles, own));
  if (made.objects.size() > 1) {
    made.notes.push_back(format("{}: together they are larger than `kubectl apply` takes one",
                                plural(made.objects.size(), "ConfigMap")));
  }
  if (is(kConfigMap)) {
    made.notes.emplace_back("a ConfigMap alone reaches no node: --as DaemonSet installs it there");
  }
  return made;
}

Result<Exported> Export::daemon_set() {
  TRY_ASSIGN(const ExportTarget own, target(together(), deploy::kMostLabel));
  TRY_ASSIGN(Exported made, config_maps());
  deploy::InstallerSettings settings;
  settings.plain = arguments_.flag("--plain");
  settings.image = arguments_.value_or(
      "--image", settings.plain ? kBusyboxImage : format("whittle:{}", version()));
  settings.pause_image = arguments_.value_or("--pause-image", kPauseImage);
  settings.into = into();
  Value set = deploy::installer(made.objects, settings, own);
  made.objects.push_back(std::move(set));
  if (settings.plain) {
    made.notes.emplace_back(
        "a plain copy compiles nothing first and keeps no previous version: leave out --plain for "
        "that");
  } else if (!arguments_.value("--image")) {
    made.notes.push_back(
        format("the image {} is made by `make image`: give the name under which "
               "your nodes can pull it with --image",
               settings.image));
  }
  made.notes.emplace_back(
      "the init container writes to /var/lib/kubelet/seccomp as the user 0, without any "
      "capability: another user could only if a group of his owned that directory");
  made.notes.emplace_back(
      "hostPath needs a namespace whose Pod Security level is privileged, as kube-system's");
  say_paths(made);
  return made;
}

Result<Exported> Export::patch() {
  TRY_ASSIGN(const std::vector<std::string> paths, listed());
  if (paths.size() != 1) {
    return input_error(format("a patch sets one profile, and here are {}", paths.size()));
  }
  TRY_ASSIGN(const ExportTarget own,
             target(items_.empty() ? "workload" : items_[0].profile.name, kMostName));
  const std::string kind = arguments_.value_or("--kind", "Deployment");
  Exported made;
  const auto containers = arguments_.values("--container");
  for (const std::string& container : containers) {
    if (profile::is_object_name(container) && container.size() <= deploy::kMostLabel &&
        container.find('.') == std::string::npos) {
      continue;
    }
    return input_error(
        format("--container: \"{}\" is no name of a container", printable(container)));
  }
  made.objects.push_back(deploy::profile_patch(kind, paths[0], containers, own));
  if (containers.empty()) {
    made.notes.emplace_back("a container with a seccompProfile of its own keeps that");
  }
  if (kind == "Pod") {
    made.notes.emplace_back("the profile of a pod that is there can't be changed: patch it before");
  }
  return made;
}

Result<Exported> Export::labels() {
  const auto named = arguments_.value("--namespace");
  TRY_ASSIGN(const ExportTarget own, target(named.value_or(""), deploy::kMostLabel));
  if (!named && !arguments_.value("--name")) {
    return input_error("--as Namespace: which one? Say it with --name");
  }
  const std::string pss = arguments_.value_or("--pss", "restricted");
  const std::string level = pss.substr(0, pss.find(':'));
  const std::string version = level.size() == pss.size() ? "latest" : pss.substr(level.size() + 1);
  const auto parts = split(version.starts_with('v') ? version.substr(1) : version, '.');
  const bool numbers = version.starts_with('v') && parts.size() == 2 && parts[0] == "1" &&
                       parse_u64(parts[1]).has_value();
  if ((level != "restricted" && level != "baseline" && level != "privileged") ||
      (version != "latest" && !numbers)) {
    return input_error(
        format("--pss: \"{}\" is no level of the Pod Security Standards", printable(pss)), {},
        "restricted, baseline or privileged, and a version: restricted:v1.34");
  }
  Exported made;
  made.objects.push_back(deploy::namespace_labels(level, version, own.name));
  if (level != "restricted") {
    made.notes.push_back(format(
        "{} does not ask for a seccomp profile: restricted does, or --as {}", level, kPolicy));
  }
  return made;
}

Result<Exported> Export::policy() {
  TRY_ASSIGN(const ExportTarget own, target("seccomp-profile-required", kMostName));
  TRY_ASSIGN(const std::vector<std::string> paths, listed());
  if (paths.size() > kMostListed) {
    return input_error(
        format("a policy lists {} profiles at most, and here are {}", kMostListed, paths.size()));
  }
  Exported made;
  made.objects = deploy::admission_policy(paths, api_version(), own);
  made.notes.emplace_back(
      api_version() == "v1"
          ? "admissionregistration.k8s.io/v1 is there from Kubernetes 1.30 on: --api-version "
            "v1beta1 "
            "is for 1.28 and 1.29, with the feature switched on"
          : "admissionregistration.k8s.io/v1beta1 is off unless the API server was told otherwise: "
            "from 1.30 on take v1");
  made.notes.push_back(own.name_space.empty()
                           ? "bound to every namespace but kube-system; --namespace binds it to one"
                           : format("bound to the namespace {} alone", own.name_space));
  return made;
}

Result<Exported> Export::run() {
  TRY(check());
  if (is(kNamespace)) return labels();
  TRY(read());
  if (is(kSeccompProfile)) return seccomp_profiles();
  if (is(kConfigMap)) return config_maps();
  if (is(kDaemonSet)) return daemon_set();
  if (is(kPatch)) return patch();
  return policy();
}

}  // namespace whittle::cli
