// Container runtimes on this host (runc, crun), and running a bundle with them
// (docs/containers.md).
//
//   TRY_ASSIGN(const Runtime runtime, find_runtime("runc"));
//   TRY_ASSIGN(const Bundle bundle, Bundle::create(spec));
//   TRY_ASSIGN(const LaunchSpec run, run_spec(runtime, bundle));
//   TRY_ASSIGN(Launched child, launch(run));     // and release it
//   TRY(signal_container(runtime, bundle, SIGTERM));
//   const ExitStatus status = child.wait();      // of the container's first process
//   delete_container(runtime, bundle);           // always, before the bundle goes
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "host/bundle.h"
#include "host/launch.h"

namespace whittle::host {

enum class RuntimeKind { kRunc, kCrun };

struct Runtime {
  RuntimeKind kind;
  std::string path;
  std::string version;     // "1.1.5+ds1"
  std::string libseccomp;  // as the runtime prints it ("2.5.4"), may be empty: crun prints none
};

// By name ("runc", "crun") found in PATH, or by a path that ends so. Another name: kind input.
// Missing: kind environment, with the package to install.
Result<Runtime> find_runtime(const std::string& name);

// What `RUNTIME --version` printed, as a Runtime without its path; nullopt when it is neither.
std::optional<Runtime> parse_runtime_version(std::string_view text);

// What to launch() so that the runtime runs the bundle in the foreground: argv of `RUNTIME run`.
// Its exit status is that of the container's first process (128 + the signal that ended it); 1 when
// there was none, with the reason on standard error. SIGTERM, SIGINT and SIGQUIT sent to it are
// passed on by both runtimes. Processes that the first one leaves behind: runc kills them and ends,
// crun waits for their end, so delete_container() to have it over. Under runc the container's
// streams are pipes to the runtime, under crun they are our own, given to the container's user (a
// log file of ours too; not the host's /dev/null). For crun it is wrapped, see runtime.cc: for
// hosts with hybrid cgroups, and for users but root. Errors of kind environment: not root.
Result<LaunchSpec> run_spec(const Runtime& runtime, const Bundle& bundle);
// The same for `RUNTIME exec ID argv...` in a running container: the same user, environment,
// capabilities and profile.
Result<LaunchSpec> exec_spec(const Runtime& runtime, const Bundle& bundle,
                             const std::vector<std::string>& argv);
// The pid of the container's first process from `RUNTIME state`; nullopt when it is not running
// (not yet, or no more).
Result<std::optional<pid_t>> container_pid(const Runtime& runtime, const Bundle& bundle);
// Sends a signal to the container's first process.
Result<void> signal_container(const Runtime& runtime, const Bundle& bundle, int signal);
// Removes what the runtime left of the container, whatever its state: processes, cgroups, state.
// Never fails loudly.
void delete_container(const Runtime& runtime, const Bundle& bundle);

}  // namespace whittle::host
