// Kubernetes objects that carry seccomp profiles to nodes and pods, as values for yaml::dump().
//
// Facts: limits of objects in Kubernetes' pkg/apis/core/validation (a ConfigMap's values: 1 MiB in
// all; annotations: 256 KiB in all, of which `kubectl apply` without --server-side needs the whole
// object as one) and etcd's default --max-request-bytes (1.5 MiB); names in
// k8s.io/apimachinery/pkg/util/validation (RFC 1123: subdomain of 253, label of 63).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace whittle::deploy {

inline constexpr std::size_t kMostConfigMap = 1U << 20U;
inline constexpr std::size_t kMostObject = 3U << 19U;
inline constexpr std::size_t kMostAnnotations = 256U << 10U;
// Of a DNS label: a namespace, the value of a label.
inline constexpr std::size_t kMostLabel = 63;
// Of a profile: with ".json" it is a name that NodeStore takes.
inline constexpr std::size_t kMostProfileName = 195;

// A name for what is called `text` (profile::object_name()), at most `most` long: a longer one is
// cut and ends in a hash of the text, so that it stays the same, and different ones different.
std::string stable_name(std::string_view text, std::size_t most);

// A profile as the node is to have it.
struct ExportProfile {
  std::string name;  // the file is NAME.json; RFC 1123, at most kMostProfileName
  std::string text;  // OCI JSON
};

// What the objects of one export have in common.
struct ExportTarget {
  std::string name;
  std::string name_space;  // empty: that of whoever applies it
};

// The profiles as values of one ConfigMap, or of several (NAME, NAME-2, ...): as many as fit into
// one that can be applied in every way. A larger profile has one of its own. Errors: a profile over
// 1 MiB.
Result<std::vector<json::Value>> config_maps(std::span<const ExportProfile> profiles,
                                             const ExportTarget& target);

struct InstallerSettings {
  std::string image;        // has /whittle; with `plain` a shell, cp, chmod, mv
  std::string pause_image;  // what runs on when the profiles are there
  bool plain = false;       // copied, not installed by whittle
  std::string into;         // the directory below the kubelet's
};

// A DaemonSet that puts what is in these ConfigMaps on every node, again when it changes. The
// container that writes is an init container of the user 0 without capabilities; what runs on has
// neither user 0 nor the node's directory.
json::Value installer(std::span<const json::Value> config_maps, const InstallerSettings& settings,
                      const ExportTarget& target);

// The kinds that a patch is written for: Deployment, Pod, CronJob and others with a pod in them.
std::vector<std::string> patch_kinds();
// A strategic merge patch, for kustomize or `kubectl patch`, that sets the profile of the pod, or
// of the named containers alone.
json::Value profile_patch(std::string_view kind, std::string_view localhost_profile,
                          std::span<const std::string> containers, const ExportTarget& target);

// A Namespace with the labels of Pod Security Admission: enforce, audit and warn.
json::Value namespace_labels(std::string_view level, std::string_view version,
                             std::string_view name);

// A ValidatingAdmissionPolicy and its binding: a pod is admitted when each container runs under
// RuntimeDefault or one of these Localhost profiles. Bound to the namespace of the target; without
// one to all but kube-system. `version` is that of admissionregistration.k8s.io: v1, v1beta1.
std::vector<json::Value> admission_policy(std::span<const std::string> localhost_profiles,
                                          std::string_view version, const ExportTarget& target);

}  // namespace whittle::deploy
