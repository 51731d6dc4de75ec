#include "record/audit_record.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "base/text.h"
#include "syscalls/table.h"

namespace whittle::record {

namespace {

using syscalls::Arch;

struct ArchName {
  std::uint32_t audit;
  std::string_view name;  // of the kernel's directory and of libaudit
};

// Architectures that whittle has no tables for.
constexpr std::array kOtherArches = {
    ArchName{AUDIT_ARCH_S390X, "s390x"},     ArchName{AUDIT_ARCH_S390, "s390"},
    ArchName{AUDIT_ARCH_PPC64LE, "ppc64le"}, ArchName{AUDIT_ARCH_PPC64, "ppc64"},
    ArchName{AUDIT_ARCH_PPC, "ppc"},         ArchName{AUDIT_ARCH_RISCV64, "riscv64"},
    ArchName{AUDIT_ARCH_RISCV32, "riscv32"}, ArchName{AUDIT_ARCH_LOONGARCH64, "loongarch64"},
    ArchName{AUDIT_ARCH_MIPS, "mips"},       ArchName{AUDIT_ARCH_MIPSEL, "mipsel"},
    ArchName{AUDIT_ARCH_MIPS64, "mips64"},   ArchName{AUDIT_ARCH_MIPSEL64, "mipsel64"},
    ArchName{AUDIT_ARCH_ARMEB, "armeb"},     ArchName{AUDIT_ARCH_IA64, "ia64"},
};

// libaudit's names where they are not the kernel's (ausyscall --dump).
struct OtherName {
  Arch arch;
  std::string_view libaudit;
  std::string_view kernel;
};
constexpr std::array kOtherNames = {
    OtherName{Arch::kX86_64, "pread", "pread64"},
    OtherName{Arch::kX86_64, "pwrite", "pwrite64"},
    OtherName{Arch::kX86, "sys_kexec_load", "kexec_load"},
    OtherName{Arch::kX86, "sched_rr_get_interval64", "sched_rr_get_interval_time64"},
    OtherName{Arch::kAarch64, "getdents", "getdents64"},
    OtherName{Arch::kAarch64, "pread", "pread64"},
    OtherName{Arch::kAarch64, "pwrite", "pwrite64"},
    OtherName{Arch::kAarch64, "newfstat", "fstat"},
    OtherName{Arch::kArm, "llseek", "_llseek"},
    OtherName{Arch::kArm, "newselect", "_newselect"},
    OtherName{Arch::kArm, "sysctl", "_sysctl"},
    OtherName{Arch::kArm, "fadvise64_64", "arm_fadvise64_64"},
    OtherName{Arch::kArm, "sync_file_range", "arm_sync_file_range"},
    OtherName{Arch::kArm, "sched_rr_get_interval64", "sched_rr_get_interval_time64"},
};

constexpr std::size_t kMostComm = 15;  // TASK_COMM_LEN less its end
constexpr char kEnrichment = '\x1d';   // auditd puts it before the names that it appends

// Lower-case hex alone: what is glued to it begins with an upper-case letter (code=0x0AUID="...").
template <typename Number>
bool parse_hex(std::string_view text, Number& number) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::size_t digits = 0;
  Number value = 0;
  for (const char c : text) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<unsigned>(c - 'a') + 10;
    } else {
      break;
    }
    if (++digits > sizeof(Number) * 2) return false;
    value = static_cast<Number>(value << 4U | digit);
  }
  number = value;
  return digits != 0;
}

// Decimal with a sign: the kernel prints numbers of calls as signed. All of the text.
bool parse_number(std::string_view text, std::int64_t& number) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 18) return false;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  number = negative ? -value : value;
  return true;
}

