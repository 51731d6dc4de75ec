#include "deploy/export.h"

#include <algorithm>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"
#include "profile/kubernetes.h"

namespace whittle::deploy {

namespace {

using json::Array;
using json::Object;
using json::Value;

// The rest of an object beside its values, and what a client adds to it.
constexpr std::size_t kOverhead = 8U << 10U;

Value metadata(std::string name, const ExportTarget& target) {
  Value value;
  value.set("name", std::move(name));
  if (!target.name_space.empty()) value.set("namespace", target.name_space);
  value.set("labels", Object{{"app.kubernetes.io/managed-by", "whittle"},
                             {"app.kubernetes.io/instance", stable_name(target.name, kMostLabel)}});
  return value;
}

Value config_map(Value data, std::size_t number, const ExportTarget& target) {
  std::string name = target.name;
  if (number > 1) name += format("-{}", number);
  Value value;
  value.set("apiVersion", "v1").set("kind", "ConfigMap");
  value.set("metadata", metadata(std::move(name), target)).set("data", std::move(data));
  return value;
}

std::string name_of(const Value& object) {
  return *object.find("metadata")->find("name")->string();
}

}  // namespace

std::string stable_name(std::string_view text, std::size_t most) {
  constexpr std::size_t kHash = 8;
  std::string name = profile::object_name(text);
  constexpr std::size_t kMostName = 253;  // where object_name() cuts
  if (name.size() <= most && text.size() <= kMostName) return name;
  name.resize(std::min(name.size(), most - kHash - 1));
  return profile::object_name(name) + "-" + sha256(text).substr(0, kHash);
}

Result<std::vector<Value>> config_maps(std::span<const ExportProfile> profiles,
                                       const ExportTarget& target) {
  std::vector<Value> made;
  Value data;
  std::size_t size = 0;
  const auto close = [&] {
    if (!data.is_null()) made.push_back(config_map(std::move(data), made.size() + 1, target));
    data = Value();
    size = 0;
  };
  for (const ExportProfile& profile : profiles) {
    const std::string key = profile.name + ".json";
    if (profile.text.size() > kMostConfigMap) {
      return input_error(format("a profile of {} bytes does not fit into a ConfigMap, which "
                                "holds {}",
                                profile.text.size(), kMostConfigMap),
                         profile.name, "is it meant to be this large? See `whittle show`");
    }
    // As a member of the JSON that `kubectl apply` keeps in an annotation, where it is quoted.
    const std::size_t member = json::quote(key).size() + json::quote(profile.text).size() + 2;
    if (size + member > kMostAnnotations - kOverhead) close();
    data.set(key, profile.text);
    size += member;
  }
  close();
  return made;
}

Value installer(std::span<const Value> config_maps, const InstallerSettings& settings,
                const ExportTarget& target) {
  constexpr const char* kProfiles = "/profiles";
  constexpr const char* kHost = "/host/seccomp";
  std::string contents;
  Array sources;
  for (const Value& map : config_maps) {
    contents += json::dump_compact(*map.find("data")) + "\n";
    sources.emplace_back(Object{{"configMap", Object{{"name", name_of(map)}}}});
  }
  const std::string directory =
      settings.into.empty() ? kHost : format("{}/{}", kHost, settings.into);
  // A reader sees the old file or the new one: renamed when it is whole and on the disk.
  const std::string script = format(
      "set -eu\n"
      "umask 022\n"
      "mkdir -p {0}\n"
      "for from in {1}/*.json; do\n"
      "  to={0}/${{from##*/}}\n"
      "  cp \"$from\" \"$to.new\"\n"
      "  chmod 0644 \"$to.new\"\n"
      "  sync\n"
      "  mv -f \"$to.new\" \"$to\"\n"
      "done\n",
      directory, kProfiles);
  Array command = {"/whittle", "install", kProfiles, "--root", kHost};
  if (!settings.into.empty()) {
    command.emplace_back("--into");
    command.emplace_back(settings.into);
  }
  if (settings.plain) command = {"/bin/sh", "-c", script};
  const auto locked = [](unsigned user) {
    return Object{{"runAsUser", user},
                  {"runAsGroup", user},
                  {"runAsNonRoot", user != 0},
                  {"privileged", false},
                  {"allowPrivilegeEscalation", false},
                  {"readOnlyRootFilesystem", true},
                  {"capabilities", Object{{"drop", Array{"ALL"}}}}};
  };
  constexpr unsigned kNobody = 65535;  // the user of the pause image
  const Value labels = Object{{"app.kubernetes.io/name", "whittle-install"},
                              {"app.kubernetes.io/instance", stable_name(target.name, kMostLabel)}};
  Value init =
      Object{{"name", "install"},
             {"image", settings.image},
             {"command", std::move(command)},
             {"securityContext", locked(0)},
             {"resources", Object{{"requests", Object{{"cpu", "10m"}, {"memory", "32Mi"}}},
                                  {"limits", Object{{"memory", "256Mi"}}}}},
             {"volumeMounts",
              Array{Object{{"name", "profiles"}, {"mountPath", kProfiles}, {"readOnly", true}},
                    Object{{"name", "seccomp"}, {"mountPath", kHost}}}}};
  Value pause = Object{{"name", "pause"},
                       {"image", settings.pause_image},
                       {"securityContext", locked(kNobody)},
                       {"resources", Object{{"requests", Object{{"cpu", "1m"}, {"memory", "8Mi"}}},
                                            {"limits", Object{{"memory", "16Mi"}}}}}};
  Value pod = Object{
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"nodeSelector", Object{{"kubernetes.io/os", "linux"}}},
      {"tolerations", Array{Object{{"operator", "Exists"}}}},
      {"securityContext", Object{{"seccompProfile", Object{{"type", "RuntimeDefault"}}}}},
      {"initContainers", Array{std::move(init)}},
      {"containers", Array{std::move(pause)}},
      {"volumes",
       Array{Object{{"name", "profiles"}, {"projected", Object{{"sources", std::move(sources)}}}},
             Object{{"name", "seccomp"},
                    {"hostPath", Object{{"path", "/var/lib/kubelet/seccomp"},
                                        {"type", "DirectoryOrCreate"}}}}}}};
  Value value;
  value.set("apiVersion", "apps/v1").set("kind", "DaemonSet");
  value.set("metadata", metadata(target.name, target));
  value.set("spec",
            Object{{"selector", Object{{"matchLabels", labels}}},
                   {"template",
                    Object{{"metadata", Object{{"labels", labels},
                                               // New profiles make a new pod on every node.
                                               {"annotations", Object{{"whittle/profiles-sha256",
                                                                       sha256(contents)}}}}},
                           {"spec", std::move(pod)}}}});
  return value;
}

