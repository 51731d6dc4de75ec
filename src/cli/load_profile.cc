#include "cli/load_profile.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cctype>

#include "base/file_system.h"
#include "base/text.h"
#include "host/capabilities.h"

namespace whittle::cli {

namespace {

constexpr std::string_view kBaselinePrefix = "baseline:";
constexpr std::size_t kMostProfileBytes = 64U << 20U;

Result<std::set<std::string>> read_caps(const std::string& list) {
  std::set<std::string> caps;
  if (list == "none") return caps;
  for (const std::string& word : split(list, ',')) {
    if (word == "docker") {
      const auto& docker = profile::docker_default_caps();
      caps.insert(docker.begin(), docker.end());
      continue;
    }
    std::string name = word;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (!name.starts_with("CAP_")) name.insert(0, "CAP_");
    if (std::find(host::kCapabilities.begin(), host::kCapabilities.end(), name) ==
        host::kCapabilities.end()) {
      const auto near = nearest(name, host::kCapabilities);
      return input_error(format("--caps: unknown capability \"{}\"", printable(word)), {},
                         near ? format("did you mean {}?", *near)
                              : "write them as in --caps docker,CAP_SYS_ADMIN");
    }
    caps.insert(std::move(name));
  }
  return caps;
}

Result<syscalls::Arch> read_family(const std::string& word) {
  for (const syscalls::Arch arch : syscalls::kAllArches) {
    if (word == syscalls::arch_name(arch) || word == syscalls::docker_arch(arch)) {
      return syscalls::native_of(arch);
    }
  }
  return input_error(format("--arch: unknown architecture \"{}\"", printable(word)), {},
                     "known are x86_64 (amd64), x86, x32, aarch64 (arm64) and arm");
}

}  // namespace

Result<LoadedProfile> load_document(const std::string& p, const profile::Setting& setting) {
  if (p.starts_with(kBaselinePrefix)) {
    TRY_ASSIGN(profile::Profile profile,
               profile::baseline(std::string_view(p).substr(kBaselinePrefix.size()), setting));
    std::string document = profile::write_oci(profile);
    return LoadedProfile{std::move(profile), std::move(document)};
  }
  TRY_ASSIGN(std::string text, read_file(p, kMostProfileBytes));
  TRY_ASSIGN(profile::Profile profile, profile::read_oci(text, p == "-" ? "standard input" : p));
  return LoadedProfile{std::move(profile), std::move(text)};
}

Result<profile::Profile> load_profile(const std::string& p, const profile::Setting& setting) {
  if (p.starts_with(kBaselinePrefix)) {
    return profile::baseline(std::string_view(p).substr(kBaselinePrefix.size()), setting);
  }
  TRY_ASSIGN(LoadedProfile loaded, load_document(p, setting));
  return std::move(loaded.profile);
}

std::string baseline_or_profile(const std::string& text) {
  const auto names = profile::baseline_runtime_names();
  const bool known =
      std::find(names.begin(), names.end(), text.substr(0, text.find('@'))) != names.end();
  return known ? std::string(kBaselinePrefix) + text : text;
}

profile::Setting default_setting() {
  profile::Setting setting;
  setting.arch = syscalls::native_of(syscalls::host_arch());
  utsname names{};
  if (::uname(&names) == 0) {
    setting.kernel = profile::kernel_version(names.release).value_or(setting.kernel);
  }
  return setting;
}

Result<profile::Setting> setting_of(const Arguments& arguments) {
  profile::Setting setting = default_setting();
  if (const auto word = arguments.value("--arch")) {
    TRY_ASSIGN(setting.arch, read_family(*word));
  }
  if (const auto list = arguments.value("--caps")) {
    TRY_ASSIGN(setting.caps, read_caps(*list));
  }
  if (const auto text = arguments.value("--kernel")) {
    const auto version = profile::kernel_version(*text);
    if (!version) {
      return input_error(format("--kernel: \"{}\" is no kernel version", printable(*text)), {},
                         "write it as 6.18");
    }
    setting.kernel = *version;
  }
  return setting;
}

}  // namespace whittle::cli
