// Baselines: the default profiles of runtimes, resolved for a setting. data/baselines/.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "profile/profile.h"
#include "syscalls/arch.h"

namespace whittle::profile {

struct KernelVersion {
  unsigned major = 0;
  unsigned minor = 0;
  auto operator<=>(const KernelVersion&) const = default;
};

// The setting in which a document with conditions is read.
struct Setting {
  syscalls::Arch arch = syscalls::Arch::kX86_64;  // native: kX86_64 or kAarch64
  std::set<std::string> caps;                     // the bounding set: "CAP_CHOWN", ...
  KernelVersion kernel{6, 1};
};

// The 14 capabilities of a Docker container by default (moby: oci/caps/defaults.go).
const std::set<std::string>& docker_default_caps();

// Reads a Docker-dialect document (moby/profiles: seccomp.json; facts in docs/profile.md) for a
// setting: archMap, includes and excludes by caps, arches and minKernel. A plain OCI document is one
// without conditions and reads the same.
Result<Profile> resolve_docker(std::string_view text, std::string_view place,
                               const Setting& setting);

// "docker@29.4.3", or "docker" for the newest known. Unknown: an error with what is known.
Result<Profile> baseline(std::string_view id, const Setting& setting);
std::vector<std::string> baseline_ids();
// The default of `generate --base`: today's Docker default.
std::string_view default_baseline_id();

}  // namespace whittle::profile
