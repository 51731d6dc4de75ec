#include "profile/oci_reader.h"

#include <algorithm>
#include <array>

#include "base/errno_name.h"
#include "base/text.h"
#include "profile/oci_words.h"

namespace whittle::profile {

namespace {

using json::View;

// What a document may hold at most: far more than any filter can (the kernel takes 4096
// instructions), little enough that it can be read, written and compared in a moment. Written out
// again a document at these limits is below kMostBytes. docs/profile.md lists them.
constexpr std::size_t kMostBytes = 64U << 20U;
constexpr std::size_t kMostDepth = 16;
constexpr std::size_t kMostPairs = 65'536;  // of a name and a condition; a bare name is one pair
constexpr std::size_t kMostConditions = 32;
constexpr std::size_t kMostNameBytes = 128;
constexpr std::size_t kMostWords = 64;  // architectures, flags
constexpr std::size_t kMostPathBytes = 4096;
constexpr std::size_t kMostMetadataBytes = 64U << 10U;
constexpr std::uint64_t kMostErrno = 4095;    // MAX_ERRNO: the kernel cuts a larger one to it
constexpr std::uint64_t kMostTrace = 65'535;  // SECCOMP_RET_DATA
constexpr std::uint16_t kEperm = 1;

const std::array<std::string, 9> kDocumentKeys = {
    "defaultAction", "defaultErrnoRet",  "architectures", "flags",       "listenerPath",
    "syscalls",      "listenerMetadata", "archMap",       "defaultErrno"};
const std::array<std::string, 9> kRuleKeys = {"names",    "action",   "errnoRet", "args", "comment",
                                              "includes", "excludes", "name",     "errno"};
// api/seccompprofile/v1 of the operator; of v1alpha1 also targetWorkload.
const std::array<std::string, 9> kSpoKeys = {"defaultAction", "architectures",    "flags",
                                             "listenerPath",  "listenerMetadata", "syscalls",
                                             "state",         "baseProfileName",  "targetWorkload"};
const std::array<std::string, 4> kSpoRuleKeys = {"names", "action", "errnoRet", "args"};
constexpr std::string_view kSpoNative = "SCMP_ARCH_NATIVE";
constexpr std::uint64_t kSpoMostValue = INT64_MAX;  // its values are of type int64, from 0 on
constexpr std::size_t kSpoMostConditions = 6;
const std::array<std::string, 4> kConditionKeys = {"index", "value", "valueTwo", "op"};
const std::array<std::string, 6> kDockerKeys = {"archMap",  "defaultErrno", "includes",
                                                "excludes", "name",         "errno"};

Result<void> refuse_docker_keys(const View& object) {
  TRY_ASSIGN(const auto members, object.members());
  for (const auto& [key, view] : members) {
    if (!is_docker_key(key) || says_nothing(view.value())) continue;
    return view.error(
        format("\"{}\" is a key of Docker's dialect, not of an OCI profile", key),
        "containerd, Kubernetes, runc and crun ignore it silently, which opens calls "
        "that it was to "
        "close: write out the rules that hold on your hosts, as `whittle convert --to oci` does "
        "for --caps, --kernel and --arch");
  }
  return {};
}

Result<void> refuse_config_json(const View& root) {
  for (const char* key : {"ociVersion", "linux"}) {
    TRY_ASSIGN(const auto found, root.find(key));
    if (!found) continue;
    return found->error(format("\"{}\" is no key of a seccomp profile", key),
                        "this looks like a whole config.json: give its linux.seccomp object alone");
  }
  return {};
}

// One word out of a list of known ones, with the nearest as a hint.
Result<std::string> read_word(const View& view, std::span<const std::string> words,
                              std::string_view what) {
  TRY_ASSIGN(std::string word, view.string());
  if (std::find(words.begin(), words.end(), word) != words.end()) return word;
  const auto near = nearest(word, words);
  return view.error(
      format("unknown {} \"{}\"", what, printable(word)),
      near ? format("did you mean \"{}\"?", *near) : format("known are {}", join(words, ", ")));
}

Result<std::vector<std::string>> read_words(const View& root, std::string_view key,
                                            std::span<const std::string> words,
                                            std::string_view what) {
  TRY_ASSIGN(const auto items, items_of(root, key, kMostWords));
  std::vector<std::string> read;
  for (const View& item : items) {
    TRY_ASSIGN(std::string word, read_word(item, words, what));
    read.push_back(std::move(word));
  }
  return read;
}

struct VerdictKeys {
  std::string_view action;
  std::string_view errno_ret;
  std::string_view errno_name;  // containers/common; beats errno_ret
};
constexpr VerdictKeys kDefaultKeys = {"defaultAction", "defaultErrnoRet", "defaultErrno"};
constexpr VerdictKeys kRuleVerdictKeys = {"action", "errnoRet", "errno"};

Result<std::optional<std::uint16_t>> read_errno_name(const View& object, std::string_view key) {
  TRY_ASSIGN(const auto view, find_present(object, key));
  if (!view || says_nothing(view->value())) return std::optional<std::uint16_t>();
  TRY_ASSIGN(const std::string name, view->string());
  const auto number = errno_from_name(name);
  if (!number) {
    return view->error(format("unknown errno \"{}\"", printable(name)),
                       "write a name of errno(3), such as \"EPERM\"");
  }
  return static_cast<std::uint16_t>(*number);
}

Result<Verdict> read_verdict(const View& object, const VerdictKeys& keys, Dialect dialect) {
  TRY_ASSIGN(const View action_view, object.at(keys.action));
  TRY_ASSIGN(const std::string word, read_word(action_view, oci_action_words(), "action"));
  const Action action = *action_from_oci(word);
  Verdict verdict{action, takes_errno(action) ? kEperm : std::uint16_t{0}};

  TRY_ASSIGN(const auto number, find_present(object, keys.errno_ret));
  if (number) {
    if (!takes_errno(action)) {
      return number->error(format("{} goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not with {}",
                                  keys.errno_ret, word),
                           "remove it: crun refuses such a profile, runc ignores the number");
    }
    const std::uint64_t most = action == Action::kErrno ? kMostErrno : kMostTrace;
    TRY_ASSIGN(const std::uint64_t data, number->u64(most));
    verdict.data = static_cast<std::uint16_t>(data);
    // The operator leaves a 0 out of the file that it installs, and runtimes then take EPERM.
    if (dialect == Dialect::kSpo && data == 0) verdict.data = kEperm;
  }
  if (dialect == Dialect::kIgnored || dialect == Dialect::kSpo) return verdict;
  TRY_ASSIGN(const auto named, read_errno_name(object, keys.errno_name));
  if (named && takes_errno(action)) verdict.data = *named;
  return verdict;
}

Result<Condition> read_condition(const View& view, std::uint64_t most) {
  TRY(view.only(kConditionKeys));
  Condition condition;
  TRY_ASSIGN(const View index, view.at("index"));
  TRY_ASSIGN(const std::uint64_t number, index.u64());
  if (number > 5) {
    return index.error(format("there is no argument {}", number),
                       "system calls have the arguments 0 to 5");
  }
  condition.index = static_cast<std::uint32_t>(number);
  TRY_ASSIGN(const View value, view.at("value"));
  TRY_ASSIGN(condition.value, value.u64(most));
  TRY_ASSIGN(const auto value_two, find_present(view, "valueTwo"));
  if (value_two) {
    TRY_ASSIGN(condition.value_two, value_two->u64(most));
  }
  TRY_ASSIGN(const View op, view.at("op"));
  TRY_ASSIGN(const std::string word, read_word(op, oci_operator_words(), "operator"));
  condition.op = *operator_from_oci(word);
  return condition;
}

// Walks one document. Holds what is counted over all of it.
class DocumentReader {
 public:
  DocumentReader(const View& root, Dialect dialect, const Setting* setting)
      : root_(root), dialect_(dialect), setting_(setting) {}

