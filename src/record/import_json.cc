#include "record/import_json.h"

#include "base/text.h"

namespace whittle::record {

namespace {

constexpr json::Limits kLimits = {std::size_t{16} << 20U, 32, 1'000'000};

}  // namespace

void JsonParser::line(std::string_view text) {
  if (depth_ == 0) {
    text = trim(text);
    // Inspektor Gadget writes the name of the container in front of its profile, as a comment.
    if (text.empty() || text.starts_with("//")) return;
    if (text[0] != '{' && text[0] != '[' && text[0] != ']' && text[0] != ',') {
      return sink_.unread("it is no JSON object", text);
    }
  } else if (text.starts_with('{') && !in_string_) {
    broken("the object before has no end");  // a line that begins a new one
  }
  for (const char c : text) take(c);
  in_string_ = false;  // no string goes over the end of a line
  escaped_ = false;
  if (depth_ > 0) text_ += '\n';
}

void JsonParser::take(char c) {
  if (depth_ == 0) {
    if (c != '{') return;
    first_line_ = sink_.line();
    text_.clear();
    too_large_ = false;
  }
  if (text_.size() < kLimits.bytes) {
    text_ += c;
  } else {
    too_large_ = true;
  }
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return;
  }
  if (c == '"') in_string_ = true;
  if (c == '{') ++depth_;
  if (c == '}' && --depth_ == 0) complete();
}

void JsonParser::complete() {
  const std::uint64_t here = sink_.line();
  sink_.at_line(first_line_);
  if (too_large_) {
    sink_.unread("the object is larger than 16 MiB", text_);
  } else if (const auto value = json::parse(text_, "the object", kLimits)) {
    object(*value, text_);
  } else {
    sink_.unread(value.error().message, text_);
  }
  sink_.at_line(here);
}

void JsonParser::broken(std::string why) {
  const std::uint64_t here = sink_.line();
  sink_.at_line(first_line_);
  sink_.unread(std::move(why), text_);
  sink_.at_line(here);
  depth_ = 0;
}

void JsonParser::end() {
  if (depth_ > 0) broken("the object has no end");
  finished();
}

bool has_key(std::string_view text, std::string_view key) {
  const std::string quoted = format("\"{}\"", key);
  for (std::size_t at = text.find(quoted); at != std::string_view::npos;
       at = text.find(quoted, at + 1)) {
    const std::string_view rest = text.substr(at + quoted.size());
    const std::size_t next = rest.find_first_not_of(" \t\r\n");
    if (next != std::string_view::npos && rest[next] == ':') return true;
  }
  return false;
}

char first_character(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? '\0' : text[at];
}

const json::Value* member(const json::Value& object, std::string_view path) {
  if (const json::Value* whole = object.find(path)) return whole;
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const json::Value* inner = object.find(path.substr(0, dot));
  return inner == nullptr ? nullptr : member(*inner, path.substr(dot + 1));
}

std::string member_string(const json::Value& object, std::string_view path) {
  const json::Value* value = member(object, path);
  if (value == nullptr) return {};
  if (const std::string* text = value->string()) return *text;
  if (const auto number = value->i64()) return std::to_string(*number);
  if (const auto number = value->u64()) return std::to_string(*number);
  return {};
}

}  // namespace whittle::record
