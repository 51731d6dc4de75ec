#include "deploy/manifest.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/yaml.h"

namespace whittle::deploy {

namespace {

using json::View;

constexpr json::Limits kLimits = {64U << 20U, 64, 2'000'000};
constexpr std::size_t kMostObjects = 100'000;
constexpr std::size_t kDeepestPod = 16;  // how far below an object pods are looked for

constexpr std::array<std::string_view, 9> kWorkloads = {
    "CronJob",    "DaemonSet",   "Deployment", "Job",
    "Pod",        "PodTemplate", "ReplicaSet", "ReplicationController",
    "StatefulSet"};

struct ContainerList {
  std::string_view key;
  Container::Kind kind;
};
constexpr std::array kLists = {
    ContainerList{"initContainers", Container::Kind::kInit},
    ContainerList{"containers", Container::Kind::kNormal},
    ContainerList{"ephemeralContainers", Container::Kind::kEphemeral},
};

Result<void> add_object(const View& view, std::size_t document, bool in_list, Manifest& manifest) {
  if (!view.value().is_object()) {
    return view.error("an object of Kubernetes is expected here, not " +
                      std::string(view.value().type_name()));
  }
  Object object{document,
                view,
                text_of(view, "apiVersion"),
                text_of(view, "kind"),
                text_of(view, "metadata.name"),
                text_of(view, "metadata.namespace")};
  const auto items = member(view, "items");
  if (!in_list && object.kind.ends_with("List") && items && items->value().is_array()) {
    TRY_ASSIGN(const auto all, items->items());
    for (const View& item : all) TRY(add_object(item, document, true, manifest));
    return {};
  }
  if (manifest.objects.size() >= kMostObjects) return view.error("more than 100,000 objects");
  manifest.objects.push_back(std::move(object));
  return {};
}

Result<std::vector<json::Value>> read_documents(std::string_view text, const std::string& file) {
  if (trim(text).starts_with('{')) {
    auto value = json::parse(text, file, kLimits);
    if (value) return std::vector<json::Value>{*std::move(value)};
    // A flow mapping of YAML begins likewise.
    auto documents = yaml::parse_all(text, file, kLimits);
    const std::string_view inside = trim(trim(text).substr(1));
    if (documents || !inside.starts_with('"')) return documents;
    return tl::unexpected(value.error());
  }
  auto documents = yaml::parse_all(text, file, kLimits);
  if (!documents && text.find("{{") != std::string_view::npos) {
    documents.error().hint =
        "a template is no manifest: give what `helm template` or `kustomize build` prints";
  }
  return documents;
}

// Whether a member of an unknown kind looks like the containers of a pod.
bool looks_like_containers(const json::Value& value) {
  const json::Array* items = value.array();
  return items != nullptr && !items->empty() &&
         std::all_of(items->begin(), items->end(), [](const json::Value& item) {
           const json::Value* name = item.find("name");
           const json::Value* image = item.find("image");
           return (name != nullptr && name->string() != nullptr) ||
                  (image != nullptr && image->string() != nullptr);
         });
}

Pod make_pod(const View& spec, std::optional<View> metadata, std::vector<View>* malformed) {
  Pod pod{spec, std::move(metadata), {}, text_of(spec, "os.name") == "windows", true};
  if (const auto host_users = member(spec, "hostUsers")) {
    const bool* value = host_users->value().boolean();
    pod.host_users = value == nullptr || *value;
  }
  for (const auto& [key, kind] : kLists) {
    const auto list = member(spec, key);
    if (!list) continue;
    const auto items = list->items();
    if (!items) {
      if (malformed != nullptr) malformed->push_back(*list);
      continue;
    }
    for (const View& item : *items) {
      if (item.value().is_object()) {
        pod.containers.push_back({kind, item, text_of(item, "name")});
      } else if (malformed != nullptr) {
        malformed->push_back(item);
      }
    }
  }
  return pod;
}

// Below an object of a kind that is not known: what looks like a pod.
void find_pods(const View& view, std::size_t depth, std::vector<Pod>& pods,
               std::vector<View>* malformed) {
  if (depth > kDeepestPod) return;
  if (const auto items = view.items()) {
    for (const View& item : *items) find_pods(item, depth + 1, pods, malformed);
    return;
  }
  const auto members = view.members();
  if (!members) return;
  for (const auto& [key, child] : *members) {
    const json::Value* containers = child.value().find("containers");
    if (containers != nullptr && looks_like_containers(*containers)) {
      pods.push_back(
          make_pod(child, key == "spec" ? member(view, "metadata") : std::nullopt, malformed));
    } else {
      find_pods(child, depth + 1, pods, malformed);
    }
  }
}

// Where the kinds of Kubernetes have their pod: what holds its metadata and its spec.
std::string_view pod_path(std::string_view kind) {
  if (kind == "Pod") return "";
  if (kind == "PodTemplate") return "template";
  if (kind == "CronJob") return "spec.jobTemplate.spec.template";
  return "spec.template";
}

}  // namespace

std::optional<View> member(const View& view, std::string_view key) {
  if (!view.value().is_object()) return std::nullopt;
  auto found = view.find(key);
  if (!found || !*found || (*found)->value().is_null()) return std::nullopt;
  return **found;
}

std::optional<View> member_at(const View& view, std::string_view path) {
  std::optional<View> at = view;
  while (at && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    at = member(*at, path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return at;
}

std::string text_of(const View& view, std::string_view path) {
  const auto at = member_at(view, path);
  const std::string* text = at ? at->value().string() : nullptr;
  return text == nullptr ? std::string() : *text;
}

Result<Manifest> read_manifest(std::string text, const std::string& file) {
  Manifest manifest;
  manifest.file = file;
  manifest.text = std::move(text);
  TRY_ASSIGN(manifest.documents, read_documents(manifest.text, file));
  for (std::size_t i = 0; i < manifest.documents.size(); ++i) {
    if (manifest.documents[i].is_null()) continue;
    TRY(add_object(View(manifest.documents[i], file), i + 1, false, manifest));
  }
  return manifest;
}

std::string_view container_kind_name(Container::Kind kind) {
  switch (kind) {
    case Container::Kind::kInit:
      return "init";
    case Container::Kind::kEphemeral:
      return "ephemeral";
    case Container::Kind::kNormal:
      break;
  }
  return "container";
}

bool is_workload_kind(std::string_view kind) {
  return std::find(kWorkloads.begin(), kWorkloads.end(), kind) != kWorkloads.end();
}

std::vector<Pod> pods_of(const Object& object, std::vector<View>* malformed) {
  std::vector<Pod> pods;
  if (is_workload_kind(object.kind)) {
    const auto holder = member_at(object.view, pod_path(object.kind));
    const auto spec = holder ? member(*holder, "spec") : std::nullopt;
    if (spec && spec->value().is_object()) {
      pods.push_back(make_pod(*spec, member(*holder, "metadata"), malformed));
    } else if (malformed != nullptr) {
      malformed->push_back(spec ? *spec : object.view);
    }
    return pods;
  }
  find_pods(object.view, 0, pods, malformed);
  return pods;
}

}  // namespace whittle::deploy
