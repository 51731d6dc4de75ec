#include "trial/denial.h"

#include <gtest/gtest.h>

namespace whittle::trial {
namespace {

using syscalls::Arch;

Denial denial(Arch arch, const std::string& syscall, std::array<std::uint64_t, 6> args,
              std::uint8_t known) {
  Denial out;
  out.arch = arch;
  out.syscall = syscall;
  out.first.args = args;
  out.first.known = known;
  return out;
}

TEST(Denial, SaysTheCallInWords) {
  EXPECT_EQ(call_text(denial(Arch::kX86_64, "socket", {38, 5, 0}, 7)),
            "socket(AF_ALG, SOCK_SEQPACKET, 0)");
  EXPECT_EQ(call_text(denial(Arch::kX86_64, "mkdir", {0x7ffe0000, 0x1ff, 0xabc}, 3)),
            "mkdir(0x7ffe0000, 0x1ff)")
      << "what stands in the third register is no argument";
  EXPECT_EQ(call_text(denial(Arch::kX86_64, "getppid", {1, 2, 3}, 0)), "getppid()");
}

TEST(Denial, AnArgumentThatWasNotSeenIsNotGuessed) {
  EXPECT_EQ(call_text(denial(Arch::kX86_64, "socket", {38, 0, 0}, 1)), "socket(AF_ALG, _, _)");
}

TEST(Denial, WithoutANumberOfParametersItShowsWhatIsNotZero) {
  EXPECT_EQ(call_text(denial(Arch::kX86_64, "syscall_600", {1, 0, 2}, 0x3f)),
            "syscall_600(0x1, 0, 0x2)");
  EXPECT_EQ(call_text(denial(Arch::kX86, "socketcall", {1, 0x5000}, 0x3f)),
            "socketcall(0x1, 0x5000)");
}

TEST(Denial, TheOriginIsOutsideTheCLibrary) {
  Denial one;
  EXPECT_EQ(origin(one), nullptr);
  one.first.stack = {{"/lib/x86_64-linux-gnu/libc.so.6", "ab", 0x10d4e7, "mkdir"},
                     {"/usr/bin/app", "cd", 0x1189, "make_cache"},
                     {"/usr/bin/app", "cd", 0x1300, "main"}};
  EXPECT_EQ(origin(one)->symbol, "make_cache");
  EXPECT_EQ(frame_text(*origin(one)), "make_cache in /usr/bin/app+0x1189");
  one.first.stack.resize(1);
  EXPECT_EQ(origin(one)->symbol, "mkdir");
  one.first.stack = {{"", "", 0x7f00, ""}};
  EXPECT_EQ(frame_text(*origin(one)), "0x7f00");
}

}  // namespace
}  // namespace whittle::trial
