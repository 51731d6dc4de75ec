#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <unordered_map>

#include "base/text.h"

namespace whittle::yaml {

namespace {

using json::Value;

constexpr std::string_view kCorePrefix = "tag:yaml.org,2002:";
constexpr std::string_view kMergeKey = "<<";

// What stops yaml-cpp in the middle of a document; it does not leave this file.
struct Stop {
  std::string message;
  std::uint32_t line;
};

bool all_of_base(std::string_view digits, int base) {
  return !digits.empty() && std::all_of(digits.begin(), digits.end(), [base](char c) {
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : 99;
    return value < base;
  });
}

// The digits and the base of a whole number without its sign; base 0: it is none.
std::pair<std::string_view, int> whole_number(std::string_view text) {
  if (text.starts_with("0x") && all_of_base(text.substr(2), 16)) return {text.substr(2), 16};
  if (text.starts_with("0o") && all_of_base(text.substr(2), 8)) return {text.substr(2), 8};
  if (text.size() > 1 && text.front() == '0' && all_of_base(text, 8)) return {text, 8};
  if (all_of_base(text, 10)) return {text, 10};
  return {text, 0};
}

// -?( 0 | [1-9][0-9]* )? ( \. [0-9]* )? ( [eE] [-+]? [0-9]+ )?  with a digit somewhere in front.
bool looks_like_fraction(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string_view rest = text.substr(digits);
  std::size_t decimals = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    decimals = std::min(rest.find_first_not_of("0123456789"), rest.size());
    rest.remove_prefix(decimals);
  }
  if (digits + decimals == 0) return false;
  if (rest.empty()) return true;
  if (rest.front() != 'e' && rest.front() != 'E') return false;
  rest.remove_prefix(1);
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  return all_of_base(rest, 10);
}

// A container that is not closed yet.
struct Open {
  Value value;
  std::string key;  // of a map: the one whose value comes next
  bool has_key = false;
  YAML::anchor_t anchor = 0;
  std::size_t values_before = 0;  // how many there were when it was opened
  std::vector<Value> merges;      // the values of its merge keys
};

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const json::Limits& limits) : limits_(limits) {}

  std::vector<Value> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark&) override {
    anchors_.clear();
    root_ = Value();
  }
  void OnDocumentEnd() override { documents_.push_back(std::move(root_)); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) fail(mark, "a key that is null");
    add(mark, anchor, Value());
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto at = anchors_.find(anchor);
    // An alias within what it stands for has no end.
    if (at == anchors_.end()) fail(mark, "an alias of something that is not complete");
    if (expects_key()) fail(mark, "an alias as a key");
    count(mark, at->second.second);
    Value copy = at->second.first;
    attach(mark, std::move(copy));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (expects_key()) {
      Open& map = open_.back();
      if (!is_merge(tag, text) && map.value.find(text) != nullptr) {
        fail(mark, "the key \"" + printable(text) + "\" stands twice");
      }
      map.key = text;
      map.has_key = true;
      return;
    }
    add(mark, anchor, scalar(mark, tag, text));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_container_tag(mark, tag, "seq");
    open(mark, anchor, Value(json::Array()));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_container_tag(mark, tag, "map");
    open(mark, anchor, Value(json::Object()));
  }
  void OnMapEnd() override { close(); }

 private:
  [[noreturn]] static void fail(const YAML::Mark& mark, std::string message) {
    throw Stop{std::move(message), line_of(mark)};
  }
  static std::uint32_t line_of(const YAML::Mark& mark) {
    return static_cast<std::uint32_t>(mark.line + 1);
  }
  static bool is_merge(std::string_view tag, std::string_view text) {
    return text == kMergeKey && tag == "?";
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().value.is_object() && !open_.back().has_key;
  }

  void count(const YAML::Mark& mark, std::size_t values) {
    if (values > limits_.values - values_) fail(mark, "more values than the limit");
    values_ += values;
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, Value value) {
    count(mark, 1);
    value.set_line(line_of(mark));
    if (anchor != 0) anchors_[anchor] = {value, 1};
    attach(mark, std::move(value));
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Value container) {
    if (expects_key()) fail(mark, "a key that is no scalar");
    const std::size_t before = values_;
    count(mark, 1);
    if (open_.size() >= limits_.depth) {
      fail(mark, format("nested deeper than {} levels", limits_.depth));
    }
    container.set_line(line_of(mark));
    open_.push_back({std::move(container), {}, false, anchor, before, {}});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    YAML::Mark mark;
    mark.line = static_cast<int>(done.value.line()) - 1;
    for (const Value& merge : done.merges) merge_into(mark, done.value, merge);
    if (done.anchor != 0) anchors_[done.anchor] = {done.value, values_ - done.values_before};
    attach(mark, std::move(done.value));
  }

  // Members that the map does not have itself; of several sources the first counts.
  static void merge_into(const YAML::Mark& mark, Value& map, const Value& source) {
    if (const json::Array* sources = source.array()) {
      for (const Value& one : *sources) {
        if (!one.is_object()) fail(mark, "a merge key (<<) that names no map");
        merge_into(mark, map, one);
      }
      return;
    }
    if (!source.is_object()) fail(mark, "a merge key (<<) that names no map");
    for (const json::Member& member : *source.object()) {
      if (map.find(member.first) == nullptr) map.set(member.first, member.second);
    }
  }

  void attach(const YAML::Mark&, Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (!parent.value.is_object()) {
      parent.value.push(std::move(value));
      return;
    }
    parent.has_key = false;
    if (parent.key == kMergeKey) {
      parent.merges.push_back(std::move(value));
    } else {
      parent.value.set(std::move(parent.key), std::move(value));
    }
  }

  static void check_container_tag(const YAML::Mark& mark, std::string_view tag,
                                  std::string_view own) {
    if (tag.empty() || tag == "?" || tag == "!" ||
        tag == std::string(kCorePrefix) + std::string(own)) {
      return;
    }
    fail(mark, "the tag " + printable(tag) + " is not taken here");
  }

  static Value scalar(const YAML::Mark& mark, std::string_view tag, const std::string& text) {
    if (tag == "!") return {text};
    if (tag.starts_with(kCorePrefix)) {
      tag.remove_prefix(kCorePrefix.size());
      if (tag == "str") return {text};
      if (tag != "int" && tag != "float" && tag != "bool" && tag != "null") {
        fail(mark, "the tag !!" + printable(tag) + " is not taken here");
      }
    } else if (!tag.empty() && tag != "?") {
      fail(mark, "the tag " + printable(tag) + " is not taken here");
    }
    return plain(mark, text);
  }

  static Value plain(const YAML::Mark& mark, const std::string& text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
      return {};
    if (text == "true" || text == "True" || text == "TRUE") return {true};
    if (text == "false" || text == "False" || text == "FALSE") return {false};
    const bool negative = text.front() == '-';
    const std::string_view unsigned_text =
        std::string_view(text).substr(negative || text.front() == '+' ? 1 : 0);
    if (const auto [digits, base] = whole_number(unsigned_text); base != 0) {
      return integer(mark, text, digits, base, negative);
    }
    if (looks_like_fraction(unsigned_text)) {
      double number = 0;
      const auto [end, error] = std::from_chars(
          unsigned_text.data(), unsigned_text.data() + unsigned_text.size(), number);
      if (error != std::errc() || end != unsigned_text.data() + unsigned_text.size()) {
        fail(mark, "the number " + printable(text, 40) + " is out of range");
      }
      return {negative ? -number : number};
    }
    return {text};
  }

  static Value integer(const YAML::Mark& mark, const std::string& text, std::string_view digits,
                       int base, bool negative) {
    std::uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    const bool fits = error == std::errc() && end == digits.data() + digits.size() &&
                      (!negative || number <= std::uint64_t{1} << 63U);
    if (!fits) fail(mark, "the integer " + printable(text, 40) + " does not fit 64 bits");
    if (!negative) return {number};
    return {static_cast<std::int64_t>(~number + 1)};
  }

  const json::Limits& limits_;
  std::vector<Open> open_;
  // Values by anchor, with how many values they are.
  std::unordered_map<YAML::anchor_t, std::pair<Value, std::size_t>> anchors_;
  std::vector<Value> documents_;
  Value root_;
  std::size_t values_ = 0;
};

