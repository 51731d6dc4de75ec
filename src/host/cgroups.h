// The cgroup hierarchies of this host, v1, v2 or both (cgroups(7)), and which of them tells a
// container from everything else.
//
// A host has one v2 hierarchy at most, and on "hybrid" and v1 hosts one v1 hierarchy for each group
// of controllers. A process has a path in each of them. A runtime that does not know of one leaves
// its containers there in a path that they share with others (crun on a hybrid host: v2), so the
// hierarchy to tell a container by must be chosen: one in which the path is its own.
//
//   TRY_ASSIGN(const Cgroups cgroups, Cgroups::of_host());
//   for (const CgroupRef& ref : cgroups.own(1234, {{"*", "/docker/9f6c"}})) ...
//   for (const pid_t pid : cgroups.processes(ref)) ...
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "host/mounts.h"

namespace whittle::host {

// One cgroup of one hierarchy, as the kernel knows it.
struct CgroupRef {
  std::uint32_t hierarchy = 0;  // the first field of /proc/PID/cgroup; 0 is v2
  // The id of its kernfs node: the inode number of the directory, which is all of the id where
  // inode numbers have 64 bits (include/linux/kernfs.h, kernfs_ino()). Never used twice.
  std::uint64_t id = 0;
  std::string path;  // within the hierarchy, as in /proc/PID/cgroup: "/docker/9f6c"
  bool operator==(const CgroupRef& other) const {
    return hierarchy == other.hierarchy && id == other.id;
  }
};

// One line of /proc/PID/cgroup.
struct CgroupMembership {
  std::uint32_t hierarchy = 0;
  std::vector<std::string> controllers;  // "pids", "name=systemd"; none for v2
  std::string path;
};
// Lines that are not understood are left out.
std::vector<CgroupMembership> parse_memberships(std::string_view text);
// Of a process; an error when it has gone.
Result<std::vector<CgroupMembership>> memberships(pid_t pid);

// Whether `path` is `ancestor` or below it: "/a/b" is within "/a" and "/a/b" and "/", not "/a/bc".
bool path_within(std::string_view path, std::string_view ancestor);

class Cgroups {
 public:
  struct Hierarchy {
    std::uint32_t id = 0;
    std::vector<std::string> controllers;  // none: v2
    std::string point;                     // the directory where it is mounted
    std::string root;                      // the path that this directory stands for: "/"
    bool is_v2() const { return controllers.empty(); }
    bool has(std::string_view controller) const;
  };

  // Errors, kind environment: none is mounted.
  static Result<Cgroups> of_host();
  // From the mounts and the memberships of any process. Hierarchies that are not mounted are left
  // out: their directories cannot be seen.
  static Cgroups from(const std::vector<Mount>& mounts,
                      const std::vector<CgroupMembership>& process);

  // In the order in which a container is looked for: v2, pids, freezer, then the others by id.
  const std::vector<Hierarchy>& hierarchies() const { return hierarchies_; }

  // The cgroup of that path in that hierarchy; nullopt when it does not exist or cannot be seen.
  std::optional<CgroupRef> at(const Hierarchy& hierarchy, const std::string& path) const;
  // What a person names: a directory below a mount ("/sys/fs/cgroup/pids/a") or a path within a
  // hierarchy ("/a"). Of several hierarchies that have such a path it is the first that has
  // processes there, else the first. Errors, kind input: none has it; it is a root, which holds
  // everything.
  Result<CgroupRef> find(const std::string& path) const;
  // Where a container is alone. `paths`: what its runtime says it made, by controller ("" is v2; a
  // directory below the mount or a path within the hierarchy), or one path for all of them under
  // the key "*". A path is the container's own when the runtime made it, it is no root, and the
  // container's first process is in it or below it. In the order of hierarchies(): the first is the
  // one to tell it by.
  std::vector<CgroupRef> own(pid_t first_process,
                             const std::map<std::string, std::string>& paths) const;

  // The processes in it and its descendants, sorted; those that come and go meanwhile may be left
  // out. Empty when the cgroup has gone.
  std::vector<pid_t> processes(const CgroupRef& cgroup) const;
  // Whether it is there; one that has gone held no process any more.
  bool exists(const CgroupRef& cgroup) const;
  // Its directory; empty when its hierarchy is not mounted.
  std::string directory(const CgroupRef& cgroup) const;

 private:
  std::optional<std::string> path_of(const Hierarchy& hierarchy, const std::string& path) const;
  std::string directory(const Hierarchy& hierarchy, const std::string& path) const;
  std::vector<Hierarchy> hierarchies_;
};

}  // namespace whittle::host
