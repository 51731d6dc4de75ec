// JSON: one value type, one reader with places and limits, one writer with stable bytes.
//
// The reader takes RFC 8259 text, refuses duplicate keys, comments, trailing text and anything over
// its limits, and names the line of each error. Integers are kept exactly: an integer in
// [-2^63, 2^64) stays an integer, anything else with a fraction or an exponent is a double.
//
// View walks a value for a schema reader: every failed step is an Error with the file, the line and
// the JSON pointer (RFC 6901) of the place.
//
//   TRY_ASSIGN(const json::Value document, json::parse(text, "nginx.profile.json"));
//   const json::View root(document, "nginx.profile.json");
//   TRY_ASSIGN(const json::View rules, root.at("syscalls"));
//   TRY_ASSIGN(const auto items, rules.items());
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace whittle::json {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
// Members keep the order in which they were added: the writer writes that order.
using Object = std::vector<Member>;

class Value {
 public:
  Value() = default;  // null
  // Implicit, so that a literal stands for its value: value.set("count", 3).
  // NOLINTBEGIN(google-explicit-constructor)
  Value(std::nullptr_t) {}
  Value(bool v) : data_(v) {}
  Value(int v) : data_(static_cast<std::int64_t>(v)) {}
  Value(unsigned v) : data_(static_cast<std::uint64_t>(v)) {}
  Value(long v) : data_(static_cast<std::int64_t>(v)) {}
  Value(unsigned long v) : data_(static_cast<std::uint64_t>(v)) {}
  Value(double v) : data_(v) {}
  Value(const char* v) : data_(std::string(v)) {}
  Value(std::string v) : data_(std::move(v)) {}
  Value(std::string_view v) : data_(std::string(v)) {}
  Value(Array v) : data_(std::move(v)) {}
  Value(Object v) : data_(std::move(v)) {}
  // NOLINTEND(google-explicit-constructor)

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const std::string* string() const { return std::get_if<std::string>(&data_); }
  const Array* array() const { return std::get_if<Array>(&data_); }
  Array* array() { return std::get_if<Array>(&data_); }
  const Object* object() const { return std::get_if<Object>(&data_); }
  Object* object() { return std::get_if<Object>(&data_); }
  // The value as an unsigned or signed integer, when it is one and fits.
  std::optional<std::uint64_t> u64() const;
  std::optional<std::int64_t> i64() const;
  std::optional<double> number() const;

  // Adds a member at the end. REQUIRES: this is null or an object, and has no such key yet.
  Value& set(std::string key, Value value);
  // Adds an element. REQUIRES: this is null or an array.
  Value& push(Value value);
  // The member of that key; nullptr when there is none or this is no object.
  const Value* find(std::string_view key) const;

  // The line where the value begins in the text it was read from; 0 when it was made here.
  std::uint32_t line() const { return line_; }
  void set_line(std::uint32_t line) { line_ = line; }

  const char* type_name() const;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      data_;
  std::uint32_t line_ = 0;
};

struct Limits {
  std::size_t bytes = 256U << 20U;
  std::size_t depth = 64;
  std::size_t values = 8'000'000;  // of every kind, keys not counted
};

// `place` names the source in errors: a path or "standard input".
Result<Value> parse(std::string_view text, std::string_view place, const Limits& limits = {});

// Two spaces of indent a level and a line a member; arrays of scalars stay on one line. No newline
// at the end. Strings that are not UTF-8 are written with U+FFFD for the bad bytes.
std::string dump(const Value& value);
// All on one line, with no blanks.
std::string dump_compact(const Value& value);
// A string as JSON writes it, quotes included.
std::string quote(std::string_view text);

// A value, the file it came from, and where it stands in it.
class View {
 public:
  View(const Value& value, std::string file)
      : value_(&value), file_(std::make_shared<const std::string>(std::move(file))) {}

  const Value& value() const { return *value_; }
  const std::string& file() const { return *file_; }
  const std::string& pointer() const { return pointer_; }
  // "file:line /pointer"
  std::string place() const;
  // An input error at this place.
  tl::unexpected<Error> error(std::string message, std::string hint = {}) const;

  Result<View> at(std::string_view key) const;  // missing: an error
  Result<std::optional<View>> find(
      std::string_view key) const;  // missing: nullopt; not an object: error
  Result<std::vector<View>> items() const;
  Result<std::vector<std::pair<std::string, View>>> members() const;
  Result<std::string> string() const;
  Result<bool> boolean() const;
  Result<std::uint64_t> u64(std::uint64_t most = UINT64_MAX) const;
  Result<double> number() const;
  // An error that names the first member that is not in `known`, with the nearest known key.
  Result<void> only(std::span<const std::string> known) const;

 private:
  View(const Value& value, std::shared_ptr<const std::string> file, std::string pointer)
      : value_(&value), file_(std::move(file)), pointer_(std::move(pointer)) {}

  const Value* value_;
  std::shared_ptr<const std::string> file_;  // of all views of a document
  std::string pointer_;
};

}  // namespace whittle::json
