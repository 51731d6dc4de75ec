#include "deploy/pod_security_data.h"

#include <cstdlib>

#include "base/embedded.h"
#include "base/text.h"

WHITTLE_EMBEDDED(pod_security_json)

namespace whittle::deploy {

namespace {

using json::View;

Result<unsigned> version(const View& view) {
  TRY_ASSIGN(const std::string text, view.string());
  const auto minor = version_from_label("v" + text);
  if (!minor) return view.error("no version: " + printable(text));
  return *minor;
}

Result<std::optional<unsigned>> version_at(const View& view, std::string_view key) {
  TRY_ASSIGN(const auto found, view.find(key));
  if (!found) return std::optional<unsigned>();
  TRY_ASSIGN(const unsigned minor, version(*found));
  return std::optional<unsigned>(minor);
}

Result<std::string> text_at(const View& view, std::string_view key) {
  TRY_ASSIGN(const auto found, view.find(key));
  if (!found) return std::string();
  return found->string();
}

Result<std::vector<json::Value>> values_at(const View& view, std::string_view key) {
  TRY_ASSIGN(const auto found, view.find(key));
  if (!found) return std::vector<json::Value>();
  TRY_ASSIGN(const auto items, found->items());
  std::vector<json::Value> values;
  values.reserve(items.size());
  for (const View& item : items) values.push_back(item.value());
  return values;
}

Result<std::vector<std::string>> texts_at(const View& view, std::string_view key) {
  TRY_ASSIGN(const auto found, view.find(key));
  std::vector<std::string> texts;
  if (!found) return texts;
  TRY_ASSIGN(const auto items, found->items());
  for (const View& item : items) {
    TRY_ASSIGN(std::string text, item.string());
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<Control> read_control(const View& view) {
  Control control;
  TRY_ASSIGN(control.id, text_at(view, "id"));
  TRY_ASSIGN(const std::string level, text_at(view, "level"));
  const auto known = level_from_name(level);
  if (!known) return view.error("no level: " + printable(level));
  control.level = *known;
  TRY_ASSIGN(const View from, view.at("from"));
  TRY_ASSIGN(control.from, version(from));
  TRY_ASSIGN(const auto until, version_at(view, "until"));
  control.until = until.value_or(kLatest);
  TRY_ASSIGN(control.windows_exempt_from, version_at(view, "windows_exempt_from"));
  TRY_ASSIGN(control.user_namespace_exempt_from, version_at(view, "user_namespace_exempt_from"));
  TRY_ASSIGN(control.fields, texts_at(view, "fields"));
  TRY_ASSIGN(control.annotations, texts_at(view, "annotations"));
  TRY_ASSIGN(control.members, text_at(view, "members"));
  TRY_ASSIGN(control.contains, text_at(view, "contains"));
  TRY_ASSIGN(control.inherit, text_at(view, "inherit"));
  TRY_ASSIGN(const auto required, view.find("required_in_parent"));
  if (required) {
    TRY_ASSIGN(control.required_in_parent, required->boolean());
  }
  TRY_ASSIGN(control.allow, values_at(view, "allow"));
  TRY_ASSIGN(control.forbid, values_at(view, "forbid"));
  TRY_ASSIGN(control.allow_prefixes, texts_at(view, "allow_prefixes"));
  TRY_ASSIGN(const auto later, view.find("allow_from"));
  if (later) {
    TRY_ASSIGN(const auto items, later->items());
    for (const View& item : items) {
      TRY_ASSIGN(const View since, item.at("from"));
      TRY_ASSIGN(const unsigned minor, version(since));
      TRY_ASSIGN(std::vector<json::Value> values, values_at(item, "values"));
      control.allow_from.emplace_back(minor, std::move(values));
    }
  }
  TRY_ASSIGN(control.replaces, text_at(view, "replaces"));
  TRY_ASSIGN(control.fix, text_at(view, "fix"));
  return control;
}

}  // namespace

Result<PodSecurityData> read_pod_security(std::string_view text, std::string_view place) {
  TRY_ASSIGN(const json::Value document, json::parse(text, place));
  const View root(document, std::string(place));
  PodSecurityData data;
  TRY_ASSIGN(const View newest, root.at("newest"));
  TRY_ASSIGN(data.newest, version(newest));
  TRY_ASSIGN(const View controls, root.at("controls"));
  TRY_ASSIGN(const auto items, controls.items());
  for (const View& item : items) {
    TRY_ASSIGN(Control control, read_control(item));
    data.controls.push_back(std::move(control));
  }
  return data;
}

const PodSecurityData& pod_security_data() {
  static const PodSecurityData data = [] {
    auto read = read_pod_security(embedded_pod_security_json(), "data/pod-security.json");
    if (!read) std::abort();  // a unit test reads it first
    return *std::move(read);
  }();
  return data;
}

}  // namespace whittle::deploy
