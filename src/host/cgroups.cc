#include "host/cgroups.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListLimit = 16U << 20U;  // of one file of pids

// "/a/b/" and "a//b" are "/a/b". ".." is in no path of a cgroup: then the result is empty.
std::string normal(const std::string& path) {
  std::string result;
  for (const std::string& part : split(path, '/')) {
    if (part == "..") return {};
    if (!part.empty() && part != ".") result += "/" + part;
  }
  return result.empty() ? "/" : result;
}

// Where a container is looked for first. v2 is the hierarchy of the future; pids and freezer are
// never shared with other controllers and exist wherever v1 does.
int rank(const Cgroups::Hierarchy& hierarchy) {
  if (hierarchy.is_v2()) return 0;
  if (hierarchy.has("pids")) return 1;
  return hierarchy.has("freezer") ? 2 : 3;
}

// Whether a mount is one of the hierarchy.
bool shows(const Mount& mount, const CgroupMembership& hierarchy) {
  if (hierarchy.controllers.empty()) return mount.type == "cgroup2";
  const auto& options = mount.super_options;
  return mount.type == "cgroup" &&
         std::find(options.begin(), options.end(), hierarchy.controllers[0]) != options.end();
}

void add_pids(const std::string& file, std::set<pid_t>& pids) {
  const auto text = read_file(file, kListLimit);
  if (!text) return;
  for (const std::string& line : split(*text, '\n')) {
    if (const auto pid = parse_u64(line); pid && *pid > 0 && *pid <= INT32_MAX) {
      pids.insert(static_cast<pid_t>(*pid));
    }
  }
}

}  // namespace

bool path_within(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return path.starts_with('/');
  return path.starts_with(ancestor) &&
         (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

std::vector<CgroupMembership> parse_memberships(std::string_view text) {
  std::vector<CgroupMembership> result;
  for (const std::string& line : split(text, '\n')) {
    // hierarchy:controller,controller:path; a path may hold colons
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto id = parse_u64(std::string_view(line).substr(0, first));
    if (!id || *id > UINT32_MAX) continue;
    CgroupMembership membership;
    membership.hierarchy = static_cast<std::uint32_t>(*id);
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty()) membership.controllers = split(controllers, ',');
    membership.path = line.substr(second + 1);
    result.push_back(std::move(membership));
  }
  return result;
}

Result<std::vector<CgroupMembership>> memberships(pid_t pid) {
  TRY_ASSIGN(const std::string text, read_file(format("/proc/{}/cgroup", pid), 1U << 20U));
  return parse_memberships(text);
}

bool Cgroups::Hierarchy::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

Result<Cgroups> Cgroups::of_host() {
  TRY_ASSIGN(const auto mounted, own_mounts());
  TRY_ASSIGN(const auto text, read_file("/proc/self/cgroup", 1U << 20U));
  Cgroups cgroups = from(mounted, parse_memberships(text));
  if (cgroups.hierarchies_.empty()) {
    return environment_error("no cgroup hierarchy is mounted", "/proc/self/mountinfo",
                             "mount -t cgroup2 none /sys/fs/cgroup");
  }
  return cgroups;
}

Cgroups Cgroups::from(const std::vector<Mount>& mounts,
                      const std::vector<CgroupMembership>& process) {
  Cgroups cgroups;
  for (const CgroupMembership& membership : process) {
    std::optional<Hierarchy> found;
    for (const Mount& mount : mounts) {
      if (!shows(mount, membership)) continue;
      // A mount of the whole hierarchy sees more than one of a part of it.
      if (found && mount.root.size() >= found->root.size()) continue;
      found = {membership.hierarchy, membership.controllers, mount.point, mount.root};
    }
    if (found) cgroups.hierarchies_.push_back(*std::move(found));
  }
  std::sort(cgroups.hierarchies_.begin(), cgroups.hierarchies_.end(),
            [](const Hierarchy& a, const Hierarchy& b) {
              return std::make_pair(rank(a), a.id) < std::make_pair(rank(b), b.id);
            });
  return cgroups;
}

std::string Cgroups::directory(const Hierarchy& hierarchy, const std::string& path) const {
  if (!path_within(path, hierarchy.root)) return {};
  std::string below = hierarchy.root == "/" ? path : path.substr(hierarchy.root.size());
  if (below == "/") below.clear();
  return hierarchy.point + below;
}

std::string Cgroups::directory(const CgroupRef& cgroup) const {
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (hierarchy.id == cgroup.hierarchy) return directory(hierarchy, cgroup.path);
  }
  return {};
}