  Result<Profile> read(std::vector<std::size_t>* origins) {
    TRY(check_keys());
    Profile::Parts parts;
    TRY_ASSIGN(parts.default_verdict, read_verdict(root_, kDefaultKeys, dialect_));
    TRY(read_architectures(parts));
    TRY_ASSIGN(parts.flags, read_words(root_, "flags", oci_flag_words(), "flag"));
    TRY_ASSIGN(const auto flags, find_present(root_, "flags"));
    // The operator leaves an empty list out of the file that it installs.
    parts.no_flags = flags && parts.flags.empty() && dialect_ != Dialect::kSpo;
    TRY(read_listener(parts));
    TRY_ASSIGN(const auto rules, items_of(root_, "syscalls", kMostPairs));
    for (std::size_t i = 0; i < rules.size(); ++i) {
      TRY_ASSIGN(std::optional<Rule> rule, read_rule(rules[i]));
      if (!rule) continue;
      parts.rules.push_back(*std::move(rule));
      if (origins != nullptr) origins->push_back(i);
    }
    return Profile(std::move(parts));
  }

 private:
  Result<void> check_keys() const {
    TRY(refuse_config_json(root_));
    if (dialect_ == Dialect::kSpo) {
      TRY(refuse_default_errno());
      return root_.only(kSpoKeys);
    }
    if (dialect_ == Dialect::kOci) TRY(refuse_docker_keys(root_));
    return root_.only(kDocumentKeys);
  }

