#include "host/container_places.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/json.h"
#include "base/text.h"

namespace whittle::host {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileLimit = 1U << 20U;
constexpr double kFreshSeconds = 1;          // how long what was found holds
constexpr std::size_t kMostEntries = 65536;  // of one directory: /proc is the largest

using Words = std::vector<std::string>;

void add(Words& places, std::string place) {
  while (place.size() > 1 && place.ends_with('/')) place.pop_back();
  if (!place.starts_with('/')) return;
  if (std::find(places.begin(), places.end(), place) == places.end()) {
    places.push_back(std::move(place));
  }
}

// The names of the directories in one, sorted.
Words directories_in(const std::string& place) {
  Words names;
  std::error_code error;
  for (fs::directory_iterator it(place, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_directory(ignored) || it->is_symlink(ignored)) continue;
    names.push_back(it->path().filename().string());
    if (names.size() >= kMostEntries) break;
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<uid_t> owner_of(const std::string& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_uid;
}

// Empty when it is not there, or no regular file: a pipe would keep us waiting.
std::string text_of(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  return read_file(path, kFileLimit).value_or(std::string());
}

// The value of an option: "--data-root X" or "--data-root=X"; of several the last. Empty: not
// given.
std::string option(const Words& args, std::initializer_list<std::string_view> names) {
  std::string value;
  for (std::size_t i = 1; i < args.size(); ++i) {
    for (const std::string_view name : names) {
      if (args[i] == name && i + 1 < args.size()) value = args[i + 1];
      if (args[i].starts_with(std::string(name) + "=")) value = args[i].substr(name.size() + 1);
    }
  }
  return value;
}

// The command lines of the processes of that name that run as root or as we do.
std::vector<Words> daemons(const std::string& root, std::string_view name) {
  std::vector<Words> found;
  const std::string proc = root + "/proc/";
  for (const std::string& pid : directories_in(proc)) {
    if (!parse_u64(pid)) continue;
    const auto owner = owner_of(proc + pid);
    if (!owner || (*owner != 0 && *owner != ::geteuid())) continue;
    Words args = split(text_of(proc + pid + "/cmdline"), '\0');
    if (args[0].substr(args[0].rfind('/') + 1) == name) found.push_back(std::move(args));
  }
  return found;
}

std::string member(const json::Value& document, std::string_view key) {
  const json::Value* value = document.find(key);
  return value == nullptr || value->string() == nullptr ? std::string() : *value->string();
}

void add_docker(const std::string& data, const std::string& run, StatePlaces& places) {
  if (!data.empty()) add(places.docker_data, data);
  // The containerd that Docker starts for itself (moby's cmd/dockerd/daemon.go).
  if (!run.empty()) add(places.containerd_roots, run + "/containerd/daemon");
}

void add_docker_config(const std::string& path, StatePlaces& places) {
  const auto config = json::parse(text_of(path), path, json::Limits());
  if (!config || !config->is_object()) return;
  add_docker(member(*config, "graph"), "", places);  // its name before 17.05
  add_docker(member(*config, "data-root"), member(*config, "exec-root"), places);
}

void add_containerd_config(const std::string& path, StatePlaces& places) {
  add(places.containerd_roots, toml_text(text_of(path), "", "state"));
}

struct User {
  std::string name;
  std::string id;
  std::string home;
};

// passwd(5). Not by getpwuid(3), which asks whatever the host is configured to ask.
std::optional<User> user_of(const std::string& passwd, const std::string& id) {
  for (const std::string& line : split(passwd, '\n')) {
    const Words fields = split(line, ':');
    if (fields.size() == 7 && fields[2] == id) return User{fields[0], id, fields[5]};
  }
  return std::nullopt;
}

// The three variables that containers-storage.conf(5) lets stand in a path.
std::string of_user(std::string path, const User& user) {
  for (const auto& [variable, value] : {std::pair("$HOME", &user.home), std::pair("$UID", &user.id),
                                        std::pair("$USER", &user.name)}) {
    for (auto at = path.find(variable); at != std::string::npos; at = path.find(variable)) {
      path.replace(at, std::string_view(variable).size(), *value);
      if (path.size() > 4096) return {};
    }
  }
  return path;
}

// A user's managers without root: their state in the runtime directory, their data at home.
void add_user(const std::string& root, const User& user, const Words& storage,
              StatePlaces& places) {
  add_docker(user.home + "/.local/share/docker", "", places);
  add_docker_config(root + user.home + "/.config/docker/daemon.json", places);
  for (const std::string& config : storage) {
    add(places.podman_storage,
        of_user(toml_text(config, "storage", "rootless_storage_path"), user));
  }
  const std::string own = text_of(root + user.home + "/.config/containers/storage.conf");
  add(places.podman_storage, of_user(toml_text(own, "storage", "graphroot"), user));
  add(places.podman_storage, user.home + "/.local/share/containers/storage");
}

void add_runtime_directory(const std::string& directory, StatePlaces& places) {
  add(places.runtime_roots, directory + "/runc");
  add(places.runtime_roots, directory + "/crun");
  add(places.containerd_roots, directory + "/docker/containerd/daemon");
  add(places.containerd_roots, directory + "/containerd");
}

}  // namespace

std::string toml_text(std::string_view toml, std::string_view table, std::string_view key) {
  std::string_view current;
  for (const std::string& whole : split(std::string(toml), '\n')) {
    const std::string_view line = trim(whole);
    if (line.starts_with('[')) {
      const auto end = line.find(']');
      // "\n" is no table's name: what stands in one that is not understood is passed over.
      current = "\n";
      if (end != std::string_view::npos && trim(line.substr(1, end - 1)) == table) current = table;
      continue;
    }
    const auto equals = line.find('=');
    if (current != table || equals == std::string_view::npos) continue;
    if (trim(line.substr(0, equals)) != key) continue;
    const std::string_view value = trim(line.substr(equals + 1));
    if (value.empty() || (value[0] != '"' && value[0] != '\'')) return {};
    const auto end = value.find(value[0], 1);
    if (end == std::string_view::npos || end > 4096) return {};
    const std::string_view text = value.substr(1, end - 1);
    return text.find('\\') == std::string_view::npos ? std::string(text) : std::string();
  }
  return {};
}

StatePlaces state_places(const std::string& root) {
  StatePlaces places;
  places.runtime_roots = {"/run/runc", "/run/crun"};
  // containerd's own, the one that Docker starts for itself, that of k3s.
  places.containerd_roots = {"/run/containerd", "/run/docker/containerd/daemon",
                             "/run/k3s/containerd"};
  add_docker_config(root + "/etc/docker/daemon.json", places);
  for (const Words& args : daemons(root, "dockerd")) {
    const std::string config = option(args, {"--config-file"});
    if (!config.empty()) add_docker_config(root + config, places);
    add_docker(option(args, {"--data-root", "--graph", "-g"}), option(args, {"--exec-root"}),
               places);
  }
  add_containerd_config(root + "/etc/containerd/config.toml", places);
  for (const Words& args : daemons(root, "containerd")) {
    const std::string config = option(args, {"--config", "-c"});
    if (!config.empty()) add_containerd_config(root + config, places);
    add(places.containerd_roots, option(args, {"--state"}));
  }
  Words storage;
  for (const char* file : {"/etc/containers/storage.conf", "/usr/share/containers/storage.conf"}) {
    storage.push_back(text_of(root + file));
    add(places.podman_storage, toml_text(storage.back(), "storage", "graphroot"));
  }
  const std::string passwd = text_of(root + "/etc/passwd");
  for (const std::string& id : directories_in(root + "/run/user")) {
    add_runtime_directory("/run/user/" + id, places);
    if (const auto user = user_of(passwd, id)) add_user(root, *user, storage, places);
  }
  const char* ours = std::getenv("XDG_RUNTIME_DIR");
  if (ours != nullptr) add_runtime_directory(ours, places);
  // Podman's without a runtime directory (its pkg/util, GetRootlessRuntimeDir()): whoever made one
  // of another user's name is not believed.
  for (const std::string& name : directories_in(root + "/tmp")) {
    constexpr std::string_view kPrefix = "podman-run-";
    if (!name.starts_with(kPrefix)) continue;
    const std::string id = name.substr(kPrefix.size());
    const auto owner = owner_of(root + "/tmp/" + name);
    if (!owner || std::to_string(*owner) != id) continue;
    add_runtime_directory("/tmp/" + name, places);
    if (const auto user = user_of(passwd, id)) add_user(root, *user, storage, places);
  }
  return places;
}

// A watch asks again and again, and each answer takes a look at all processes.
StatePlaces StatePlaces::of_host() {
  static std::mutex mutex;
  static std::optional<StatePlaces> places;
  static double looked = 0;
  const std::lock_guard lock(mutex);
  const double now = monotonic_seconds();
  if (!places || now - looked > kFreshSeconds) {
    places = state_places("");
    looked = now;
  }
  return *places;
}

}  // namespace whittle::host
