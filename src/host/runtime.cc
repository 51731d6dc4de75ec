#include "host/runtime.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "base/clock.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "host/kernel.h"

namespace whittle::host {

namespace {

// Two things of the host that crun needs changed, in a mount namespace of its own so that they
// change nowhere else. crun refuses a host with hybrid cgroups while the v2 tree holds controllers;
// with the tree out of sight it works with the v1 ones (and makes a directory where the tree was,
// hence a tmpfs). And crun (1.8 at least) gives the standard streams to the container's user. A
// stream on /dev/null it first opens anew inside the container, where our /dev is the host's: both
// the streams and /dev/null itself get a null device of our own.
constexpr const char* kWithoutUnified = "mount -t tmpfs whittle /sys/fs/cgroup/unified && ";
constexpr const char* kWithOwnNull = R"(mount -t tmpfs -o mode=0700,size=16k whittle "$0" &&
mknod -m 0666 "$0/null" c 1 3 || exit
if [ /dev/stdin -ef /dev/null ]; then exec <"$0/null"; fi
if [ /dev/stdout -ef /dev/null ]; then exec >"$0/null"; fi
if [ /dev/stderr -ef /dev/null ]; then exec 2>"$0/null"; fi
mount --bind "$0/null" /dev/null || exit
)";

// argv of crun, wrapped in what it needs. `streams`: it will start a process on our own ones.
std::vector<std::string> wrap_crun(std::vector<std::string> argv, const Bundle& bundle,
                                   bool streams) {
  std::string script;
  if (cgroup_mode() == CgroupMode::kHybrid) script += kWithoutUnified;
  if (streams && bundle.uid() != 0) script += kWithOwnNull;
  if (script.empty()) return argv;
  std::vector<std::string> wrapped = {
      "unshare", "--mount", "--propagation",        "private",
      "sh",      "-c",      script + "exec \"$@\"", bundle.null_path()};
  wrapped.insert(wrapped.end(), std::make_move_iterator(argv.begin()),
                 std::make_move_iterator(argv.end()));
  return wrapped;
}

// No command of a runtime but `run` and `exec` takes longer than a moment. This is for one that
// hangs; on a busy machine a moment may be many seconds.
constexpr double kLimit = 60;

std::vector<std::string> runtime_argv(const Runtime& runtime, const Bundle& bundle,
                                      const std::vector<std::string>& arguments, bool streams) {
  std::vector<std::string> argv = {runtime.path, "--root", bundle.state_path()};
  // runc's warnings (a cgroup that was busy for a moment) are no output of the workload. What makes
  // it fail it prints all the same; crun would not.
  if (runtime.kind == RuntimeKind::kRunc) {
    argv.insert(argv.end(), {"--log", bundle.path() + "/runtime.log"});
  }
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  if (runtime.kind == RuntimeKind::kCrun) return wrap_crun(std::move(argv), bundle, streams);
  return argv;
}

Result<LaunchSpec> foreground(const Runtime& runtime, const Bundle& bundle,
                              const std::vector<std::string>& arguments) {
  if (::geteuid() != 0) {
    return environment_error(format("{} needs root to make a container", runtime.path), {},
                             "run as root, or without a runtime");
  }
  LaunchSpec spec;
  spec.argv = runtime_argv(runtime, bundle, arguments, true);
  auto program = find_program(spec.argv[0]);
  if (!program) return environment_error(program.error().message, program.error().place);
  spec.program = *std::move(program);
  return spec;
}

Result<CommandResult> command(const Runtime& runtime, const Bundle& bundle,
                              const std::vector<std::string>& arguments) {
  CommandOptions options;
  options.time_limit = kLimit;
  return run_command(runtime_argv(runtime, bundle, arguments, false), options);
}

// Removes the container's cgroups where the runtime gave up too early: a cgroup stays busy for a
// moment after its last process was killed. rmdir(2) takes only an empty one.
void remove_cgroups(const std::string& id) {
  namespace fs = std::filesystem;
  const fs::path root = "/sys/fs/cgroup";
  std::vector<fs::path> left = {root / id};  // v2; below it the controllers of v1
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
    left.push_back(entry.path() / id);
  }
  const double limit = monotonic_seconds() + 10;
  while (true) {
    std::erase_if(left, [](const fs::path& cgroup) {
      return ::rmdir(cgroup.c_str()) == 0 || errno != EBUSY;
    });
    if (left.empty() || monotonic_seconds() > limit) return;
    ::usleep(10'000);
  }
}

// The rest of the line that begins with `label`; empty when there is none.
std::string labelled(std::string_view text, std::string_view label) {
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with(label)) return std::string(trim(line.substr(label.size())));
  }
  return {};
}

}  // namespace

