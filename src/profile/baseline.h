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
// newest of all; what a distribution puts behind a version ("20.10.24+dfsg1") is passed over. Known
// runtimes: docker, containerd, podman, cri-o; every release of theirs from the first known one on
// is known. Anything else, a newer version among it, is an error (kind input) that names the
// nearest known one: what a later release brings is not guessed.
struct ResolvedBaseline {
  std::string id;  // the release: "docker@24.0.9"
  // The release of its own branch that brought this profile, which is that of all in between:
  // "docker@24.0.3". The same as `id` when that one did.
  std::string since;
  Profile profile;
};
Result<ResolvedBaseline> resolve_baseline(std::string_view id, const Setting& setting);
Result<Profile> baseline(std::string_view id, const Setting& setting);

// "containerd", "cri-o", "docker", "podman"
std::vector<std::string> baseline_runtime_names();
// What the runtime gives a container when nothing else is asked for; empty for an unknown one.
std::set<std::string> baseline_default_caps(std::string_view runtime);

// A release whose default differs from that of the release before it (by version, not by date: a
// branch that is still cared for gets changes later than its successor's first release).
struct BaselineChange {
  std::string id;     // "docker@25.0.0"
  std::string last;   // the last release before the next change: "docker@25.0.2"
  std::string after;  // the release before it: "docker@24.0.9"; empty for the first known one
  // Calls that are allowed in some setting (capabilities, host, kernel) with some arguments, and
  // were not; were and no longer are; and others of which other rules hold. By what the rules say:
  // compare two resolved profiles for the exact difference in one setting.
  std::vector<std::string> added;
  std::vector<std::string> dropped;
  std::vector<std::string> changed;
  std::optional<Verdict> default_verdict;  // the new one, when it is another
};
// From old to new; empty for an unknown runtime.
std::vector<BaselineChange> baseline_changes(std::string_view runtime);

// Every known version, by runtime, then from old to new: "containerd@1.5.0", ...
std::vector<std::string> baseline_ids();
// The default of `generate --base`: today's Docker default.
std::string_view default_baseline_id();

}  // namespace whittle::profile
