#include "syscalls/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

namespace whittle::syscalls {
namespace {

TEST(Table, NumbersOfWellKnownCalls) {
  EXPECT_EQ(number(Arch::kX86_64, "read"), 0U);
  EXPECT_EQ(number(Arch::kX86_64, "newfstatat"), 262U);
  EXPECT_EQ(number(Arch::kX86_64, "uretprobe"), 335U);
  EXPECT_EQ(number(Arch::kX86_64, "uprobe"), 336U);
  EXPECT_EQ(number(Arch::kX86, "_newselect"), 142U);
  EXPECT_EQ(number(Arch::kX86, "fstatat64"), 300U);
  EXPECT_EQ(number(Arch::kX32, "read"), kX32Bit | 0U);
  EXPECT_EQ(number(Arch::kX32, "execve"), kX32Bit | 520U);  // not x86_64's 59
  EXPECT_EQ(number(Arch::kAarch64, "openat"), 56U);
  EXPECT_EQ(number(Arch::kArm, "set_tls"), 0xf0005U);
  EXPECT_EQ(number(Arch::kAarch64, "open"), std::nullopt);
  EXPECT_EQ(number(Arch::kX86_64, ""), std::nullopt);
  EXPECT_EQ(number(Arch::kX86_64, "reads"), std::nullopt);
}

TEST(Table, NumbersWithoutANameAreNamedByThemselves) {
  EXPECT_EQ(name(Arch::kX86_64, 400), std::nullopt);
  EXPECT_EQ(display_name(Arch::kX86_64, 0), "read");
  EXPECT_EQ(display_name(Arch::kX86_64, 400), "syscall_400");
  EXPECT_EQ(display_name(Arch::kX32, kX32Bit | 59U), "syscall_1073741883");
  EXPECT_EQ(display_name(Arch::kX86_64, UINT32_MAX), "syscall_4294967295");
}

TEST(Table, NamesAndNumbersAreOneToOne) {
  for (const Arch arch : kAllArches) {
    ASSERT_GT(entries(arch).size(), 300U);
    std::uint32_t previous = 0;
    for (const Entry& entry : entries(arch)) {
      EXPECT_EQ(number(arch, entry.name), entry.nr);
      EXPECT_EQ(name(arch, entry.nr), entry.name);
      EXPECT_TRUE(is_known(entry.name));
      EXPECT_EQ((entry.nr & kX32Bit) != 0, arch == Arch::kX32) << entry.name;
      EXPECT_TRUE(entry.nr > previous || &entry == entries(arch).data()) << entry.name;
      previous = entry.nr;
    }
  }
}

TEST(Table, X32SharesX86_64NumbersBelow512) {
  for (const Entry& entry : entries(Arch::kX32)) {
    const std::uint32_t raw = entry.nr - kX32Bit;
    if (raw < 512) {
      EXPECT_EQ(name(Arch::kX86_64, raw), entry.name);
    } else {
      EXPECT_LE(raw, 547U) << entry.name;
    }
  }
}

TEST(Table, KnowsTheNamesOfOtherArchitectures) {
  for (const char* name : {"s390_runtime_instr", "s390_pci_mmio_read", "riscv_flush_icache",
                           "arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush",
                           "set_tls", "swapcontext", "sync_file_range2", "spu_run", "spu_create",
                           "switch_endian", "rtas", "multiplexer", "sysmips", "cachectl"}) {
    EXPECT_TRUE(is_known(name)) << name;
  }
  EXPECT_FALSE(is_known("not_a_call"));
  EXPECT_FALSE(is_known(""));
  EXPECT_TRUE(std::is_sorted(known_names().begin(), known_names().end()));
  EXPECT_EQ(std::set<std::string>(known_names().begin(), known_names().end()).size(),
            known_names().size());
}

TEST(Table, IsOfLinux7) { EXPECT_EQ(table_kernel(), "7.2"); }

// The number in "#define __NR_NAME N" or "... (__X32_SYSCALL_BIT + N)".
std::uint32_t macro_number(std::string text) {
  const bool x32 = text.find("__X32_SYSCALL_BIT") != std::string::npos;
  text = text.substr(text.find('+') == std::string::npos ? 0 : text.find('+') + 1);
  return static_cast<std::uint32_t>(std::stoul(text)) | (x32 ? kX32Bit : 0);
}

void expect_agreement(Arch arch, const std::string& header) {
  std::ifstream file("/usr/include/x86_64-linux-gnu/asm/" + header);
  if (!file) GTEST_SKIP() << "no " << header << ": not an x86_64 Debian";
  std::size_t checked = 0;
  const std::string define = "#define __NR_";
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(define) || line.starts_with(define + "syscalls")) continue;
    const std::size_t blank = line.find(' ', define.size());
    ASSERT_NE(blank, std::string::npos) << line;
    const std::string call = line.substr(define.size(), blank - define.size());
    EXPECT_EQ(number(arch, call), macro_number(line.substr(blank + 1))) << call;
    ++checked;
  }
  EXPECT_GT(checked, 300U);
}

TEST(Table, AgreesWithTheHeaderOfX86_64) { expect_agreement(Arch::kX86_64, "unistd_64.h"); }
TEST(Table, AgreesWithTheHeaderOfX86) { expect_agreement(Arch::kX86, "unistd_32.h"); }
TEST(Table, AgreesWithTheHeaderOfX32) { expect_agreement(Arch::kX32, "unistd_x32.h"); }

}  // namespace
}  // namespace whittle::syscalls
