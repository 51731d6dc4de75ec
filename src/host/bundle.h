// A container made from the host's own directories, to run a command under a container runtime
// without an image. What the bundle holds, why, and its limits: docs/containers.md.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/json.h"
#include "base/result.h"

namespace whittle::host {

struct ContainerSpec {
  std::vector<std::string> argv;  // argv[0] is resolved in the container's PATH by the runtime
  std::string profile_json;       // the profile, put into config.json unmodified; empty: no seccomp
  bool no_new_privileges = true;
  unsigned uid = 0;  // other users than root get the capabilities as bounds only, as Docker does
  unsigned gid = 0;
  std::optional<std::vector<std::string>> capabilities = {};  // nullopt: Docker's default 14
  std::vector<std::string> environment;  // "NAME=value"; Docker's default PATH is added to it when
                                         // it names none
  std::string directory = "/";           // must exist: a runtime would make it, on the host
  // Extra read-only bind mounts: (host path, container path). The container path must exist, since
  // the runtime would make it, in the host's own directories; or its first component must not.
  std::vector<std::pair<std::string, std::string>> binds;
};

// An OCI bundle (runtime-spec config.json and rootfs) under a temporary directory: the root file
// system is the host's top-level directories bind-mounted read-write, network and pid namespaces
// are the host's, capabilities are Docker's default 14 or those given. Removed when it goes; the
// container must be gone. A mount that is left below it is detached first; if that fails nothing is
// removed, because removal could reach the host's files through it. Move-only.
class Bundle {
 public:
  // Needs no privilege. Errors of kind input: a bad profile text (place "profile"), a directory or
  // a bind that does not exist.
  static Result<Bundle> create(const ContainerSpec& spec);
  // The same with a root file system of its own in place of the host's (`binds` are not looked at):
  // proc, sys, dev and what belongs to them are mounted as Docker does, the pid namespace is its
  // own, the network the host's. Errors, kind input: no such directory; `spec.directory` is none in
  // it.
  static Result<Bundle> of_rootfs(const std::string& rootfs, const ContainerSpec& spec);
  // An OCI bundle as it is, but for: linux.seccomp, which becomes the profile (empty: none); a
  // terminal, which whittle has not to give; and paths relative to the bundle, which become
  // absolute. The bundle itself is not changed. Errors, kind input: config.json is missing, or no
  // runtime-spec document.
  static Result<Bundle> of_bundle(const std::string& bundle, const std::string& profile_json);
  ~Bundle();
  Bundle(Bundle&&) noexcept = default;
  Bundle& operator=(Bundle&&) = delete;

  const std::string& path() const { return directory_.path(); }
  const std::string& id() const { return id_; }  // the container id to use: "whittle-PID-N"
  // The process of config.json with another command: what a runtime's `exec --process` takes.
  json::Value process(const std::vector<std::string>& argv) const;
  // Where the runtime keeps its state of this container and of no other.
  std::string state_path() const { return path() + "/state"; }
  // An empty directory for a wrapper of the runtime to mount over.
  std::string null_path() const { return path() + "/null"; }
  unsigned uid() const { return uid_; }
  // Its root file system; empty: the host's own directories.
  const std::string& root() const { return root_; }
  // What it runs: argv of config.json.
  std::vector<std::string> command() const;

 private:
  Bundle(TemporaryDirectory directory, std::string id)
      : directory_(std::move(directory)), id_(std::move(id)) {}
  static Result<Bundle> make();  // empty
  Result<void> write_config(const json::Value& config);
  TemporaryDirectory directory_;
  std::string id_;
  unsigned uid_ = 0;
  std::string root_;
  json::Value process_;  // of config.json
};

}  // namespace whittle::host
