// The profile that each container will run under, and what is wrong with how it is set.
//
// Sources: the API's types (k8s.io/api core/v1 SecurityContext.seccompProfile and its validation:
// localhostProfile must be set for type Localhost and for no other, relative, without "..");
// kubelet: kuberuntime getSeccompProfile (the container's field, then the pod's, then
// SeccompDefault of the kubelet or Unconfined); containerd and CRI-O: no seccomp for privileged
// containers. The annotations are gone from API server and kubelet since 1.27.
#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "deploy/kube_findings.h"

namespace whittle::deploy {

namespace {

using json::View;
using review::Severity;
using What = InForce::What;

constexpr std::string_view kAnnotation = "seccomp.security.alpha.kubernetes.io/pod";
constexpr std::string_view kContainerAnnotation = "container.seccomp.security.alpha.kubernetes.io/";
constexpr std::string_view kField = "securityContext.seccompProfile";

// A seccompProfile as it is written.
struct Setting {
  What what = What::kUnset;
  std::string path;
  std::optional<View> view;
};

Setting setting_at(const View& owner) {
  Setting setting;
  setting.view = member_at(owner, kField);
  if (!setting.view) return setting;
  const std::string type = text_of(*setting.view, kType);
  setting.path = text_of(*setting.view, kPath);
  setting.what = type == "RuntimeDefault" ? What::kRuntimeDefault
                 : type == "Localhost"    ? What::kLocalhost
                 : type == "Unconfined"   ? What::kUnconfined
                                          : What::kInvalid;
  return setting;
}

bool is_privileged(const Container& container) {
  const auto view = member_at(container.view, "securityContext.privileged");
  const bool* value = view ? view->value().boolean() : nullptr;
  return value != nullptr && *value;
}

// "the pod", or the container by name, for messages.
std::string owner_name(const std::string& container) {
  return container.empty() ? "the pod" : "container " + printable(container);
}

bool escapes(const std::string& path) {
  const std::vector<std::string> parts = split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void check_path(const Setting& setting, const std::string& container, const CheckSettings& settings,
                const Surroundings& surroundings, Reporter& reporter) {
  const View& view = *setting.view;
  const View place = member(view, kPath).value_or(view);
  const std::string& path = setting.path;
  if (path.empty()) {
    reporter.at("localhost-without-path", view, container,
                "type Localhost without a localhostProfile: the API server refuses the pod",
                "name the file below the kubelet's seccomp directory, as in localhostProfile: "
                "profiles/nginx.json");
    return;
  }
  if (path.starts_with('/')) {
    reporter.at("localhost-absolute-path", place, container,
                format("localhostProfile {} is an absolute path: the API server refuses the pod",
                       printable(path)),
                "write it relative to /var/lib/kubelet/seccomp");
    return;
  }
  if (escapes(path)) {
    reporter.at("localhost-escaping-path", place, container,
                format("localhostProfile {} has \"..\" in it: the API server refuses the pod",
                       printable(path)),
                "write it without, below /var/lib/kubelet/seccomp");
    return;
  }
  const std::vector<std::string> parts = split(path, '/');
  if (parts.size() == 3 && parts[0] == "operator") {
    reporter.at("spo-old-path", place, container,
                format("{}: since 0.9 the Security Profiles Operator puts its profiles at "
                       "operator/NAME.json, without the namespace",
                       printable(path)),
                format("write localhostProfile: operator/{}", printable(parts[2])));
  }
  if (surroundings.brought.contains(path) || surroundings.carried.contains(base_name(path)) ||
      !settings.profiles) {
    return;
  }
  if (given_file(*settings.profiles, path)) return;
  std::string fix = "put the file there (`whittle install`), or name one that is";
  for (const std::string& one : settings.profiles->paths) {
    if (base_name(one) == base_name(path)) fix = format("did you mean {}?", printable(one));
  }
  reporter.at("localhost-unknown-file", place, container,
              format("there is no {} among the profiles of {}: on a node without it the container "
                     "can't be created (CreateContainerError)",
                     printable(path), printable(settings.profiles->directory)),
              std::move(fix));
}

void check_written(const Setting& setting, const std::string& container,
                   const CheckSettings& settings, const Surroundings& surroundings,
                   Reporter& reporter) {
  if (!setting.view) return;
  const View& view = *setting.view;
  if (setting.what == What::kInvalid) {
    const std::string type = text_of(view, kType);
    reporter.at("seccomp-unknown-type", member(view, kType).value_or(view), container,
                type.empty() ? "seccompProfile without a type: the API server refuses the pod"
                             : format("\"{}\" is no type of seccompProfile: the API server refuses "
                                      "the pod",
                                      printable(type)),
                "write RuntimeDefault, Localhost or Unconfined");
    return;
  }
  if (setting.what == What::kLocalhost) {
    check_path(setting, container, settings, surroundings, reporter);
  } else if (const auto path = member(view, kPath)) {
    reporter.at("path-without-localhost", *path, container,
                format("localhostProfile with type {}: the API server refuses the pod",
                       text_of(view, kType)),
                "write type: Localhost, or remove localhostProfile");
  }
}

// A file among the profiles that is named after the workload, the container or its image.
std::string tighter_for(const ProfileFiles& files, const Object& object,
                        const Container& container) {
  std::string image = text_of(container.view, "image");
  image = image.substr(0, image.find('@'));
  image = base_name(image);
  image = image.substr(0, image.find(':'));
  for (const std::string& name : {container.name, object.name, image}) {
    if (name.empty()) continue;
    for (const std::string& path : files.paths) {
      const std::string base = base_name(path);
      if (base == name + ".json" || base == name + ".profile.json") return path;
    }
  }
  return {};
}

void check_container(const Pod& pod, const Container& container, const Setting& of_pod,
                     const CheckSettings& settings, Reporter& reporter) {
  const Setting own = setting_at(container.view);
  const InForce profile = in_force(pod, container);
  const View place = own.view ? *own.view : of_pod.view.value_or(container.view);
  const std::string who = owner_name(container.name);
  if (profile.privileged) {
    const View at = *member_at(container.view, "securityContext.privileged");
    reporter.at(
        "privileged", at, container.name,
        format("{} is privileged: it runs without seccomp, whatever profile is written", who),
        "remove privileged, and add the capabilities that the program needs");
    return;
  }
  if (own.view && own.what == What::kUnconfined &&
      (of_pod.what == What::kRuntimeDefault || of_pod.what == What::kLocalhost)) {
    reporter.at("container-undoes-pod", place, container.name,
                format("{} sets Unconfined over the pod's profile: it runs without seccomp", who),
                "remove it: the pod's profile then counts (`whittle kube check --fix` sets it)");
    return;
  }
  if (own.view && own.what == What::kRuntimeDefault && of_pod.what == What::kLocalhost) {
    reporter.at(
        "container-undoes-pod", Severity::kWarning, place.pointer(), place.value().line(),
        container.name,
        format("{} sets RuntimeDefault over the pod's own profile {}", who, printable(of_pod.path)),
        "remove it, when the pod's profile is meant for this container too");
  }
  if (profile.what == What::kUnconfined) {
    reporter.at("seccomp-unconfined", place, container.name,
                format("{} runs without seccomp (Unconfined, set in the {})", who,
                       profile.of_container ? "container" : "pod"),
                "write type: RuntimeDefault, or a Localhost profile (`whittle kube check --fix`)");
  } else if (profile.what == What::kUnset) {
    reporter.at("seccomp-unset", place, container.name,
                format("no profile is set for {}: it runs without seccomp, unless the kubelet's "
                       "SeccompDefault is on, which makes it RuntimeDefault",
                       who),
                "write securityContext: {seccompProfile: {type: RuntimeDefault}} in the pod's spec "
                "(`whittle kube check --fix`)");
  } else if (profile.what == What::kRuntimeDefault && settings.profiles) {
    const std::string path = tighter_for(*settings.profiles, reporter.object(), container);
    if (path.empty()) return;
    reporter.at(
        "tighter-profile-given", place, container.name,
        format("{} runs under RuntimeDefault, and {} is given for it", who, printable(path)),
        format("write type: Localhost and localhostProfile: {0}, or `whittle kube patch "
               "--set localhost/{0}`",
               printable(path)));
  }
}

void check_annotations(const Pod& pod, bool has_fields, Reporter& reporter) {
  const auto annotations = pod.metadata ? member(*pod.metadata, "annotations") : std::nullopt;
  if (!annotations) return;
  const auto members = annotations->members();
  if (!members) return;
  for (const auto& [key, view] : *members) {
    if (key != kAnnotation && !key.starts_with(kContainerAnnotation)) continue;
    const std::string container = key == kAnnotation ? "" : key.substr(kContainerAnnotation.size());
    reporter.at("deprecated-annotation", has_fields ? Severity::kWarning : Severity::kError,
                view.pointer(), view.value().line(), container,
                format("the annotation {} says nothing since Kubernetes 1.27{}", printable(key),
                       has_fields ? "" : ", and no seccompProfile is set beside it"),
                "set securityContext.seccompProfile instead, and remove it");
  }
}

}  // namespace

InForce in_force(const Pod& pod, const Container& container) {
  const Setting own = setting_at(container.view);
  const Setting counts = own.view ? own : setting_at(pod.spec);
  return {counts.what, counts.path, own.view.has_value(), is_privileged(container)};
}

std::optional<std::string> given_file(const ProfileFiles& files, const std::string& path) {
  const auto has = [&](const std::string& one) {
    return std::binary_search(files.paths.begin(), files.paths.end(), one);
  };
  if (has(path)) return path;
  const std::size_t slash = path.find('/');
  const std::string own = std::filesystem::path(files.directory).lexically_normal().filename();
  if (slash == std::string::npos || path.substr(0, slash) != own) return std::nullopt;
  if (!has(path.substr(slash + 1))) return std::nullopt;
  return path.substr(slash + 1);
}

std::string in_force_text(const InForce& profile) {
  if (profile.privileged) return "Unconfined (privileged)";
  switch (profile.what) {
    case What::kRuntimeDefault:
      return "RuntimeDefault";
    case What::kLocalhost:
      return "Localhost " + profile.path;
    case What::kUnconfined:
      return "Unconfined";
    case What::kInvalid:
      return "invalid";
    case What::kUnset:
      break;
  }
  return "unset";
}

void check_seccomp(const Pod& pod, const CheckSettings& settings, const Surroundings& surroundings,
                   Reporter& reporter) {
  const Setting of_pod = setting_at(pod.spec);
  bool has_fields = of_pod.view.has_value();
  check_written(of_pod, {}, settings, surroundings, reporter);
  for (const Container& container : pod.containers) {
    const Setting own = setting_at(container.view);
    has_fields = has_fields || own.view.has_value();
    check_written(own, container.name, settings, surroundings, reporter);
    // Windows has no seccomp; the API server refuses the field there.
    if (!pod.windows) check_container(pod, container, of_pod, settings, reporter);
  }
  check_annotations(pod, has_fields, reporter);
}

std::vector<EditTarget> targets_to_fix(const Manifest& manifest) {
  std::vector<EditTarget> targets;
  for (const Object& object : manifest.objects) {
    for (const Pod& pod : pods_of(object)) {
      if (pod.windows) continue;
      const auto bad = [](What what) {
        return what == What::kUnset || what == What::kUnconfined || what == What::kInvalid;
      };
      bool pod_counts = false;  // for a container that has no setting of its own
      for (const Container& container : pod.containers) {
        const Setting own = setting_at(container.view);
        pod_counts = pod_counts || !own.view;
        if (own.view && bad(own.what)) {
          targets.push_back({object.document, container.view.pointer()});
        }
      }
      const What what = setting_at(pod.spec).what;
      if (bad(what) && (pod_counts || what != What::kUnset)) {
        targets.push_back({object.document, pod.spec.pointer()});
      }
    }
  }
  return targets;
}

}  // namespace whittle::deploy
