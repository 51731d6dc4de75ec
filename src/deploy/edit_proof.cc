#include "deploy/edit_proof.h"

#include <algorithm>

#include "base/text.h"

namespace whittle::deploy {

namespace {

using json::Value;

std::string unescaped(std::string part) {
  for (const auto& [from, to] : {std::pair("~1", "/"), std::pair("~0", "~")}) {
    for (std::size_t at = part.find(from); at != std::string::npos; at = part.find(from, at + 1)) {
      part.replace(at, 2, to);
    }
  }
  return part;
}

}  // namespace

std::vector<std::string> pointer_parts(const std::string& pointer) {
  std::vector<std::string> parts = split(pointer, '/');
  parts.erase(parts.begin());
  for (std::string& part : parts) part = unescaped(part);
  return parts;
}

namespace {

Value* mutable_member(Value& value, std::string_view key) {
  json::Object* members = value.object();
  if (members == nullptr) return nullptr;
  for (auto& [name, child] : *members) {
    if (name == key) return &child;
  }
  return nullptr;
}

// What the document is to say.
bool set_value(Value& root, const std::string& pointer, const SeccompChoice& choice) {
  Value* at = &root;
  for (const std::string& part : pointer_parts(pointer)) {
    if (json::Array* items = at->array()) {
      const auto index = parse_u64(part);
      if (!index || *index >= items->size()) return false;
      at = &(*items)[*index];
    } else {
      at = mutable_member(*at, part);
    }
    if (at == nullptr) return false;
  }
  for (const std::string_view key : {kContext, kProfile}) {
    if (!at->is_object()) return false;
    Value* next = mutable_member(*at, key);
    if (next == nullptr) {
      at->set(std::string(key), Value(json::Object()));
      next = mutable_member(*at, key);
    } else if (next->is_null()) {
      *next = Value(json::Object());
    }
    at = next;
  }
  if (!at->is_object()) return false;
  std::erase_if(*at->object(), [](const json::Member& member) {
    return member.first == kType || member.first == kPath;
  });
  at->set(std::string(kType), type_of(choice));
  if (!choice.localhost.empty()) at->set(std::string(kPath), choice.localhost);
  return true;
}

// The same values, whatever the order of members.
bool same(const Value& a, const Value& b) {
  if (const json::Object* members = a.object()) {
    if (!b.is_object() || b.object()->size() != members->size()) return false;
    return std::all_of(members->begin(), members->end(), [&](const json::Member& member) {
      const Value* other = b.find(member.first);
      return other != nullptr && same(member.second, *other);
    });
  }
  if (const json::Array* items = a.array()) {
    return b.is_array() &&
           std::equal(items->begin(), items->end(), b.array()->begin(), b.array()->end(), same);
  }
  return !b.is_object() && !b.is_array() && json::dump_compact(a) == json::dump_compact(b);
}

}  // namespace

Result<void> prove_edit(const Manifest& manifest, const std::string& edited,
                        const std::vector<EditTarget>& targets, const SeccompChoice& choice) {
  const auto refuse = [&](std::string_view why) {
    return input_error(
        format("this can't be edited in place: {}", why), manifest.file,
        format("where an anchor, an alias or a merge key (<<) shares the securityContext, write "
               "{} by hand",
               choice_text(choice)));
  };
  const auto read = read_manifest(edited, manifest.file);
  if (!read) return refuse("the result would not be valid, " + read.error().text());
  std::vector<Value> expected = manifest.documents;
  for (const EditTarget& target : targets) {
    if (!set_value(expected[target.document - 1], target.pointer, choice)) {
      return refuse(target.pointer + " is no mapping with a securityContext");
    }
  }
  if (expected.size() != read->documents.size() ||
      !std::equal(expected.begin(), expected.end(), read->documents.begin(), same)) {
    return refuse("more would change than was asked for");
  }
  return {};
}

}  // namespace whittle::deploy