std::optional<Runtime> parse_runtime_version(std::string_view text) {
  for (const auto& [kind, label] : {std::pair(RuntimeKind::kRunc, "runc version "),
                                    std::pair(RuntimeKind::kCrun, "crun version ")}) {
    std::string version = labelled(text, label);
    if (!version.empty()) return Runtime{kind, {}, version, labelled(text, "libseccomp:")};
  }
  return std::nullopt;
}

Result<Runtime> find_runtime(const std::string& name) {
  const bool known = name == "runc" || name == "crun";
  if (!known && name.find('/') == std::string::npos) {
    return input_error("no such container runtime", printable(name),
                       "runc, crun, or the path of one");
  }
  const auto path = find_program(name);
  if (!path) {
    return environment_error(path.error().message, path.error().place,
                             known ? format("install the package {}", name) : path.error().hint);
  }
  CommandOptions options;
  options.time_limit = kLimit;
  TRY_ASSIGN(const CommandResult result, run_command({*path, "--version"}, options));
  auto runtime = parse_runtime_version(result.output);
  if (!runtime) return input_error("is neither runc nor crun", printable(*path));
  runtime->path = *path;
  return *runtime;
}

Result<LaunchSpec> run_spec(const Runtime& runtime, const Bundle& bundle) {
  return foreground(runtime, bundle, {"run", "--bundle", bundle.path(), bundle.id()});
}

Result<LaunchSpec> exec_spec(const Runtime& runtime, const Bundle& bundle,
                             const std::vector<std::string>& argv) {
  // The whole process is given, not its arguments alone: crun would take root for the user and
  // leave no_new_privileges out.
  static unsigned count = 0;
  const std::string path = format("{}/exec-{}.json", bundle.path(), ++count);
  TRY(write_file(path, json::dump(bundle.process(argv)) + "\n"));
  return foreground(runtime, bundle, {"exec", "--process", path, bundle.id()});
}

Result<std::optional<pid_t>> container_pid(const Runtime& runtime, const Bundle& bundle) {
  TRY_ASSIGN(const CommandResult result, command(runtime, bundle, {"state", bundle.id()}));
  if (!result.status.success()) return std::nullopt;  // no such container
  TRY_ASSIGN(const json::Value state, json::parse(result.output, "the runtime's state"));
  const json::View root(state, "the runtime's state");
  TRY_ASSIGN(const json::View status, root.at("status"));
  TRY_ASSIGN(const std::string text, status.string());
  if (text != "running") return std::nullopt;
  TRY_ASSIGN(const json::View pid, root.at("pid"));
  TRY_ASSIGN(const std::uint64_t number, pid.u64(INT32_MAX));
  return static_cast<pid_t>(number);
}

Result<void> signal_container(const Runtime& runtime, const Bundle& bundle, int signal) {
  TRY_ASSIGN(const CommandResult result,
             command(runtime, bundle, {"kill", bundle.id(), std::to_string(signal)}));
  if (result.status.success()) return {};
  return environment_error("cannot signal the container: " + printable(trim(result.errors)),
                           runtime.path);
}

void delete_container(const Runtime& runtime, const Bundle& bundle) {
  // What could be wrong here, and that it was not there any more, is nobody's concern: the state is
  // below the bundle and goes with it.
  [[maybe_unused]] const auto ignored =
      command(runtime, bundle, {"delete", "--force", bundle.id()});
  remove_cgroups(bundle.id());
}

}  // namespace whittle::host
