#include "record/import_values.h"

#include <gtest/gtest.h>

#include "record/import_strace_line.h"

namespace whittle::record {
namespace {

TEST(ImportValues, ReadsWhatStraceWrites) {
  const struct {
    const char* text;
    std::uint64_t value;
  } cases[] = {
      {"0", 0},
      {"NULL", 0},
      {"PROT_READ|PROT_WRITE", 3},
      {"0x26 /* AF_??? */", 0x26},
      {"0x3 /* PROT_READ|PROT_WRITE */", 3},
      {"CLONE_FILES|0xdeadbeef00000000|SIGCHLD", 0xdeadbeef00000411},
      {"-1", UINT64_MAX},
      {"0644", 0644},
      {"4294967294", 4294967294},
      {"21<<MAP_HUGE_SHIFT", std::uint64_t{21} << 26U},
      {"_IOC(_IOC_NONE, 0, 0x3, 0)", 3},
      {"_IOC(_IOC_READ, 0x54, 0x30, 0x4)", 0x80045430},
      {"_IOC(_IOC_READ|_IOC_WRITE, 0xae, 0x1, 0x8)", 0xc008ae01},
      {"SNDCTL_TMR_TIMEBASE or TCGETS", 0x5401},
      {"htons(ETH_P_ALL)", 0x300},
      {"SIGRT_2", 34},
      {"SIGRTMIN", 32},
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(read_value(text), value) << text;
  EXPECT_EQ(read_value("INET", "AF_"), 2U);
  EXPECT_EQ(read_value("STREAM|CLOEXEC", "SOCK_"), 0x80001U);
  EXPECT_EQ(read_value("MADV_DONTNEED", "MADV_"), 4U);
}

TEST(ImportValues, SaysWhenItCannotReadOne) {
  for (const char* text : {"", "|", "NO_SUCH", "PROT_READ|NO_SUCH", "0x", "08", "_IOC(1)", "_IOC(",
                           "htons(", "1<<64", "99999999999999999999", "SIGRT_99", "\"text\""}) {
    EXPECT_EQ(read_value(text), std::nullopt) << text;
  }
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "htons(";
  EXPECT_EQ(read_value(deep), std::nullopt);
}

TEST(ImportValues, SplitsArguments) {
  const auto parts = [](std::string_view text) { return split_arguments(text).parts; };
  using Parts = std::vector<std::string_view>;
  EXPECT_EQ(parts(")"), Parts());
  EXPECT_EQ(parts("3, \"a, b)\\\"\", {x=[1, 2]}) = 0"),
            (Parts{"3", "\"a, b)\\\"\"", "{x=[1, 2]}"}));
  EXPECT_EQ(parts("0x1 /* a, b */, 2)"), (Parts{"0x1 /* a, b */", "2"}));
  EXPECT_EQ(parts("3</tmp/a,b>, 4<TCP:[1.2.3.4:5->6.7.8.9:10]>, 1<<2)"),
            (Parts{"3</tmp/a,b>", "4<TCP:[1.2.3.4:5->6.7.8.9:10]>", "1<<2"}));
  EXPECT_EQ(parts("3</dev/null<char 1:3>>, F_GETFD)"),
            (Parts{"3</dev/null<char 1:3>>", "F_GETFD"}));
  EXPECT_EQ(split_arguments("1, 2) = 3").end, 5U);
}

TEST(ImportValues, FindsMembersOfAStruct) {
  constexpr std::string_view kClone3 =
      "{flags=CLONE_VM|CLONE_FS, child_tid=0x7f, exit_signal=SIGCHLD, stack=0x7f} => "
      "{parent_tid=[7]}";
  EXPECT_EQ(member_text(kClone3, "flags"), "CLONE_VM|CLONE_FS");
  EXPECT_EQ(member_text(kClone3, "exit_signal"), "SIGCHLD");
  EXPECT_EQ(member_text(kClone3, "tls"), "");
  EXPECT_EQ(member_text("0x7ffc", "flags"), "");
}

TEST(ImportValues, ReadsResults) {
  EXPECT_EQ(read_result("3"), 3);
  EXPECT_EQ(read_result("3</tmp/a> <0.000012>"), 3);
  EXPECT_EQ(read_result("0x7f"), 0x7f);
  EXPECT_EQ(read_result("-1 ENOENT (No such file or directory)"), -2);
  EXPECT_EQ(read_result("-1 EPERM (Operation not permitted) (INJECTED)"), -1);
  EXPECT_EQ(read_result("-1 (errno 38)"), -38);
  EXPECT_EQ(read_result("? ERESTARTSYS (To be restarted if SA_RESTART is set)"), -512);
  EXPECT_EQ(read_result("?"), std::nullopt);
  EXPECT_EQ(read_result("0 (Timeout)"), 0);
}

TEST(ImportStraceLine, TakesOffWhatStandsInFront) {
  const auto body = [](std::string_view text) { return split_strace_line(text).body; };
  EXPECT_EQ(body("read(3)"), "read(3)");
  EXPECT_EQ(body("1234  read(3)"), "read(3)");
  EXPECT_EQ(body("[pid  1234] read(3)"), "read(3)");
  EXPECT_EQ(body("[pid  1234<a] b>] read(3)"), "read(3)");
  EXPECT_EQ(body("1234<sh> [ 257] [00007f3232a0b9f0] read(3)"), "read(3)");
  EXPECT_EQ(body("12:34:56.5 (+     0.000033) read(3)"), "read(3)");
  EXPECT_EQ(body("     0.000032 read(3)"), "read(3)");
  EXPECT_EQ(body("[ Process PID=1 runs in 32 bit mode. ]"),
            "[ Process PID=1 runs in 32 bit mode. ]");
  const StraceLine line = split_strace_line("77 1795764121.620400 [1073741863] getpid() = 1");
  EXPECT_EQ(line.pid, 77U);
  EXPECT_EQ(line.time_kind, StraceTime::kEpoch);
  EXPECT_EQ(line.number, 1073741863U);
  EXPECT_DOUBLE_EQ(split_strace_line("01:01:01.5 x()").time, 3661.5);
}

TEST(ImportStraceLine, KnowsMessagesInTheMiddleOfLines) {
  EXPECT_EQ(strace_attached_at("clone(SIGCHLDstrace: Process 12 attached"), 13U);
  EXPECT_EQ(strace_attached_at("write(1, \"strace: Process 1 attached\", 27) = 27"),
            std::string_view::npos);
  EXPECT_EQ(strace_attached_at("strace: Process x attached"), std::string_view::npos);
  EXPECT_EQ(strace_call_name("read(3)"), "read");
  EXPECT_EQ(strace_call_name("Hello (world)"), "");
}

}  // namespace
}  // namespace whittle::record
