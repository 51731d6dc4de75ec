#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace whittle::json {

std::optional<std::uint64_t> Value::u64() const {
  if (const auto* v = std::get_if<std::uint64_t>(&data_)) return *v;
  if (const auto* v = std::get_if<std::int64_t>(&data_); v && *v >= 0) {
    return static_cast<std::uint64_t>(*v);
  }
  return std::nullopt;
}

std::optional<std::int64_t> Value::i64() const {
  if (const auto* v = std::get_if<std::int64_t>(&data_)) return *v;
  if (const auto* v = std::get_if<std::uint64_t>(&data_); v && *v <= INT64_MAX) {
    return static_cast<std::int64_t>(*v);
  }
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const auto* v = std::get_if<double>(&data_)) return *v;
  if (const auto v = u64()) return static_cast<double>(*v);
  if (const auto v = i64()) return static_cast<double>(*v);
  return std::nullopt;
}

Value& Value::set(std::string key, Value value) {
  if (is_null()) data_ = Object();
  std::get<Object>(data_).emplace_back(std::move(key), std::move(value));
  return *this;
}

Value& Value::push(Value value) {
  if (is_null()) data_ = Array();
  std::get<Array>(data_).push_back(std::move(value));
  return *this;
}

const Value* Value::find(std::string_view key) const {
  const Object* members = object();
  if (members == nullptr) return nullptr;
  const auto it = std::find_if(members->begin(), members->end(),
                               [&](const Member& member) { return member.first == key; });
  return it == members->end() ? nullptr : &it->second;
}

const char* Value::type_name() const {
  constexpr const char* kNames[] = {"null",     "a boolean", "a number", "a number",
                                    "a number", "a string",  "an array", "an object"};
  return kNames[data_.index()];
}

namespace {

// Where the lexer is: the line of the last character that it took. A line break counts for the line
// that it ends, because the lexer takes the one behind a number before it reports the number.
struct Position {
  std::uint32_t line = 1;
  bool line_ended = false;
};

// A forward iterator over the text that counts the lines it has passed.
class LineCounter {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  LineCounter(const char* at, Position* position) : at_(at), position_(position) {}
  reference operator*() const { return *at_; }
  LineCounter& operator++() {
    if (position_->line_ended) ++position_->line;
    position_->line_ended = *at_ == '\n';
    ++at_;
    return *this;
  }
  LineCounter operator++(int) {
    LineCounter before = *this;
    ++*this;
    return before;
  }
  bool operator==(const LineCounter& other) const { return at_ == other.at_; }
  bool operator!=(const LineCounter& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  Position* position_;
};

// Builds the value from nlohmann's SAX events. Containers are built on an explicit stack, so that
// depth costs no recursion of ours.
class Builder {
 public:
  // `size` of the text, in bytes.
  Builder(const Limits& limits, const Position& position, std::size_t size)
      : limits_(limits), position_(position), size_(size) {}

  bool null() { return add(Value()); }
  bool boolean(bool v) { return add(Value(v)); }
  bool number_integer(std::int64_t v) { return add(Value(v)); }
  bool number_unsigned(std::uint64_t v) { return add(Value(v)); }
  bool number_float(double v, const std::string& text) {
    // An integer too large for 64 bits arrives here; rounding it would change its meaning.
    if (text.find_first_of(".eE") == std::string::npos) {
      return fail("the integer " + printable(text, 40) + " does not fit 64 bits");
    }
    return add(Value(v));
  }
  bool string(std::string& v) { return add(Value(std::move(v))); }
  bool binary(std::vector<std::uint8_t>&) { return fail("binary data"); }
  bool start_object(std::size_t) { return open(Value(Object())); }
  bool key(std::string& v) {
    keys_.back() = std::move(v);
    return true;
  }
  bool end_object() {
    Object& members = *stack_.back().object();
    std::vector<std::string_view> names;
    names.reserve(members.size());
    for (const Member& member : members) names.push_back(member.first);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) return fail("the key \"" + printable(*twice) + "\" stands twice");
    return close();
  }
  bool start_array(std::size_t) { return open(Value(Array())); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t taken, const std::string&, const nlohmann::json::exception& e) {
    // nlohmann's "[json.exception...] parse error at line 1, column 9: " in front says nothing that
    // our own place does not.
    std::string_view what = e.what();
    if (const auto id = what.find("] "); id != std::string_view::npos) what.remove_prefix(id + 2);
    if (const auto colon = what.find(": "); colon != std::string_view::npos) {
      what.remove_prefix(colon + 2);
    }
    if (const auto syntax = what.find(" - "); syntax != std::string_view::npos) {
      what.remove_prefix(syntax + 3);
    }
    // The lexer counts the end as a character. It is on the line behind the last line break.
    const bool at_end = taken > size_ && position_.line_ended;
    return fail("not valid JSON: " + printable(what), at_end ? 1 : 0);
  }

