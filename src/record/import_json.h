// Importers of JSON: objects one a line, in an array, over many lines, or one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "record/import_format.h"

namespace whittle::record {

class JsonParser : public ImportParser {
 public:
  explicit JsonParser(ImportSink& sink) : sink_(sink) {}
  void line(std::string_view text) final;
  void end() final;

 protected:
  // One whole object. `text` is what it was read from.
  virtual void object(const json::Value& value, std::string_view text) = 0;
  virtual void finished() {}  // after the last object
  ImportSink& sink() { return sink_; }

 private:
  void take(char c);
  void complete();
  void broken(std::string why);

  ImportSink& sink_;
  std::string text_;
  std::uint64_t first_line_ = 0;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool too_large_ = false;
};

// True when `"key"` stands in the text in front of a colon.
bool has_key(std::string_view text, std::string_view key);

// The first non-blank character, for telling JSON from text.
char first_character(std::string_view text);

// Members by path, "proc.comm" stepping into objects unless a member has the dotted name itself;
// nullptr: not there.
const json::Value* member(const json::Value& object, std::string_view path);
// A text, or a number as decimal text; empty when it is neither or not there.
std::string member_string(const json::Value& object, std::string_view path);

}  // namespace whittle::record
