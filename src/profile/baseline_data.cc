#include "profile/baseline_data.h"

#include <algorithm>
#include <array>
#include <mutex>

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
    std::vector<std::string>& calls = read.rule.names;
    for (const std::string& name : added) {
      const auto at = std::lower_bound(calls.begin(), calls.end(), name);
      if (at == calls.end() || *at != name) calls.insert(at, name);
    }
    for (const std::string& name : dropped) {
      const auto at = std::lower_bound(calls.begin(), calls.end(), name);
      if (at != calls.end() && *at == name) calls.erase(at);
    }
    return read;
  }
  TRY_ASSIGN(const View verdict, view.at("verdict"));
  TRY_ASSIGN(read.rule.verdict, verdict_of(verdict));
  TRY_ASSIGN(read.rule.names, strings_of(view, "calls"));
  if (!std::is_sorted(read.rule.names.begin(), read.rule.names.end())) {
    return view.error("the calls are not sorted");
  }
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
  std::string_view name;
  std::string_view text;
  std::once_flag once = {};
  Result<Runtime> runtime = Runtime{};
};

std::array<Source, 4>& sources() {
  static std::array<Source, 4> all = {{{"containerd", embedded_containerd_baselines()},
                                       {"cri-o", embedded_cri_o_baselines()},
                                       {"docker", embedded_docker_baselines()},
                                       {"podman", embedded_podman_baselines()}}};
  return all;
}

}  // namespace

std::vector<std::string> baseline_runtime_names() {
  std::vector<std::string> names;
  for (const Source& source : sources()) names.emplace_back(source.name);
  return names;
}

const Result<Runtime>* baseline_runtime(std::string_view name) {
  for (Source& source : sources()) {
    if (source.name != name) continue;
    std::call_once(source.once, [&source] {
      source.runtime = read_runtime(source.text, std::string(source.name));
      if (source.runtime) return;
      const Error error = source.runtime.error();
      source.runtime = bug(error.message, error.place);
    });
    return &source.runtime;
  }
  return nullptr;
}

std::optional<Version> parse_version(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  const std::size_t end = text.find_first_of("+~-");
  if (end != std::string_view::npos) {
    for (const std::string_view early : {"rc", "beta", "alpha", "dev"}) {
      if (text.find(early, end) != std::string_view::npos) return std::nullopt;
    }
    text = text.substr(0, end);
  }
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

}  // namespace whittle::profile