bool Cgroups::exists(const CgroupRef& cgroup) const {
  struct stat info = {};
  return ::lstat(directory(cgroup).c_str(), &info) == 0 && info.st_ino == cgroup.id;
}

// The path within the hierarchy of what is a directory below its mount, or such a path already.
std::optional<std::string> Cgroups::path_of(const Hierarchy& hierarchy,
                                            const std::string& path) const {
  const std::string text = normal(path);
  if (text.empty()) return std::nullopt;
  if (path_within(text, hierarchy.point)) {
    const std::string below = text.substr(hierarchy.point.size());
    if (hierarchy.root == "/") return below.empty() ? "/" : below;
    return hierarchy.root + below;
  }
  for (const Hierarchy& other : hierarchies_) {
    if (path_within(text, other.point)) return std::nullopt;
  }
  return text;
}

std::optional<CgroupRef> Cgroups::at(const Hierarchy& hierarchy, const std::string& path) const {
  const std::string place = directory(hierarchy, path);
  struct stat info = {};
  if (place.empty() || ::lstat(place.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return std::nullopt;
  }
  return CgroupRef{hierarchy.id, info.st_ino, path};
}

Result<CgroupRef> Cgroups::find(const std::string& path) const {
  std::optional<CgroupRef> found;
  for (const Hierarchy& hierarchy : hierarchies_) {
    const auto within = path_of(hierarchy, path);
    if (!within) continue;
    if (*within == "/") {
      return input_error("is the root of a cgroup hierarchy, which holds every process",
                         printable(path), "name a cgroup below it");
    }
    const auto candidate = at(hierarchy, *within);
    if (!candidate) continue;
    if (!processes(*candidate).empty()) return *candidate;
    if (!found) found = candidate;
  }
  if (found) return *found;
  return input_error("no such cgroup", printable(path),
                     "name a directory below a cgroup mount such as /sys/fs/cgroup/NAME, or a path "
                     "as in /proc/PID/cgroup");
}

std::vector<CgroupRef> Cgroups::own(pid_t first_process,
                                    const std::map<std::string, std::string>& paths) const {
  const auto process = memberships(first_process);
  if (!process) return {};
  std::vector<CgroupRef> refs;
  for (const Hierarchy& hierarchy : hierarchies_) {
    auto made = paths.find("*");
    if (hierarchy.is_v2() && made == paths.end()) made = paths.find("");
    for (const std::string& controller : hierarchy.controllers) {
      if (made == paths.end()) made = paths.find(controller);
    }
    if (made == paths.end()) continue;
    const auto path = path_of(hierarchy, made->second);
    if (!path || *path == "/") continue;
    for (const CgroupMembership& membership : *process) {
      if (membership.hierarchy != hierarchy.id || !path_within(membership.path, *path)) continue;
      if (auto ref = at(hierarchy, *path)) refs.push_back(*std::move(ref));
    }
  }
  return refs;
}

std::vector<pid_t> Cgroups::processes(const CgroupRef& cgroup) const {
  const std::string top = directory(cgroup);
  if (top.empty()) return {};
  std::set<pid_t> pids;
  const auto add = [&pids](const std::string& place) {
    const std::size_t before = pids.size();
    add_pids(place + "/cgroup.procs", pids);
    // A threaded cgroup of v2 lists threads only (cgroup-v2.rst, "Threads").
    if (pids.size() == before) add_pids(place + "/cgroup.threads", pids);
  };
  add(top);
  std::error_code error;
  for (fs::recursive_directory_iterator it(top, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) add(it->path().string());
  }
  return {pids.begin(), pids.end()};
}

}  // namespace whittle::host
