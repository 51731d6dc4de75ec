#include "deploy/usage.h"

#include <optional>

#include "base/file_system.h"
#include "base/json.h"
#include "profile/oci_reader.h"
#include "profile/profile.h"

namespace whittle::deploy {

namespace {

constexpr std::size_t kMostConfigBytes = 16U << 20U;

// What runtimes read in it, always written alike; nullopt: no profile.
std::optional<std::string> canonical(const json::Value& document) {
  const auto profile =
      profile::read_document(document, "profile", profile::Dialect::kIgnored, nullptr, nullptr);
  if (!profile) return std::nullopt;
  return profile::write_oci(*profile);
}

// Error: it can't be read. nullopt: started without a profile.
Result<std::optional<std::string>> profile_of(const host::Container& container) {
  const std::string path = container.bundle + "/config.json";
  TRY_ASSIGN(const std::string text, read_file(path, kMostConfigBytes));
  TRY_ASSIGN(const json::Value config, json::parse(text, path));
  const json::Value* linux = config.find("linux");
  const json::Value* seccomp = linux != nullptr ? linux->find("seccomp") : nullptr;
  if (seccomp == nullptr || seccomp->is_null()) return std::optional<std::string>();
  auto written = canonical(*seccomp);
  if (!written) return input_error("its profile can't be read", path);
  return written;
}

}  // namespace

ProfileUsage::ProfileUsage(std::span<const host::Container> containers) {
  for (const host::Container& container : containers) {
    auto document = profile_of(container);
    if (!document) {
      ++unreadable_;
    } else if (*document) {
      users_[**document].push_back(container.name.empty() ? container.id : container.name);
    }
  }
}

std::vector<std::string> ProfileUsage::users(std::string_view document) const {
  const auto json = json::parse(document, "profile");
  if (!json) return {};
  const auto written = canonical(*json);
  if (!written) return {};
  const auto found = users_.find(*written);
  return found == users_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace whittle::deploy
