// Which of the containers that run here were started with which profile.
//
// containerd, CRI-O, Docker and Podman all copy a profile into the configuration that they give to
// the runtime (BUNDLE/config.json, linux.seccomp), so that is compared, not a path: two are the
// same when they mean the same to a runtime, rule by rule.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/containers.h"

namespace whittle::deploy {

class ProfileUsage {
 public:
  // Reads the configuration of each. One that can't be read counts in unreadable().
  explicit ProfileUsage(std::span<const host::Container> containers);

  // Those that were started with this document, by name, or by id without one.
  std::vector<std::string> users(std::string_view document) const;
  std::size_t unreadable() const { return unreadable_; }

 private:
  std::map<std::string, std::vector<std::string>> users_;  // by the document in canonical form
  std::size_t unreadable_ = 0;
};

}  // namespace whittle::deploy
