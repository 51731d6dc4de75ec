#include "profile/baseline.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/embedded.h"
#include "base/text.h"
#include "profile/oci_reader.h"

WHITTLE_EMBEDDED(docker_baselines)
WHITTLE_EMBEDDED(containerd_baselines)
WHITTLE_EMBEDDED(podman_baselines)
WHITTLE_EMBEDDED(cri_o_baselines)

namespace whittle::profile {

namespace {

using json::View;

constexpr std::string_view kSchema = "whittle.baselines/v1";
constexpr std::size_t kMost = 10'000;  // elements of any list in the data
constexpr std::size_t kMostWordBytes = 128;

struct Version {
  std::array<unsigned, 3> parts{};
  std::size_t given = 0;  // how many of them were written: 29.4 is 2
  auto operator<=>(const Version& other) const { return parts <=> other.parts; }
  bool starts_with(const Version& prefix) const {
    return std::equal(prefix.parts.begin(),
                      prefix.parts.begin() + static_cast<std::ptrdiff_t>(prefix.given),
                      parts.begin());
  }
  std::string text() const { return format("{}.{}.{}", parts[0], parts[1], parts[2]); }
};

// "29.4.3", "v29.4.3", "19.03.0", "29.4", "29".
std::optional<Version> parse_version(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  const auto words = split(text, '.');
  if (words.size() > 3) return std::nullopt;
  Version version;
  for (const std::string& word : words) {
    const auto number = parse_u64(word);
    if (!number || *number > UINT16_MAX || word.find('x') != std::string::npos) return std::nullopt;
    version.parts[version.given++] = static_cast<unsigned>(*number);
  }
  return version;
}

struct ConditionalRule {
  Rule rule;
  std::optional<syscalls::Arch> host;
  std::vector<std::string> caps;      // all of them
  std::vector<std::string> not_caps;  // none of them
  std::optional<KernelVersion> kernel;

