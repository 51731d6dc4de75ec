// Mounts of a mount namespace, as /proc/PID/mountinfo lists them (proc_pid_mountinfo(5)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace whittle::host {

struct Mount {
  std::string root;                        // what of the file system is mounted: "/" for all
  std::string point;                       // where
  std::string type;                        // "ext4", "cgroup2"
  std::vector<std::string> super_options;  // of the file system: "rw", "pids"
};

// Lines that are not understood are left out. The order is the kernel's: of two mounts on one point
// the later one is on top.
std::vector<Mount> parse_mounts(std::string_view mountinfo);
// Of our own mount namespace.
Result<std::vector<Mount>> own_mounts();

}  // namespace whittle::host
