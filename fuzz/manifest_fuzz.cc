// Any bytes as a manifest. Its pods are looked at within the limits, and where a profile can be set
// in its text, the edited text differs as asked and in nothing else, and a second edit changes
// nothing. What differs is told here by leaves, independently of the edit's own proof.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

#include "base/text.h"
#include "deploy/kube_check.h"
#include "deploy/yaml_edit.h"

namespace {

using namespace whittle;

// Each leaf by its pointer; of a key that is a path of its own, by its quoted keys.
using Leaves = std::map<std::string, std::string>;

void add_leaves(const json::Value& value, const std::string& pointer, Leaves& leaves) {
  if (const json::Object* members = value.object()) {
    for (const auto& [key, child] : *members) {
      add_leaves(child, pointer + "/" + json::quote(key), leaves);
    }
  } else if (const json::Array* items = value.array()) {
    for (std::size_t i = 0; i < items->size(); ++i) {
      add_leaves((*items)[i], format("{}/{}", pointer, i), leaves);
    }
  } else if (!value.is_null()) {
    leaves[pointer] = json::dump_compact(value);
  }
}

Leaves leaves_of(const deploy::Manifest& manifest) {
  Leaves leaves;
  for (std::size_t i = 0; i < manifest.documents.size(); ++i) {
    add_leaves(manifest.documents[i], format("{}", i + 1), leaves);
  }
  return leaves;
}

bool is_profile(const std::string& pointer) {
  const std::string below = "/\"securityContext\"/\"seccompProfile\"/";
  return pointer.ends_with(below + "\"type\"") || pointer.ends_with(below + "\"localhostProfile\"");
}

void check_edit(const deploy::Manifest& manifest, const std::vector<deploy::EditTarget>& targets,
                const deploy::SeccompChoice& choice) {
  const auto edited = deploy::set_seccomp(manifest, targets, choice);
  if (!edited) {
    if (edited.error().kind == ErrorKind::kBug || edited.error().place.empty()) std::abort();
    return;
  }
  const auto read = deploy::read_manifest(*edited, "input");
  if (!read) std::abort();
  Leaves before = leaves_of(manifest);
  Leaves after = leaves_of(*read);
  std::erase_if(before, [](const auto& leaf) { return is_profile(leaf.first); });
  std::size_t types = 0;
  for (const auto& [pointer, value] : after) {
    types += static_cast<std::size_t>(pointer.ends_with("/\"type\"") && is_profile(pointer));
  }
  std::erase_if(after, [](const auto& leaf) { return is_profile(leaf.first); });
  if (before != after || (types == 0 && !targets.empty())) std::abort();
  const auto again = deploy::set_seccomp(*read, targets, choice);
  if (!again || *again != *edited) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 16384) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto manifest = deploy::read_manifest(text, "input");
  if (!manifest) {
    if (manifest.error().message.empty() || manifest.error().place.empty()) std::abort();
    return 0;
  }
  std::vector<deploy::EditTarget> pods;
  std::vector<deploy::EditTarget> containers;
  for (const deploy::Object& object : manifest->objects) {
    std::vector<json::View> malformed;
    for (const deploy::Pod& pod : deploy::pods_of(object, &malformed)) {
      pods.push_back({object.document, pod.spec.pointer()});
      for (const deploy::Container& container : pod.containers) {
        if (deploy::in_force_text(deploy::in_force(pod, container)).empty()) std::abort();
        containers.push_back({object.document, container.view.pointer()});
      }
      for (const unsigned minor : {0U, 18U, 25U, 34U, deploy::kLatest}) {
        for (const deploy::Violation& one :
             deploy::violations(pod, {deploy::Level::kRestricted, minor})) {
          if (one.message.empty() || one.fix.empty() || one.pointer.empty()) std::abort();
        }
      }
    }
  }
  check_edit(*manifest, pods, {});
  check_edit(*manifest, pods, {"profiles/a.json"});
  check_edit(*manifest, containers, {"b"});
  check_edit(*manifest, deploy::targets_to_fix(*manifest), {});
  return 0;
}