  Result<void> refuse_default_errno() const {
    TRY_ASSIGN(const auto found, root_.find("defaultErrnoRet"));
    if (!found) return {};
    return found->error("a SeccompProfile has no defaultErrnoRet",
                        "the API server drops it, and refused calls get EPERM: remove it");
  }

  // SCMP_ARCH_NATIVE, which the operator knows and OCI does not, is in force without being listed.
  Result<void> read_spo_architectures(Profile::Parts& parts) const {
    std::vector<std::string> words = {std::string(kSpoNative)};
    words.insert(words.end(), oci_arch_words().begin(), oci_arch_words().end());
    TRY_ASSIGN(parts.architectures, read_words(root_, "architectures", words, "architecture"));
    std::erase(parts.architectures, kSpoNative);
    return {};
  }

  Result<void> read_architectures(Profile::Parts& parts) const {
    if (dialect_ == Dialect::kSpo) return read_spo_architectures(parts);
    TRY_ASSIGN(parts.architectures,
               read_words(root_, "architectures", oci_arch_words(), "architecture"));
    if (dialect_ != Dialect::kDocker) return {};
    TRY_ASSIGN(auto mapped, docker_architectures(root_, *setting_));
    if (parts.architectures.empty()) parts.architectures = std::move(mapped);
    return {};
  }

  Result<void> read_listener(Profile::Parts& parts) const {
    TRY_ASSIGN(const auto path, find_present(root_, "listenerPath"));
    if (path && !says_nothing(path->value())) {
      TRY_ASSIGN(parts.listener_path, bounded_string(*path, kMostPathBytes));
    }
    TRY_ASSIGN(const auto metadata, find_present(root_, "listenerMetadata"));
    if (!metadata || says_nothing(metadata->value())) return {};
    TRY_ASSIGN(parts.listener_metadata, bounded_string(*metadata, kMostMetadataBytes));
    if (parts.listener_path.empty()) {
      return metadata->error("listenerMetadata without a listenerPath",
                             "remove it, or say with listenerPath where the listener is");
    }
    return {};
  }

  // nullopt: a rule that does not hold in the setting; it is checked all the same.
  Result<std::optional<Rule>> read_rule(const View& view) {
    if (dialect_ == Dialect::kOci) TRY(refuse_docker_keys(view));
    const bool spo = dialect_ == Dialect::kSpo;
    TRY(view.only(spo ? std::span<const std::string>(kSpoRuleKeys) : kRuleKeys));
    Rule rule;
    TRY_ASSIGN(rule.names, read_names(view));
    TRY_ASSIGN(rule.verdict, read_verdict(view, kRuleVerdictKeys, dialect_));
    TRY_ASSIGN(rule.args, read_conditions(view, spo ? kSpoMostValue : UINT64_MAX));
    if (spo && rule.args.size() > kSpoMostConditions) {
      return view.error(format("{} conditions in a rule", rule.args.size()),
                        "the API server takes 6 at most");
    }
    pairs_ += rule.names.size() * std::max<std::size_t>(1, rule.args.size());
    if (pairs_ > kMostPairs) {
      return view.error(format("more than {} calls and conditions in all", kMostPairs));
    }
    bool holds = true;
    if (dialect_ == Dialect::kDocker) {
      TRY_ASSIGN(holds, docker_conditions_hold(view, *setting_));
    }
    if (!holds) return std::optional<Rule>();
    return std::optional<Rule>(std::move(rule));
  }

