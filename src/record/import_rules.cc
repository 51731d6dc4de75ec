#include "record/import_rules.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

using json::Value;
using syscalls::Arch;

std::string text_of(const Value& object, std::string_view key) {
  const Value* found = object.find(key);
  const std::string* text = found == nullptr ? nullptr : found->string();
  return text == nullptr ? std::string() : *text;
}

const json::Array& array_of(const Value& object, std::string_view key) {
  static const json::Array none;
  const Value* found = object.find(key);
  const json::Array* array = found == nullptr ? nullptr : found->array();
  return array == nullptr ? none : *array;
}

void add_arch(const Value& name, std::vector<Arch>& arches, ImportSink& sink) {
  if (name.string() == nullptr) return;
  if (const auto arch = syscalls::arch_from_oci(*name.string())) {
    if (std::find(arches.begin(), arches.end(), *arch) == arches.end()) arches.push_back(*arch);
  } else {
    sink.note(format("the profile is for {} as well, which whittle does not know", *name.string()));
  }
}

// Those that the profile lists; none: the native one of its machine, as runtimes have it.
std::vector<Arch> arches_of(const Value& profile, ImportSink& sink) {
  std::vector<Arch> arches;
  for (const Value& name : array_of(profile, "architectures")) add_arch(name, arches, sink);
  for (const Value& entry : array_of(profile, "archMap")) {
    if (const Value* name = entry.find("architecture")) add_arch(*name, arches, sink);
    for (const Value& name : array_of(entry, "subArchitectures")) add_arch(name, arches, sink);
  }
  if (arches.empty()) arches.push_back(sink.native());
  return arches;
}

bool says_something(const Value* value) {
  if (value == nullptr || value->is_null()) return false;
  return !((value->object() != nullptr && value->object()->empty()) ||
           (value->array() != nullptr && value->array()->empty()));
}

// One condition of a rule, as far as it says which value an argument had.
struct Pinned {
  std::uint64_t index = 0;
  std::optional<std::uint64_t> value;  // nullopt: it leaves a choice
};

Pinned pinned(const Value& condition) {
  Pinned out;
  const auto number = [&](std::string_view key) {
    const Value* found = condition.find(key);
    return found == nullptr ? std::optional<std::uint64_t>() : found->u64();
  };
  out.index = number("index").value_or(UINT64_MAX);
  const std::string op = text_of(condition, "op");
  const auto value = number("value");
  if (op == "SCMP_CMP_EQ") out.value = value;
  // Under a mask of all 32 bits that the kernel looks at; `value` is the mask.
  if (op == "SCMP_CMP_MASKED_EQ" && value && (*value & UINT32_MAX) == UINT32_MAX) {
    out.value = number("valueTwo");
  }
  return out;
}

// The call with the arguments that the conditions of the rule leave it.
Call call_of(const Value& rule) {
  Call call;
  std::uint8_t known = 0;
  std::uint8_t open = 0;
  for (const Value& condition : array_of(rule, "args")) {
    const Pinned pin = pinned(condition);
    if (pin.index >= call.args.size()) continue;
    const auto bit = static_cast<std::uint8_t>(1U << pin.index);
    if (!pin.value || (known & bit) != 0) {
      open |= bit;
    } else {
      known |= bit;
      call.args.at(pin.index) = *pin.value;
    }
  }
  call.any = static_cast<std::uint8_t>(~known | open) & 0x3fU;
  return call;
}

void add_name(const std::string& name, const Call& call, const std::vector<Arch>& arches,
              ImportSink& sink) {
  if (!syscalls::is_known(name)) return sink.unread("there is no such call", name);
  for (const Arch arch : arches) {
    Call one = call;
    one.arch = arch;
    sink.add_named(one, name);
  }
}

void add_rule(const Value& rule, const std::vector<Arch>& arches, ImportSink& sink) {
  const std::string action = text_of(rule, "action");
  const bool allows = action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG";
  if (!allows) {
    if (!action.starts_with("SCMP_ACT_")) sink.unread("the rule has no action", action);
    return;  // what is refused was no need
  }
  if (says_something(rule.find("includes")) || says_something(rule.find("excludes"))) {
    return sink.unread("the rule holds only in some settings (includes, excludes)",
                       json::dump_compact(rule));
  }
  const Call call = call_of(rule);
  if (const std::string name = text_of(rule, "name"); !name.empty()) {
    add_name(name, call, arches, sink);
  }
  for (const Value& name : array_of(rule, "names")) {
    if (name.string() == nullptr) {
      sink.unread("a name is a text", json::dump_compact(name));
    } else {
      add_name(*name.string(), call, arches, sink);
    }
  }
}

}  // namespace

void add_rules(const Value& profile, ImportSink& sink) {
  const std::string by_default = text_of(profile, "defaultAction");
  if (by_default == "SCMP_ACT_ALLOW") {
    return sink.unread(
        "the profile allows what it does not list, so it says nothing of what is used", "");
  }
  const std::vector<Arch> arches = arches_of(profile, sink);
  for (const Value& rule : array_of(profile, "syscalls")) add_rule(rule, arches, sink);
  sink.note(
      "a profile says what was allowed, not how often it was used, nor what its recording missed");
}

}  // namespace whittle::record
