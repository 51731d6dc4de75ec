// Container runtimes on this host (runc, crun) and running a command in a container made from the
// host's own directories.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/process.h"
#include "base/result.h"
#include "host/launch.h"

namespace whittle::host {

enum class RuntimeKind { kRunc, kCrun };

struct Runtime {
  RuntimeKind kind;
  std::string path;
  std::string version;     // "1.1.5+ds1"
  std::string libseccomp;  // as the runtime prints it, may be empty
};

// By name ("runc", "crun"), found in PATH. Missing: kind environment, with the package to install.
Result<Runtime> find_runtime(const std::string& name);

struct ContainerSpec {
  std::vector<std::string> argv;   // argv[0] is resolved in the container's PATH by the runtime
  std::string profile_json;        // the profile, put into config.json unmodified; empty: no seccomp
  bool no_new_privileges = true;
  unsigned uid = 0;
  unsigned gid = 0;
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory = "/";
  // Extra read-only bind mounts: (host path, container path).
  std::vector<std::pair<std::string, std::string>> binds;
};

// An OCI bundle (runtime-spec config.json and rootfs) under a temporary directory: the root file
// system is the host's top-level directories bind-mounted read-write, network and pid namespaces are
// the host's, capabilities are Docker's default 14. Removed when it goes; the container must be gone.
class Bundle {
 public:
  static Result<Bundle> create(const ContainerSpec& spec);
  const std::string& path() const { return directory_.path(); }
  const std::string& id() const { return id_; }  // the container id to use: "whittle-PID-N"

 private:
  explicit Bundle(TemporaryDirectory directory, std::string id)
      : directory_(std::move(directory)), id_(std::move(id)) {}
  TemporaryDirectory directory_;
  std::string id_;
};

// What to launch() so that the runtime runs the bundle in the foreground: argv of `RUNTIME run`.
// For crun before 1.9 on a host with hybrid cgroups it is wrapped so that /sys/fs/cgroup/unified is
// unmounted in a private mount namespace first (crun refuses such hosts).
Result<LaunchSpec> run_spec(const Runtime& runtime, const Bundle& bundle);
// The same for `RUNTIME exec ID argv...` in a running container.
Result<LaunchSpec> exec_spec(const Runtime& runtime, const Bundle& bundle,
                             const std::vector<std::string>& argv);
// The pid of the container's first process from `RUNTIME state`; nullopt when it is not running.
Result<std::optional<pid_t>> container_pid(const Runtime& runtime, const Bundle& bundle);
// Sends a signal to the container's first process.
Result<void> signal_container(const Runtime& runtime, const Bundle& bundle, int signal);
// Removes what the runtime left of the container, whatever its state. Never fails loudly.
void delete_container(const Runtime& runtime, const Bundle& bundle);

}  // namespace whittle::host
