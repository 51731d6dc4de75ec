#include "syscalls/arch.h"

#include <gtest/gtest.h>
#include <linux/audit.h>

namespace whittle::syscalls {
namespace {

TEST(Arch, EveryNameLeadsBack) {
  for (const Arch arch : kAllArches) {
    EXPECT_EQ(arch_from_name(arch_name(arch)), arch);
    EXPECT_EQ(arch_from_name(docker_arch(arch)), arch);
    EXPECT_EQ(arch_from_oci(oci_arch(arch)), arch);
  }
  EXPECT_EQ(arch_from_name("amd64"), Arch::kX86_64);
  EXPECT_EQ(arch_from_name("arm64"), Arch::kAarch64);
  EXPECT_EQ(arch_from_name("i386"), Arch::kX86);
  EXPECT_EQ(arch_from_name("X86_64"), std::nullopt);
  EXPECT_EQ(arch_from_name(""), std::nullopt);
  EXPECT_EQ(arch_from_oci("x86_64"), std::nullopt);
  EXPECT_EQ(arch_from_oci("SCMP_ARCH_S390X"), std::nullopt);
}

TEST(Arch, AuditValuesAreTheKernels) {
  EXPECT_EQ(audit_arch(Arch::kX86_64), AUDIT_ARCH_X86_64);
  EXPECT_EQ(audit_arch(Arch::kX86), AUDIT_ARCH_I386);
  EXPECT_EQ(audit_arch(Arch::kX32), AUDIT_ARCH_X86_64);
  EXPECT_EQ(audit_arch(Arch::kAarch64), AUDIT_ARCH_AARCH64);
  EXPECT_EQ(audit_arch(Arch::kArm), AUDIT_ARCH_ARM);
}

TEST(Arch, TheNumberTellsX32FromX86_64) {
  EXPECT_EQ(arch_from_audit(AUDIT_ARCH_X86_64, 0), Arch::kX86_64);
  EXPECT_EQ(arch_from_audit(AUDIT_ARCH_X86_64, kX32Bit), Arch::kX32);
  EXPECT_EQ(arch_from_audit(AUDIT_ARCH_X86_64, kX32Bit | 520), Arch::kX32);
  EXPECT_EQ(arch_from_audit(AUDIT_ARCH_X86_64, UINT32_MAX), Arch::kX86_64);
  EXPECT_EQ(arch_from_audit(AUDIT_ARCH_I386, kX32Bit), Arch::kX86);
  EXPECT_EQ(arch_from_audit(AUDIT_ARCH_ARM, 0xf0001), Arch::kArm);
  EXPECT_EQ(arch_from_audit(AUDIT_ARCH_S390X, 0), std::nullopt);
}

TEST(Arch, Families) {
  EXPECT_EQ(native_of(Arch::kX32), Arch::kX86_64);
  EXPECT_EQ(native_of(Arch::kX86), Arch::kX86_64);
  EXPECT_EQ(native_of(Arch::kArm), Arch::kAarch64);
  EXPECT_TRUE(compares_64_bits(Arch::kAarch64));
  EXPECT_FALSE(compares_64_bits(Arch::kX32));
  EXPECT_EQ(native_of(host_arch()), native_of(native_of(host_arch())));
}

}  // namespace
}  // namespace whittle::syscalls
