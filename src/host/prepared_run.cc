#include "host/prepared_run.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/process.h"
#include "base/text.h"

namespace whittle::host {

namespace {

std::vector<std::string> own_environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

// With those of the workload in place of others of the same name.
std::vector<std::string> environment_of(const WorkloadRun& run, bool with_ours) {
  std::vector<std::string> all = with_ours ? own_environment() : std::vector<std::string>();
  for (const auto& [name, value] : run.environment) {
    std::erase_if(
        all, [&name = name](const std::string& entry) { return entry.starts_with(name + "="); });
    all.push_back(format("{}={}", name, value));
  }
  return all;
}

std::string current_directory() {
  std::error_code unknown;
  std::string path = std::filesystem::current_path(unknown).string();
  return unknown ? "/" : path;
}

Result<Bundle> bundle_of(const WorkloadRun& run, const std::string& profile_json) {
  if (!run.bundle.empty()) return Bundle::of_bundle(run.bundle, profile_json);
  ContainerSpec spec;
  spec.argv = run.command;
  spec.profile_json = profile_json;
  spec.no_new_privileges = run.no_new_privileges;
  spec.uid = run.uid.value_or(0);
  spec.gid = run.gid.value_or(0);
  spec.environment = environment_of(run, run.rootfs.empty());
  if (!run.rootfs.empty()) {
    if (!run.directory.empty()) spec.directory = run.directory;
    return Bundle::of_rootfs(run.rootfs, spec);
  }
  spec.directory = run.directory.empty() ? current_directory() : run.directory;
  TRY(find_program(run.command.at(0)));  // the files in the container are the host's
  return Bundle::create(spec);
}

}  // namespace

Result<PreparedRun> PreparedRun::prepare(const WorkloadRun& run, RunFilter filter) {
  PreparedRun prepared;
  if (run.runtime.empty()) {
    TRY(prepared.prepare_natively(run, std::move(filter)));
  } else {
    TRY(prepared.prepare_container(run, filter));
  }
  return prepared;
}

Result<void> PreparedRun::prepare_natively(const WorkloadRun& run, RunFilter filter) {
  TRY_ASSIGN(launch_.program, find_program(run.command.at(0)));
  // A relative path is meant from where we are, not from where it starts.
  if (!run.directory.empty()) {
    std::error_code unknown;
    launch_.program = std::filesystem::absolute(launch_.program, unknown).string();
  }
  launch_.argv = run.command;
  launch_.directory = run.directory;
  if (!run.environment.empty()) launch_.environment = environment_of(run, true);
  launch_.filter = std::move(filter.program);
  launch_.no_new_privileges = run.no_new_privileges;
  if (run.uid) launch_.user = std::pair(*run.uid, run.gid.value_or(*run.uid));
  command_ = run.command;
  return {};
}

Result<void> PreparedRun::prepare_container(const WorkloadRun& run, const RunFilter& filter) {
  TRY_ASSIGN(Runtime runtime, find_runtime(run.runtime));
  TRY_ASSIGN(Bundle bundle, bundle_of(run, filter.profile_json));
  container_.reset(new Container{std::move(runtime), std::move(bundle)});
  TRY_ASSIGN(launch_, run_spec(container_->runtime, container_->bundle));
  command_ = container_->bundle.command();
  root_ = container_->bundle.root();
  return {};
}

void PreparedRun::end() {
  if (container_ && !std::exchange(ended_, true)) {
    delete_container(container_->runtime, container_->bundle);
  }
}

PreparedRun::~PreparedRun() { end(); }

}  // namespace whittle::host
