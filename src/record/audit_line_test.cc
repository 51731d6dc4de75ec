#include "record/audit_line.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <utility>

namespace whittle::record {
namespace {

using syscalls::Arch;

constexpr char kBody[] =
    "auid=4294967295 uid=0 gid=0 ses=4294967295 pid=3079 comm=\"log\" exe=\"/tmp/log\" sig=0 "
    "arch=c000003e syscall=39 compat=0 ip=0x7f8a791fb829 code=0x7ffc0000";

// Keeps the line, into which the record points.
class LineParser {
 public:
  AuditLine parse(std::string line) {
    line_ = std::move(line);
    return parser_.parse(line_);
  }

 private:
  AuditLineParser parser_;
  std::string line_;
};

LineKind kind_of(const std::string& line) { return AuditLineParser().parse(line).kind; }

TEST(AuditLine, KernelLinesOfEveryCarrier) {
  for (const char* const prefix :
       {"[  682.286000] audit: ", "audit: ", "<5>[  682.286000] audit: ",
        "[Fri Nov 27 07:21:25 2026] audit: ", "kern  :notice: [  962.421444] audit: ",
        "2026-11-27T07:21:25,421444+00:00 audit: ", "[  962.421444 <    0.000025>] audit: ",
        "[  +0.000025] audit: ", "5,345,437718664,-;audit: ", "Nov 27 07:22:41 vm kernel: audit: ",
        "Nov 27 07:22:41 vm kernel: [  682.286000] audit: ", "Nov 27 07:22:41 vm kernel: "}) {
    LineParser parser;
    const std::string line = std::string(prefix) + "type=1326 audit(1795557492.107:2): " + kBody;
    const AuditLine read = parser.parse(line);
    ASSERT_EQ(read.kind, LineKind::kRecord) << prefix;
    EXPECT_EQ(read.record.stamp.time, 1795557492107);
    EXPECT_EQ(read.record.stamp.serial, 2);
    EXPECT_EQ(read.record.pid, 3079);
    EXPECT_EQ(read.record.comm, "log");
    EXPECT_EQ(read.record.exe, "/tmp/log");
    EXPECT_EQ(read.record.arch(), Arch::kX86_64);
    EXPECT_EQ(read.record.nr, 39);
    EXPECT_EQ(read.record.ip, 0x7f8a791fb829);
    EXPECT_EQ(read.record.action, AuditAction::kLog);
  }
}

TEST(AuditLine, LabelsWithBlanksNodesAndEnrichment) {
  LineParser parser;
  AuditLine line = parser.parse(
      "node=web type=SECCOMP msg=audit(1709806984.123:987): auid=1 uid=0 gid=0 ses=1 "
      "subj=cri-containerd.apparmor.d (enforce) pid=29064 comm=\"http-echo\" exe=\"/http-echo\" "
      "sig=31 "
      "arch=c000003e syscall=1073741863 compat=0 ip=0x46fe1f code=0x80000000\x1d"
      "AUID=\"unset\" ARCH=x86_64 SYSCALL=unknown-syscall(-1)");
  ASSERT_EQ(line.kind, LineKind::kRecord);
  EXPECT_EQ(line.record.pid, 29064);
  EXPECT_EQ(line.record.arch(), Arch::kX32);
  EXPECT_EQ(line.record.signal, SIGSYS);
  EXPECT_EQ(line.record.action, AuditAction::kKillProcess);

  // The separator gone, an upper-case A follows the code; syslog writes it as #035.
  for (const std::string glue : {"", "#035", " "}) {
    line = parser.parse(
        "type=SECCOMP msg=audit(1.000:1): auid=1 subj==unconfined pid=7 comm=\"a\" exe=\"/a\" "
        "sig=31 "
        "arch=40000003 syscall=20 compat=1 ip=0xf7f code=0x0" +
        glue + "AUID=\"unset\" UID=\"root\"");
    ASSERT_EQ(line.kind, LineKind::kRecord) << glue;
    EXPECT_EQ(line.record.action, AuditAction::kKillThread);
    EXPECT_EQ(line.record.arch(), Arch::kX86);
  }
}

TEST(AuditLine, NamesInHexAndNamesThatLookLikeIt) {
  LineParser parser;
  const auto with = [](const std::string& comm, const std::string& exe) {
    return "type=SECCOMP msg=audit(1.000:1): pid=7 comm=" + comm + " exe=" + exe +
           " sig=0 arch=c000003e syscall=-1 compat=0 ip=0x1 code=0x50000";
  };
  AuditLine line = parser.parse(with("61202262", "2F6120622F63"));
  EXPECT_EQ(line.record.comm, "a \"b");
  EXPECT_EQ(line.record.exe, "/a b/c");
  EXPECT_EQ(line.record.nr, 0xffffffff);
  line = parser.parse(with("\"BEEF\"", "(null)"));
  EXPECT_EQ(line.record.comm, "BEEF");
  EXPECT_EQ(line.record.exe, "");
  // /dev/kmsg escapes the backslash.
  line = parser.parse(
      "5,1,2,-;audit: type=1326 audit(1.000:1): pid=7 comm=\"a\\x5cb\" exe=\"/x\" sig=0 "
      "arch=c000003e syscall=1 compat=0 ip=0x1 code=0x50000");
  EXPECT_EQ(line.record.comm, "a\\b");
}

TEST(AuditLine, InterpretedFromTheEnd) {
  LineParser parser;
  const std::string front =
      "type=SECCOMP msg=audit(03/07/24 10:23:05.001:988) : auid=unset uid=root pid=4242 ";
  AuditLine line =
      parser.parse(front +
                   "comm=a exe=/x exe=/opt/a b sig=0 arch=x86_64 syscall=read "
                   "sig=SIGSYS arch=x86_64 syscall=unknown-syscall(1073742339) compat=0 "
                   "ip=0x7f3b code=kill ");
  ASSERT_EQ(line.kind, LineKind::kRecord);
  EXPECT_EQ(line.record.comm, "a exe=/x");
  EXPECT_EQ(line.record.exe, "/opt/a b sig=0 arch=x86_64 syscall=read");
  EXPECT_EQ(line.record.arch(), Arch::kX32);
  EXPECT_EQ(line.record.nr, 1073742339);
  EXPECT_EQ(line.record.action, AuditAction::kKill);
  EXPECT_EQ(line.record.stamp.serial, 988);
  EXPECT_EQ(line.record.stamp.time % 60000, 5001);

  line =
      parser.parse(front +
                   "comm=beef exe=/b sig=SIG0 arch=i386 syscall=sched_rr_get_interval64 compat=1 "
                   "ip=0x1 code=user-notify");
  ASSERT_EQ(line.kind, LineKind::kRecord);
  EXPECT_EQ(line.record.comm, "beef");  // not hex here
  EXPECT_EQ(line.record.nr, 423);
  EXPECT_EQ(line.record.action, AuditAction::kNotify);
  EXPECT_EQ(
      kind_of(front + "comm=b exe=/b sig=SIG0 arch=i386 syscall=nosuch compat=1 ip=0x1 code=log"),
      LineKind::kMalformed);
}

TEST(AuditLine, BodiesAloneOfTheJournal) {
  LineParser parser;
  AuditLine line =
      parser.parse(std::string("2026-11-27T07:22:41.052000+0000 vm audit[3079]: SECCOMP ") + kBody);
  ASSERT_EQ(line.kind, LineKind::kRecord);
  EXPECT_EQ(line.record.stamp.serial, 0);
  EXPECT_EQ(line.record.stamp.time, 1795764161052);
  EXPECT_EQ(kind_of(std::string("SECCOMP ") + kBody), LineKind::kRecord);
}

TEST(AuditLine, WhatOtherProgramsWriteIsNotBelieved) {
  const std::string record = std::string("type=1326 audit(1795557492.107:2): ") + kBody;
  EXPECT_EQ(kind_of("Nov 27 07:22:41 vm evil[7]: audit: " + record), LineKind::kForeign);
  EXPECT_EQ(kind_of("Nov 27 07:22:41 vm root: [ 12.0] audit: " + record), LineKind::kForeign);
  EXPECT_EQ(kind_of("Nov 27 07:22:41 vm root: x audit: " + record), LineKind::kForeign);
  EXPECT_EQ(kind_of(std::string("Nov 27 07:22:41 vm evil[7]: SECCOMP ") + kBody),
            LineKind::kForeign);
  EXPECT_EQ(
      kind_of("Nov 27 07:22:41 vm evil: type=SECCOMP msg=audit(1.000:1): " + std::string(kBody)),
      LineKind::kForeign);
  EXPECT_EQ(
      kind_of("Nov 27 07:22:41 vm audisp-syslog[9]: node=a type=SECCOMP msg=audit(1.000:1): " +
              std::string(kBody)),
      LineKind::kRecord);
  // Inside another record.
  EXPECT_EQ(kind_of("type=USER_CMD msg=audit(1.000:1): cmd='" + record + "'"), LineKind::kOther);
}

TEST(AuditLine, CutOffIsMalformed) {
  const std::string whole = std::string("type=SECCOMP msg=audit(1.000:1): ") + kBody;
  EXPECT_EQ(kind_of(whole), LineKind::kRecord);
  const std::size_t code = whole.find("0x7ffc0000");
  for (std::size_t length = whole.find("msg="); length < code + 3; ++length) {
    EXPECT_EQ(kind_of(whole.substr(0, length)), LineKind::kMalformed) << length;
  }
  EXPECT_EQ(kind_of("type=SECCOMP msg=audit(x): nothing"), LineKind::kMalformed);
}

TEST(AuditLine, Losses) {
  const auto expect = [](const std::string& text, LineKind kind, std::uint64_t number) {
    const AuditLine line = AuditLineParser().parse(text);
    EXPECT_EQ(line.kind, kind) << text;
    EXPECT_EQ(line.number, number) << text;
  };
  expect("[  9.9] audit: audit_lost=12 audit_rate_limit=0 audit_backlog_limit=64",
         LineKind::kLostCounter, 12);
  expect("[  9.9] audit: backlog limit exceeded", LineKind::kLostMessage, 1);
  expect("[  9.9] audit: kauditd hold queue overflow", LineKind::kLostMessage, 1);
  expect("[  9.9] kauditd_printk_skb: 160 callbacks suppressed", LineKind::kRateLimited, 160);
  expect("vm kernel: audit_printk_skb: 9 callbacks suppressed", LineKind::kRateLimited, 9);
  expect("vm kernel: printk: 5 messages suppressed.", LineKind::kRateLimited, 5);
  expect("vm systemd-journald[1]: Suppressed 50 messages from auditd.service",
         LineKind::kRateLimited, 50);
  expect("vm systemd-journald[1]: Suppressed 50 messages from web.service", LineKind::kOther, 0);
  expect("vm systemd-journald[1]: Missed 35 kernel messages", LineKind::kLost, 35);
  expect("net_ratelimit: 30 callbacks suppressed", LineKind::kOther, 0);
}

}  // namespace
}  // namespace whittle::record
