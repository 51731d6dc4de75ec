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
  std::string name;     // empty when its manager gives it none
  std::string runtime;  // "runc", "crun"
  std::string manager;  // "docker", "podman", "containerd", "cri-o"; empty: the runtime alone
  std::string image;    // as its manager names it; may be empty
  std::string bundle;   // the directory of its config.json
  std::vector<std::string> command;  // what it starts, as its config.json says; may be empty
  pid_t pid = 0;                     // its first process, which runs
  bool filtered = false;             // its runtime puts it under a seccomp filter
  // Where it is alone: the first is the one to tell it by. Empty: it shares its cgroups with others
  // in every hierarchy.
  std::vector<CgroupRef> cgroups;
};

// Where runtimes and managers keep state. of_host(): host/container_places.h; it may be a second
// old.
struct StatePlaces {
  std::vector<std::string> runtime_roots;     // hold ID/state.json or ID/status
  std::vector<std::string> containerd_roots;  // hold io.containerd.runtime.v2.task
  std::vector<std::string> docker_data = {"/var/lib/docker"};
  std::vector<std::string> podman_storage = {"/var/lib/containers/storage"};
  static StatePlaces of_host();
};

// Those whose first process runs, sorted by id; each once. What we may not read is left out.
std::vector<Container> containers(const Cgroups& cgroups,
                                  const StatePlaces& places = StatePlaces::of_host());

// Whether it is the one that a person calls `wanted`: by its id, its name, or twelve digits or more
// of its id.
bool is_called(const Container& container, std::string_view wanted);
// What can be said of a container by its cgroup's path alone, which names its id: "/docker/9f6c",
// "/system.slice/docker-9f6c.scope", "/libpod_parent/libpod-9f6c". Only id, name, image and manager
// are set. Its manager keeps its name from before it starts until after it ends, so that this can
// be said when no process of it is there. nullopt: its id is in no state that we know of.
std::optional<Container> container_of_cgroup(const std::string& path,
                                             const StatePlaces& places = StatePlaces::of_host());
// The id that the path names; not each cgroup's last name is one.
std::string id_in_cgroup_path(std::string_view path);

// The one that is meant: the full id first, else the name, else the only one whose id begins so.
// Errors, kind input: none, or several; the hint lists what there is.
Result<Container> find_container(std::span<const Container> all, const std::string& wanted);

}  // namespace whittle::host
