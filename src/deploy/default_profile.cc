#include "deploy/default_profile.h"

#include <filesystem>

#include "base/file_system.h"
#include "base/json.h"
#include "base/text.h"

namespace whittle::deploy {

namespace {

constexpr std::string_view kDockerKey = "seccomp-profile";
constexpr std::string_view kPodmanKey = "seccomp_profile";
constexpr std::size_t kMostBytes = 1U << 20U;

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// A TOML basic string takes what JSON does for a path of printable characters.
std::string podman_text(const std::string& profile) {
  return format("# Written by whittle install --as-default podman.\n[containers]\n{} = {}\n",
                kPodmanKey, json::quote(profile));
}

Result<json::Value> read_daemon(const std::string& path) {
  if (!exists(path)) return json::Value(json::Object());
  TRY_ASSIGN(const std::string text, read_file(path, kMostBytes));
  if (trim(text).empty()) return json::Value(json::Object());
  TRY_ASSIGN(json::Value document, json::parse(text, path));
  if (!document.is_object()) return input_error("not a JSON object", path);
  return document;
}

Result<void> write_setting(const std::string& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  return write_file(path, text);
}

}  // namespace

std::string default_profile_file(Engine engine, const std::string& etc) {
  return etc + (engine == Engine::kDocker
                    ? "/docker/daemon.json"
                    : "/containers/containers.conf.d/50-whittle-seccomp.conf");
}

std::string default_profile_setting(Engine engine, const std::string& profile) {
  if (engine == Engine::kPodman) return podman_text(profile);
  json::Value document;
  document.set(std::string(kDockerKey), profile);
  return json::dump(document) + "\n";
}

Result<bool> set_default_profile(Engine engine, const std::string& profile,
                                 const std::string& etc) {
  if (default_profile(engine, etc) == profile) return false;
  const std::string path = default_profile_file(engine, etc);
  if (engine == Engine::kPodman) {
    TRY(write_setting(path, podman_text(profile)));
    return true;
  }
  TRY_ASSIGN(json::Value document, read_daemon(path));
  bool found = false;
  for (json::Member& member : *document.object()) {
    if (member.first != kDockerKey) continue;
    member.second = profile;
    found = true;
  }
  if (!found) document.set(std::string(kDockerKey), profile);
  TRY(write_setting(path, json::dump(document) + "\n"));
  return true;
}

std::optional<std::string> default_profile(Engine engine, const std::string& etc) {
  const std::string path = default_profile_file(engine, etc);
  if (!exists(path)) return std::nullopt;
  if (engine == Engine::kDocker) {
    const auto document = read_daemon(path);
    if (!document) return std::nullopt;
    const json::Value* value = document->find(kDockerKey);
    const std::string* text = value != nullptr ? value->string() : nullptr;
    return text != nullptr ? std::optional<std::string>(*text) : std::nullopt;
  }
  const auto text = read_file(path, kMostBytes);
  if (!text) return std::nullopt;
  for (const std::string& line : split(*text, '\n')) {
    const std::string_view stripped = trim(line);
    if (!stripped.starts_with(kPodmanKey)) continue;
    const std::size_t from = stripped.find('"');
    const std::size_t to = stripped.rfind('"');
    if (from == std::string_view::npos || to <= from) return std::nullopt;
    return std::string(stripped.substr(from + 1, to - from - 1));
  }
  return std::nullopt;
}

}  // namespace whittle::deploy