  bool holds(const Setting& setting, const std::set<std::string>& bounding) const {
    const auto has = [&bounding](const std::string& cap) { return bounding.count(cap) != 0; };
    return (!host || *host == setting.arch) && std::all_of(caps.begin(), caps.end(), has) &&
           std::none_of(not_caps.begin(), not_caps.end(), has) &&
           (!kernel || setting.kernel >= *kernel);
  }
};

struct DefaultProfile {
  Verdict default_verdict;
  std::vector<std::size_t> rules;  // indexes into Runtime::rules
};

// The defaults of one runtime over its versions.
struct Runtime {
  std::string name;
  std::set<std::string> default_caps;
  std::map<syscalls::Arch, std::vector<std::string>> architectures;
  std::vector<ConditionalRule> rules;
  std::vector<DefaultProfile> profiles;
  std::map<Version, std::size_t> versions;  // to an index into profiles
};

Result<std::vector<std::string>> strings_of(const View& view, std::string_view key) {
  TRY_ASSIGN(const auto items, items_of(view, key, kMost));
  std::vector<std::string> strings;
  for (const View& item : items) {
    TRY_ASSIGN(std::string text, bounded_string(item, kMostWordBytes));
    strings.push_back(std::move(text));
  }
  return strings;
}

// "allow" or "errno N"
Result<Verdict> verdict_of(const View& view) {
  TRY_ASSIGN(const std::string text, view.string());
  if (text == "allow") return Verdict{Action::kAllow, 0};
  if (const std::string_view prefix = "errno "; text.starts_with(prefix)) {
    const auto number = parse_u64(std::string_view(text).substr(prefix.size()));
    if (number && *number <= 4095) {
      return Verdict{Action::kErrno, static_cast<std::uint16_t>(*number)};
    }
  }
  return view.error("a verdict is \"allow\" or \"errno N\"");
}

Result<void> read_when(const View& rule, ConditionalRule& read) {
  TRY_ASSIGN(const auto when, find_present(rule, "when"));
  if (!when) return {};
  TRY_ASSIGN(read.caps, strings_of(*when, "caps"));
  TRY_ASSIGN(read.not_caps, strings_of(*when, "not_caps"));
  TRY_ASSIGN(const auto host, find_present(*when, "host"));
  if (host) {
    TRY_ASSIGN(const std::string word, host->string());
    read.host = syscalls::arch_from_name(word);
    if (!read.host) return host->error("unknown architecture");
  }
  TRY_ASSIGN(const auto kernel, find_present(*when, "kernel"));
  if (kernel) {
    TRY_ASSIGN(const std::string text, kernel->string());
    read.kernel = kernel_version(text);
    if (!read.kernel) return kernel->error("no kernel version");
  }
  return {};
}

// A rule in full, or `like` an earlier one with calls added and dropped.
Result<ConditionalRule> read_rule(const View& view, const std::vector<ConditionalRule>& earlier) {
  ConditionalRule read;
  TRY_ASSIGN(const auto like, find_present(view, "like"));
  if (like) {
    TRY_ASSIGN(const std::uint64_t index, like->u64());
    if (index >= earlier.size()) return like->error("no earlier rule of that index");
    read = earlier[index];
    TRY_ASSIGN(const auto added, strings_of(view, "add"));
    TRY_ASSIGN(const auto dropped, strings_of(view, "drop"));
    std::set<std::string> calls(read.rule.names.begin(), read.rule.names.end());
    calls.insert(added.begin(), added.end());
    for (const std::string& name : dropped) calls.erase(name);
    read.rule.names.assign(calls.begin(), calls.end());
    return read;
  }
  TRY_ASSIGN(const View verdict, view.at("verdict"));
  TRY_ASSIGN(read.rule.verdict, verdict_of(verdict));
  TRY_ASSIGN(read.rule.names, strings_of(view, "calls"));
  TRY_ASSIGN(read.rule.args, read_conditions(view));
  TRY(read_when(view, read));
  return read;
}

Result<void> read_profile(const View& view, Runtime& runtime) {
  DefaultProfile profile;
  TRY_ASSIGN(const View verdict, view.at("default"));
  TRY_ASSIGN(profile.default_verdict, verdict_of(verdict));
  TRY_ASSIGN(const auto rules, items_of(view, "rules", kMost));
  for (const View& rule : rules) {
    TRY_ASSIGN(const std::uint64_t index, rule.u64());
    if (index >= runtime.rules.size()) return rule.error("no rule of that index");
    profile.rules.push_back(index);
  }
  TRY_ASSIGN(const auto versions, strings_of(view, "versions"));
  for (const std::string& text : versions) {
    const auto version = parse_version(text);
    if (!version || version->given != 3) return view.error("no version: " + text);
    runtime.versions[*version] = runtime.profiles.size();
  }
  runtime.profiles.push_back(std::move(profile));
  return {};
}

Result<Runtime> read_runtime(std::string_view text, const std::string& name) {
  TRY_ASSIGN(const json::Value document, json::parse(text, "the built-in baselines of " + name));
  const View root(document, "the built-in baselines of " + name);
  Runtime runtime;
  runtime.name = name;
  TRY_ASSIGN(const View schema, root.at("schema"));
  TRY_ASSIGN(const std::string schema_name, schema.string());
  if (schema_name != kSchema) return schema.error("another schema than " + std::string(kSchema));
  TRY_ASSIGN(const auto caps, strings_of(root, "default_caps"));
  runtime.default_caps = {caps.begin(), caps.end()};
  TRY_ASSIGN(const View architectures, root.at("architectures"));
  TRY_ASSIGN(const auto hosts, architectures.members());
  for (const auto& [word, list] : hosts) {
    const auto arch = syscalls::arch_from_name(word);
    if (!arch) return list.error("unknown architecture");
    TRY_ASSIGN(runtime.architectures[*arch], strings_of(architectures, word));
  }
  TRY_ASSIGN(const auto rules, items_of(root, "rules", kMost));
  for (const View& view : rules) {
    TRY_ASSIGN(ConditionalRule rule, read_rule(view, runtime.rules));
    runtime.rules.push_back(std::move(rule));
  }
  TRY_ASSIGN(const auto profiles, items_of(root, "profiles", kMost));
  for (const View& view : profiles) TRY(read_profile(view, runtime));
  if (runtime.versions.empty()) return root.error("no versions");
  return runtime;
}

struct Source {
  std::string name;
  std::string_view text;
};

// What is built in cannot be wrong at run time: a unit test reads every version. An error here is a
// bug, and is told as one.
const Result<std::vector<Runtime>>& runtimes() {
  static const Result<std::vector<Runtime>> kRuntimes = []() -> Result<std::vector<Runtime>> {
    const std::array<Source, 4> sources = {{{"containerd", embedded_containerd_baselines()},
                                            {"cri-o", embedded_cri_o_baselines()},
                                            {"docker", embedded_docker_baselines()},
                                            {"podman", embedded_podman_baselines()}}};
    std::vector<Runtime> all;
    for (const Source& source : sources) {
      auto runtime = read_runtime(source.text, source.name);
      if (!runtime) return bug(runtime.error().message, runtime.error().place);
      all.push_back(*std::move(runtime));
    }
    return all;
  }();
  return kRuntimes;
}

const Runtime* find_runtime(std::string_view name) {
  const auto& all = runtimes();
  if (!all) return nullptr;
  const auto it =
      std::find_if(all->begin(), all->end(), [name](const Runtime& r) { return r.name == name; });
  return it == all->end() ? nullptr : &*it;
}

std::string id_of(const Runtime& runtime, const Version& version) {
  return runtime.name + "@" + version.text();
}

// The profile of the newest known version that begins as `wanted` does, or an error that names the
// nearest known one.
Result<std::size_t> profile_index(const Runtime& runtime, const Version& wanted,
                                  std::string_view id) {
  const auto& versions = runtime.versions;
  const auto it = std::find_if(versions.rbegin(), versions.rend(),
                               [&](const auto& known) { return known.first.starts_with(wanted); });
  if (it != versions.rend()) return it->second;
  const auto next = versions.upper_bound(wanted);
  const Version& nearest_known = next == versions.begin() ? next->first : std::prev(next)->first;
  return input_error(
      format("the default profile of {} is not known", printable(id)), {},
      format("the nearest known version is {}; known are {} to {}", id_of(runtime, nearest_known),
             versions.begin()->first.text(), versions.rbegin()->first.text()));
}

Profile resolve(const Runtime& runtime, const DefaultProfile& profile, const Setting& setting) {
  const std::set<std::string>& caps = setting.caps ? *setting.caps : runtime.default_caps;
  Profile::Parts parts;
  parts.default_verdict = profile.default_verdict;
  const auto architectures = runtime.architectures.find(setting.arch);
  if (architectures != runtime.architectures.end()) parts.architectures = architectures->second;
  for (const std::size_t index : profile.rules) {
    const ConditionalRule& rule = runtime.rules[index];
    if (rule.holds(setting, caps)) parts.rules.push_back(rule.rule);
  }
  return Profile(std::move(parts));
}

}  // namespace

const std::set<std::string>& docker_default_caps() {
  static const std::set<std::string> kNone;
  const Runtime* docker = find_runtime("docker");
  return docker == nullptr ? kNone : docker->default_caps;
}

Result<Profile> baseline(std::string_view id, const Setting& setting) {
  const auto& all = runtimes();
  if (!all) return tl::unexpected(all.error());
  if (setting.arch != syscalls::native_of(setting.arch)) {
    return input_error(
        format("a baseline is resolved for a host, not for {}", syscalls::arch_name(setting.arch)),
        {},
        format("take {}: its baseline lists {} too",
               syscalls::arch_name(syscalls::native_of(setting.arch)),
               syscalls::arch_name(setting.arch)));
  }
  const std::size_t at = id.find('@');
  const std::string_view name = id.substr(0, at);
  const Runtime* runtime = find_runtime(name);
  if (runtime == nullptr) {
    std::vector<std::string> names;
    for (const Runtime& known : *all) names.push_back(known.name);
    const auto near = nearest(name, names);
    return input_error(
        format("no baselines of \"{}\" are known", printable(name)), {},
        near ? format("did you mean \"{}\"?", *near) : format("known are {}", join(names, ", ")));
  }
  Version version;
  if (at != std::string_view::npos) {
    const auto parsed = parse_version(id.substr(at + 1));
    if (!parsed) {
      return input_error(
          format("\"{}\" has no version behind the @", printable(id)), {},
          format("write it as \"{}\"", id_of(*runtime, runtime->versions.rbegin()->first)));
    }
    version = *parsed;
  }
  TRY_ASSIGN(const std::size_t index, profile_index(*runtime, version, id));
  return resolve(*runtime, runtime->profiles[index], setting);
}

std::vector<std::string> baseline_ids() {
  std::vector<std::string> ids;
  const auto& all = runtimes();
  if (!all) return ids;
  for (const Runtime& runtime : *all) {
    for (const auto& [version, index] : runtime.versions) ids.push_back(id_of(runtime, version));
  }
  return ids;
}

std::string_view default_baseline_id() {
  static const std::string kId = [] {
    const Runtime* docker = find_runtime("docker");
    return docker == nullptr ? std::string("docker")
                             : id_of(*docker, docker->versions.rbegin()->first);
  }();
  return kId;
}

}  // namespace whittle::profile
