#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/yaml.h"

namespace whittle::yaml {

namespace {

using json::Value;

constexpr std::size_t kIndent = 2;

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_./-").find(c) != std::string_view::npos;
}

// Text that no reader, of YAML 1.1 or 1.2, takes for anything else without quotes.
bool is_plain(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kOthers = {"null", "true", "false", "yes", "no",
                                                              "on",   "off",  "y",     "n"};
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_word_byte)) return false;
  const bool starts_well =
      is_word_byte(text[0]) &&
      std::string_view("0123456789.-/").find(text[0]) == std::string_view::npos;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return starts_well && std::find(kOthers.begin(), kOthers.end(), lower) == kOthers.end();
}

std::string text_of(std::string_view text) {
  return is_plain(text) ? std::string(text) : json::quote(text);
}

// Text of several lines that stands as it is in a literal block: printable ASCII, whose first line
// shows the indentation, with at most one line break at the end.
bool is_literal(const Value& value) {
  const std::string* text = value.string();
  if (text == nullptr || text->find('\n') == std::string::npos) return false;
  if (text->front() == ' ' || text->front() == '\n' || text->ends_with("\n\n")) return false;
  return std::all_of(text->begin(), text->end(),
                     [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
}

void append_literal(std::string_view text, std::size_t indent, std::string& out) {
  const bool ends = text.ends_with('\n');
  if (ends) text.remove_suffix(1);
  out += ends ? "|\n" : "|-\n";
  for (const std::string& line : split(text, '\n')) {
    if (!line.empty()) out.append(indent, ' ');
    out += line + "\n";
  }
}

// A value that stands on the line of its key or dash; empty: it does not.
std::string on_one_line(const Value& value) {
  if (const auto* text = value.string()) return text_of(*text);
  if (const auto* object = value.object()) return object->empty() ? "{}" : "";
  if (const auto* array = value.array()) return array->empty() ? "[]" : "";
  return json::dump_compact(value);
}

void append(const Value& value, std::size_t indent, std::string& out);

// What stands below a dash begins on its line.
void append_item(const Value& item, std::size_t indent, std::string& out) {
  out.append(indent, ' ');
  if (is_literal(item)) {
    out += "- ";
    return append_literal(*item.string(), indent + kIndent, out);
  }
  const std::string line = on_one_line(item);
  if (!line.empty()) {
    out += "- " + line + "\n";
    return;
  }
  std::string below;
  append(item, indent + kIndent, below);
  out += "- " + below.substr(indent + kIndent);
}

void append(const Value& value, std::size_t indent, std::string& out) {
  if (const auto* array = value.array()) {
    for (const Value& item : *array) append_item(item, indent, out);
    return;
  }
  for (const auto& [key, member] : *value.object()) {
    out.append(indent, ' ');
    out += text_of(key) + ":";
    if (is_literal(member)) {
      out += " ";
      append_literal(*member.string(), indent + kIndent, out);
      continue;
    }
    const std::string line = on_one_line(member);
    if (!line.empty()) {
      out += " " + line + "\n";
      continue;
    }
    out += "\n";
    // The dashes of a list stand below the first letter of its key, as kubectl writes them.
    append(member, member.array() != nullptr ? indent : indent + kIndent, out);
  }
}

}  // namespace

std::string dump(const Value& value) {
  const std::string line = on_one_line(value);
  if (!line.empty()) return line + "\n";
  std::string out;
  append(value, 0, out);
  return out;
}

}  // namespace whittle::yaml
