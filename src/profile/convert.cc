#include "profile/convert.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/errno_name.h"
#include "base/text.h"
#include "base/yaml.h"
#include "profile/kubernetes.h"
#include "profile/oci_reader.h"
#include "profile/oci_words.h"
#include "profile/systemd.h"

namespace whittle::profile {

namespace {

constexpr std::uint16_t kEperm = 1;
constexpr std::uint16_t kEnosys = 38;
constexpr std::string_view kNotify = "SCMP_ACT_NOTIFY";
constexpr std::uint64_t kSpoMostValue = INT64_MAX;
constexpr std::size_t kSpoMostConditions = 6;
constexpr std::size_t kMostSettings = 400;
constexpr std::string_view kSpoListeners = "/var/run/security-profiles-operator/";

// The profile on its way into another form. Every step that takes something away notes it.
class Work {
 public:
  Work(const Document& document, const ConvertSettings& settings)
      : document_(document),
        settings_(settings),
        parts_(document.profile.parts()),
        pointers_(document.rule_pointers) {}

  const Document& document() const { return document_; }
  Profile::Parts& parts() { return parts_; }
  std::vector<Loss>& lost() { return lost_; }

  void lose(const std::string& pointer, std::string what) {
    lost_.push_back({pointer, std::move(what)});
  }
  // Of the document itself: a key of the seccomp object.
  std::string at(std::string_view key) const { return format("{}/{}", document_.pointer, key); }
  std::string rule_at(std::size_t rule, std::string_view key) const {
    return rule < pointers_.size() ? format("{}/{}", pointers_[rule], key) : at(key);
  }

  // What the document says beyond its profile, but for what `keeps` names.
  void lose_beyond() {
    lost_.insert(lost_.end(), document_.beyond.begin(), document_.beyond.end());
  }

  void lose_flags(std::string_view why) {
    if (!parts_.flags.empty()) lose(at("flags"), format("{}: {}", join(parts_.flags, ", "), why));
    parts_.flags.clear();
    parts_.no_flags = false;
  }

  void lose_listener(std::string_view why) {
    if (!parts_.listener_path.empty()) {
      lose(at("listenerPath"), format("{}: {}", printable(parts_.listener_path), why));
    }
    if (!parts_.listener_metadata.empty()) lose(at("listenerMetadata"), std::string(why));
    parts_.listener_path.clear();
    parts_.listener_metadata.clear();
  }

  template <typename Known>
  void lose_architectures(std::string_view where, const Known& known) {
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < parts_.architectures.size(); ++i) {
      const std::string& arch = parts_.architectures[i];
      if (known(arch)) {
        kept.push_back(arch);
      } else {
        lose(format("{}/{}", at("architectures"), i),
             format("{} has no word for {}, which is closed there", where, arch));
      }
    }
    parts_.architectures = std::move(kept);
  }

  // Takes the calls out of the rules; returns how those refused them.
  std::map<std::string, Verdict> drop(const std::set<std::string>& calls) {
    std::map<std::string, Verdict> refusals;
    std::vector<Rule> kept;
    std::vector<std::string> kept_pointers;
    for (std::size_t i = 0; i < parts_.rules.size(); ++i) {
      Rule rule = parts_.rules[i];
      for (const std::string& name : rule.names) {
        if (calls.count(name) != 0 && !rule.verdict.allows()) refusals.emplace(name, rule.verdict);
      }
      std::erase_if(rule.names, [&calls](const auto& name) { return calls.count(name) != 0; });
      if (rule.names.empty()) continue;
      kept.push_back(std::move(rule));
      kept_pointers.push_back(i < pointers_.size() ? pointers_[i] : std::string());
    }
    parts_.rules = std::move(kept);
    pointers_ = std::move(kept_pointers);
    return refusals;
  }

