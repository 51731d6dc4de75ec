#include "deploy/symptoms.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"
#include "deploy/known_failures.h"

namespace whittle::deploy {

namespace {

std::string tidy(std::string_view line) {
  std::string result;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i] == '\t' || line[i] == '\r' ? ' ' : line[i];
    if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
    if (c == '\\' && i + 1 < line.size() && (line[i + 1] == '"' || line[i + 1] == '\\')) continue;
    result += c;
  }
  return result;
}

void add_lines(std::string_view text, Symptoms& symptoms) {
  for (const std::string& line : split(text, '\n')) {
    std::string tidied = tidy(line);
    if (!trim(tidied).empty()) symptoms.lines.push_back(std::move(tidied));
  }
}

std::string scalar_text(const json::Value& value) {
  if (const std::string* text = value.string()) return *text;
  return json::dump_compact(value);
}

// The reader bounds the depth.
void flatten(const std::string& key, const json::Value& value,  // NOLINT(misc-no-recursion)
             Symptoms& symptoms) {
  if (const json::Object* members = value.object()) {
    for (const auto& [name, member] : *members) flatten(name, member, symptoms);
  } else if (const json::Array* items = value.array()) {
    for (const json::Value& item : *items) flatten(key, item, symptoms);
  } else if (!value.is_null()) {
    add_lines(key + ": " + scalar_text(value), symptoms);
  }
}

// JSON or YAML documents that have a kind; nothing for any other text.
std::vector<json::Value> objects_of(std::string_view text, std::string_view place) {
  if (text.find("kind") == std::string_view::npos) return {};
  json::Limits limits;
  limits.bytes = kMostSymptoms;
  limits.values = 200'000;
  auto documents = yaml::parse_all(text, place, limits);
  if (!documents) {
    auto one = json::parse(text, place, limits);
    if (!one) return {};
    documents = std::vector<json::Value>{*std::move(one)};
  }
  const bool all = std::all_of(documents->begin(), documents->end(), [](const json::Value& v) {
    return v.is_null() || v.find("kind") != nullptr;
  });
  return all ? *std::move(documents) : std::vector<json::Value>{};
}

}  // namespace

Result<Symptoms> read_symptoms(std::string_view text, std::string_view place) {
  if (text.size() > kMostSymptoms) {
    return input_error("the text is larger than 4 MiB", std::string(place),
                       "give the part of it that tells of the failure");
  }
  Symptoms symptoms;
  const std::vector<json::Value> objects = objects_of(text, place);
  symptoms.object = !objects.empty();
  for (const json::Value& object : objects) flatten("", object, symptoms);
  if (objects.empty()) add_lines(text, symptoms);
  for (const std::string& line : symptoms.lines) {
    std::map<std::string, std::string> captures;
    if (!pattern_in("localhostProfile: {path}", line, captures)) continue;
    const std::string& path = captures["path"];
    auto& all = symptoms.profiles;
    if (std::find(all.begin(), all.end(), path) == all.end()) all.push_back(path);
  }
  return symptoms;
}

}  // namespace whittle::deploy