// Where the first byte is that belongs to no UTF-8 sequence (RFC 3629); npos: nowhere. yaml-cpp
// takes such bytes as they are.
std::size_t first_bad_byte(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    if (byte(0) < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
    if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() - at < length) return at;
    // Overlong forms, surrogates, and what is above U+10FFFF.
    const unsigned least = byte(0) == 0xe0 ? 0xa0 : byte(0) == 0xf0 ? 0x90 : 0x80;
    const unsigned most = byte(0) == 0xed ? 0x9f : byte(0) == 0xf4 ? 0x8f : 0xbf;
    if (byte(1) < least || byte(1) > most) return at;
    for (std::size_t i = 2; i < length; ++i) {
      if ((byte(i) & 0xc0U) != 0x80U) return at;
    }
    at += length;
  }
  return std::string_view::npos;
}

}  // namespace

Result<std::vector<Value>> parse_all(std::string_view text, std::string_view place,
                                     const json::Limits& limits) {
  if (text.size() > limits.bytes) {
    return input_error(format("larger than {} MiB", limits.bytes >> 20U), std::string(place));
  }
  if (const std::size_t bad = first_bad_byte(text); bad != std::string_view::npos) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    return input_error("not UTF-8", format("{}:{}", place, line), "write the file as UTF-8");
  }
  Builder builder(limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const Stop& stop) {
    return input_error(stop.message, format("{}:{}", place, stop.line));
  } catch (const YAML::Exception& error) {
    return input_error("not valid YAML: " + printable(error.msg),
                       format("{}:{}", place, error.mark.line + 1));
  }
  return builder.take();
}

Result<Value> parse(std::string_view text, std::string_view place, const json::Limits& limits) {
  TRY_ASSIGN(std::vector<Value> documents, parse_all(text, place, limits));
  if (documents.size() > 1) {
    return input_error("a second document where one is expected",
                       format("{}:{}", place, documents[1].line()),
                       "remove what follows the \"---\"");
  }
  return documents.empty() ? Value() : std::move(documents.front());
}

}  // namespace whittle::yaml
