// Seccomp records of the kernel's audit in all the forms that `whittle audit` reads
// (docs/audit.md).
#include <string>

#include "record/audit_evidence.h"
#include "record/audit_reader.h"
#include "record/audit_tally.h"
#include "record/import_format.h"

namespace whittle::record {

namespace {

class AuditParser : public ImportParser {
 public:
  explicit AuditParser(ImportSink& sink) : sink_(sink), reader_(tally_) {}

  void line(std::string_view text) override {
    line_ = text;
    line_ += '\n';
    reader_.feed(line_);
    const std::uint64_t malformed = tally_.counts().malformed;
    if (malformed != malformed_) sink_.unread_argument("the record cannot be read", text);
    malformed_ = malformed;
  }

  void end() override {
    reader_.finish();
    evidence::Run run = audit_evidence(tally_);
    if (run.syscalls.empty()) run.arch = sink_.native();
    run.notes.emplace_back("a log tells the calls that a filter stopped or logged, and no others");
    sink_.adopt(std::move(run));
  }

 private:
  ImportSink& sink_;
  AuditTally tally_;
  AuditReader reader_;
  std::string line_;
  std::uint64_t malformed_ = 0;
};

// A log of audit may be long before its first seccomp record: any of its records tells the form.
bool fits(std::string_view head) {
  for (const std::string_view mark : {"type=1326", "type=SECCOMP", " SECCOMP auid=", "msg=audit(",
                                      "audit: type=", "_AUDIT_TYPE"}) {
    if (head.find(mark) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

const ImportFormat kAuditFormat = {
    "audit",
    "audit",
    "native",
    "seccomp records of the kernel's audit, in any log",
    fits,
    [](ImportSink& sink) -> std::unique_ptr<ImportParser> {
      return std::make_unique<AuditParser>(sink);
    },
};

}  // namespace whittle::record