  Value take() { return std::move(root_); }
  const std::string& message() const { return message_; }
  std::uint32_t line() const { return message_line_; }

 private:
  bool fail(std::string message, std::uint32_t lines_on = 0) {
    if (message_.empty()) {
      message_ = std::move(message);
      message_line_ = position_.line + lines_on;
    }
    return false;
  }
  bool count() {
    if (++values_ > limits_.values) return fail("more values than the limit");
    return true;
  }
  bool add(Value value) {
    if (!count()) return false;
    value.set_line(position_.line);
    attach(std::move(value));
    return true;
  }
  bool open(Value container) {
    if (!count()) return false;
    if (stack_.size() >= limits_.depth) {
      return fail(format("nested deeper than {} levels", limits_.depth));
    }
    container.set_line(position_.line);
    stack_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value done = std::move(stack_.back());
    stack_.pop_back();
    keys_.pop_back();
    attach(std::move(done));
    return true;
  }
  void attach(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (stack_.back().is_object()) {
      stack_.back().set(std::move(keys_.back()), std::move(value));
    } else {
      stack_.back().push(std::move(value));
    }
  }

  const Limits& limits_;
  const Position& position_;
  std::size_t size_;
  std::vector<Value> stack_;
  std::vector<std::string> keys_;
  Value root_;
  std::size_t values_ = 0;
  std::string message_;
  std::uint32_t message_line_ = 0;
};

}  // namespace

Result<Value> parse(std::string_view text, std::string_view place, const Limits& limits) {
  if (text.size() > limits.bytes) {
    return input_error(format("larger than {} MiB", limits.bytes >> 20U), std::string(place));
  }
  Position position;
  Builder builder(limits, position, text.size());
  const LineCounter begin(text.data(), &position);
  const LineCounter end(text.data() + text.size(), &position);
  if (!nlohmann::json::sax_parse(begin, end, &builder)) {
    return input_error(builder.message(), format("{}:{}", place, builder.line()));
  }
  return builder.take();
}

std::string quote(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

namespace {

void append_scalar(const Value& value, std::string& out) {
  if (value.is_null()) {
    out += "null";
  } else if (const bool* b = value.boolean()) {
    out += *b ? "true" : "false";
  } else if (const std::string* s = value.string()) {
    out += quote(*s);
  } else if (const auto u = value.u64()) {
    out += format("{}", *u);
  } else if (const auto i = value.i64()) {
    out += format("{}", *i);
  } else {
    out += nlohmann::json(value.number().value_or(0)).dump();
  }
}

bool is_scalar(const Value& value) { return !value.is_array() && !value.is_object(); }

bool on_one_line(const Array& items) {
  return std::all_of(items.begin(), items.end(), [](const Value& item) {
    return is_scalar(item) || (item.array() != nullptr &&
                               std::all_of(item.array()->begin(), item.array()->end(), is_scalar));
  });
}

constexpr std::size_t kCompact = SIZE_MAX;  // the indent that means "no line breaks"

void append(const Value& value, std::size_t indent, std::string& out);

void append_newline(std::size_t indent, std::string& out) {
  if (indent == kCompact) return;
  out += '\n';
  out.append(indent, ' ');
}

void append_array(const Array& items, std::size_t indent, std::string& out) {
  const bool one_line = indent == kCompact || on_one_line(items);
  const std::size_t inner = one_line ? kCompact : indent + 2;
  out += '[';
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out += one_line && indent != kCompact ? ", " : ",";
    append_newline(inner, out);
    append(items[i], inner, out);
  }
  if (!items.empty() && !one_line) append_newline(indent, out);
  out += ']';
}

void append_object(const Object& members, std::size_t indent, std::string& out) {
  const std::size_t inner = indent == kCompact ? kCompact : indent + 2;
  out += '{';
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i != 0) out += ',';
    append_newline(inner, out);
    out += quote(members[i].first);
    out += indent == kCompact ? ":" : ": ";
    append(members[i].second, inner, out);
  }
  if (!members.empty()) append_newline(indent, out);
  out += '}';
}

