// One line of a log: whether it is a seccomp record, and how the carrier wrapped it.
//
//   [  682.286000] audit: type=1326 audit(1795557492.107:2): auid=...        dmesg, all its options
//   5,345,437718664,-;audit: type=1326 audit(1795557492.107:2): auid=...     /dev/kmsg
//   Nov 27 07:22:41 host kernel: audit: type=1326 audit(...): auid=...       journalctl, syslog
//   Nov 27 07:22:41 host audit[20178]: SECCOMP auid=...                      journalctl: no stamp
//   type=SECCOMP msg=audit(1709806984.123:987): auid=...                     auditd, ausearch --raw
//   node=web1 type=SECCOMP msg=audit(...): ...                               with name_format
//   type=SECCOMP msg=audit(03/07/24 10:23:05.001:988) : auid=unset ...       ausearch -i
//   audit: audit_lost=12 audit_rate_limit=0 audit_backlog_limit=64           losses
//   kauditd_printk_skb: 160 callbacks suppressed
//
// A line whose tag names another program is not believed: anybody may write to a syslog.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "record/audit_record.h"
#include "record/audit_time.h"

namespace whittle::record {

enum class LineKind : std::uint8_t {
  kOther,
  kRecord,
  kMalformed,    // a seccomp record, but not a whole one
  kForeign,      // what reads like one was written by another program
  kLostCounter,  // `number` is the kernel's count of lost audit records since it started
  kLostMessage,  // it says that it lost one
  kLost,         // `number` messages of the kernel are missing in this log
  kRateLimited,  // `number` records are missing in this log: there were too many
};

struct AuditLine {
  LineKind kind = LineKind::kOther;
  AuditRecord record;        // kRecord
  std::uint64_t number = 0;  // see LineKind
};

class AuditLineParser {
 public:
  AuditLineParser() = default;
  AuditLineParser(AuditLineParser&&) = default;
  AuditLineParser& operator=(AuditLineParser&&) = default;

  // Without the newline. The record points into the line or into this parser.
  AuditLine parse(std::string_view line);
  // What an audit socket or a journal entry gives: the body alone, and what is known of it.
  AuditLine parse_body(std::string_view body, const AuditStamp& stamp);
  // "audit(1795557492.107:2): auid=..." or with the date of ausearch -i.
  AuditLine parse_stamped(std::string_view text);

 private:
  AuditLine parse_auditd(std::string_view line);
  AuditLine parse_tagged(std::string_view line, std::size_t at, std::size_t body_at);
  bool parse_known(std::string_view body, AuditRecord& record);

  // What was parsed lately, by what it ends with: a flood repeats itself.
  struct Known {
    std::string body;
    AuditRecord record;
    std::string comm;
    std::string exe;
  };
  std::vector<Known> known_;
  AuditBodyParser body_;
  LogClock clock_;
  std::string unescaped_;
};

// What a line that is no record says about losses; kOther: nothing.
AuditLine parse_loss(std::string_view line);

}  // namespace whittle::record
