// The containers that run on this host, from the state that their runtimes keep:
//
//   runc    ROOT/ID/state.json       ROOT: /run/runc, a user's $XDG_RUNTIME_DIR/runc,
//   crun    ROOT/ID/status                 the same with crun; what containerd's shims use
//   containerd's shims   STATE/io.containerd.runtime.v2.task/NAMESPACE/ID, whose options.json names
//                        the ROOT (containerd, runtime/v2/runc/options)
//
// Docker, containerd, Podman and CRI-O all start their containers through one of these; their names
// come from Docker's config.v2.json, Podman's containers.json, and the annotations of the bundle.
// No daemon is asked and nothing is changed. State is read as hostile input: bounded, and what does
// not hold together is left out.
//
//   TRY_ASSIGN(const Cgroups cgroups, Cgroups::of_host());
//   TRY_ASSIGN(const Container web, find_container(containers(cgroups), "web"));
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "host/cgroups.h"

namespace whittle::host {

struct Container {
  std::string id;
  std::string name;        // empty when its manager gives it none
  std::string runtime;     // "runc", "crun"
  std::string manager;     // "docker", "podman", "containerd", "cri-o"; empty: the runtime alone
  std::string image;       // as its manager names it; may be empty
  std::string bundle;      // the directory of its config.json
  pid_t pid = 0;           // its first process, which runs
  CgroupRef cgroup;        // where it is alone
  bool has_cgroup = true;  // false: it shares its cgroups with others in every hierarchy
};

// Where runtimes keep state. The defaults are those of this host.
struct StatePlaces {
  std::vector<std::string> runtime_roots;     // hold ID/state.json or ID/status
  std::vector<std::string> containerd_roots;  // hold io.containerd.runtime.v2.task
  std::string docker_data = "/var/lib/docker";
  static StatePlaces of_host();
};

// Those whose first process runs, sorted by id; each once. What we may not read is left out.
std::vector<Container> containers(const Cgroups& cgroups,
                                  const StatePlaces& places = StatePlaces::of_host());

// Whether a person who says `wanted` may mean this one: its id, the beginning of its id, its name.
bool matches(const Container& container, std::string_view wanted);
// The one that is meant: the full id first, else the name, else the only one whose id begins so.
// Errors, kind input: none, or several; the hint lists what there is.
Result<Container> find_container(std::span<const Container> all, const std::string& wanted);

}  // namespace whittle::host