  Result<std::vector<std::string>> read_names(const View& rule) const {
    TRY_ASSIGN(const auto single, find_present(rule, "name"));
    const bool has_single = single && !says_nothing(single->value());
    if (has_single && dialect_ == Dialect::kIgnored && !rule.value().find("names")) {
      return std::vector<std::string>();
    }
    TRY_ASSIGN(const auto items, items_of(rule, "names", kMostPairs));
    if (has_single && !items.empty() && dialect_ != Dialect::kIgnored) {
      return single->error("\"name\" beside \"names\"", "put the name into \"names\"");
    }
    std::vector<std::string> names;
    if (has_single && dialect_ != Dialect::kIgnored) {
      TRY_ASSIGN(std::string name, bounded_string(*single, kMostNameBytes));
      names.push_back(std::move(name));
      return names;
    }
    TRY_ASSIGN(const View list, rule.at("names"));
    if (items.empty()) {
      return list.error("a rule without names", "name the system calls, or remove the rule");
    }
    names.reserve(items.size());
    for (const View& item : items) {
      TRY_ASSIGN(std::string name, bounded_string(item, kMostNameBytes));
      names.push_back(std::move(name));
    }
    return names;
  }

  const View& root_;
  Dialect dialect_;
  const Setting* setting_;
  std::size_t pairs_ = 0;
};

}  // namespace

bool says_nothing(const json::Value& value) {
  if (value.is_null()) return true;
  if (const auto* text = value.string()) return text->empty();
  if (const auto* array = value.array()) return array->empty();
  const auto* object = value.object();
  return object != nullptr && object->empty();
}

Result<std::optional<View>> find_present(const View& view, std::string_view key) {
  TRY_ASSIGN(std::optional<View> found, view.find(key));
  if (found && found->value().is_null()) found.reset();
  return found;
}

Result<std::vector<View>> items_of(const View& view, std::string_view key, std::size_t most) {
  TRY_ASSIGN(const auto list, find_present(view, key));
  if (!list) return std::vector<View>();
  TRY_ASSIGN(std::vector<View> items, list->items());
  if (items.size() > most) {
    return list->error(format("{} elements are over the limit of {}", items.size(), most));
  }
  return items;
}

Result<std::string> bounded_string(const View& view, std::size_t most) {
  TRY_ASSIGN(std::string text, view.string());
  if (text.empty()) return view.error("an empty string");
  if (text.size() > most) {
    return view.error(format("{} bytes are over the limit of {}", text.size(), most));
  }
  if (text.find('\0') != std::string::npos) {
    return view.error("a NUL in a string", "runtimes take what stands before it for the whole");
  }
  return text;
}

Result<std::vector<Condition>> read_conditions(const View& rule, std::uint64_t most) {
  TRY_ASSIGN(const auto items, items_of(rule, "args", kMostConditions));
  std::vector<Condition> conditions;
  for (const View& item : items) {
    TRY_ASSIGN(const Condition condition, read_condition(item, most));
    conditions.push_back(condition);
  }
  return conditions;
}

Result<json::Value> parse_document(std::string_view text, std::string_view place) {
  json::Limits limits;
  limits.bytes = kMostBytes;
  limits.depth = kMostDepth;
  return json::parse(text, place, limits);
}

Result<Profile> read_document(const json::Value& document, std::string_view place, Dialect dialect,
                              const Setting* setting, std::vector<std::size_t>* origins) {
  return read_object(View(document, std::string(place)), dialect, setting, origins);
}

Result<Profile> read_object(const View& root, Dialect dialect, const Setting* setting,
                            std::vector<std::size_t>* origins) {
  return DocumentReader(root, dialect, setting).read(origins);
}

Result<Profile> read_oci(std::string_view text, std::string_view place) {
  TRY_ASSIGN(const json::Value document, parse_document(text, place));
  return read_document(document, place, Dialect::kOci);
}

bool is_docker_key(std::string_view key) {
  return std::find(kDockerKeys.begin(), kDockerKeys.end(), key) != kDockerKeys.end();
}

}  // namespace whittle::profile
