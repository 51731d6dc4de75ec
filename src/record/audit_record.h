// One seccomp audit record (type 1326, SECCOMP): what the kernel writes when a filter kills, logs,
// or was loaded with the LOG flag and answers anything but allow.
//
//   auid=4294967295 uid=0 gid=0 ses=4294967295 pid=3079 comm="log" exe="/tmp/log" sig=0
//   arch=c000003e syscall=39 compat=0 ip=0x7f8a791fb829 code=0x7ffc0000
//
// The body is made by audit_seccomp() and audit_log_task() (kernel/auditsc.c), fields always in
// this order, with `subj=LABEL` before pid where a security module gives one. `comm` and `exe` are
// chosen by the program: the kernel quotes them, or writes them in upper-case hex when they hold a
// quote, a blank or what is not ASCII (audit_log_untrustedstring(), kernel/audit.c). `code` is the
// action of the filter with its data masked, so the errno is not known; arguments are not logged at
// all.
//
// ausearch -i writes the same with names for numbers and nothing quoted (parse_interpreted()).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "syscalls/arch.h"

namespace whittle::record {

enum class AuditAction : std::uint8_t {
  kLog,
  kNotify,
  kTrace,
  kErrno,
  kTrap,
  kKillThread,
  kKillProcess,
  kKill,     // ausearch -i writes "kill" for both
  kUnknown,  // an action of a newer kernel
};

std::string_view audit_action_name(AuditAction action);  // "log", ..., "kill", "unknown"
// Of SECCOMP_RET_*, include/uapi/linux/seccomp.h; the data bits are ignored.
AuditAction audit_action(std::uint32_t code);

// What a carrier says of a record, beside its body.
struct AuditStamp {
  std::int64_t time = 0;     // milliseconds since 1970; 0: not known
  std::uint64_t serial = 0;  // of the audit event; 0: not known, the carrier left it out
};

struct AuditRecord {
  AuditStamp stamp;
  std::uint32_t pid = 0;               // of the process, in the first pid namespace; 0: not known
  std::uint32_t session = UINT32_MAX;  // audit session of the process; UINT32_MAX: none, not known
  std::uint32_t audit_arch = 0;        // AUDIT_ARCH_*
  std::uint32_t nr = 0;                // as a filter sees it: x32 with its bit
  std::int32_t signal = 0;             // that the kernel sent: SIGSYS for a kill, else 0
  std::uint64_t ip = 0;                // where the program was
  AuditAction action = AuditAction::kUnknown;
  // Decoded; of the last parse: they point into the parser or its input.
  std::string_view comm;
  std::string_view exe;

  // nullopt: an architecture that whittle has no names for.
  std::optional<syscalls::Arch> arch() const { return syscalls::arch_from_audit(audit_arch, nr); }
};

// "x86_64", "x32", ...; of others "s390x", "riscv64", or the number in hex.
std::string audit_arch_name(std::uint32_t audit_arch, std::uint32_t nr);

class AuditBodyParser {
 public:
  // From "auid=" to the end of the line; what follows `code` (the names that auditd appends) is not
  // read: they are wrong for x32 and glued to the code where a carrier dropped the separator.
  // False: not a whole record. `record.stamp` is left alone.
  bool parse(std::string_view body, AuditRecord& record);
  // The same as ausearch -i writes it. False too for a name of a call that no table has.
  bool parse_interpreted(std::string_view body, AuditRecord& record);

 private:
  std::string_view text_of(std::string_view value, std::string& decoded);
  std::string comm_;
  std::string exe_;
};

}  // namespace whittle::record
