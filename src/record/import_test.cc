#include "record/import.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace whittle::record {
namespace {

Imported import_good(std::string_view text, syscalls::Arch arch = syscalls::Arch::kX86_64) {
  const auto imported = import_text(text, "log", {"", arch, {}});
  if (!imported) {
    ADD_FAILURE() << imported.error().text();
    return {};
  }
  return *imported;
}

std::uint64_t count(const Imported& log, std::string_view name,
                    syscalls::Arch arch = syscalls::Arch::kX86_64) {
  for (const evidence::Observation& seen : log.run.syscalls) {
    if (seen.name == name && seen.arch == arch) return seen.count;
  }
  return 0;
}

std::uint64_t lost(const Imported& log, const std::string& kind) {
  const auto found = log.run.lost.find(kind);
  return found == log.run.lost.end() ? 0 : found->second;
}

TEST(ImportStrace, JoinsTheTwoPartsOfACall) {
  const Imported log = import_good(
      "10 execve(\"/a\", [\"a\"], 0x1) = 0\n"
      "10 read(3,  <unfinished ...>\n"
      "11 kill(10, SIGTERM <unfinished ...>\n"
      "10 <... read resumed>\"x\", 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n"
      "11 <... kill resumed>) = 0\n"
      "11 exit_group(0 <unfinished ...>\n"
      "11 <... exit_group resumed>) = ?\n"
      "10 futex(0x1, FUTEX_WAIT_PRIVATE, 1, NULL <unfinished ...>\n"
      "10 +++ killed by SIGKILL +++\n");
  EXPECT_EQ(count(log, "read"), 1U);
  EXPECT_EQ(count(log, "kill"), 1U);
  EXPECT_EQ(count(log, "exit_group"), 1U);
  EXPECT_EQ(count(log, "futex"), 1U);
  EXPECT_EQ(log.run.exit, 137);
  EXPECT_TRUE(log.run.complete);
}

TEST(ImportStrace, ReadsTheStructOfClone3) {
  const Imported log = import_good(
      "execve(\"/a\", [\"a\"], 0x1) = 0\n"
      "clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=0x1}, 88) = 7\n"
      "clone3({flags=0x7f, exit_signal=0}, 88) = -1 ENOSYS (Function not implemented)\n"
      "clone3(0x1, 88) = -1 EFAULT (Bad address)\n");
  const auto clone3 = std::find_if(log.run.syscalls.begin(), log.run.syscalls.end(),
                                   [](const auto& seen) { return seen.name == "clone3"; });
  ASSERT_NE(clone3, log.run.syscalls.end());
  ASSERT_EQ(clone3->args.size(), 1U);
  EXPECT_EQ(clone3->args[0].values, (std::set<std::uint64_t>{0x4111, 0x7f}));
  EXPECT_TRUE(clone3->args[0].closed);
}

TEST(ImportStrace, TellsTheAbiByNumberByMarkAndByName) {
  using syscalls::Arch;
  const Imported marks = import_good(
      "execve(\"/a\", [\"a\"], 0x1) = 0\n[ Process PID=5 runs in x32 mode. ]\ngetpid() = 5\n"
      "[ Process PID=5 runs in 32 bit mode. ]\nmmap2(NULL, 1, PROT_READ, 0x2, 3, 0) = 0x1\n");
  EXPECT_EQ(count(marks, "getpid", Arch::kX32), 1U);
  EXPECT_EQ(count(marks, "mmap2", Arch::kX86), 1U);
  EXPECT_TRUE(marks.run.complete);
  const Imported numbers = import_good(
      "[  59] execve(\"/a\", [\"a\"], 0x1) = 0\n[ 102] socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = "
      "3\n"
      "[ 359] socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3\n");
  EXPECT_EQ(count(numbers, "socketcall", Arch::kX86), 1U);
  EXPECT_EQ(count(numbers, "socket", Arch::kX86), 1U);
  const Imported names = import_good(
      "execve(\"/a\", [\"a\"], 0x1) = 0\nmmap2(NULL, 1, PROT_READ, 0x2, 3, 0) = 0x1\n"
      "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3\n");
  EXPECT_EQ(count(names, "mmap2", Arch::kX86), 1U);
  EXPECT_EQ(lost(names, "abi"), 1U);
  EXPECT_EQ(lost(names, "multiplexed"), 1U);
  EXPECT_FALSE(names.run.complete);
}

TEST(ImportStrace, KnowsWhenSomethingIsMissing) {
  EXPECT_EQ(lost(import_good("read(3, \"\", 1) = 0\n"), "late_start"), 1U);
  EXPECT_EQ(lost(import_good("7 execve(\"/a\", [\"a\"], 0x1) = 0\n7 +++ exited with 0 +++\n"),
                 "selected"),
            1U);
  Imported parts[] = {import_good("execve(\"/a\", [\"a\"], 0x1) = 0\nfork() = 8\nfork() = 9\n"),
                      import_good("getpid() = 8\n")};
  check_tasks(parts);
  EXPECT_EQ(lost(parts[0], "tasks"), 1U);
  EXPECT_TRUE(parts[1].run.complete);
}

TEST(ImportStrace, GoesOnAfterMidnight) {
  const Imported log =
      import_good("23:59:59 execve(\"/a\", [\"a\"], 0x1) = 0\n00:00:02 read(3, \"\", 1) = 0\n");
  EXPECT_DOUBLE_EQ(log.run.duration, 3);
}

TEST(ImportJson, GoesOnAfterARecordThatIsCut) {
  const Imported log = import_good(
      "{\"eventName\":\"read\",\"eventId\":\"0\",\"returnValue\":1,\"args\":[]}\n"
      "{\"eventName\":\"write\",\"eventId\":\"1\",\"args\":[{\"na\n"
      "{\"eventName\":\"close\",\"eventId\":\"3\",\"returnValue\":0,\"args\":[]}\n");
  EXPECT_EQ(count(log, "read"), 1U);
  EXPECT_EQ(count(log, "close"), 1U);
  EXPECT_EQ(lost(log, "lines"), 1U);
  ASSERT_EQ(log.unread.size(), 1U);
  EXPECT_EQ(log.unread[0].line, 2U);
}

TEST(Import, GivesTheSameRunTheSameId) {
  const char* text = "execve(\"/a\", [\"a\"], 0x1) = 0\n";
  EXPECT_EQ(import_good(text).run.id, import_good(text).run.id);
  EXPECT_NE(import_good(text).run.id, import_good(text, syscalls::Arch::kAarch64).run.id);
  EXPECT_EQ(import_good(text).run.id.size(), 32U);
}

}  // namespace
}  // namespace whittle::record
