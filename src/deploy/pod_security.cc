#include "deploy/pod_security.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "deploy/pod_security_data.h"

namespace whittle::deploy {

namespace {

using json::Value;
using json::View;

constexpr std::string_view kContainers = "containers[*].";
constexpr std::string_view kItems = "[*]";
constexpr std::array<std::string_view, 3> kLevels = {"privileged", "baseline", "restricted"};

bool same_scalar(const Value& a, const Value& b) {
  if (a.is_array() || a.is_object() || b.is_array() || b.is_object()) return false;
  return json::dump_compact(a) == json::dump_compact(b);
}

bool holds(const std::vector<Value>& values, const Value& value) {
  return std::any_of(values.begin(), values.end(),
                     [&](const Value& one) { return same_scalar(one, value); });
}

std::string shown(const Value& value) {
  if (value.is_null()) return "not set";
  if (value.is_array() || value.is_object()) return "set";
  return printable(json::dump_compact(value), 80);
}

// A place that a path leads to: a value, or nothing where one could be.
struct Place {
  std::string pointer;
  std::uint32_t line = 0;  // of the value, or of the nearest thing above it
  const Value* value = nullptr;
  bool in_parent = false;  // the object that it would be in is there
};

void walk(const View& at, std::string_view path, std::vector<Place>& places) {
  const std::size_t end = std::min(path.find('.'), path.size());
  std::string_view key = path.substr(0, end);
  const std::string_view rest = path.substr(std::min(end + 1, path.size()));
  const bool each = key.ends_with(kItems);
  if (each) key.remove_suffix(kItems.size());
  const auto child = member(at, key);
  if (!child) {
    // Of a list that is not there there is nothing to look at.
    if (each) return;
    std::string pointer = at.pointer() + "/" + std::string(key);
    for (const std::string& part : split(rest, '.')) {
      if (part.ends_with(kItems)) return;
      if (!part.empty()) pointer += "/" + part;
    }
    places.push_back({std::move(pointer), at.value().line(), nullptr, rest.empty()});
    return;
  }
  std::vector<View> next = {*child};
  if (each) {
    auto items = child->items();
    if (items) next = *std::move(items);
  }
  for (const View& one : next) {
    if (rest.empty()) {
      places.push_back({one.pointer(), one.value().line(), &one.value(), true});
    } else {
      walk(one, rest, places);
    }
  }
}

// What a control is asked of: a pod at a version.
class Evaluation {
 public:
  Evaluation(const Pod& pod, const Control& control, const Standard& standard,
             std::vector<Violation>& found)
      : pod_(pod), control_(control), standard_(standard), found_(found), allow_(control.allow) {
    for (const auto& [from, values] : control.allow_from) {
      if (standard.minor >= from) allow_.insert(allow_.end(), values.begin(), values.end());
    }
  }

  void run() {
    for (const std::string& field : control_.fields) {
      each_root(field, [&](const View& root, std::string_view path, const std::string& name) {
        std::vector<Place> places;
        walk(root, path, places);
        for (const Place& place : places) check(place, name);
      });
    }
    for (const std::string& key : control_.annotations) check_annotations(key);
    if (!control_.members.empty()) check_members();
    if (!control_.contains.empty()) check_contains();
    if (!control_.inherit.empty()) check_inherited();
  }

 private:
  template <typename Do>
  void each_root(std::string_view path, const Do& act) {
    if (!path.starts_with(kContainers)) {
      act(pod_.spec, path, std::string());
      return;
    }
    path.remove_prefix(kContainers.size());
    for (const Container& container : pod_.containers) act(container.view, path, container.name);
  }

  Value value_of(const Place& place) const {
    if (place.value != nullptr) return *place.value;
    return control_.required_in_parent && place.in_parent ? Value("") : Value();
  }

  bool allowed(const Value& value) const {
    if (!control_.forbid.empty()) return !holds(control_.forbid, value);
    if (holds(allow_, value)) return true;
    const std::string* text = value.string();
    return text != nullptr &&
           std::any_of(control_.allow_prefixes.begin(), control_.allow_prefixes.end(),
                       [&](const std::string& prefix) { return text->starts_with(prefix); });
  }

  std::string allowed_text() const {
    std::vector<std::string> words;
    if (!control_.forbid.empty()) {
      for (const Value& value : control_.forbid) words.push_back("not " + shown(value));
      return join(words, ", ");
    }
    for (const Value& value : allow_) words.push_back(shown(value));
    for (const std::string& prefix : control_.allow_prefixes) words.push_back(prefix + "*");
    return words.empty() ? "nothing" : join(words, ", ");
  }

  // "/spec/containers/0/securityContext/privileged" as people write it: behind the container.
  static std::string field_of(const std::string& pointer, const View& root) {
    std::string field = pointer.substr(std::min(root.pointer().size() + 1, pointer.size()));
    std::replace(field.begin(), field.end(), '/', '.');
    return field;
  }

  void report(const Place& place, const std::string& container, const std::string& what) {
    found_.push_back({control_.id, place.pointer, place.line, container,
                      format("{}: {} allows {}", what, standard_name(standard_), allowed_text()),
                      control_.fix});
  }

  std::string field_text(const Place& place, const std::string& container) const {
    for (const Container& one : pod_.containers) {
      if (one.name == container && place.pointer.starts_with(one.view.pointer() + "/")) {
        return field_of(place.pointer, one.view);
      }
    }
    return field_of(place.pointer, pod_.spec);
  }

  void check(const Place& place, const std::string& container) {
    const Value value = value_of(place);
    if (allowed(value)) return;
    report(place, container, format("{} is {}", field_text(place, container), shown(value)));
  }