bool parse_u32(std::string_view text, std::uint32_t& number) {
  std::int64_t value = 0;
  if (!parse_number(text, value) || value < INT32_MIN || value > UINT32_MAX) return false;
  number = static_cast<std::uint32_t>(value);
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool decode_hex(std::string_view text, std::string& decoded) {
  if (text.empty() || text.size() % 2 != 0) return false;
  decoded.clear();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    decoded.push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

enum Seen : unsigned { kSawArch = 1, kSawCall = 2, kSawCode = 4 };

// "key=value" after "key=value"; a quoted value may hold blanks, and that of subj may, unquoted.
struct Fields {
  std::string_view rest;

  bool next(std::string_view& key, std::string_view& value) {
    const char* p = rest.data();
    const char* const end = p + rest.size();
    const char* start = p;
    for (; p < end && *p != '='; ++p) {
      if (*p == ' ') start = p + 1;
      if (*p == kEnrichment) return false;
    }
    if (p >= end) return false;
    key = {start, static_cast<std::size_t>(p - start)};
    ++p;
    const char* stop = nullptr;
    if (p < end && *p == '"') {
      ++p;
      stop = static_cast<const char*>(std::memchr(p, '"', static_cast<std::size_t>(end - p)));
      if (stop == nullptr) return false;
      value = {p - 1, static_cast<std::size_t>(stop - p) + 1};  // with the first quote, as a mark
      ++stop;
    } else if (key == "subj") {
      const std::string_view from(p, static_cast<std::size_t>(end - p));
      const std::size_t length = from.find(" pid=");
      stop = length == std::string_view::npos ? end : p + length;
      value = {p, static_cast<std::size_t>(stop - p)};
    } else {
      stop = p;
      while (stop < end && *stop != ' ' && *stop != kEnrichment) ++stop;
      value = {p, static_cast<std::size_t>(stop - p)};
    }
    rest = {stop, static_cast<std::size_t>(end - stop)};
    return true;
  }
};

// The text between `key` and `end`, where `key` is the last before it; `end` moves to the key.
bool take_last(std::string_view body, std::string_view key, std::size_t& end,
               std::string_view& value) {
  const std::size_t at = body.substr(0, end).rfind(key);
  if (at == std::string_view::npos) return false;
  value = body.substr(at + key.size(), end - at - key.size());
  end = at;
  return true;
}

bool arch_of_name(std::string_view name, std::uint32_t& audit) {
  if (name == "i386") {
    audit = AUDIT_ARCH_I386;
    return true;
  }
  if (const auto arch = syscalls::arch_from_name(name); arch && *arch != Arch::kX32) {
    audit = syscalls::audit_arch(*arch);
    return true;
  }
  for (const ArchName& other : kOtherArches) {
    if (other.name != name) continue;
    audit = other.audit;
    return true;
  }
  return parse_hex(name, audit);
}

bool call_of_name(std::string_view name, std::uint32_t audit, std::uint32_t& nr) {
  constexpr std::string_view kUnknownCall = "unknown-syscall(";
  if (name.starts_with(kUnknownCall) && name.ends_with(')')) {
    name = name.substr(kUnknownCall.size(), name.size() - kUnknownCall.size() - 1);
  }
  if (parse_u32(name, nr)) return true;
  const auto arch = syscalls::arch_from_audit(audit, 0);
  if (!arch) return false;
  for (const OtherName& other : kOtherNames) {
    if (other.arch == *arch && other.libaudit == name) name = other.kernel;
  }
  const auto number = syscalls::number(*arch, name);
  if (number) nr = *number;
  return number.has_value();
}

bool action_of_word(std::string_view word, AuditAction& action) {
  struct Word {
    std::string_view word;
    AuditAction action;
  };
  constexpr std::array kWords = {
      Word{"log", AuditAction::kLog},
      Word{"user-notify", AuditAction::kNotify},
      Word{"trace", AuditAction::kTrace},
      Word{"errno", AuditAction::kErrno},
      Word{"trap", AuditAction::kTrap},
      Word{"kill", AuditAction::kKill},
      Word{"kill-process", AuditAction::kKillProcess},
  };
  for (const Word& known : kWords) {
    if (known.word != word) continue;
    action = known.action;
    return true;
  }
  std::uint32_t code = 0;
  if (!parse_hex(word, code)) return false;
  action = audit_action(code);
  return true;
}

}  // namespace

std::string_view audit_action_name(AuditAction action) {
  constexpr std::string_view kNames[] = {"log",         "notify",       "trace", "errno",  "trap",
                                         "kill_thread", "kill_process", "kill",  "unknown"};
  return kNames[static_cast<std::size_t>(action)];
}

AuditAction audit_action(std::uint32_t code) {
  switch (code & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_LOG:
      return AuditAction::kLog;
    case SECCOMP_RET_USER_NOTIF:
      return AuditAction::kNotify;
    case SECCOMP_RET_TRACE:
      return AuditAction::kTrace;
    case SECCOMP_RET_ERRNO:
      return AuditAction::kErrno;
    case SECCOMP_RET_TRAP:
      return AuditAction::kTrap;
    case SECCOMP_RET_KILL_THREAD:
      return AuditAction::kKillThread;
    case SECCOMP_RET_KILL_PROCESS:
      return AuditAction::kKillProcess;
    default:
      return AuditAction::kUnknown;
  }
}

std::string audit_arch_name(std::uint32_t audit_arch, std::uint32_t nr) {
  if (const auto arch = syscalls::arch_from_audit(audit_arch, nr)) {
    return std::string(syscalls::arch_name(*arch));
  }
  for (const ArchName& other : kOtherArches) {
    if (other.audit == audit_arch) return std::string(other.name);
  }
  return format("{:#x}", audit_arch);
}

std::string_view AuditBodyParser::text_of(std::string_view value, std::string& decoded) {
  if (value.starts_with('"')) return value.substr(1);
  if (value == "(null)") return {};  // a kernel thread has no program
  return decode_hex(value, decoded) ? std::string_view(decoded) : value;
}

bool AuditBodyParser::parse(std::string_view body, AuditRecord& record) {
  Fields fields{body};
  std::string_view key;
  std::string_view value;
  unsigned seen = 0;
  record.pid = 0;
  record.session = UINT32_MAX;
  record.signal = 0;
  record.ip = 0;
  record.comm = {};
  record.exe = {};
  while (fields.next(key, value)) {
    bool good = true;
    switch (key.empty() ? '\0' : key[0]) {
      case 'p':
        if (key == "pid") good = parse_u32(value, record.pid);
        break;
      case 'e':
        if (key == "exe") record.exe = text_of(value, exe_);
        break;
      case 'i':
        if (key == "ip") good = parse_hex(value, record.ip);
        break;
      case 'a':
        if (key != "arch") break;
        good = parse_hex(value, record.audit_arch);
        seen |= kSawArch;
        break;
      case 's':
        if (key == "sig") {
          std::uint32_t signal = 0;
          good = parse_u32(value, signal);
          record.signal = static_cast<std::int32_t>(signal);
        } else if (key == "syscall") {
          good = parse_u32(value, record.nr);
          seen |= kSawCall;
        } else if (key == "ses") {
          good = parse_u32(value, record.session);
        }
        break;
      case 'c':
        if (key == "comm") {
          record.comm = text_of(value, comm_);
        } else if (key == "code") {
          std::uint32_t code = 0;
          good = value.starts_with("0x") && parse_hex(value, code);
          record.action = audit_action(code);
          seen |= kSawCode;
        }
        break;
      default:
        break;
    }
    if (!good) return false;
    if ((seen & kSawCode) != 0) break;
  }
  return seen == (kSawArch | kSawCall | kSawCode);
}

// From the end: what stands behind `exe` is the kernel's own, so that the last of each key is the
// true one, whatever the program put into its name or its path.
bool AuditBodyParser::parse_interpreted(std::string_view body, AuditRecord& record) {
  body = trim(body.substr(0, body.find(kEnrichment)));
  std::size_t end = body.size();
  std::string_view code;
  std::string_view ip;
  std::string_view compat;
  std::string_view call;
  std::string_view arch;
  std::string_view signal;
  if (!take_last(body, " code=", end, code) || !take_last(body, " ip=", end, ip) ||
      !take_last(body, " compat=", end, compat) || !take_last(body, " syscall=", end, call) ||
      !take_last(body, " arch=", end, arch) || !take_last(body, " sig=", end, signal)) {
    return false;
  }
  if (!arch_of_name(arch, record.audit_arch) || !call_of_name(call, record.audit_arch, record.nr) ||
      !parse_hex(ip, record.ip) || !action_of_word(code, record.action)) {
    return false;
  }
  record.signal = signal == "SIGSYS" ? SIGSYS : signal == "SIGKILL" ? SIGKILL : 0;
  record.pid = 0;
  record.session = UINT32_MAX;
  record.comm = {};
  record.exe = {};
  const std::string_view front = body.substr(0, end);
  const std::size_t comm = front.find(" comm=");
  std::size_t pid_end = std::min(comm, front.size());
  std::string_view pid;
  if (take_last(front, " pid=", pid_end, pid) && !parse_u32(pid, record.pid)) return false;
  if (comm == std::string_view::npos) return true;
  const std::string_view names = front.substr(comm + 6);
  // A task's name has 15 bytes at most and may itself hold " exe=": the last within them counts.
  std::size_t exe = names.find(" exe=");
  for (std::size_t next = exe; next != std::string_view::npos && next <= kMostComm;
       next = names.find(" exe=", next + 1)) {
    exe = next;
  }
  record.comm = names.substr(0, exe);
  if (exe != std::string_view::npos) record.exe = names.substr(exe + 5);
  if (record.exe == "(null)") record.exe = {};
  return true;
}

}  // namespace whittle::record