void append(const Value& value, std::size_t indent, std::string& out) {
  if (const Array* items = value.array()) {
    append_array(*items, indent, out);
  } else if (const Object* members = value.object()) {
    append_object(*members, indent, out);
  } else {
    append_scalar(value, out);
  }
}

}  // namespace

std::string dump(const Value& value) {
  std::string out;
  append(value, 0, out);
  return out;
}

std::string dump_compact(const Value& value) {
  std::string out;
  append(value, kCompact, out);
  return out;
}

std::string View::place() const {
  std::string place = *file_;
  if (value_->line() != 0) place += format(":{}", value_->line());
  if (!pointer_.empty()) place += " " + pointer_;
  return place;
}

tl::unexpected<Error> View::error(std::string message, std::string hint) const {
  return input_error(std::move(message), place(), std::move(hint));
}

namespace {

std::string child_pointer(const std::string& parent, std::string_view key) {
  std::string pointer = parent + "/";
  for (const char c : printable(key)) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

std::string expected(const char* what, const Value& value) {
  if (const auto integer = value.i64())
    return format("{} is expected here, not {}", what, *integer);
  if (const auto number = value.number())
    return format("{} is expected here, not {}", what, *number);
  return format("{} is expected here, not {}", what, value.type_name());
}

}  // namespace

Result<View> View::at(std::string_view key) const {
  TRY_ASSIGN(const std::optional<View> found, find(key));
  if (!found) return error(format("the key \"{}\" is missing", key));
  return *found;
}

Result<std::optional<View>> View::find(std::string_view key) const {
  if (!value_->is_object()) return error(expected("an object", *value_));
  const Value* member = value_->find(key);
  if (member == nullptr) return std::optional<View>();
  return std::optional<View>(View(*member, file_, child_pointer(pointer_, key)));
}

Result<std::vector<View>> View::items() const {
  const Array* array = value_->array();
  if (array == nullptr) return error(expected("an array", *value_));
  std::vector<View> views;
  views.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    views.push_back(View((*array)[i], file_, format("{}/{}", pointer_, i)));
  }
  return views;
}

Result<std::vector<std::pair<std::string, View>>> View::members() const {
  const Object* object = value_->object();
  if (object == nullptr) return error(expected("an object", *value_));
  std::vector<std::pair<std::string, View>> views;
  views.reserve(object->size());
  for (const Member& member : *object) {
    views.emplace_back(member.first,
                       View(member.second, file_, child_pointer(pointer_, member.first)));
  }
  return views;
}

Result<std::string> View::string() const {
  if (const std::string* s = value_->string()) return *s;
  return error(expected("a string", *value_));
}

Result<bool> View::boolean() const {
  if (const bool* b = value_->boolean()) return *b;
  return error(expected("true or false", *value_));
}

Result<std::uint64_t> View::u64(std::uint64_t most) const {
  const auto number = value_->u64();
  if (!number) return error(expected("a whole number, 0 or more,", *value_));
  if (*number > most) return error(format("{} is over the limit of {}", *number, most));
  return *number;
}

Result<double> View::number() const {
  if (const auto number = value_->number()) return *number;
  return error(expected("a number", *value_));
}

Result<void> View::only(std::span<const std::string> known) const {
  TRY_ASSIGN(const auto all, members());
  for (const auto& [key, view] : all) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto near = nearest(key, known);
    return view.error(format("unknown key \"{}\"", printable(key)),
                      near ? format("did you mean \"{}\"?", *near) : std::string());
  }
  return {};
}

}  // namespace whittle::json