  // The calls are refused altogether: where that is not the default, by a rule without conditions.
  void refuse(const std::set<std::string>& calls) {
    const auto refusals = drop(calls);
    if (!parts_.default_verdict.allows()) return;
    for (const auto& [name, verdict] : refusals) {
      parts_.rules.push_back({{name}, verdict, {}});
      pointers_.emplace_back();
    }
  }

  bool counts(const Rule& rule) const {
    return !settings_.by_runtime || rule.verdict != parts_.default_verdict;
  }

 private:
  const Document& document_;
  const ConvertSettings& settings_;
  Profile::Parts parts_;
  std::vector<std::string> pointers_;
  std::vector<Loss> lost_;
};

std::string names_text(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 6;
  if (names.size() <= kMost) return join(names, ", ");
  return format("{} and {} more", join(std::span(names).first(kMost), ", "), names.size() - kMost);
}

// Docker's conditions --------------------------------------------------------------------------

// "caps CAP_SYS_ADMIN, minKernel 4.8" of an includes or excludes, and whether the setting for all
// of it was said.
struct ConditionText {
  std::string text;
  bool said = true;
};

ConditionText condition_text(const json::Value& filter, const Said& said) {
  ConditionText made;
  const auto add = [&made](std::string_view key, const std::string& values, bool was_said) {
    made.text += format("{}{} {}", made.text.empty() ? "" : ", ", key, printable(values));
    made.said = made.said && was_said;
  };
  for (const auto& [key, was_said] :
       {std::pair("caps", said.caps), std::pair("arches", said.arch)}) {
    const json::Value* list = filter.find(key);
    if (list == nullptr || says_nothing(*list)) continue;
    std::vector<std::string> words;
    for (const json::Value& word : *list->array()) words.push_back(*word.string());
    add(key, join(words, " "), was_said);
  }
  const json::Value* kernel = filter.find("minKernel");
  if (kernel != nullptr && !says_nothing(*kernel)) add("minKernel", *kernel->string(), said.kernel);
  return made;
}

// In a document that Docker's reader took, so that every key is of its type.
void lose_conditions(Work& work, const ConvertSettings& settings) {
  const Document& document = work.document();
  if (document.form != Form::kDocker) return;
  const json::Value* map = document.object.find("archMap");
  if (map != nullptr && !says_nothing(*map) && !settings.said.arch) {
    work.lose(work.at("archMap"), format("it was read for {}: say which architecture with --arch",
                                         syscalls::docker_arch(settings.setting.arch)));
  }
  const json::Value* rules = document.object.find("syscalls");
  if (rules == nullptr || rules->array() == nullptr) return;
  for (std::size_t i = 0; i < rules->array()->size(); ++i) {
    for (const char* key : {"includes", "excludes"}) {
      const json::Value* filter = (*rules->array())[i].find(key);
      if (filter == nullptr || says_nothing(*filter)) continue;
      const ConditionText condition = condition_text(*filter, settings.said);
      if (condition.said) continue;
      work.lose(format("{}/syscalls/{}/{}", document.pointer, i, key),
                format("{}: read for one setting; say which with --caps, --kernel and --arch",
                       condition.text));
    }
  }
}

// True for a rule that does not hold on the kernel of the setting.
bool kernel_rules_out(const json::Value& rule, const Setting& setting) {
  const auto least = [&rule](const char* key) -> std::optional<KernelVersion> {
    const json::Value* filter = rule.find(key);
    const json::Value* kernel = filter == nullptr ? nullptr : filter->find("minKernel");
    if (kernel == nullptr || kernel->string() == nullptr) return std::nullopt;
    return kernel_version(*kernel->string());
  };
  const auto includes = least("includes");
  const auto excludes = least("excludes");
  return (includes && setting.kernel < *includes) || (excludes && setting.kernel >= *excludes);
}

// The same document with errno names as numbers, and for Podman without the kernels that it does
// not look at.
json::Value rewritten(const json::Value& value, bool podman, bool in_rule_filter,
                      const Setting& setting) {
  if (const auto* array = value.array()) {
    json::Array made;
    for (const json::Value& item : *array) {
      if (podman && kernel_rules_out(item, setting)) continue;
      made.push_back(rewritten(item, podman, false, setting));
    }
    return made;
  }
  const auto* object = value.object();
  if (object == nullptr) return value;
  json::Value made = json::Object();
  const auto has_errno = [&value](const char* key) {
    const json::Value* name = value.find(key);
    return name != nullptr && !says_nothing(*name);
  };
  for (const auto& [key, member] : *object) {
    const bool named = has_errno(key.starts_with("default") ? "defaultErrno" : "errno");
    if ((key == "errnoRet" || key == "defaultErrnoRet") && named) continue;
    if (key == "errno" || key == "defaultErrno") {
      const auto number = named ? errno_from_name(*member.string()) : std::nullopt;
      if (number) made.set(key + "Ret", *number);
      continue;
    }
    if (podman && in_rule_filter && key == "minKernel") continue;
    if (podman && key.starts_with("listener")) continue;
    const bool is_action = key == "action" || key == "defaultAction";
    if (podman && is_action && member.string() != nullptr && *member.string() == kNotify) {
      made.set(key, "SCMP_ACT_ERRNO");
      made.set(key == "action" ? "errnoRet" : "defaultErrnoRet", unsigned{kEnosys});
      continue;
    }
    made.set(key, rewritten(member, podman, key == "includes" || key == "excludes", setting));
  }
  return made;
}

// OCI, Docker and Podman ------------------------------------------------------------------------

// containers/common (pkg/seccomp): its document has no listener, and its actions no NOTIFY.
void fit_podman(Work& work) {
  work.lose_listener("Podman's dialect has no listener");
  Profile::Parts& parts = work.parts();
  const auto fit = [](Verdict& verdict) {
    if (verdict.action != Action::kNotify) return false;
    verdict = {Action::kErrno, kEnosys};  // what the kernel answers when nobody listens
    return true;
  };
  if (fit(parts.default_verdict)) {
    work.lose(work.at("defaultAction"), "Podman's dialect has no SCMP_ACT_NOTIFY: errno ENOSYS");
  }
  for (std::size_t i = 0; i < parts.rules.size(); ++i) {
    if (!fit(parts.rules[i].verdict)) continue;
    work.lose(work.rule_at(i, "action"),
              format("Podman's dialect has no SCMP_ACT_NOTIFY: errno ENOSYS for {}",
                     names_text(parts.rules[i].names)));
  }
}

void lose_kernels(Work& work, const ConvertSettings& settings) {
  const json::Value* rules = work.document().object.find("syscalls");
  if (settings.said.kernel || rules == nullptr || rules->array() == nullptr) return;
  for (std::size_t i = 0; i < rules->array()->size(); ++i) {
    for (const char* key : {"includes", "excludes"}) {
      const json::Value* filter = (*rules->array())[i].find(key);
      const json::Value* kernel = filter == nullptr ? nullptr : filter->find("minKernel");
      if (kernel == nullptr || says_nothing(*kernel)) continue;
      work.lose(format("{}/syscalls/{}/{}/minKernel", work.document().pointer, i, key),
                "Podman does not look at it: read for one kernel; say which with --kernel");
    }
  }
}

Conversion finish(Work& work, std::string text, json::Value value) {
  return {std::move(text), std::move(value), Profile(std::move(work.parts())),
          std::move(work.lost())};
}

Result<Conversion> to_json_dialect(Work& work, Target target, const ConvertSettings& settings) {
  const Document& document = work.document();
  const bool keeps = document.form == Form::kDocker && target != Target::kOci;
  if (keeps && target == Target::kPodman) lose_kernels(work, settings);
  if (!keeps) lose_conditions(work, settings);
  if (target == Target::kPodman) fit_podman(work);
  work.lose_beyond();
  if (keeps) {
    json::Value value =
        rewritten(document.object, target == Target::kPodman, false, settings.setting);
    std::string text = json::dump(value) + "\n";
    TRY_ASSIGN(const Profile read, resolve_docker(text, "the new document", settings.setting));
    work.parts() = read.parts();
    return finish(work, std::move(text), std::move(value));
  }
  std::string text = write_oci(Profile(work.parts()));
  TRY_ASSIGN(json::Value value, parse_document(text, "the new document"));
  return finish(work, std::move(text), std::move(value));
}

// SPO -------------------------------------------------------------------------------------------

bool is_spo_arch(std::string_view arch) {
  static constexpr std::array<std::string_view, 4> kUnknown = {
      "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB"};
  return std::find(kUnknown.begin(), kUnknown.end(), arch) == kUnknown.end();
}

// The pattern of the CRD for listenerPath.
bool is_spo_listener(std::string_view path) {
  if (!path.starts_with(kSpoListeners) || path.size() == kSpoListeners.size()) return false;
  path.remove_prefix(kSpoListeners.size());
  return std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

void fit_spo_verdicts(Work& work) {
  Profile::Parts& parts = work.parts();
  Verdict& other = parts.default_verdict;
  if (takes_errno(other.action) && other.data != kEperm) {
    work.lose(work.at("defaultErrnoRet"),
              format("a SeccompProfile has none: {} becomes {}", verdict_text(other),
                     verdict_text({other.action, kEperm})));
    other.data = kEperm;
  }
  for (std::size_t i = 0; i < parts.rules.size(); ++i) {
    Verdict& verdict = parts.rules[i].verdict;
    if (!takes_errno(verdict.action) || verdict.data != 0) continue;
    work.lose(work.rule_at(i, "errnoRet"),
              format("the operator drops 0, which becomes EPERM for {}",
                     names_text(parts.rules[i].names)));
    verdict.data = kEperm;
  }
}

void fit_spo_conditions(Work& work) {
  std::set<std::string> calls;
  const auto& rules = work.parts().rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto& args = rules[i].args;
    const bool wide = std::any_of(args.begin(), args.end(), [](const Condition& condition) {
      return condition.value > kSpoMostValue || condition.value_two > kSpoMostValue;
    });
    if (!wide && args.size() <= kSpoMostConditions) continue;
    work.lose(work.rule_at(i, "args"),
              format("{}, which a SeccompProfile can't hold: {} refused altogether",
                     wide ? "a value from 2^63 on" : "more than 6 conditions",
                     names_text(rules[i].names)));
    calls.insert(rules[i].names.begin(), rules[i].names.end());
  }
  if (!calls.empty()) work.refuse(calls);
}

// The spec, in the order of write_oci().
Result<json::Value> spo_spec(const Profile& profile, const Document& document) {
  TRY_ASSIGN(const json::Value oci, parse_document(write_oci(profile), "the new document"));
  json::Value spec = json::Object();
  if (document.form == Form::kSpo) {
    for (const char* key : {"state", "baseProfileName"}) {
      const json::Value* value = document.object.find(key);
      if (value != nullptr && !says_nothing(*value)) spec.set(key, *value);
    }
  }
  for (const auto& [key, value] : *oci.object()) {
    if (key != "defaultErrnoRet") spec.set(key, value);
  }
  return spec;
}

Result<Conversion> to_spo(Work& work, Target target, const ConvertSettings& settings) {
  lose_conditions(work, settings);
  if (work.document().form != Form::kSpo) work.lose_beyond();
  fit_spo_verdicts(work);
  fit_spo_conditions(work);
  work.lose_architectures("a SeccompProfile", is_spo_arch);
  Profile::Parts& parts = work.parts();
  if (parts.no_flags) {
    work.lose(work.at("flags"),
              "the operator drops an empty list, and runtimes then set SPEC_ALLOW");
    parts.no_flags = false;
  }
  if (!parts.listener_path.empty() && !is_spo_listener(parts.listener_path)) {
    work.lose_listener(format("a SeccompProfile takes listeners in {} only", kSpoListeners));
  }
  TRY_ASSIGN(json::Value spec, spo_spec(Profile(parts), work.document()));
  json::Value metadata;
  metadata.set("name", settings.name);
  if (!settings.name_space.empty()) metadata.set("namespace", settings.name_space);
  json::Value value;
  value.set("apiVersion", format("{}/{}", kSpoGroup, target == Target::kSpoV1 ? "v1" : "v1beta1"));
  value.set("kind", "SeccompProfile");
  value.set("metadata", std::move(metadata));
  value.set("spec", std::move(spec));
  std::string text = yaml::dump(value);
  return finish(work, std::move(text), std::move(value));
}

// systemd ---------------------------------------------------------------------------------------

// The nearest refusal that systemd has.
std::optional<Verdict> systemd_verdict(const Verdict& verdict) {
  switch (verdict.action) {
    case Action::kKillProcess:
    case Action::kAllow:
    case Action::kErrno:
      return std::nullopt;
    case Action::kLog:
      return Verdict{Action::kAllow, 0};
    case Action::kTrace:
    case Action::kNotify:
      return Verdict{Action::kErrno, kEnosys};  // what the kernel answers when nobody listens
    default:
      return Verdict{Action::kKillProcess, 0};
  }
}

void fit_systemd_verdicts(Work& work) {
  Profile::Parts& parts = work.parts();
  const auto becomes = [](const Verdict& from, const Verdict& to) {
    return format("systemd has no {}: {}", action_name(from.action), verdict_text(to));
  };
  Verdict& other = parts.default_verdict;
  if (const auto nearest_one = systemd_verdict(other)) {
    work.lose(work.at("defaultAction"), becomes(other, *nearest_one));
    other = *nearest_one;
  } else if (other == Verdict{Action::kErrno, 0}) {
    work.lose(work.at("defaultErrnoRet"), "SystemCallErrorNumber= begins at 1: EPERM");
    other.data = kEperm;
  }
  for (std::size_t i = 0; i < parts.rules.size(); ++i) {
    Verdict& verdict = parts.rules[i].verdict;
    const auto nearest_one = systemd_verdict(verdict);
    if (!nearest_one) continue;
    work.lose(work.rule_at(i, "action"), format("{} for {}", becomes(verdict, *nearest_one),
                                                names_text(parts.rules[i].names)));
    verdict = *nearest_one;
  }
}

// Names that systemd would take for something else, or cut: no system call has such a name.
void fit_systemd_names(Work& work) {
  const auto is_name = [](const std::string& name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
  };
  std::set<std::string> others;
  const auto& rules = work.parts().rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (const std::string& name : rules[i].names) {
      if (is_name(name) || !others.insert(name).second) continue;
      work.lose(work.rule_at(i, "names"), format("\"{}\" is no name of a call", printable(name)));
    }
  }
  if (!others.empty()) work.drop(others);
}

