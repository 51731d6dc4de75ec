// Our table against libseccomp's, which the container runtimes resolve names with.
#include <gtest/gtest.h>
#include <seccomp.h>

#include <cstdlib>
#include <string>

#include "syscalls/table.h"

namespace whittle::syscalls {
namespace {

std::uint32_t scmp_arch(Arch arch) {
  constexpr std::uint32_t kTokens[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32,
                                       SCMP_ARCH_AARCH64, SCMP_ARCH_ARM};
  return kTokens[static_cast<std::size_t>(arch)];
}

std::string resolve(std::uint32_t token, std::uint32_t nr) {
  char* text = seccomp_syscall_resolve_num_arch(token, static_cast<int>(nr));
  std::string name = text == nullptr ? "" : text;
  std::free(text);
  return name;
}

TEST(Libseccomp, GivesTheSameNamesToTheNumbersItKnows) {
  for (const Arch arch : kAllArches) {
    std::size_t known = 0;
    for (const std::uint32_t first : {0U, 0xf0000U}) {  // arm's private calls stand at 0xf0001
      for (std::uint32_t i = first; i < first + 600; ++i) {
        const std::uint32_t nr = arch == Arch::kX32 ? i | kX32Bit : i;
        const std::string theirs = resolve(scmp_arch(arch), nr);
        if (theirs.empty()) continue;
        ++known;
        EXPECT_EQ(name(arch, nr), theirs) << arch_name(arch) << " " << nr;
      }
    }
    EXPECT_GT(known, 300U) << arch_name(arch);
  }
}

TEST(Libseccomp, GivesTheSameNumbersToOurNames) {
  for (const Arch arch : kAllArches) {
    for (const Entry& entry : entries(arch)) {
      const int theirs =
          seccomp_syscall_resolve_name_arch(scmp_arch(arch), std::string(entry.name).c_str());
      if (theirs < 0) continue;  // newer than this libseccomp
      EXPECT_EQ(static_cast<std::uint32_t>(theirs), entry.nr) << entry.name;
    }
  }
}

TEST(Libseccomp, KnowsNoNameThatWeDoNot) {
  const std::uint32_t tokens[] = {SCMP_ARCH_MIPS,   SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64N32,
                                  SCMP_ARCH_PARISC, SCMP_ARCH_PPC,    SCMP_ARCH_PPC64,
                                  SCMP_ARCH_S390,   SCMP_ARCH_S390X,  SCMP_ARCH_RISCV64};
  for (const std::uint32_t token : tokens) {
    for (std::uint32_t nr = 0; nr < 7000; ++nr) {
      const std::string theirs = resolve(token, nr);
      EXPECT_TRUE(theirs.empty() || is_known(theirs)) << theirs;
    }
  }
}

}  // namespace
}  // namespace whittle::syscalls
