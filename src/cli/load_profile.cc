#include "cli/load_profile.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/output.h"
#include "filter/bytes.h"
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

bool is_baseline(const std::string& p) { return p.starts_with(kBaselinePrefix); }

Result<profile::Profile> load_baseline(const std::string& p, const profile::Setting& setting) {
  return profile::baseline(std::string_view(p).substr(kBaselinePrefix.size()), setting);
}

Result<LoadedInput> load_input(const std::string& p, const profile::ReadOptions& options) {
  LoadedInput input;
  input.place = p == "-" ? "standard input" : p;
  if (is_baseline(p)) {
    TRY_ASSIGN(const profile::Profile profile, load_baseline(p, options.setting));
    input.bytes = profile::write_oci(profile);
    TRY_ASSIGN(input.document, profile::read_json(input.bytes, p, options));
    input.document->name = p.substr(kBaselinePrefix.size());
    return input;
  }
  TRY_ASSIGN(input.bytes, read_file(p, kMostProfileBytes));
  if (filter::looks_like_program(input.bytes)) return input;
  TRY_ASSIGN(input.document, profile::read_any(input.bytes, input.place, options));
  return input;
}

void warn_of(const profile::Document& document, const std::string& place) {
  for (const std::string& warning : document.warnings) {
    print_warning(warning.starts_with(place) ? warning : format("{}: {}", place, warning));
  }
  for (const profile::Loss& loss : document.beyond) {
    print_warning(format("{} {}: {}", place, loss.pointer, loss.what));
  }
}

Result<LoadedProfile> load_document(const std::string& p, const profile::Setting& setting) {
  if (is_baseline(p)) {
    TRY_ASSIGN(profile::Profile profile, load_baseline(p, setting));
    std::string document = profile::write_oci(profile);
    return LoadedProfile{std::move(profile), std::move(document)};
  }
  profile::ReadOptions options;
  options.setting = setting;
  TRY_ASSIGN(LoadedInput input, load_input(p, options));
  if (!input.document) {
    return input_error("this is a BPF program, and a profile as a document is needed here",
                       input.place, "eval, show, diff, score and convert take programs too");
  }
  warn_of(*input.document, input.place);
  profile::Profile profile = std::move(input.document->profile);
  const bool is_oci = input.document->form == profile::Form::kOci;
  std::string document = is_oci ? std::move(input.bytes) : profile::write_oci(profile);
  return LoadedProfile{std::move(profile), std::move(document)};
}

Result<profile::Profile> load_profile(const std::string& p, const profile::Setting& setting) {
  if (p.starts_with(kBaselinePrefix)) {
    return profile::baseline(std::string_view(p).substr(kBaselinePrefix.size()), setting);
  }
  TRY_ASSIGN(LoadedProfile loaded, load_document(p, setting));
  return std::move(loaded.profile);
}

Result<std::vector<std::string>> profile_files(const std::vector<std::string>& operands) {
  std::vector<std::string> files;
  for (const std::string& p : operands) {
    std::error_code error;
    if (!std::filesystem::is_directory(p, error)) {
      files.push_back(p);
      continue;
    }
    std::vector<std::string> found;
    std::filesystem::directory_iterator at(p, error);
    for (const std::filesystem::directory_iterator end; !error && at != end; at.increment(error)) {
      const std::string name = at->path().filename().string();
      std::error_code ignored;
      const bool record = name.ends_with(".trial.json");  // of trials, beside its profile
      if (name.ends_with(".json") && !record && !name.starts_with('.') &&
          at->is_regular_file(ignored)) {
        found.push_back(at->path().string());
      }
    }
    if (error) return input_error("can't read the directory: " + error.message(), p);
    if (found.empty()) return input_error("no *.json file in the directory", p);
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

std::string profile_stem(const profile::Document& document, const std::string& p) {
  std::string name = document.name;
  if (name.empty() && p != "-") name = p.substr(p.rfind('/') + 1);
  for (const std::string_view suffix :
       {".json", ".yaml", ".yml", ".service", ".conf", ".profile"}) {
    if (name.ends_with(suffix) && name.size() > suffix.size()) {
      name.resize(name.size() - suffix.size());
    }
  }
  return name;
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
