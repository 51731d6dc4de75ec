// What is wrong with manifests: the seccomp profile that each container will run under, the Pod
// Security Standards, and the profiles that the manifests carry. docs/kube-check.md has a section
// for each rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/manifest.h"
#include "deploy/pod_security.h"
#include "deploy/yaml_edit.h"
#include "review/lint.h"

namespace whittle::deploy {

// The profiles that pods may name: the files below a directory that stands for the kubelet's
// seccomp directory (/var/lib/kubelet/seccomp).
struct ProfileFiles {
  std::string directory;
  std::vector<std::string> paths;  // relative to it, sorted
};
Result<ProfileFiles> read_profile_files(const std::string& directory);

struct CheckSettings {
  std::optional<ProfileFiles> profiles;
  std::optional<Standard> standard;  // asked for, besides those of namespace labels
  // Of objects that name none.
  std::string name_space = "default";
  review::LintSettings lint;
};

struct KubeFinding {
  review::Finding finding;
  std::size_t document = 0;  // counted from 1
  std::string kind;
  std::string name_space;  // as written; empty: none
  std::string name;
  std::string container;  // empty: the pod, or no pod at all
};

// The profile that a container will run under.
struct InForce {
  enum class What : std::uint8_t { kUnset, kRuntimeDefault, kLocalhost, kUnconfined, kInvalid };
  What what = What::kUnset;
  std::string path;           // of kLocalhost
  bool of_container = false;  // its own setting, not the pod's
  bool privileged = false;    // seccomp is off whatever is written
};
InForce in_force(const Pod& pod, const Container& container);
// "RuntimeDefault", "Localhost profiles/x.json", "Unconfined (privileged)", "unset"
std::string in_force_text(const InForce& profile);

struct ContainerReport {
  std::string file;
  const Object* object = nullptr;  // of the manifest
  std::string container;
  Container::Kind kind = Container::Kind::kNormal;
  std::string pointer;
  std::uint32_t line = 0;
  InForce profile;
};

struct CheckResult {
  std::vector<KubeFinding> findings;  // by file, document and line
  std::vector<ContainerReport> containers;
};
// The manifests belong together: a Namespace with labels counts for the pods of all of them. They
// must outlive the result.
CheckResult check(const std::vector<Manifest>& manifests, const CheckSettings& settings);

// What --fix edits: pods without a profile or with a bad one, and containers that undo it.
std::vector<EditTarget> targets_to_fix(const Manifest& manifest);

// The rules that are not lint's; sorted by id.
const std::vector<review::LintRuleInfo>& kube_rules();

}  // namespace whittle::deploy
