#include "record/audit_line.h"

#include <array>
#include <cstring>

#include "base/text.h"

namespace whittle::record {

namespace {

constexpr std::size_t kNowhere = std::string_view::npos;
constexpr std::string_view kKernelType = "type=1326 ";
constexpr std::string_view kShort = "SECCOMP auid=";

// memmem(3) is several times as fast as std::string_view::find.
std::size_t find(std::string_view text, std::string_view what) {
  const void* const at = ::memmem(text.data(), text.size(), what.data(), what.size());
  if (at == nullptr) return kNowhere;
  return static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Decimal digits at the beginning; false: none, or too many. The text moves behind them.
bool take_digits(std::string_view& text, std::uint64_t& number) {
  std::size_t length = 0;
  std::uint64_t value = 0;
  for (; length < text.size() && is_digit(text[length]); ++length) {
    if (length == 18) return false;
    value = value * 10 + static_cast<std::uint64_t>(text[length] - '0');
  }
  text.remove_prefix(length);
  number = value;
  return length != 0;
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

// "1795557492.107:2" as the kernel prints it, whole.
bool parse_stamp(std::string_view text, AuditStamp& stamp) {
  std::uint64_t seconds = 0;
  std::uint64_t milliseconds = 0;
  if (!take_digits(text, seconds) || seconds > 99'999'999'999 || !take(text, ".")) return false;
  if (!take_digits(text, milliseconds) || milliseconds > 999 || !take(text, ":")) return false;
  stamp.time = static_cast<std::int64_t>(seconds * 1000 + milliseconds);
  return take_digits(text, stamp.serial) && text.empty();
}

// The name in front of ": ", without its "[123]": "kernel", "audit", "myprog".
bool is_trusted_tag(std::string_view text) {
  text = text.substr(text.find_last_of(" \t:;>") + 1);
  if (text.ends_with(']')) text = text.substr(0, text.rfind('['));
  constexpr std::array<std::string_view, 9> kLevels = {"kernel", "emerg",  "alert", "crit", "err",
                                                       "warn",   "notice", "info",  "debug"};
  for (const std::string_view level : kLevels) {
    if (text == level) return true;
  }
  return text == "audit" || text == "auditd" || text.starts_with("audisp");
}

// Whether what stands in front of a record was put there by a log, not by a program.
bool is_trusted_prefix(std::string_view prefix) {
  if (prefix.size() > 256) return false;
  for (std::size_t at = prefix.find(": "); at != kNowhere; at = prefix.find(": ", at + 1)) {
    if (at > 0 && !is_trusted_tag(prefix.substr(0, at))) return false;
  }
  return true;
}

// /dev/kmsg: "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];TEXT"
// (Documentation/ABI/testing/dev-kmsg).
std::string_view kmsg_text(std::string_view line) {
  std::string_view rest = line;
  std::uint64_t number = 0;
  for (int i = 0; i < 3; ++i) {
    if (!take_digits(rest, number) || !take(rest, ",")) return {};
  }
  const std::size_t text = rest.find(';');
  return text == kNowhere ? std::string_view() : rest.substr(text + 1);
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// /dev/kmsg writes a backslash and what does not print as \xNN.
void unescape(std::string_view text, std::string& plain) {
  plain.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x') {
      const int high = hex_value(text[i + 2]);
      const int low = hex_value(text[i + 3]);
      if (high >= 0 && low >= 0) {
        plain.push_back(static_cast<char>(high << 4 | low));
        i += 3;
        continue;
      }
    }
    plain.push_back(text[i]);
  }
}

// The number in front of `what`: "160" of "kauditd_printk_skb: 160 callbacks suppressed".
bool number_before(std::string_view line, std::size_t at, std::uint64_t& number) {
  std::size_t start = at;
  while (start > 0 && is_digit(line[start - 1])) --start;
  std::string_view digits = line.substr(start, at - start);
  return take_digits(digits, number);
}

AuditLine loss(LineKind kind, std::uint64_t number) {
  AuditLine line;
  line.kind = kind;
  line.number = number;
  return line;
}

}  // namespace

// Sources: kernel/audit.c (audit_log_lost() and its callers), lib/ratelimit.c, and the messages of
// systemd-journald and rsyslog's imjournal.
AuditLine parse_loss(std::string_view line) {
  std::uint64_t number = 0;
  if (const std::size_t at = find(line, "audit_lost="); at != kNowhere) {
    std::string_view digits = line.substr(at + 11);
    if (find(line, "audit_rate_limit=") != kNowhere && take_digits(digits, number)) {
      return loss(LineKind::kLostCounter, number);
    }
  }
  if (const std::size_t at = find(line, " callbacks suppressed"); at != kNowhere) {
    constexpr std::array<std::string_view, 4> kCallers = {
        "kauditd_printk_skb: ", "audit_printk_skb: ", "audit_log_lost: ", "audit_panic: "};
    for (const std::string_view caller : kCallers) {
      if (find(line, caller) != kNowhere && number_before(line, at, number)) {
        return loss(LineKind::kRateLimited, number);
      }
    }
  }
  if (const std::size_t at = find(line, " messages suppressed"); at != kNowhere) {
    if (number_before(line, at, number)) return loss(LineKind::kRateLimited, number);
  }
  if (const std::size_t at = find(line, " messages lost due to rate-limiting"); at != kNowhere) {
    if (number_before(line, at, number)) return loss(LineKind::kRateLimited, number);
  }
  if (const std::size_t at = find(line, "Suppressed "); at != kNowhere) {
    std::string_view rest = line.substr(at + 11);
    const bool of_audit = find(rest, "audit") != kNowhere || find(rest, "audisp") != kNowhere;
    if (take_digits(rest, number) && of_audit && rest.starts_with(" messages from ")) {
      return loss(LineKind::kRateLimited, number);
    }
  }
  if (const std::size_t at = find(line, "Missed "); at != kNowhere) {
    std::string_view rest = line.substr(at + 7);
    if (take_digits(rest, number) && rest.starts_with(" kernel messages")) {
      return loss(LineKind::kLost, number);
    }
  }
  constexpr std::array<std::string_view, 6> kMessages = {
      "audit: backlog limit exceeded", "audit: rate limit exceeded",
      "audit: printk limit exceeded",  "audit: kauditd hold queue overflow",
      "audit: auditd disappeared",     "audit: out of memory in audit_log_"};
  for (const std::string_view message : kMessages) {
    if (find(line, message) != kNowhere) return loss(LineKind::kLostMessage, 1);
  }
  return {};
}

// As body_.parse().
bool AuditLineParser::parse_known(std::string_view body, AuditRecord& record) {
  constexpr std::size_t kKnown = 64;
  constexpr std::size_t kMostKept = 1024;
  if (body.size() < 32 || body.size() > kMostKept) return body_.parse(body, record);
  if (known_.empty()) known_.resize(kKnown);
  std::uint64_t code = 0;
  std::uint64_t place = 0;
  std::memcpy(&code, body.data() + body.size() - 8, 8);
  std::memcpy(&place, body.data() + body.size() - 28, 8);
  const std::uint64_t mixed = (code ^ place ^ body.size()) * 0x9e3779b97f4a7c15U;
  Known& known = known_[mixed >> 58U];  // kKnown is 2^6
  if (known.body != body) {
    if (!body_.parse(body, known.record)) {
      known.body.clear();
      return false;
    }
    known.body = body;
    known.comm = known.record.comm;
    known.exe = known.record.exe;
    known.record.comm = known.comm;
    known.record.exe = known.exe;
  }
  record = known.record;
  return true;
}

AuditLine AuditLineParser::parse_body(std::string_view body, const AuditStamp& stamp) {
  AuditLine line;
  line.kind = parse_known(body, line.record) ? LineKind::kRecord : LineKind::kMalformed;
  line.record.stamp = stamp;
  return line;
}

AuditLine AuditLineParser::parse_stamped(std::string_view text) {
  constexpr std::size_t kMostStamp = 64;
  AuditLine line;
  line.kind = LineKind::kMalformed;
  if (!take(text, "audit(")) return line;
  const std::size_t end = text.substr(0, kMostStamp).find(')');
  if (end == kNowhere) return line;
  const std::string_view stamp = text.substr(0, end);
  text.remove_prefix(end + 1);
  const bool interpreted = take(text, " :");
  if (!interpreted && !take(text, ":")) return line;
  if (parse_stamp(stamp, line.record.stamp)) {
    return parse_body(text, AuditStamp(line.record.stamp));
  }
  const std::size_t serial = stamp.rfind(':');
  if (!interpreted || serial == kNowhere) return line;
  std::string_view digits = stamp.substr(serial + 1);
  if (!take_digits(digits, line.record.stamp.serial)) return line;
  line.record.stamp.time = clock_.of_interpreted(stamp.substr(0, serial));
  if (body_.parse_interpreted(text, line.record)) line.kind = LineKind::kRecord;
  return line;
}

AuditLine AuditLineParser::parse_auditd(std::string_view line) {
  if (line.starts_with("node=")) {
    const std::size_t type = line.find(" type=");
    if (type == kNowhere) return {};
    line.remove_prefix(type + 1);
  }
  if (!take(line, "type=")) return {};
  if (!take(line, "SECCOMP") && !take(line, "1326") && !take(line, "UNKNOWN[1326]")) return {};
  if (!take(line, " ") && !line.empty()) return {};
  take(line, "msg=");
  return parse_stamped(line);
}

AuditLine AuditLineParser::parse_tagged(std::string_view line, std::size_t at,
                                        std::size_t body_at) {
  const std::string_view prefix = line.substr(0, at);
  if (!is_trusted_prefix(prefix)) {
    AuditLine foreign;
    foreign.kind = LineKind::kForeign;
    return foreign;
  }
  return parse_body(line.substr(body_at), {clock_.of_prefix(prefix), 0});
}

AuditLine AuditLineParser::parse(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  if (line.starts_with("type=") || line.starts_with("node=")) return parse_auditd(line);
  if (!line.empty() && is_digit(line[0])) {
    const std::string_view text = kmsg_text(line);
    if (!text.empty() && find(text, "\\x") != kNowhere) {
      unescape(text, unescaped_);
      line = unescaped_;
    } else if (!text.empty()) {
      line = text;
    }
  }
  AuditLine foreign;
  foreign.kind = LineKind::kForeign;
  if (const std::size_t at = find(line, kKernelType); at != kNowhere) {
    if (!is_trusted_prefix(line.substr(0, at))) return foreign;
    std::string_view text = line.substr(at + kKernelType.size());
    take(text, "msg=");
    return parse_stamped(text);
  }
  const std::size_t name = find(line, "SECCOMP ");
  if (name == kNowhere) return parse_loss(line);
  if (line.substr(0, name).ends_with("type=")) {
    std::size_t start = name - 5;
    if (const std::size_t node = line.substr(0, start).rfind("node="); node != kNowhere)
      start = node;
    if (!is_trusted_prefix(line.substr(0, start))) return foreign;
    return parse_auditd(line.substr(start));
  }
  if (!line.substr(name).starts_with(kShort)) return {};
  return parse_tagged(line, name, name + kShort.size() - 5);
}

}  // namespace whittle::record
