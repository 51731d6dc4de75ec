// Baselines: the default profiles of runtimes, resolved for a setting. The data is in
// data/baselines/, its format in docs/baselines.md.
#pragma once

#include <compare>
#include <optional>
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
// "6.18"; what follows a second dot or a minus is left out ("6.18.44-cloud" of uname(2)).
std::optional<KernelVersion> kernel_version(std::string_view text);

// The setting in which a document with conditions is read.
struct Setting {
  syscalls::Arch arch = syscalls::Arch::kX86_64;  // native: kX86_64 or kAarch64
  // The bounding set: "CAP_CHOWN", ... nullopt: what the runtime of the baseline gives a container
  // by default; for a document, what Docker gives.
  std::optional<std::set<std::string>> caps;
  KernelVersion kernel{6, 1};
};

// The 14 capabilities of a Docker container by default (moby: oci/caps/defaults.go).
const std::set<std::string>& docker_default_caps();

// Reads a Docker-dialect document (moby/profiles: seccomp.json; facts in docs/profile.md) for a
// setting: archMap, includes and excludes by caps, arches and minKernel. A plain OCI document is
// one without conditions and reads the same.
Result<Profile> resolve_docker(std::string_view text, std::string_view place,
                               const Setting& setting);

// "docker@29.4.3"; "docker@29.4" or "docker@29" for the newest known of those, "docker" for the
// newest of all. Known runtimes: docker, containerd, podman, cri-o; every release of theirs from
// the first known one on is known. Anything else, a newer version among it, is an error (kind
// input) that names the nearest known one: what a later release brings is not guessed.
Result<Profile> baseline(std::string_view id, const Setting& setting);
// Every known version, by runtime, then from old to new: "containerd@1.5.0", ...
std::vector<std::string> baseline_ids();
// The default of `generate --base`: today's Docker default.
std::string_view default_baseline_id();

}  // namespace whittle::profile
