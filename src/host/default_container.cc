#include "host/default_container.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/embedded.h"
#include "base/process.h"
#include "base/text.h"
#include "host/capabilities.h"
#include "host/kernel.h"

WHITTLE_EMBEDDED(pause_program)

namespace whittle::host {

namespace {

using Words = std::vector<std::string>;

constexpr double kLimit = 60;  // of one command of a client
constexpr const char* kProgram = "/pause";

std::string_view client_of(Manager manager) {
  return manager == Manager::kContainerd ? "ctr" : manager_name(manager);
}

std::string last_line(const std::string& text) {
  const auto lines = split(trim(text), '\n');
  return lines.empty() ? std::string() : printable(lines.back(), 300);
}

// Runs a client; not ending well is an error with what it said.
Result<std::string> ask(const Words& argv, const std::string& input = {}) {
  CommandOptions options;
  options.standard_input = input;
  options.time_limit = kLimit;
  TRY_ASSIGN(const CommandResult result, run_command(argv, options));
  if (result.status.success()) return std::string(trim(result.output));
  const std::string said = last_line(result.errors.empty() ? result.output : result.errors);
  return environment_error(format("{} failed: {}", argv[0], said), {},
                           "is its daemon running, and may you use it?");
}

Result<pid_t> pid_from(const std::string& text, std::string_view client) {
  const auto number = parse_u64(text);
  if (!number || *number == 0 || *number > INT32_MAX) {
    return environment_error(
        format("{} gives no process of the container: \"{}\"", client, printable(text)));
  }
  return static_cast<pid_t>(*number);
}

// The word behind the last blank: "podman version 4.3.1".
std::string last_word(const std::string& text) {
  const std::size_t blank = text.find_last_of(' ');
  return blank == std::string::npos ? text : text.substr(blank + 1);
}

std::string runtime_word(const std::string& text) {
  return text.find("crun") != std::string::npos ? "crun" : "runc";
}

// The process of a task in the list of `ctr tasks ls`: TASK PID STATUS.
std::string task_pid(const std::string& list, const std::string& name) {
  for (const std::string& line : split(list, '\n')) {
    Words words = split(line, ' ');
    std::erase(words, "");
    if (words.size() >= 2 && words[0] == name) return words[1];
  }
  return {};
}

// What runtimes set by default needs CAP_SYS_RESOURCE where our own limits are lower.
void add_limits(Words& argv) {
  argv.insert(argv.end(), {"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"});
}

}  // namespace

std::string_view manager_name(Manager manager) {
  constexpr std::array<std::string_view, 3> kNames = {"podman", "docker", "containerd"};
  return kNames[static_cast<std::size_t>(manager)];
}

std::optional<Manager> manager_from_name(std::string_view name) {
  for (const Manager manager : {Manager::kPodman, Manager::kDocker, Manager::kContainerd}) {
    if (manager_name(manager) == name) return manager;
  }
  return std::nullopt;
}

std::vector<Manager> installed_managers() {
  std::vector<Manager> found;
  for (const Manager manager : {Manager::kPodman, Manager::kDocker, Manager::kContainerd}) {
    if (find_program(std::string(client_of(manager)))) found.push_back(manager);
  }
  return found;
}

Result<std::vector<std::string>> bounding_caps(pid_t pid) {
  TRY_ASSIGN(const std::string status, read_file(format("/proc/{}/status", pid)));
  constexpr std::string_view kKey = "CapBnd:";
  for (const std::string& line : split(status, '\n')) {
    if (!line.starts_with(kKey)) continue;
    const auto bits = parse_u64("0x" + std::string(trim(line.substr(kKey.size()))));
    if (!bits) break;
    std::vector<std::string> caps;
    for (unsigned bit = 0; bit < 64; ++bit) {
      if ((*bits >> bit & 1U) == 0) continue;
      caps.push_back(bit < kCapabilities.size() ? kCapabilities[bit] : format("CAP_{}", bit));
    }
    std::sort(caps.begin(), caps.end());
    return caps;
  }
  return environment_error("its capabilities can't be read", format("/proc/{}/status", pid));
}

DefaultContainer::DefaultContainer(Manager manager, std::string name, TemporaryDirectory root)
    : manager_(manager), name_(std::move(name)), root_(std::move(root)) {}

DefaultContainer::DefaultContainer(DefaultContainer&& other) noexcept
    : manager_(other.manager_),
      name_(std::exchange(other.name_, {})),
      root_(std::move(other.root_)),
      version_(std::move(other.version_)),
      oci_runtime_(std::move(other.oci_runtime_)),
      pid_(other.pid_) {}

Result<DefaultContainer> DefaultContainer::start(Manager manager) {
  const std::string client(client_of(manager));
  if (const auto path = find_program(client); !path) {
    return environment_error(path.error().message, path.error().place,
                             format("install {}", manager_name(manager)));
  }
  TRY_ASSIGN(TemporaryDirectory root, TemporaryDirectory::create("whittle-default-"));
  const std::string program = root.path() + kProgram;
  TRY(write_file(program, embedded_pause_program()));
  if (::chmod(program.c_str(), 0755) != 0 || ::chmod(root.path().c_str(), 0755) != 0) {
    return errno_error(ErrorKind::kEnvironment, "can't make it executable", errno, program);
  }
  DefaultContainer container(manager, format("whittle-default-{}", ::getpid()), std::move(root));
  TRY(container.run());
  return container;
}

Result<void> DefaultContainer::run() {
  switch (manager_) {
    case Manager::kPodman:
      return run_podman();
    case Manager::kDocker:
      return run_docker();
    case Manager::kContainerd:
      return run_containerd();
  }
  return bug("a container manager without a way to start it");
}

Result<void> DefaultContainer::run_podman() {
  TRY_ASSIGN(const std::string version, ask({"podman", "--version"}));
  version_ = last_word(version);
  Words argv = {"podman"};
  // crun (1.8 at least) refuses a host with hybrid cgroups.
  if (cgroup_mode() == CgroupMode::kHybrid) argv.insert(argv.end(), {"--runtime", "runc"});
  argv.insert(argv.end(), {"run", "--detach", "--rm", "--network", "none", "--name", name_});
  add_limits(argv);
  argv.insert(argv.end(), {"--rootfs", root_.path(), kProgram});
  TRY(ask(argv));
  TRY_ASSIGN(const std::string state,
             ask({"podman", "inspect", "--format", "{{.State.Pid}} {{.OCIRuntime}}", name_}));
  oci_runtime_ = runtime_word(last_word(state));
  TRY_ASSIGN(pid_, pid_from(state.substr(0, state.find(' ')), "podman"));
  return {};
}

Result<void> DefaultContainer::run_docker() {
  TRY_ASSIGN(version_, ask({"docker", "version", "--format", "{{.Server.Version}}"}));
  TRY_ASSIGN(const std::string archive, ask({"tar", "-C", root_.path(), "-c", "."}));
  // ask() takes blanks off the end, and an archive ends with zeros: none of them is lost.
  TRY(ask({"docker", "import", "-", name_}, archive));
  Words argv = {"docker", "run", "--detach", "--rm", "--network", "none", "--name", name_};
  add_limits(argv);
  argv.insert(argv.end(), {name_, kProgram});
  TRY(ask(argv));
  TRY_ASSIGN(const std::string state, ask({"docker", "inspect", "--format",
                                           "{{.State.Pid}} {{.HostConfig.Runtime}}", name_}));
  oci_runtime_ = runtime_word(last_word(state));
  TRY_ASSIGN(pid_, pid_from(state.substr(0, state.find(' ')), "docker"));
  return {};
}

Result<void> DefaultContainer::run_containerd() {
  TRY_ASSIGN(const std::string version, ask({"ctr", "--version"}));
  version_ = last_word(version);
  TRY(ask({"ctr", "run", "--detach", "--null-io", "--seccomp", "--rootfs", root_.path(), name_,
           kProgram}));
  TRY_ASSIGN(const std::string tasks, ask({"ctr", "tasks", "ls"}));
  oci_runtime_ = "runc";
  TRY_ASSIGN(pid_, pid_from(task_pid(tasks, name_), "ctr"));
  return {};
}

DefaultContainer::~DefaultContainer() {
  if (name_.empty()) return;
  // What is not there is not removed: each of these may fail.
  std::vector<Words> commands;
  if (manager_ == Manager::kPodman) {
    commands = {{"podman", "rm", "--force", "--time", "0", name_}};
  } else if (manager_ == Manager::kDocker) {
    commands = {{"docker", "rm", "--force", name_}, {"docker", "rmi", "--force", name_}};
  } else {
    commands = {{"ctr", "tasks", "rm", "--force", name_}, {"ctr", "containers", "rm", name_}};
  }
  for (const Words& command : commands) {
    CommandOptions options;
    options.time_limit = kLimit;
    const auto done = run_command(command, options);
    static_cast<void>(done);
  }
}

}  // namespace whittle::host
