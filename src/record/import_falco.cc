// Alerts of Falco as JSON (json_output: true), one a line. An alert tells the call that a rule
// matched in output_fields, when the rule's output asks for evt.type or syscall.type.
#include <algorithm>

#include "base/errno_name.h"
#include "base/text.h"
#include "record/import_format.h"
#include "record/import_json.h"
#include "record/import_sysdig_events.h"

namespace whittle::record {

namespace {

class FalcoParser : public JsonParser {
 public:
  explicit FalcoParser(ImportSink& sink) : JsonParser(sink), events_(sink) {}

 protected:
  void object(const json::Value& value, std::string_view text) override {
    const json::Value* fields = value.find("output_fields");
    if (member_string(value, "rule").starts_with("Falco internal")) {
      if (fields == nullptr) return;
      sink().lose("events", parse_u64(member_string(*fields, "n_drops")).value_or(0));
      return;
    }
    std::string type;
    if (fields != nullptr) {
      type = member_string(*fields, "evt.type");
      if (type.empty()) type = member_string(*fields, "syscall.type");
    }
    if (type.empty()) {
      return sink().unread("the alert does not tell the call: its output has no %evt.type", text);
    }
    std::string arguments = member_string(*fields, "evt.args");
    if (const std::string result = member_string(*fields, "evt.rawres"); !result.empty()) {
      arguments += " res=" + result;
    } else if (const auto number = errno_from_name(member_string(*fields, "evt.res"))) {
      arguments += format(" res=-{}", *number);
    }
    SysdigEvent event;
    event.type = type;
    event.arguments = arguments;
    if (const auto time = parse_u64(member_string(*fields, "evt.time"))) {
      if (start_ == 0) start_ = *time;
      event.seconds = static_cast<double>(*time - std::min(*time, start_)) / 1e9;
    }
    events_.count(event, {});
  }

  void finished() override {
    events_.finish();
    sink().lose("selected");
    sink().note("Falco tells the calls that its rules match, and no others");
  }

 private:
  SysdigEvents events_;
  std::uint64_t start_ = 0;
};

bool fits(std::string_view head) {
  return first_character(head) == '{' && has_key(head, "rule") && has_key(head, "priority");
}

}  // namespace

const ImportFormat kFalcoFormat = {
    "falco",
    "falco",
    "native",
    "alerts of Falco, as JSON",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<FalcoParser>(sink);
    },
};

}  // namespace whittle::record
