#include "record/audit_containers.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "host/containers.h"

namespace whittle::record {

namespace {

constexpr ino_t kFirstPidNamespace = 0xeffffffc;  // PROC_PID_INIT_INO, include/linux/proc_ns.h
constexpr std::size_t kMostKnown = 4096;
constexpr double kFreshSeconds = 1;
constexpr std::int64_t kSlack = 20;  // milliseconds: audit stamps come from a coarse clock

std::int64_t milliseconds(clockid_t clock) {
  timespec time = {};
  ::clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

// When the process started, in milliseconds since the boot: field 22 of /proc/PID/stat, proc(5).
std::optional<std::int64_t> start_of(std::uint32_t pid) {
  const auto text = read_file(format("/proc/{}/stat", pid), 4096);
  if (!text) return std::nullopt;
  const std::size_t name = text->rfind(')');  // the name itself may hold anything
  if (name == std::string::npos || name + 2 > text->size()) return std::nullopt;
  const std::vector<std::string> fields = split(text->substr(name + 2), ' ');
  constexpr std::size_t kStart = 22 - 3;  // the first field here is the third
  if (fields.size() <= kStart) return std::nullopt;
  const auto ticks = parse_u64(fields[kStart]);
  if (!ticks) return std::nullopt;
  return static_cast<std::int64_t>(*ticks) * 1000 / ::sysconf(_SC_CLK_TCK);
}

}  // namespace

AuditContainers::AuditContainers() {
  struct stat own = {};
  usable_ = ::stat("/proc/self/ns/pid", &own) == 0 && own.st_ino == kFirstPidNamespace;
  booted_ = milliseconds(CLOCK_REALTIME) - milliseconds(CLOCK_BOOTTIME);
  if (auto cgroups = host::Cgroups::of_host()) cgroups_ = *std::move(cgroups);
}

std::string AuditContainers::of_cgroup(const std::string& path) {
  const auto known = paths_.find(path);
  if (known != paths_.end()) return known->second;
  const auto name_of = [](const host::Container& container) {
    return container.name.empty() ? container.id : container.name;
  };
  std::string found;
  if (const auto container = host::container_of_cgroup(path)) found = name_of(*container);
  if (found.empty() && path != "/") {
    for (const host::Container& container : host::containers(*cgroups_)) {
      for (const host::CgroupRef& own : container.cgroups) {
        if (found.empty() && host::path_within(path, own.path)) found = name_of(container);
      }
    }
  }
  if (paths_.size() >= kMostKnown) paths_.clear();
  paths_[path] = found;
  return found;
}

std::string AuditContainers::of_process(std::uint32_t pid) {
  const auto memberships = host::memberships(static_cast<pid_t>(pid));
  if (!memberships) return {};
  for (const host::CgroupMembership& membership : *memberships) {
    std::string found = of_cgroup(membership.path);
    if (!found.empty()) return found;
  }
  return {};
}

std::string AuditContainers::of(const AuditRecord& record) {
  if (!usable_ || !cgroups_ || record.pid == 0 || record.stamp.time < booted_) return {};
  const double now = monotonic_seconds();
  const auto known = processes_.find(record.pid);
  if (known != processes_.end() && now - known->second.at < kFreshSeconds) {
    return record.stamp.time + kSlack >= known->second.started ? known->second.container
                                                               : std::string();
  }
  Known fresh;
  fresh.at = now;
  const auto start = start_of(record.pid);
  if (start) {
    fresh.started = booted_ + *start;
    fresh.container = of_process(record.pid);
    if (start_of(record.pid) != start) fresh.container.clear();  // another took its id
  }
  if (processes_.size() >= kMostKnown) processes_.clear();
  processes_[record.pid] = fresh;
  return record.stamp.time + kSlack >= fresh.started ? fresh.container : std::string();
}

}  // namespace whittle::record
