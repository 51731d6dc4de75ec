#include "record/audit_tally.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "record/audit_evidence.h"
#include "record/audit_reader.h"

namespace whittle::record {
namespace {

std::string body(int pid, int nr, const std::string& code = "0x50000",
                 const std::string& comm = "a") {
  return format(
      "auid=1 uid=0 gid=0 ses=1 pid={} comm=\"{}\" exe=\"/{}\" sig=0 arch=c000003e syscall={} "
      "compat=0 ip=0x1 code={}",
      pid, comm, comm, nr, code);
}

std::string kernel(int serial, const std::string& text) {
  return format("vm kernel: audit: type=1326 audit(1000.{:03}:{}): {}\n", serial % 1000, serial,
                text);
}

std::string journal(const std::string& text) { return "vm audit[1]: SECCOMP " + text + "\n"; }

AuditTally tally_of(const std::string& log) {
  AuditTally tally;
  AuditReader reader(tally);
  reader.feed(log);
  reader.finish();
  return tally;
}

TEST(AuditTally, GroupsWithTimesAndProcesses) {
  const AuditTally tally = tally_of(kernel(3, body(7, 83)) + kernel(2, body(8, 83)) +
                                    kernel(4, body(7, 83)) + kernel(5, body(7, 83, "0x0")));
  const auto groups = tally.groups();
  ASSERT_EQ(groups.size(), 2);
  EXPECT_EQ(groups[0].count, 3);
  EXPECT_EQ(groups[0].first, 1000002);
  EXPECT_EQ(groups[0].last, 1000004);
  EXPECT_EQ(groups[0].pids, (std::vector<std::uint32_t>{7, 8}));
  EXPECT_EQ(groups[1].action, AuditAction::kKillThread);
}

TEST(AuditTally, CopiesOfJournalAndKernelCountOnceInAnyOrder) {
  const std::string one = body(7, 83);
  const std::string two = body(7, 84);
  for (const std::string& log : {
           kernel(1, one) + kernel(2, one) + journal(one) + journal(one) + kernel(3, two) +
               journal(two),
           journal(one) + kernel(1, one) + journal(two) + journal(one) + kernel(3, two) +
               kernel(2, one),
           kernel(1, one) + journal(one) + journal(two) + kernel(2, one) + journal(one) +
               kernel(3, two),
       }) {
    const AuditCounts counts = tally_of(log).counts();
    EXPECT_EQ(counts.records, 3);
    EXPECT_EQ(counts.duplicates, 3);
  }
  // The kernel prints no more than ten in five seconds, the journal has them all.
  std::string log;
  for (int i = 0; i < 50; ++i) log += journal(one);
  for (int i = 1; i <= 10; ++i) log += kernel(i, one);
  EXPECT_EQ(tally_of(log).counts().records, 50);
  EXPECT_EQ(tally_of(log + kernel(5, one)).counts().duplicates, 11);
}

TEST(AuditTally, TheCounterOfLostRecordsIsReadOnce) {
  const auto lost = [](int n) {
    return format(
        "audit: audit_lost={} audit_rate_limit=0 audit_backlog_limit=64\n"
        "audit: backlog limit exceeded\n",
        n);
  };
  EXPECT_EQ(tally_of(lost(1) + lost(7) + lost(30)).counts().lost, 30);
  EXPECT_EQ(tally_of(lost(5) + lost(6) + lost(2)).counts().lost, 8);  // started anew
  EXPECT_EQ(tally_of("audit: rate limit exceeded\naudit: rate limit exceeded\n").counts().lost, 2);
  EXPECT_FALSE(tally_of(lost(1)).counts().complete());

  AuditTally tally;  // the same losses in the next log
  AuditReader reader(tally);
  reader.feed(lost(1) + lost(7));
  reader.finish();
  tally.next_log();
  reader.feed(lost(1) + lost(9));
  reader.finish();
  EXPECT_EQ(tally.counts().lost, 9);
}

TEST(AuditTally, GroupsAndMemoryAreBounded) {
  AuditTally tally;
  AuditLineParser parser;
  for (int i = 0; i < static_cast<int>(kMostGroups) + 10; ++i) {
    tally.add(parser.parse_body(body(1, 39, "0x50000", format("n{}", i)), {i + 1, 1}));
  }
  EXPECT_EQ(tally.groups().size(), kMostGroups);
  EXPECT_EQ(tally.counts().ungrouped, 10);
  EXPECT_EQ(tally.counts().records, kMostGroups + 10);
  EXPECT_FALSE(tally.counts().complete());
}

TEST(AuditTally, PastItsMemoryOfCopiesItSaysSo) {
  constexpr std::uint64_t kRemembered = 1024;
  AuditTally tally(kRemembered);
  AuditLineParser parser;
  const std::string text = body(1, 39);
  const auto add = [&](std::uint64_t serial) {
    tally.add(parser.parse_body(text, {static_cast<std::int64_t>(serial), serial}));
  };
  for (std::uint64_t i = 1; i <= kRemembered; ++i) add(i);
  for (std::uint64_t i = 1; i <= kRemembered; ++i) add(i);
  EXPECT_EQ(tally.counts().records, kRemembered);
  EXPECT_EQ(tally.counts().duplicates, kRemembered);
  EXPECT_FALSE(tally.counts().forgot);
  for (std::uint64_t i = 1; i <= 2 * kRemembered; ++i) add(kRemembered + i);
  EXPECT_EQ(tally.counts().records, 3 * kRemembered);
  add(2 * kRemembered + 1);  // among the last
  EXPECT_EQ(tally.counts().duplicates, kRemembered + 1);
  EXPECT_TRUE(tally.counts().forgot);
}

TEST(AuditReader, PiecesOfAnySizeGiveTheSame) {
  std::string log =
      kernel(1, body(7, 83)) + "other\n" + kernel(2, body(7, 84)) + "{\"MESSAGE\":\"SECCOMP " +
      "auid=1 pid=9 comm=61202262 exe=(null) sig=0 arch=c000003e "
      "syscall=1 compat=0 ip=0x1 code=0x0\",\"_TRANSPORT\":\"audit\",\"_AUDIT_ID\":\"77\"}\n";
  std::string binary = "__CURSOR=s=1\n_TRANSPORT=audit\nMESSAGE\n";
  const std::string message = "SECCOMP " + body(3, 5);
  binary += static_cast<char>(message.size());
  binary += std::string(7, '\0') + message + "\n_AUDIT_ID=78\n\n";
  log += binary + kernel(3, body(1, 2)).substr(0, 80);
  for (const std::size_t size : {1U, 2U, 7U, 64U, 100000U}) {
    AuditTally tally;
    AuditReader reader(tally);
    for (std::size_t at = 0; at < log.size(); at += size) reader.feed(log.substr(at, size));
    reader.finish();
    EXPECT_EQ(tally.counts().records, 4) << size;
    EXPECT_EQ(tally.counts().malformed, 1) << size;
    EXPECT_EQ(tally.groups().size(), 4) << size;
  }
}

TEST(AuditReader, LongLinesDoNotGrowMemoryAndTheNextLineIsRead) {
  AuditTally tally;
  AuditReader reader(tally);
  reader.feed("type=SECCOMP msg=audit(1.000:1): auid=");
  for (int i = 0; i < 30; ++i) reader.feed(std::string(100000, 'x'));
  reader.feed("\n" + kernel(1, body(7, 83)));
  reader.finish();
  EXPECT_EQ(tally.counts().malformed, 1);
  EXPECT_EQ(tally.counts().records, 1);
}

TEST(AuditEvidence, LoggedIsMadeTheRestIsRefusedAndItIsNeverComplete) {
  const std::string log = kernel(1, body(7, 83, "0x7ffc0000")) + kernel(2, body(7, 83)) +
                          kernel(3, body(7, 1073741863)) +
                          kernel(4, "pid=1 arch=80000016 syscall=1 code=0x50000");
  const evidence::Run run = audit_evidence(tally_of(log));
  EXPECT_EQ(run.source, "audit");
  EXPECT_FALSE(run.complete);
  EXPECT_EQ(run.lost.at("other_architectures"), 1);
  EXPECT_EQ(run.lost.at("not_logged"), 1);
  ASSERT_EQ(run.syscalls.size(), 2);
  EXPECT_EQ(run.syscalls[0].name, "mkdir");
  EXPECT_EQ(run.syscalls[0].count, 2);
  EXPECT_EQ(run.syscalls[0].refused, 1);
  EXPECT_EQ(run.syscalls[0].needed(), 1);
  EXPECT_EQ(run.syscalls[1].arch, syscalls::Arch::kX32);
  EXPECT_EQ(run.id, audit_evidence(tally_of(log)).id);

  evidence::Evidence evidence;
  evidence.runs.push_back(run);
  const auto again = evidence::read(evidence::write(evidence), "written");
  ASSERT_TRUE(again.has_value()) << again.error().text();
  EXPECT_EQ(again->runs[0].syscalls.size(), 2);
}

}  // namespace
}  // namespace whittle::record