// One rule a call: the first unconditional one, as it is documented and as runtimes do. A call with
// conditions alone is refused.
void fit_systemd_rules(Work& work) {
  Profile::Parts& parts = work.parts();
  std::map<std::string, Verdict> unconditional;
  for (const Rule& rule : parts.rules) {
    if (!rule.args.empty() || !work.counts(rule)) continue;
    for (const std::string& name : rule.names) unconditional.emplace(name, rule.verdict);
  }
  std::set<std::string> calls;
  for (std::size_t i = 0; i < parts.rules.size(); ++i) {
    const Rule& rule = parts.rules[i];
    if (rule.args.empty() || !work.counts(rule)) continue;
    std::vector<std::string> names;
    std::copy_if(rule.names.begin(), rule.names.end(), std::back_inserter(names),
                 [&](const std::string& name) { return unconditional.count(name) == 0; });
    if (names.empty()) continue;
    work.lose(
        work.rule_at(i, "args"),
        format("systemd has no conditions on arguments: {} refused altogether", names_text(names)));
    calls.insert(names.begin(), names.end());
  }
  std::map<std::string, Verdict> verdicts = unconditional;
  if (parts.default_verdict.allows()) {
    for (const Rule& rule : parts.rules) {
      if (rule.verdict.allows()) continue;
      for (const std::string& name : rule.names) {
        if (calls.count(name) != 0) verdicts.emplace(name, rule.verdict);
      }
    }
  }
  parts.rules.clear();
  std::map<std::pair<Action, std::uint16_t>, std::vector<std::string>> groups;
  for (const auto& [name, verdict] : verdicts) {
    if (verdict == parts.default_verdict) continue;
    groups[{verdict.action, verdict.data}].push_back(name);
  }
  for (auto& [verdict, names] : groups) {
    parts.rules.push_back({std::move(names), {verdict.first, verdict.second}, {}});
  }
}

