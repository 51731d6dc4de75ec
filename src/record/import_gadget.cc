// Events of Inspektor Gadget as JSON: traceloop (each call with its parameters) and audit_seccomp
// (the calls that a filter stopped or logged). Its advise_seccomp prints profiles:
// import_profile.cc.
#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "record/import_format.h"
#include "record/import_json.h"
#include "record/import_parameters.h"
#include "record/import_values.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// "-1", "3", and an error as the unsigned number that it is in 64 bits.
std::optional<std::int64_t> result_of(const std::string& text) {
  const auto value = read_value(text);
  if (!value) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

class GadgetParser : public JsonParser {
 public:
  using JsonParser::JsonParser;

 protected:
  void object(const json::Value& value, std::string_view text) override {
    std::string name = lower(member_string(value, "syscall"));
    if (name.starts_with("sys_")) name.erase(0, 4);
    if (name.empty()) return sink().unread("the event has no syscall", text);
    Call call;
    call.arch = sink().native();
    const std::string code = lower(member_string(value, "code"));
    if (code.empty()) {
      traceloop(call, name, value);
    } else {
      audited_ = true;
      call.has_arguments = false;
      // "SECCOMP_RET_LOG" and, in older ones, "log": it was made.
      call.refused = !code.ends_with("log") && !code.ends_with("allow");
    }
    if (starts_task(name) && call.result == 0) return;
    if (!sink().add_named(call, name)) {
      sink().unread(format("{} has no such call", syscalls::arch_name(call.arch)), text);
    }
  }

  void finished() override {
    if (audited_) {
      sink().lose("selected");
      sink().note("audit_seccomp tells the calls that a filter stopped or logged, and no others");
    }
    if (traceloop_) {
      sink().note("traceloop keeps the last calls only: older ones may have been overwritten");
    }
  }

 private:
  void traceloop(Call& call, std::string_view name, const json::Value& value) {
    traceloop_ = true;
    call.result = result_of(member_string(value, "ret"));
    const json::Value* parameters = value.find("parameters");
    const std::string text = member_string(value, "parameters");
    const ArgumentList list = split_arguments(text);
    const auto parameter = [&](std::string_view wanted) -> std::optional<std::string> {
      if (parameters != nullptr && parameters->array() != nullptr) {
        for (const json::Value& entry : *parameters->array()) {
          if (member_string(entry, "name") == wanted) return member_string(entry, "value");
        }
        return std::nullopt;
      }
      for (const std::string_view part : list.parts) {
        const std::size_t equals = part.find('=');
        if (equals != std::string_view::npos && part.substr(0, equals) == wanted) {
          return std::string(part.substr(equals + 1));
        }
      }
      return std::nullopt;
    };
    fill_named(call, name, parameter, Absent::kUnread, sink());
  }

  bool audited_ = false;
  bool traceloop_ = false;
};

bool fits(std::string_view head) {
  const char first = first_character(head);
  return (first == '{' || first == '[') && has_key(head, "syscall") &&
         (has_key(head, "code") || has_key(head, "parameters"));
}

}  // namespace

const ImportFormat kGadgetFormat = {
    "inspektor-gadget",
    "inspektor-gadget",
    "native",
    "traceloop and audit_seccomp of Inspektor Gadget, as JSON",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<GadgetParser>(sink);
    },
};

}  // namespace whittle::record
