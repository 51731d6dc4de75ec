// A log of any of the kinds that audit_line.h and audit_journal.h list, as a stream of bytes in
// pieces of any size, into a tally. The kind is told from each line, so that logs may follow one
// another.
//
//   AuditTally tally;
//   TRY(read_audit_log("/var/log/audit/audit.log", tally));
//
// Memory is bounded by the longest line (kMostLine; of a longer one the rest is passed over, and it
// counts as malformed when its beginning is a record).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/audit_journal.h"
#include "record/audit_line.h"
#include "record/audit_tally.h"

namespace whittle::record {

inline constexpr std::size_t kMostLine = std::size_t{1} << 20U;

class AuditReader {
 public:
  explicit AuditReader(AuditTally& tally) : tally_(&tally) {}
  void feed(std::string_view bytes);
  void finish();  // the log has ended, with or without a newline

 private:
  enum class Form : std::uint8_t { kLines, kPretty, kExport, kVerbose };

  void add_line(std::string_view line);
  bool add_export_line(std::string_view line);
  bool add_pretty_line(std::string_view line);
  bool add_verbose_line(std::string_view line);
  void add_json_line(std::string_view line);
  void end_entry(Form next);
  void keep(std::string_view part);
  std::string_view take_binary(std::string_view bytes);

  AuditTally* tally_;
  AuditLineParser parser_;
  std::string partial_;    // the beginning of a line
  bool too_long_ = false;  // partial_ is the beginning of a line whose rest is passed over
  Form form_ = Form::kLines;
  JournalEntry entry_;
  // Of the export format: a field whose value comes as a length and bytes.
  std::string binary_key_;
  std::string binary_;
  std::uint64_t binary_left_ = 0;
  std::size_t length_left_ = 0;  // bytes of the length that are still to come
  std::uint64_t length_ = 0;
};

// A file, or standard input for "-". Errors, kind input: it cannot be read, or is compressed or
// a journal file in its own format.
Result<void> read_audit_log(const std::string& path, AuditTally& tally);

}  // namespace whittle::record
