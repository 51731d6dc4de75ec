// Events of Tracee as JSON: those of system calls by name, in the flat form (eventName, args) and
// in that of v1beta1 (name, data, workload).
#include <algorithm>

#include "base/text.h"
#include "record/import_format.h"
#include "record/import_json.h"
#include "record/import_parameters.h"
#include "record/import_values.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

using syscalls::Arch;

// {"name":"flags","type":"int","value":524288} and {"name":"flags","int32":524288}
std::optional<std::string> value_of(const json::Value& entry) {
  const json::Value* fields = &entry;
  if (const json::Value* nested = entry.find("value"); nested != nullptr && nested->is_object()) {
    fields = nested;
  }
  for (const std::string_view key :
       {"value", "int32", "int64", "uInt32", "uInt64", "u_int32", "u_int64", "str"}) {
    if (const json::Value* value = fields->find(key); value != nullptr && !value->is_object()) {
      return member_string(*fields, key);
    }
  }
  return std::nullopt;
}

class TraceeParser : public JsonParser {
 public:
  using JsonParser::JsonParser;

 protected:
  void object(const json::Value& value, std::string_view text) override {
    const bool flat = value.find("eventName") != nullptr;
    std::string name = member_string(value, flat ? "eventName" : "name");
    if (name.empty()) return sink().unread("the event has no name", text);
    const json::Value* arguments = value.find(flat ? "args" : "data");
    const auto argument = [&](std::string_view wanted) -> std::optional<std::string> {
      if (arguments == nullptr || arguments->array() == nullptr) return std::nullopt;
      for (const json::Value& entry : *arguments->array()) {
        if (member_string(entry, "name") == wanted) return value_of(entry);
      }
      return std::nullopt;
    };
    Call call;
    call.arch = arch_of(value);
    if (name == "sys_enter" || name == "sys_exit") {
      if (name == "sys_exit") return;  // the end of what sys_enter tells
      return entered(call, argument("syscall").value_or(""), text);
    }
    if (!syscalls::is_known(name)) {
      ++others_;
      return;
    }
    call.seconds = seconds_of(value);
    const std::string result =
        flat ? member_string(value, "returnValue") : argument("returnValue").value_or("");
    call.result = signed_number(result);
    if (starts_task(name) && call.result == 0) return;
    fill_named(
        call, name,
        [&](std::string_view wanted) -> std::optional<std::string> {
          auto found = argument(wanted);
          // As words they lack the signal.
          if (name == "clone" && found && !parse_u64(*found)) return std::nullopt;
          return found;
        },
        name == "clone" ? Absent::kOpen : Absent::kUnread, sink());
    if (!sink().add_named(call, name)) {
      sink().unread(format("{} has no such call", syscalls::arch_name(call.arch)), text);
    }
  }

  void finished() override {
    if (others_ != 0) sink().note(format("events that are no system calls: {}", others_));
    sink().note("Tracee tells the events that it was asked for, and no others");
  }

 private:
  Arch arch_of(const json::Value& value) {
    const json::Value* compat = member(value, "contextFlags.isCompat");
    if (compat == nullptr) compat = member(value, "workload.process.thread.compat");
    if (compat == nullptr || compat->boolean() == nullptr || !*compat->boolean()) {
      return sink().native();
    }
    return syscalls::native_of(sink().native()) == Arch::kAarch64 ? Arch::kArm : Arch::kX86;
  }

  // sys_enter has the number, or the name, as its one argument.
  void entered(Call call, const std::string& which, std::string_view text) {
    call.any = 0x3f;
    if (const auto number = parse_u64(which); number && *number < UINT32_MAX) {
      call.nr = static_cast<std::uint32_t>(*number);
      sink().add(call);
    } else if (!sink().add_named(call, which)) {
      sink().unread("there is no such call", text);
    }
  }

  double seconds_of(const json::Value& value) {
    double time = 0;
    if (const auto flat = parse_u64(member_string(value, "timestamp"))) {
      time = static_cast<double>(*flat) / 1e9;
    } else if (const auto whole = parse_u64(member_string(value, "timestamp.seconds"))) {
      time =
          static_cast<double>(*whole) +
          static_cast<double>(parse_u64(member_string(value, "timestamp.nanos")).value_or(0)) / 1e9;
    }
    if (!start_) start_ = time;
    return std::max(0.0, time - *start_);
  }

  static std::optional<std::int64_t> signed_number(std::string_view text) {
    const bool negative = text.starts_with('-');
    const auto value = parse_u64(text.substr(negative ? 1 : 0));
    if (!value || *value >= INT64_MAX) return std::nullopt;
    return negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
  }

  std::optional<double> start_;
  std::uint64_t others_ = 0;
};

bool fits(std::string_view head) {
  const char first = first_character(head);
  if (first != '{' && first != '[') return false;
  return (has_key(head, "eventName") && has_key(head, "eventId")) ||
         (has_key(head, "workload") && has_key(head, "data") && has_key(head, "name"));
}

}  // namespace

const ImportFormat kTraceeFormat = {
    "tracee",
    "tracee",
    "native",
    "events of Tracee, as JSON",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<TraceeParser>(sink);
    },
};

}  // namespace whittle::record
