// `whittle kube export`, from the command line to the objects; what they are is deploy/export.h's.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/verb.h"
#include "deploy/export.h"
#include "profile/convert.h"

namespace whittle::cli {

// The values of --as.
inline constexpr const char* kSeccompProfile = "SeccompProfile";
inline constexpr const char* kConfigMap = "ConfigMap";
inline constexpr const char* kDaemonSet = "DaemonSet";
inline constexpr const char* kPatch = "patch";
inline constexpr const char* kNamespace = "Namespace";
inline constexpr const char* kPolicy = "ValidatingAdmissionPolicy";

inline constexpr const char* kPauseImage = "registry.k8s.io/pause:3.10";

struct Exported {
  std::vector<json::Value> objects;
  std::vector<std::string> notes;  // for who applies them
};

// A profile that is exported: as OCI for ConfigMaps, or as an object of its own.
struct Item {
  std::string p;
  deploy::ExportProfile profile;
  json::Value object;
  std::vector<profile::Loss> lost;
};

// One export, from the command line to the objects.
class Export {
 public:
  explicit Export(const Arguments& arguments)
      : arguments_(arguments), kind_(arguments.value_or("--as", "")) {}

  // Errors: kind input, for a wrong command line or a bad profile.
  Result<Exported> run();
  const std::vector<Item>& items() const { return items_; }
  const std::string& kind() const { return kind_; }

 private:
  Result<void> check() const;
  bool is(const char* kind) const { return kind_ == kind; }
  bool carries() const { return is(kSeccompProfile) || is(kConfigMap) || is(kDaemonSet); }
  profile::Target form() const;
  std::string api_version() const;
  std::string into() const;
  bool of_cluster() const;
  Result<std::string> name(const std::string& fallback, std::size_t most) const;
  Result<deploy::ExportTarget> target(const std::string& fallback, std::size_t most) const;
  // What several profiles are called together.
  std::string together() const;

  Result<std::string> own_name(const profile::Document& document, const std::string& p) const;
  Result<void> read();
  Result<Item> read_one(const std::string& p) const;
  Result<std::vector<std::string>> listed() const;

  Result<Exported> seccomp_profiles();
  Result<Exported> config_maps();
  Result<Exported> daemon_set();
  Result<Exported> patch();
  Result<Exported> labels();
  Result<Exported> policy();
  void say_paths(Exported& made) const;

  const Arguments& arguments_;  // not owned
  std::string kind_;
  std::vector<Item> items_;
};

}  // namespace whittle::cli
