// Journal entries as journalctl prints them with -o json (also json-sse and json-seq), json-pretty,
// export and verbose; and dmesg -J, whose entries have a "msg".
//
// Which fields say what: systemd.journal-fields(7); the export format:
// https://systemd.io/JOURNAL_EXPORT_FORMATS. A field that a client sends cannot begin with '_', so
// _TRANSPORT and _AUDIT_ID are journald's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "record/audit_line.h"

namespace whittle::record {

// The fields that count here; others are passed over.
struct JournalEntry {
  std::string message;       // MESSAGE, msg
  std::string transport;     // _TRANSPORT: "kernel", "audit", "syslog", ...
  std::string identifier;    // SYSLOG_IDENTIFIER
  std::uint64_t serial = 0;  // _AUDIT_ID
  std::int64_t time = 0;     // milliseconds: _SOURCE_REALTIME_TIMESTAMP, else __REALTIME_TIMESTAMP
  bool has_source_time = false;

  void set(std::string_view key, std::string_view value);
};

// What the entry says.
AuditLine parse_entry(const JournalEntry& entry, AuditLineParser& parser);

// One JSON object on a line. False: it is none, or too large.
bool read_json_entry(std::string_view line, JournalEntry& entry);

// `"KEY" : "VALUE",` of a line of json-pretty or dmesg -J. False: the line is something else.
bool read_json_member(std::string_view line, std::string& key, std::string& value);

}  // namespace whittle::record
