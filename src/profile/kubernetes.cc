#include "profile/kubernetes.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/yaml.h"
#include "profile/oci_reader.h"

namespace whittle::profile {

namespace {

using json::View;

constexpr std::size_t kMostBytes = 64U << 20U;
constexpr std::size_t kMostObjects = 10'000;
constexpr std::size_t kMostName = 253;
const std::array<std::string, 5> kObjectKeys = {"apiVersion", "kind", "metadata", "spec", "status"};

// An object, or a value of a ConfigMap, with a profile in it.
struct Candidate {
  std::string name;
  std::string version;  // of a SeccompProfile; empty: a value of a ConfigMap
  View view;            // the object, or the value
};

// A string member; empty when it is not there or no string.
std::string text_at(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  const std::string* text = value == nullptr ? nullptr : value->string();
  return text == nullptr ? std::string() : *text;
}

Result<void> add_config_map(const View& object, std::vector<Candidate>& found) {
  TRY_ASSIGN(const auto data, find_present(object, "data"));
  if (!data) return {};
  TRY_ASSIGN(const auto members, data->members());
  for (const auto& [key, view] : members) {
    const std::string* text = view.value().string();
    if (text == nullptr || text->find("\"defaultAction\"") == std::string::npos) continue;
    found.push_back({key, {}, view});
  }
  return {};
}

Result<void> add_objects(const View& object, std::vector<Candidate>& found, bool in_list) {
  if (!object.value().is_object()) return {};
  const std::string version = text_at(object.value(), "apiVersion");
  const std::string kind = text_at(object.value(), "kind");
  if (kind == "ConfigMap") return add_config_map(object, found);
  if (kind == "SeccompProfile") {
    const json::Value* metadata = object.value().find("metadata");
    found.push_back(
        {metadata == nullptr ? std::string() : text_at(*metadata, "name"), version, object});
    return {};
  }
  if (in_list || !kind.ends_with("List")) return {};
  TRY_ASSIGN(const auto items, items_of(object, "items", kMostObjects));
  for (const View& item : items) TRY(add_objects(item, found, true));
  return {};
}

Result<void> check_version(const Candidate& candidate, Document& document) {
  const std::string prefix = std::string(kSpoGroup) + "/";
  const std::string& version = candidate.version;
  if (version == prefix + "v1" || version == prefix + "v1beta1") return {};
  if (version == prefix + "v1alpha1") {
    document.warnings.push_back(
        "SeccompProfile of v1alpha1 is no longer served by the Security Profiles Operator: write "
        "it "
        "as v1beta1 or v1 with `whittle convert`");
    return {};
  }
  TRY_ASSIGN(const View at, candidate.view.at("apiVersion"));
  return at.error(format("unknown version \"{}\" of SeccompProfile", printable(version)),
                  format("known are {0}v1beta1 and {0}v1", prefix));
}

// What the object says beyond its profile.
Result<void> note_beyond(const View& spec, Document& document) {
  TRY_ASSIGN(const auto base, find_present(spec, "baseProfileName"));
  if (base && !says_nothing(base->value())) {
    TRY_ASSIGN(const std::string name, bounded_string(*base, kMostName));
    document.beyond.push_back(
        {base->pointer(),
         format("the calls of the base profile {} are in another document, which is "
                "not read",
                printable(name))});
  }
  TRY_ASSIGN(const auto state, find_present(spec, "state"));
  if (!state) return {};
  TRY_ASSIGN(const std::string word, state->string());
  if (word == "Disabled") {
    document.beyond.push_back(
        {state->pointer(), "the operator does not install a disabled profile"});
  } else if (word != "Enabled") {
    return state->error(format("unknown state \"{}\"", printable(word)), "Enabled or Disabled");
  }
  return {};
}

Result<Document> read_spo(const Candidate& candidate) {
  Document document;
  document.form = Form::kSpo;
  document.name = candidate.name;
  TRY(check_version(candidate, document));
  TRY(candidate.view.only(kObjectKeys));
  TRY_ASSIGN(const View spec, candidate.view.at("spec"));
  TRY_ASSIGN(document.profile, read_object(spec, Dialect::kSpo, nullptr, &document.origins));
  TRY(note_beyond(spec, document));
  document.object = spec.value();
  document.pointer = spec.pointer();
  for (const std::size_t origin : document.origins) {
    document.rule_pointers.push_back(format("{}/syscalls/{}", spec.pointer(), origin));
  }
  return document;
}

Result<Document> read_value(const Candidate& candidate, const ReadOptions& options) {
  TRY_ASSIGN(const std::string text, candidate.view.string());
  TRY_ASSIGN(Document document, read_json(text, candidate.view.place(), options));
  document.form = document.form == Form::kDocker ? Form::kDocker : Form::kConfigMap;
  document.name = candidate.name;
  document.pointer = candidate.view.pointer();
  for (std::string& pointer : document.rule_pointers) pointer.insert(0, document.pointer);
  return document;
}

Result<const Candidate*> choose(const std::vector<Candidate>& found, std::string_view place,
                                const std::string& name) {
  if (found.empty()) {
    return input_error("there is no profile in these objects", std::string(place),
                       "read are SeccompProfile objects, and ConfigMaps with an OCI profile as a "
                       "value under data");
  }
  for (const Candidate& candidate : found) {
    if (!name.empty() && candidate.name == name) return &candidate;
  }
  if (found.size() == 1) return &found.front();
  std::vector<std::string> names;
  for (const Candidate& candidate : found) names.push_back(printable(candidate.name));
  if (names.size() > 10) {
    names.resize(10);
    names.emplace_back("...");
  }
  return input_error(
      name.empty() ? format("there are {} profiles in it", found.size())
                   : format("there is no profile \"{}\" in it", printable(name)),
      std::string(place),
      format("choose one with `whittle convert --name NAME`: {}", join(names, ", ")));
}

bool is_name_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

bool looks_like_kubernetes(std::string_view text) {
  if (text.find("\"apiVersion\"") != std::string_view::npos) return true;
  return text.starts_with("apiVersion:") || text.find("\napiVersion:") != std::string_view::npos;
}

Result<Document> read_kubernetes(std::string_view text, std::string_view place,
                                 const ReadOptions& options) {
  json::Limits limits;
  limits.bytes = kMostBytes;
  std::vector<json::Value> documents;
  if (trim(text).starts_with('{')) {
    TRY_ASSIGN(json::Value value, json::parse(text, place, limits));
    documents.push_back(std::move(value));
  } else {
    TRY_ASSIGN(documents, yaml::parse_all(text, place, limits));
  }
  std::vector<Candidate> found;
  for (const json::Value& document : documents) {
    TRY(add_objects(View(document, std::string(place)), found, false));
  }
  TRY_ASSIGN(const Candidate* candidate, choose(found, place, options.name));
  return candidate->version.empty() ? read_value(*candidate, options) : read_spo(*candidate);
}

std::string object_name(std::string_view text) {
  std::string name;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    name += is_name_byte(c) || c == '.' ? c : '-';
  }
  // Each part between dots begins and ends with a letter or a digit.
  std::vector<std::string> parts;
  for (const std::string& part : split(name.substr(0, kMostName), '.')) {
    const auto begin = std::find_if(part.begin(), part.end(), is_name_byte);
    const auto end = std::find_if(part.rbegin(), part.rend(), is_name_byte).base();
    if (begin < end) parts.emplace_back(begin, end);
  }
  return parts.empty() ? "profile" : join(parts, ".");
}

bool is_object_name(std::string_view text) { return object_name(text) == text; }

}  // namespace whittle::profile
