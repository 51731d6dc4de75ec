#include "host/containers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/fd.h"
#include "base/file_system.h"
#include "base/json.h"
#include "base/text.h"

namespace whittle::host {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileLimit = 4U << 20U;  // state.json holds config.json: tens of kilobytes
constexpr std::size_t kContainerLimit = 4096;  // of one directory
constexpr std::size_t kIdLimit = 1024;         // runc and crun bound an id by NAME_MAX
constexpr std::size_t kShortId = 12;           // how many digits of an id managers show
// What managers put before the id in the name of its cgroup.
constexpr std::array<std::string_view, 4> kCgroupPrefixes = {"docker-", "libpod-",
                                                             "cri-containerd-", "crio-"};
constexpr std::size_t kListed = 20;  // containers that an error lists

using Paths = std::map<std::string, std::string>;

// A document of somebody else's: null when it is not there, no regular file, or no JSON.
json::Value load(const std::string& path) {
  struct stat info = {};
  // A pipe in place of a file would keep us waiting for a writer.
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const auto text = read_file(path, kFileLimit);
  if (!text) return {};
  json::Limits limits;
  limits.values = 200'000;
  auto value = json::parse(*text, path, limits);
  return value ? *std::move(value) : json::Value();
}

// The text of a member, along a path of keys; empty when there is none.
std::string text_at(const json::Value& value, std::initializer_list<std::string_view> keys) {
  const json::Value* place = &value;
  for (const std::string_view key : keys) {
    place = place->find(key);
    if (place == nullptr) return {};
  }
  const std::string* text = place->string();
  return text == nullptr || text->size() > kFileLimit ? std::string() : *text;
}

// The texts of an array, along a path of keys; empty when one of its elements is none.
std::vector<std::string> texts_in(const json::Value& value,
                                  std::initializer_list<std::string_view> keys) {
  const json::Value* place = &value;
  for (const std::string_view key : keys) {
    place = place->find(key);
    if (place == nullptr) return {};
  }
  if (!place->is_array()) return {};
  std::vector<std::string> texts;
  for (const json::Value& element : *place->array()) {
    if (element.string() == nullptr) return {};
    texts.push_back(*element.string());
  }
  return texts;
}

std::uint64_t number_at(const json::Value& value, std::string_view key) {
  const json::Value* member = value.find(key);
  return member == nullptr ? 0 : member->u64().value_or(0);
}

bool is_directory(const std::string& path) {
  struct stat info = {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::vector<std::string> directories_in(const std::string& place) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(place, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_directory(ignored) || it->is_symlink(ignored)) continue;
    std::string name = it->path().filename().string();
    if (name.size() <= kIdLimit) names.push_back(std::move(name));
    if (names.size() >= kContainerLimit) break;
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. 0: it is gone.
std::uint64_t start_time(pid_t pid) {
  const auto stat = read_file(format("/proc/{}/stat", pid), 65536);
  if (!stat) return 0;
  // The name in parentheses may hold anything, parentheses too.
  const auto name_end = stat->rfind(')');
  if (name_end == std::string::npos) return 0;
  const auto fields = split(std::string_view(*stat).substr(name_end + 1), ' ');
  // fields[0] is empty, fields[1] is field 3, the state.
  if (fields.size() < 21 || fields[1] == "Z" || fields[1] == "X") return 0;
  return parse_u64(fields[20]).value_or(0);
}

// What a runtime says of a container.
struct State {
  Container container;
  Paths cgroup_paths;
  std::uint64_t started = 0;
};

// runc's libcontainer/container_linux.go, type State.
std::optional<State> runc_state(const std::string& directory) {
  const json::Value document = load(directory + "/state.json");
  if (!document.is_object()) return std::nullopt;
  State state;
  state.container.runtime = "runc";
  const std::uint64_t pid = number_at(document, "init_process_pid");
  if (pid == 0 || pid > INT32_MAX) return std::nullopt;
  state.container.pid = static_cast<pid_t>(pid);
  state.started = number_at(document, "init_process_start");
  const json::Value* paths = document.find("cgroup_paths");
  if (paths != nullptr && paths->is_object()) {
    for (const auto& [controller, path] : *paths->object()) {
      if (path.string() != nullptr) state.cgroup_paths[controller] = *path.string();
    }
  }
  const json::Value* config = document.find("config");
  const json::Value* seccomp = config == nullptr ? nullptr : config->find("seccomp");
  state.container.filtered = seccomp != nullptr && seccomp->is_object();
  const json::Value* labels = config == nullptr ? nullptr : config->find("labels");
  if (labels != nullptr && labels->is_array()) {
    for (const json::Value& label : *labels->array()) {
      if (label.string() != nullptr && label.string()->starts_with("bundle=")) {
        state.container.bundle = label.string()->substr(7);
      }
    }
  }
  return state;
}

// crun's src/libcrun/status.c, libcrun_write_container_status().
std::optional<State> crun_state(const std::string& directory) {
  const json::Value document = load(directory + "/status");
  if (!document.is_object()) return std::nullopt;
  State state;
  state.container.runtime = "crun";
  const std::uint64_t pid = number_at(document, "pid");
  if (pid == 0 || pid > INT32_MAX) return std::nullopt;
  state.container.pid = static_cast<pid_t>(pid);
  state.started = number_at(document, "process-start-time");
  state.cgroup_paths["*"] = text_at(document, {"cgroup-path"});
  state.container.bundle = text_at(document, {"bundle"});
  const json::Value config = load(directory + "/config.json");  // its copy of the bundle's
  const json::Value* system = config.find("linux");
  state.container.filtered = system != nullptr && system->find("seccomp") != nullptr;
  return state;
}

// The first of the annotations that is there.
std::string annotation(const json::Value& config, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    std::string text = text_at(config, {"annotations", key});
    if (!text.empty()) return text;
  }
  return {};
}

// Docker gives each container files of its own, DATA/containers/ID/hostname among them, as mounts.
std::string docker_data_of(const json::Value& config, const std::string& id) {
  const json::Value* mounts = config.find("mounts");
  if (mounts == nullptr || !mounts->is_array()) return {};
  const std::string part = "/containers/" + id + "/";
  for (const json::Value& mount : *mounts->array()) {
    const std::string source = text_at(mount, {"source"});
    const auto at = source.find(part);
    if (at != std::string::npos) return source.substr(0, at);
  }
  return {};
}

// moby's container/container.go: Name is "/web".
bool name_by_docker(Container& container, const json::Value& config, const StatePlaces& places) {
  std::vector<std::string> all = places.docker_data;
  all.insert(all.begin(), docker_data_of(config, container.id));
  for (const std::string& data : all) {
    if (data.empty()) continue;
    const json::Value document =
        load(format("{}/containers/{}/config.v2.json", data, container.id));
    if (text_at(document, {"ID"}) != container.id) continue;
    container.name = text_at(document, {"Name"});
    if (container.name.starts_with('/')) container.name.erase(0, 1);
    container.image = text_at(document, {"Config", "Image"});
    return true;
  }
  return false;
}

// containers/storage's containers.json.
bool name_by_podman(Container& container, const std::string& list) {
  const json::Value document = load(list);
  if (!document.is_array()) return false;
  for (const json::Value& entry : *document.array()) {
    if (text_at(entry, {"id"}) != container.id) continue;
    const json::Value* names = entry.find("names");
    if (names != nullptr && names->is_array() && !names->array()->empty() &&
        names->array()->front().string() != nullptr) {
      container.name = *names->array()->front().string();
    }
    // A document within the document, written by libpod.
    json::Limits limits;
    limits.values = 1000;
    const auto metadata = json::parse(text_at(entry, {"metadata"}), list, limits);
    if (metadata) container.image = text_at(*metadata, {"image-name"});
    return true;
  }
  return false;
}

// Who started it, and what they call it.
void identify(Container& container, const std::string& containerd_namespace,
              const StatePlaces& places) {
  const json::Value config = load(container.bundle + "/config.json");
  container.command = texts_in(config, {"process", "args"});
  if (containerd_namespace == "moby") {
    container.manager = "docker";
    name_by_docker(container, config, places);
    return;
  }
  if (!containerd_namespace.empty()) container.manager = "containerd";
  const std::string manager = text_at(config, {"annotations", "io.container.manager"});
  if (manager == "libpod") {
    container.manager = "podman";
    // The bundle is STORAGE/overlay-containers/ID/userdata, or another driver's.
    const fs::path of_driver = fs::path(container.bundle).parent_path().parent_path();
    name_by_podman(container, (of_driver / "containers.json").string());
    return;
  }
  if (manager == "cri-o") container.manager = "cri-o";
  container.name = annotation(
      config, {"nerdctl/name", "io.kubernetes.cri.container-name", "io.kubernetes.container.name"});
  container.image =
      annotation(config, {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"});
}

class Search {
 public:
  Search(const Cgroups& cgroups, const StatePlaces& places) : cgroups_(cgroups), places_(places) {}

  void look_in(const std::string& runtime_root, const std::string& containerd_namespace) {
    for (const std::string& id : directories_in(runtime_root)) {
      add(runtime_root, id, containerd_namespace, {});
    }
  }

  void look_at_shims(const std::string& containerd_root) {
    const std::string tasks = containerd_root + "/io.containerd.runtime.v2.task";
    for (const std::string& name : directories_in(tasks)) {
      for (const std::string& id : directories_in(tasks + "/" + name)) {
        const std::string bundle = format("{}/{}/{}", tasks, name, id);
        std::string root = text_at(load(bundle + "/options.json"), {"root"});
        if (root.empty())
          root = name == "moby" ? "/run/docker/runtime-runc" : "/run/containerd/runc";
        add(root + "/" + name, id, name, bundle);
      }
    }
  }

  std::vector<Container> take() {
    std::sort(found_.begin(), found_.end(), [](const Container& a, const Container& b) {
      return std::tie(a.id, a.pid) < std::tie(b.id, b.pid);
    });
    return std::move(found_);
  }

 private:
  void add(const std::string& root, const std::string& id, const std::string& containerd_namespace,
           const std::string& bundle) {
    auto state = runc_state(root + "/" + id);
    if (!state) state = crun_state(root + "/" + id);
    if (!state || state->started == 0 || start_time(state->container.pid) != state->started) return;
    Container& container = state->container;
    if (!seen_.insert(container.pid).second) return;
    container.id = id;
    if (!bundle.empty()) container.bundle = bundle;
    identify(container, containerd_namespace, places_);
    container.cgroups = cgroups_.own(container.pid, state->cgroup_paths);
    found_.push_back(std::move(container));
  }

  const Cgroups& cgroups_;
  const StatePlaces& places_;
  std::vector<Container> found_;
  std::set<pid_t> seen_;
};

// "web (docker 9f6c01d2e3f4)", "9f6c01d2e3f4 (runc)"
std::string described(const Container& container) {
  const std::string& by = container.manager.empty() ? container.runtime : container.manager;
  const bool hash = container.id.size() == 64;  // people know the first twelve digits
  const std::string id = printable(hash ? container.id.substr(0, kShortId) : container.id);
  if (container.name.empty()) return format("{} ({})", id, by);
  return format("{} ({} {})", printable(container.name), by, id);
}

std::string list_of(std::span<const Container> containers) {
  std::vector<std::string> lines;
  for (const Container& container : containers.subspan(0, std::min(containers.size(), kListed))) {
    lines.push_back(described(container));
  }
  if (containers.size() > kListed) lines.push_back(format("{} more", containers.size() - kListed));
  return join(lines, ", ");
}

std::string nothing_there() {
  const std::string root = ::geteuid() == 0 ? "" : "; those of root can be seen by root only";
  return "no container runs on this host that runc or crun started" + root;
}

}  // namespace

std::vector<Container> containers(const Cgroups& cgroups, const StatePlaces& places) {
  Search search(cgroups, places);
  for (const std::string& root : places.containerd_roots) search.look_at_shims(root);
  for (const std::string& root : places.runtime_roots) search.look_in(root, {});
  return search.take();
}

std::string id_in_cgroup_path(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  // crun makes a cgroup of its own in the one that systemd has made.
  if (name == "container" && path.size() > name.size()) {
    path.remove_suffix(name.size() + 1);
    name = path.substr(path.rfind('/') + 1);
  }
  if (name.ends_with(".scope")) name.remove_suffix(6);
  for (const std::string_view manager : kCgroupPrefixes) {
    if (name.starts_with(manager)) name.remove_prefix(manager.size());
  }
  return std::string(name);
}

std::optional<Container> container_of_cgroup(const std::string& path, const StatePlaces& places) {
  Container container;
  container.id = id_in_cgroup_path(path);
  if (container.id.empty() || container.id.size() > kIdLimit) return std::nullopt;
  if (name_by_docker(container, {}, places)) {
    container.manager = "docker";
    return container;
  }
  for (const std::string& storage : places.podman_storage) {
    for (const std::string& driver : directories_in(storage)) {
      if (!driver.ends_with("-containers")) continue;
      if (name_by_podman(container, format("{}/{}/containers.json", storage, driver))) {
        container.manager = "podman";
        return container;
      }
    }
  }
  for (const std::string& root : places.containerd_roots) {
    const std::string tasks = root + "/io.containerd.runtime.v2.task";
    for (const std::string& name : directories_in(tasks)) {
      container.bundle = format("{}/{}/{}", tasks, name, container.id);
      if (name == "moby" || !is_directory(container.bundle)) continue;
      identify(container, name, places);
      return container;
    }
  }
  container.bundle.clear();
  // A runtime alone gives no other name. Podman and CRI-O do, elsewhere, and mark their cgroups.
  if (container.id != path.substr(path.rfind('/') + 1)) return std::nullopt;
  for (const std::string& root : places.runtime_roots) {
    if (is_directory(root + "/" + container.id)) return container;
  }
  return std::nullopt;
}

bool is_called(const Container& container, std::string_view wanted) {
  if (wanted.empty()) return false;
  return container.id == wanted || container.name == wanted ||
         (wanted.size() >= kShortId && container.id.starts_with(wanted));
}

Result<Container> find_container(std::span<const Container> all, const std::string& wanted) {
  const auto pick = [&all](auto&& meant) {
    std::vector<Container> found;
    std::copy_if(all.begin(), all.end(), std::back_inserter(found), meant);
    return found;
  };
  auto found = pick([&](const Container& c) { return c.id == wanted; });
  if (found.empty()) {
    found = pick([&](const Container& c) { return !wanted.empty() && c.name == wanted; });
  }
  if (found.empty() && !wanted.empty()) {
    found = pick([&](const Container& c) { return c.id.starts_with(wanted); });
  }
  if (found.size() == 1) return found.front();
  const std::string name = printable(wanted);
  if (found.empty()) {
    return input_error(format("no running container has this id or name: {}", name), {},
                       all.empty() ? nothing_there() : "there are: " + list_of(all));
  }
  return input_error(format("{} containers are meant by {}", found.size(), name), {},
                     "say which: " + list_of(found));
}

}  // namespace whittle::host
