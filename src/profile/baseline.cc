#include "profile/baseline.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"
#include "profile/baseline_data.h"

namespace whittle::profile {

namespace {

const Runtime* find_runtime(std::string_view name) {
  const Result<Runtime>* runtime = baseline_runtime(name);
  return runtime != nullptr && *runtime ? &**runtime : nullptr;
}

std::string id_of(const Runtime& runtime, const Version& version) {
  return runtime.name + "@" + version.text();
}

using Known = std::map<Version, std::size_t>::const_iterator;

bool same_branch(const Version& a, const Version& b) {
  return a.parts[0] == b.parts[0] && a.parts[1] == b.parts[1];
}

// The newest known version that begins as `wanted` does, or an error that names the nearest one.
Result<Known> find_version(const Runtime& runtime, const Version& wanted, std::string_view id) {
  const auto& versions = runtime.versions;
  const auto it = std::find_if(versions.rbegin(), versions.rend(),
                               [&](const auto& known) { return known.first.starts_with(wanted); });
  if (it != versions.rend()) return std::prev(it.base());
  const auto next = versions.upper_bound(wanted);
  const Version& nearest_known = next == versions.begin() ? next->first : std::prev(next)->first;
  return input_error(
      format("the default profile of {} is not known", printable(id)), {},
      format("the nearest known version is {}; known are {} to {}", id_of(runtime, nearest_known),
             versions.begin()->first.text(), versions.rbegin()->first.text()));
}

// The release of the same branch that brought the profile of `known`: the first of those that have
// it without a break.
Version last_change(const Runtime& runtime, Known known) {
  while (known != runtime.versions.begin()) {
    const auto before = std::prev(known);
    if (!same_branch(before->first, known->first) || before->second != known->second) break;
    known = before;
  }
  return known->first;
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

// What is said of one call, whatever the setting: the rules that name it, in their order.
using Said = std::vector<std::tuple<std::string, std::vector<Condition>, std::string>>;

std::string when_text(const ConditionalRule& rule) {
  return format("{}|{}|{}|{}", rule.host ? syscalls::arch_name(*rule.host) : "",
                join(rule.caps, ","), join(rule.not_caps, ","),
                rule.kernel ? format("{}.{}", rule.kernel->major, rule.kernel->minor) : "");
}

struct CallRules {
  Said said;
  bool allowed = false;  // in some setting, with some arguments
};

std::map<std::string, CallRules> by_call(const Runtime& runtime, const DefaultProfile& profile) {
  std::map<std::string, CallRules> calls;
  for (const std::size_t index : profile.rules) {
    const ConditionalRule& rule = runtime.rules[index];
    for (const std::string& name : rule.rule.names) {
      CallRules& call = calls[name];
      call.said.emplace_back(verdict_text(rule.rule.verdict), rule.rule.args, when_text(rule));
      call.allowed = call.allowed || rule.rule.verdict.allows();
    }
  }
  return calls;
}

void compare(const Runtime& runtime, const DefaultProfile& before, const DefaultProfile& after,
             BaselineChange& change) {
  const auto old_calls = by_call(runtime, before);
  auto calls = by_call(runtime, after);
  for (const auto& [name, call] : old_calls) calls.try_emplace(name);
  const CallRules nothing;
  for (const auto& [name, call] : calls) {
    const auto it = old_calls.find(name);
    const CallRules& old_call = it == old_calls.end() ? nothing : it->second;
    if (call.said == old_call.said) continue;
    if (call.allowed != old_call.allowed) {
      (call.allowed ? change.added : change.dropped).push_back(name);
    } else {
      change.changed.push_back(name);
    }
  }
  if (!(before.default_verdict == after.default_verdict)) {
    change.default_verdict = after.default_verdict;
  }
}

}  // namespace

const std::set<std::string>& docker_default_caps() {
  static const std::set<std::string> kNone;
  const Runtime* docker = find_runtime("docker");
  return docker == nullptr ? kNone : docker->default_caps;
}

Result<ResolvedBaseline> resolve_baseline(std::string_view id, const Setting& setting) {
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
  const Result<Runtime>* read = baseline_runtime(name);
  if (read == nullptr) {
    const auto names = baseline_runtime_names();
    const auto near = nearest(name, names);
    return input_error(
        format("no baselines of \"{}\" are known", printable(name)), {},
        format("{}known are {}", near ? format("did you mean \"{}\"? ", *near) : std::string(),
               join(names, ", ")));
  }
  if (!*read) return tl::unexpected(read->error());
  const Runtime* runtime = &**read;
  Version version;
  if (at != std::string_view::npos) {
    const auto parsed = parse_version(id.substr(at + 1));
    if (!parsed) {
      return input_error(
          format("\"{}\" has no version behind the @ that is a release", printable(id)), {},
          format("write it as \"{}\"", id_of(*runtime, runtime->versions.rbegin()->first)));
    }
    version = *parsed;
  }
  TRY_ASSIGN(const Known known, find_version(*runtime, version, id));
  return ResolvedBaseline{id_of(*runtime, known->first),
                          id_of(*runtime, last_change(*runtime, known)),
                          resolve(*runtime, runtime->profiles[known->second], setting)};
}

Result<Profile> baseline(std::string_view id, const Setting& setting) {
  TRY_ASSIGN(ResolvedBaseline resolved, resolve_baseline(id, setting));
  return std::move(resolved.profile);
}

std::set<std::string> baseline_default_caps(std::string_view runtime) {
  const Runtime* found = find_runtime(runtime);
  return found == nullptr ? std::set<std::string>() : found->default_caps;
}

std::vector<BaselineChange> baseline_changes(std::string_view runtime) {
  std::vector<BaselineChange> changes;
  const Runtime* found = find_runtime(runtime);
  if (found == nullptr) return changes;
  const auto& versions = found->versions;
  for (auto it = versions.begin(); it != versions.end(); ++it) {
    const Version& version = it->first;
    const auto before = it == versions.begin() ? it : std::prev(it);
    const bool first = it == versions.begin();
    if (!first && before->second == it->second) {
      changes.back().last = id_of(*found, version);
      continue;
    }
    BaselineChange change;
    change.id = change.last = id_of(*found, version);
    if (!first) {
      change.after = id_of(*found, before->first);
      compare(*found, found->profiles[before->second], found->profiles[it->second], change);
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

std::vector<std::string> baseline_ids() {
  std::vector<std::string> ids;
  for (const std::string& name : baseline_runtime_names()) {
    const Runtime* runtime = find_runtime(name);
    if (runtime == nullptr) continue;
    for (const auto& [version, index] : runtime->versions) ids.push_back(id_of(*runtime, version));
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
