// From the process of a record to its container, while the process lives.
//
// A record names a process of the first pid namespace and no container. A process that has that id
// now is the one of the record when it started before the record was written; then its cgroup says
// which container it is in (host/containers.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "host/cgroups.h"
#include "record/audit_record.h"

namespace whittle::record {

class AuditContainers {
 public:
  AuditContainers();
  // Its name, or its id where it has no name. Empty: it is in none, has gone, or we are not in the
  // first pid namespace.
  std::string of(const AuditRecord& record);

 private:
  struct Known {
    double at = 0;  // when it was looked up, monotonic
    std::int64_t started = 0;
    std::string container;
  };
  std::string of_process(std::uint32_t pid);
  std::string of_cgroup(const std::string& path);

  bool usable_ = false;
  std::int64_t booted_ = 0;  // milliseconds since 1970
  std::optional<host::Cgroups> cgroups_;
  std::map<std::uint32_t, Known> processes_;
  std::map<std::string, std::string> paths_;
};

}  // namespace whittle::record
