// The Docker dialect: conditions that hold or not on one host for one container. As moby/profiles
// seccomp/seccomp_linux.go reads them; errno names are those of containers/common.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "profile/baseline.h"
#include "profile/oci_reader.h"
#include "profile/oci_words.h"

namespace whittle::profile {

namespace {

using json::View;

constexpr std::size_t kMostWords = 128;
constexpr std::size_t kMostWordBytes = 64;
const std::array<std::string, 3> kFilterKeys = {"caps", "arches", "minKernel"};
const std::array<std::string, 2> kArchMapKeys = {"architecture", "subArchitectures"};

Result<std::vector<std::string>> strings_of(const View& view, std::string_view key) {
  TRY_ASSIGN(const auto items, items_of(view, key, kMostWords));
  std::vector<std::string> strings;
  for (const View& item : items) {
    TRY_ASSIGN(std::string text, bounded_string(item, kMostWordBytes));
    strings.push_back(std::move(text));
  }
  return strings;
}

// The `includes` or `excludes` of a rule.
struct Filter {
  std::vector<std::string> caps;
  std::vector<std::string> arches;
  std::optional<KernelVersion> least_kernel;
};

Result<Filter> read_filter(const View& rule, std::string_view key) {
  Filter filter;
  TRY_ASSIGN(const auto view, find_present(rule, key));
  if (!view) return filter;
  TRY(view->only(kFilterKeys));
  TRY_ASSIGN(filter.caps, strings_of(*view, "caps"));
  TRY_ASSIGN(filter.arches, strings_of(*view, "arches"));
  TRY_ASSIGN(const auto kernel, find_present(*view, "minKernel"));
  if (kernel) {
    TRY_ASSIGN(const std::string text, kernel->string());
    filter.least_kernel = kernel_version(text);
    if (!filter.least_kernel) {
      return kernel->error(format("\"{}\" is no kernel version", printable(text)),
                           "write it as \"4.8\"");
    }
  }
  return filter;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::optional<KernelVersion> kernel_version(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string_view minor = text.substr(dot + 1);
  minor = minor.substr(0, minor.find_first_of(".-+"));
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    const auto value = parse_u64(digits);
    if (!value || *value > UINT16_MAX || digits.find('x') != std::string_view::npos) return {};
    return value;
  };
  const auto first = number(text.substr(0, dot));
  const auto second = number(minor);
  if (!first || !second) return std::nullopt;
  return KernelVersion{static_cast<unsigned>(*first), static_cast<unsigned>(*second)};
}

// moby: excludes hold when any of their parts does, includes only when all of them do; of the
// capabilities excludes need any one, includes every one.
Result<bool> docker_conditions_hold(const View& rule, const Setting& setting) {
  TRY_ASSIGN(const Filter excludes, read_filter(rule, "excludes"));
  TRY_ASSIGN(const Filter includes, read_filter(rule, "includes"));
  const std::set<std::string>& caps = setting.caps ? *setting.caps : docker_default_caps();
  const auto has_cap = [&caps](const std::string& cap) { return caps.count(cap) != 0; };
  const std::string_view host = syscalls::docker_arch(setting.arch);

  if (contains(excludes.arches, host)) return false;
  if (std::any_of(excludes.caps.begin(), excludes.caps.end(), has_cap)) return false;
  if (excludes.least_kernel && setting.kernel >= *excludes.least_kernel) return false;

  if (!includes.arches.empty() && !contains(includes.arches, host)) return false;
  if (!std::all_of(includes.caps.begin(), includes.caps.end(), has_cap)) return false;
  return !includes.least_kernel || setting.kernel >= *includes.least_kernel;
}

Result<std::vector<std::string>> docker_architectures(const View& root, const Setting& setting) {
  TRY_ASSIGN(const auto entries, items_of(root, "archMap", kMostWords));
  TRY_ASSIGN(const auto listed, items_of(root, "architectures", kMostWords));
  if (!entries.empty() && !listed.empty()) {
    TRY_ASSIGN(const View map, root.at("archMap"));
    return map.error("\"archMap\" beside \"architectures\"", "keep one of them");
  }
  std::vector<std::string> found;
  for (const View& entry : entries) {
    TRY(entry.only(kArchMapKeys));
    TRY_ASSIGN(const View native, entry.at("architecture"));
    TRY_ASSIGN(const std::string name, native.string());
    TRY_ASSIGN(std::vector<std::string> all, strings_of(entry, "subArchitectures"));
    all.insert(all.begin(), name);
    for (const std::string& word : all) {
      const auto known = oci_arch_words();
      if (std::find(known.begin(), known.end(), word) != known.end()) continue;
      return entry.error(format("unknown architecture \"{}\"", printable(word)));
    }
    // The first entry of the host's architecture counts, as in moby.
    if (found.empty() && name == syscalls::oci_arch(setting.arch)) found = std::move(all);
  }
  return found;
}

Result<Profile> resolve_docker(std::string_view text, std::string_view place,
                               const Setting& setting) {
  TRY_ASSIGN(const json::Value document, parse_document(text, place));
  return read_document(document, place, Dialect::kDocker, &setting);
}

}  // namespace whittle::profile