Result<Conversion> to_systemd(Work& work, const ConvertSettings& settings) {
  lose_conditions(work, settings);
  work.lose_beyond();
  fit_systemd_verdicts(work);
  fit_systemd_names(work);
  fit_systemd_rules(work);
  work.lose_architectures("systemd",
                          [](const std::string& arch) { return !systemd_arch(arch).empty(); });
  work.lose_flags("systemd loads its filters without flags");
  work.lose_listener("systemd has no listener");
  std::string text = write_systemd(Profile(work.parts()));
  return finish(work, text, text);
}

}  // namespace

Result<Conversion> convert(const Document& document, Target target,
                           const ConvertSettings& settings) {
  Work work(document, settings);
  if (target == Target::kSystemd) return to_systemd(work, settings);
  if (target == Target::kSpoV1 || target == Target::kSpoV1Beta1) {
    return to_spo(work, target, settings);
  }
  return to_json_dialect(work, target, settings);
}

std::vector<Loss> lost_in_program(const Document& document, const ConvertSettings& settings) {
  Work work(document, settings);
  lose_conditions(work, settings);
  work.lose_beyond();
  work.lose_flags("flags are given when a program is loaded");
  work.lose_listener("a program has no listener");
  return std::move(work.lost());
}

std::vector<Setting> settings_of_interest(const json::Value& object, const Setting& setting) {
  std::set<std::string> caps;
  std::set<KernelVersion> kernels = {setting.kernel};
  const json::Value* rules = object.find("syscalls");
  const auto* array = rules == nullptr ? nullptr : rules->array();
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    for (const char* key : {"includes", "excludes"}) {
      const json::Value* filter = (*array)[i].find(key);
      if (filter == nullptr) continue;
      const json::Value* list = filter->find("caps");
      if (list != nullptr && list->array() != nullptr) {
        for (const json::Value& cap : *list->array()) {
          if (cap.string() != nullptr) caps.insert(*cap.string());
        }
      }
      const json::Value* kernel = filter->find("minKernel");
      if (kernel == nullptr || kernel->string() == nullptr) continue;
      const auto version = kernel_version(*kernel->string());
      if (!version) continue;
      kernels.insert(*version);
      if (version->minor > 0) kernels.insert({version->major, version->minor - 1});
    }
  }
  std::vector<std::set<std::string>> sets = {{}, caps};
  for (const std::string& cap : caps) sets.push_back({cap});
  std::vector<Setting> made;
  for (const syscalls::Arch arch : {syscalls::Arch::kX86_64, syscalls::Arch::kAarch64}) {
    for (const KernelVersion& kernel : kernels) {
      for (const auto& set : sets) {
        if (made.size() < kMostSettings) made.push_back({arch, set, kernel});
      }
    }
  }
  return made;
}

}  // namespace whittle::profile
