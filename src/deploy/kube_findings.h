// How the parts of kube check report what they find. See kube_check.h.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deploy/kube_check.h"

namespace whittle::deploy {

// Takes the findings about one object.
class Reporter {
 public:
  Reporter(const std::string& file, const Object& object, std::vector<KubeFinding>& findings)
      : file_(file), object_(object), findings_(findings) {}

  // At a value that is there.
  void at(std::string_view rule, const json::View& place, const std::string& container,
          std::string message, std::string fix);
  void at(std::string_view rule, review::Severity severity, std::string pointer, std::uint32_t line,
          const std::string& container, std::string message, std::string fix);
  // A finding of lint about a profile within the object.
  void take(review::Finding finding);

  const std::string& file() const { return file_; }
  const Object& object() const { return object_; }

 private:
  const std::string& file_;
  const Object& object_;
  std::vector<KubeFinding>& findings_;
};

review::Severity severity_of(std::string_view rule);

// What all manifests together say.
struct Surroundings {
  // Paths below the kubelet's seccomp directory that objects of the manifests bring.
  std::set<std::string> brought;
  // Names of profiles in ConfigMaps, which something may copy to any path there.
  std::set<std::string> carried;
};

// kube_seccomp.cc: the profile of each container.
void check_seccomp(const Pod& pod, const CheckSettings& settings, const Surroundings& surroundings,
                   Reporter& reporter);
// The file of the directory that a localhostProfile means: by its path, or by its path from the
// directory's parent when it begins with the directory's own name.
std::optional<std::string> given_file(const ProfileFiles& files, const std::string& path);
// kube_namespace.cc: labels of a Namespace, and the standards that they set by mode ("enforce",
// "audit", "warn").
using Labels = std::map<std::string, Standard>;
Labels check_namespace(const Object& object, Reporter& reporter);
// kube_profiles.cc: profiles in ConfigMaps and SeccompProfile objects, and OCI documents.
bool is_oci(const Object& object);
void check_profiles(const Manifest& manifest, const Object& object, const CheckSettings& settings,
                    Reporter& reporter);
// Profiles of `settings.profiles` that a pod names, each once.
void check_profile_file(const std::string& path, const CheckSettings& settings, Reporter& reporter);
void add_brought(const Object& object, Surroundings& surroundings);

}  // namespace whittle::deploy
