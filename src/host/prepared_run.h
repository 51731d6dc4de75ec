// A workload ready to be launched: as a program of this host, or as a container.
//
//   TRY_ASSIGN(PreparedRun prepared, PreparedRun::prepare(workload.run, {program, document}));
//   TRY_ASSIGN(Launched child, launch(prepared.launch()));
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "filter/program.h"
#include "host/launch.h"
#include "host/runtime.h"
#include "host/workload.h"

namespace whittle::host {

// The filter in both forms: which one counts depends on how the workload runs.
struct RunFilter {
  std::optional<filter::Program>
      program;               // natively: loaded between fork and execve; nullopt: none
  std::string profile_json;  // in a container: what config.json gets, unmodified; empty: none
};

// Owns the bundle of a container, and whatever is left of the container. Move-only.
class PreparedRun {
 public:
  // A run with a runtime and neither root file system nor bundle is a container made of this host's
  // own directories, with our environment (docs/containers.md). Errors: of kind input what is
  // wrong with the run (no such program, directory or bundle), of kind environment what is missing
  // here (the runtime, root).
  static Result<PreparedRun> prepare(const WorkloadRun& run, RunFilter filter);
  PreparedRun(PreparedRun&&) noexcept = default;
  PreparedRun& operator=(PreparedRun&&) = delete;
  ~PreparedRun();  // end()

  const LaunchSpec& launch() const { return launch_; }
  const std::vector<std::string>& command() const { return command_; }  // the workload's own
  // Where its root file system is; empty: it is ours.
  const std::string& root() const { return root_; }
  // nullptr: natively.
  const Runtime* runtime() const { return container_ ? &container_->runtime : nullptr; }
  // Kills and removes all that there is of the container. Natively nothing. Idempotent.
  void end();

 private:
  struct Container {
    Runtime runtime;
    Bundle bundle;
  };
  PreparedRun() = default;
  Result<void> prepare_natively(const WorkloadRun& run, RunFilter filter);
  Result<void> prepare_container(const WorkloadRun& run, const RunFilter& filter);

  std::unique_ptr<Container> container_;
  bool ended_ = false;
  LaunchSpec launch_;
  std::vector<std::string> command_;
  std::string root_;
};

}  // namespace whittle::host