  void check_annotations(const std::string& key) {
    const auto annotations = pod_.metadata ? member(*pod_.metadata, "annotations") : std::nullopt;
    const auto members =
        annotations ? annotations->members() : Result<std::vector<std::pair<std::string, View>>>();
    if (!annotations || !members) return;
    for (const auto& [name, view] : *members) {
      if (name != key && !(key.ends_with('/') && name.starts_with(key))) continue;
      if (allowed(view.value())) continue;
      report({view.pointer(), view.value().line(), &view.value(), true},
             name.starts_with("container.") ? name.substr(name.find('/') + 1) : std::string(),
             format("the annotation {} is {}", printable(name), shown(view.value())));
    }
  }

  void check_members() {
    std::vector<Place> places;
    walk(pod_.spec, control_.members, places);
    for (const Place& place : places) {
      const json::Object* members = place.value == nullptr ? nullptr : place.value->object();
      if (members == nullptr) continue;
      for (const auto& [key, value] : *members) {
        if (value.is_null() || holds(allow_, Value(key))) continue;
        report({place.pointer + "/" + key, value.line(), &value, true}, {},
               format("{} is a {}", field_of(place.pointer, pod_.spec), printable(key)));
      }
    }
  }

  void check_contains() {
    each_root(control_.contains, [&](const View& root, std::string_view path,
                                     const std::string& name) {
      const auto list = member_at(root, path);
      const json::Array* items = list ? list->value().array() : nullptr;
      for (const Value& wanted : allow_) {
        if (items != nullptr && holds(*items, wanted)) continue;
        std::vector<Place> places;
        walk(root, path, places);
        const Place place = places.empty() ? Place{root.pointer(), root.value().line()} : places[0];
        found_.push_back({control_.id, place.pointer, place.line, name,
                          format("{} does not hold {}: {} asks for it", path, shown(wanted),
                                 standard_name(standard_)),
                          control_.fix});
      }
    });
  }

  // A value of the pod counts for the containers that have none of their own.
  void check_inherited() {
    std::vector<Place> places;
    walk(pod_.spec, control_.inherit, places);
    const Place in_pod = places.front();
    const Value of_pod = value_of(in_pod);
    const bool pod_good = allowed(of_pod);
    if (!of_pod.is_null() && !pod_good) check(in_pod, {});
    for (const Container& container : pod_.containers) {
      places.clear();
      walk(container.view, control_.inherit, places);
      const Value value = value_of(places.front());
      if (!value.is_null()) {
        check(places.front(), container.name);
      } else if (!pod_good && of_pod.is_null()) {
        check(places.front(), container.name);
      }
    }
  }

  const Pod& pod_;
  const Control& control_;
  const Standard& standard_;
  std::vector<Violation>& found_;
  std::vector<Value> allow_;
};

bool counts(const Control& control, const Pod& pod, const Standard& standard) {
  if (control.level > standard.level) return false;
  if (standard.minor < control.from || standard.minor > control.until) return false;
  if (pod.windows && control.windows_exempt_from &&
      standard.minor >= *control.windows_exempt_from) {
    return false;
  }
  return pod.host_users || !control.user_namespace_exempt_from ||
         standard.minor < *control.user_namespace_exempt_from;
}

}  // namespace

std::string_view level_name(Level level) { return kLevels[static_cast<std::size_t>(level)]; }

std::optional<Level> level_from_name(std::string_view name) {
  const auto at = std::find(kLevels.begin(), kLevels.end(), name);
  if (at == kLevels.end()) return std::nullopt;
  return static_cast<Level>(at - kLevels.begin());
}

std::optional<unsigned> version_from_label(std::string_view text) {
  constexpr unsigned kMost = 9999;
  if (text == "latest") return kLatest;
  if (!text.starts_with("v1.")) return std::nullopt;
  text.remove_prefix(3);
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  const auto minor = parse_u64(text);
  if (!minor || *minor > kMost) return std::nullopt;
  return static_cast<unsigned>(*minor);
}

unsigned newest_version() { return pod_security_data().newest; }

std::string standard_name(const Standard& standard) {
  if (standard.minor == kLatest) return std::string(level_name(standard.level));
  return format("{} v1.{}", level_name(standard.level), standard.minor);
}

Result<Standard> read_standard(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  Standard standard;
  const auto level = level_from_name(text.substr(0, colon));
  if (!level) {
    return input_error(format("\"{}\" is no level of the Pod Security Standards",
                              printable(text.substr(0, colon))),
                       {}, "levels are privileged, baseline and restricted");
  }
  standard.level = *level;
  if (colon == text.size()) return standard;
  std::string version(text.substr(colon + 1));
  if (version.starts_with("1.")) version.insert(0, "v");
  const auto minor = version_from_label(version);
  if (!minor) {
    return input_error(format("\"{}\" is no version of Kubernetes", printable(version)), {},
                       "write it as in v1.29, or latest");
  }
  standard.minor = *minor;
  return standard;
}

std::vector<Violation> violations(const Pod& pod, const Standard& standard) {
  std::vector<Violation> found;
  for (const Control& control : pod_security_data().controls) {
    if (counts(control, pod, standard)) Evaluation(pod, control, standard, found).run();
  }
  for (const Control& control : pod_security_data().controls) {
    if (control.replaces.empty()) continue;
    std::vector<std::string> said;
    for (const Violation& one : found) {
      if (one.control == control.id) said.push_back(one.pointer);
    }
    std::erase_if(found, [&](const Violation& one) {
      return one.control == control.replaces &&
             std::find(said.begin(), said.end(), one.pointer) != said.end();
    });
  }
  return found;
}

const std::vector<std::string>& control_ids() {
  static const std::vector<std::string> ids = [] {
    std::vector<std::string> all;
    for (const Control& control : pod_security_data().controls) all.push_back(control.id);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }();
  return ids;
}

}  // namespace whittle::deploy
