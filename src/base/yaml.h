// YAML: read into the same values as JSON (base/json.h), with places and limits, so that json::View
// walks it.
//
// The core schema of YAML 1.2 (chapter 10.3), as Go's readers of Kubernetes take it where the
// versions differ: plain null, true, false and numbers are what they look like, a whole number with
// a leading 0 is octal, yes, no, on and off are text, and so is anything in quotes. Anchors,
// aliases and merge keys (`<<`) are resolved; what they bring counts against the limits, so that no
// few lines become millions of values. Errors, with the line: what is not UTF-8 or not YAML, a key
// that stands twice or is no scalar, a tag other than those of the core schema, integers over 64
// bits, anything over the limits.
//
//   TRY_ASSIGN(const json::Value document, yaml::parse(text, "workload.yaml"));
//   const json::View root(document, "workload.yaml");
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace whittle::yaml {

// One document; more are an error. An empty text is null.
Result<json::Value> parse(std::string_view text, std::string_view place,
                          const json::Limits& limits = {});
// All documents of a stream, which "---" separates; empty ones are null. The limits hold for all of
// them together.
Result<std::vector<json::Value>> parse_all(std::string_view text, std::string_view place,
                                           const json::Limits& limits = {});

// In block style, as kubectl writes it, with a newline at the end. Members and items of several
// lines of ASCII stand as a literal block (`|`), other text in double quotes unless every reader
// takes it for text without them: what parse() reads of it is the same value.
std::string dump(const json::Value& value);

}  // namespace whittle::yaml