Value namespace_labels(std::string_view level, std::string_view version, std::string_view name) {
  Value labels;
  for (const char* mode : {"enforce", "audit", "warn"}) {
    const std::string key = format("pod-security.kubernetes.io/{}", mode);
    labels.set(key, level).set(key + "-version", version);
  }
  return Object{{"apiVersion", "v1"},
                {"kind", "Namespace"},
                {"metadata", Object{{"name", name}, {"labels", std::move(labels)}}}};
}

// Patches ----------------------------------------------------------------------------------------

namespace {

struct PatchKind {
  const char* kind;
  const char* api_version;
  std::vector<const char*> path;  // of the pod's spec
};

const std::vector<PatchKind>& all_patch_kinds() {
  static const std::vector<PatchKind> all = {
      {"Deployment", "apps/v1", {"spec", "template", "spec"}},
      {"StatefulSet", "apps/v1", {"spec", "template", "spec"}},
      {"DaemonSet", "apps/v1", {"spec", "template", "spec"}},
      {"ReplicaSet", "apps/v1", {"spec", "template", "spec"}},
      {"ReplicationController", "v1", {"spec", "template", "spec"}},
      {"Job", "batch/v1", {"spec", "template", "spec"}},
      {"CronJob", "batch/v1", {"spec", "jobTemplate", "spec", "template", "spec"}},
      {"Pod", "v1", {"spec"}},
      {"PodTemplate", "v1", {"template", "spec"}},
  };
  return all;
}

}  // namespace

std::vector<std::string> patch_kinds() {
  std::vector<std::string> kinds;
  for (const PatchKind& each : all_patch_kinds()) kinds.emplace_back(each.kind);
  return kinds;
}

Value profile_patch(std::string_view kind, std::string_view localhost_profile,
                    std::span<const std::string> containers, const ExportTarget& target) {
  const auto& kinds = all_patch_kinds();
  const auto at = std::find_if(kinds.begin(), kinds.end(),
                               [kind](const PatchKind& each) { return each.kind == kind; });
  const Value context = Object{
      {"seccompProfile", Object{{"type", "Localhost"}, {"localhostProfile", localhost_profile}}}};
  Value spec;
  Array named;
  for (const std::string& container : containers) {
    named.emplace_back(Object{{"name", container}, {"securityContext", context}});
  }
  if (named.empty()) {
    spec.set("securityContext", context);
  } else {
    spec.set("containers", std::move(named));
  }
  for (auto key = at->path.rbegin(); key != at->path.rend(); ++key) {
    spec = Object{{*key, std::move(spec)}};
  }
  Value names = Object{{"name", target.name}};
  if (!target.name_space.empty()) names.set("namespace", target.name_space);
  Value value =
      Object{{"apiVersion", at->api_version}, {"kind", at->kind}, {"metadata", std::move(names)}};
  for (json::Member& member : *spec.object()) value.set(member.first, std::move(member.second));
  return value;
}

}  // namespace whittle::deploy
