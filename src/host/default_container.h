// A container started with the container manager that is installed here, under the seccomp profile
// that it gives when nobody asks for another, to read that profile back as the kernel holds it.
//
//   TRY_ASSIGN(const DefaultContainer container, DefaultContainer::start(Manager::kPodman));
//   TRY_ASSIGN(const auto filters, filter::read_back(container.pid()));
//
// No registry is asked and no image is kept: the root file system is one static program of ours,
// which waits. Docker gets it as an image that is removed again. The container has no network. It
// is removed with this value; should we be killed, it ends after a minute by itself.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace whittle::host {

// Docker and containerd are asked through their clients (docker, ctr), so that DOCKER_HOST and
// CONTAINERD_ADDRESS count.
enum class Manager { kPodman, kDocker, kContainerd };

std::string_view manager_name(Manager manager);  // "podman", "docker", "containerd"
std::optional<Manager> manager_from_name(std::string_view name);
// Those whose client is in PATH.
std::vector<Manager> installed_managers();

// The capabilities of a process's bounding set: "CAP_CHOWN", ... sorted; CAP_N for those newer than
// our table. Errors: no such process.
Result<std::vector<std::string>> bounding_caps(pid_t pid);

// Move-only.
class DefaultContainer {
 public:
  // Errors, kind environment: the client is missing, its daemon does not answer, the container does
  // not start; with what the client said.
  static Result<DefaultContainer> start(Manager manager);
  ~DefaultContainer();
  DefaultContainer(DefaultContainer&& other) noexcept;
  DefaultContainer& operator=(DefaultContainer&&) = delete;
  DefaultContainer(const DefaultContainer&) = delete;
  DefaultContainer& operator=(const DefaultContainer&) = delete;

  pid_t pid() const { return pid_; }
  Manager manager() const { return manager_; }
  const std::string& version() const {
    return version_;
  }  // "20.10.24+dfsg1", as the client says it
  const std::string& oci_runtime() const { return oci_runtime_; }  // "runc" or "crun"

 private:
  DefaultContainer(Manager manager, std::string name, TemporaryDirectory root);
  Result<void> run();
  Result<void> run_podman();
  Result<void> run_docker();
  Result<void> run_containerd();

  Manager manager_;
  std::string name_;  // of the container, and of Docker's image; empty: moved from
  TemporaryDirectory root_;
  std::string version_;
  std::string oci_runtime_;
  pid_t pid_ = 0;
};

}  // namespace whittle::host
