#include "record/audit_journal.h"

#include "base/json.h"
#include "base/text.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostEntry = std::size_t{1} << 20U;

// A string, or an array of bytes when it is not UTF-8.
std::string text_of(const json::Value& value) {
  if (const std::string* text = value.string()) return *text;
  std::string text;
  const json::Array* bytes = value.array();
  if (bytes == nullptr) return text;
  for (const json::Value& byte : *bytes) {
    const auto number = byte.u64();
    if (!number || *number > 255) return {};
    text.push_back(static_cast<char>(*number));
  }
  return text;
}

}  // namespace

void JournalEntry::set(std::string_view key, std::string_view value) {
  if (key == "MESSAGE" || key == "msg") {
    message = value;
  } else if (key == "_TRANSPORT") {
    transport = value;
  } else if (key == "SYSLOG_IDENTIFIER") {
    identifier = value;
  } else if (key == "_AUDIT_ID") {
    serial = parse_u64(value).value_or(0);
  } else if (key == "_SOURCE_REALTIME_TIMESTAMP") {
    time = static_cast<std::int64_t>(parse_u64(value).value_or(0) / 1000);
    has_source_time = true;
  } else if (key == "__REALTIME_TIMESTAMP" && !has_source_time) {
    time = static_cast<std::int64_t>(parse_u64(value).value_or(0) / 1000);
  }
}

AuditLine parse_entry(const JournalEntry& entry, AuditLineParser& parser) {
  constexpr std::string_view kName = "SECCOMP ";
  const std::string_view message = entry.message;
  const bool known = !entry.transport.empty();
  if (message.starts_with(kName) && (!known || entry.transport == "audit")) {
    return parser.parse_body(message.substr(kName.size()), {entry.time, entry.serial});
  }
  AuditLine line = parser.parse(message);
  const bool of_log = !known || entry.transport == "kernel" || entry.transport == "driver" ||
                      entry.identifier.starts_with("audisp") || entry.identifier == "auditd" ||
                      entry.identifier == "rsyslogd";
  if (of_log || line.kind == LineKind::kOther) return line;
  const bool record = line.kind == LineKind::kRecord || line.kind == LineKind::kMalformed;
  line.kind = record ? LineKind::kForeign : LineKind::kOther;
  return line;
}

bool read_json_entry(std::string_view line, JournalEntry& entry) {
  json::Limits limits;
  limits.bytes = kMostEntry;
  limits.depth = 8;
  const auto parsed = json::parse(line, "line", limits);
  if (!parsed || !parsed->is_object()) return false;
  for (const auto& [key, value] : *parsed->object()) entry.set(key, text_of(value));
  return true;
}

bool read_json_member(std::string_view line, std::string& key, std::string& value) {
  std::string_view text = trim(line);
  if (text.ends_with(',')) text.remove_suffix(1);
  if (text.size() < 2 || text.front() != '"' || text.size() > kMostEntry) return false;
  json::Limits limits;
  limits.bytes = kMostEntry + 2;
  limits.depth = 4;
  const auto parsed = json::parse("{" + std::string(text) + "}", "line", limits);
  if (!parsed || !parsed->is_object() || parsed->object()->size() != 1) return false;
  const auto& [name, member] = parsed->object()->front();
  key = name;
  value = text_of(member);
  return true;
}

}  // namespace whittle::record
