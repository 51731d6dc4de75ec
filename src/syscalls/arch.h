// The system-call ABIs that whittle knows, under every name that the formats give them.
//
// An ABI is what a filter tells apart: the AUDIT_ARCH value of seccomp_data (include/uapi/linux/
// audit.h) and, for x32, bit 30 of the number (arch/x86/include/uapi/asm/unistd.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace whittle::syscalls {

enum class Arch : std::uint8_t { kX86_64, kX86, kX32, kAarch64, kArm };

inline constexpr std::array kAllArches = {Arch::kX86_64, Arch::kX86, Arch::kX32, Arch::kAarch64,
                                          Arch::kArm};

// __X32_SYSCALL_BIT
inline constexpr std::uint32_t kX32Bit = 0x40000000;

std::string_view arch_name(Arch arch);  // "x86_64", "x86", "x32", "aarch64", "arm"
std::optional<Arch> arch_from_name(std::string_view name);

std::string_view oci_arch(Arch arch);  // "SCMP_ARCH_X86_64", ... (OCI runtime spec, linux.seccomp)
std::optional<Arch> arch_from_oci(std::string_view name);

std::string_view docker_arch(Arch arch);  // "amd64", "x86", "x32", "arm64", "arm"

// The `arch` of seccomp_data. x32 shares x86_64's.
std::uint32_t audit_arch(Arch arch);
// `nr` is needed to tell x32 from x86_64.
std::optional<Arch> arch_from_audit(std::uint32_t audit, std::uint32_t nr);

// True when arguments are 64 bits wide in the ABI as libseccomp compares them: x86_64 and aarch64.
// On x86, x32 and arm libseccomp compares the low 32 bits only.
bool compares_64_bits(Arch arch);

// The family that a profile is written for: x86_64 {x86_64, x86, x32}, aarch64 {aarch64, arm}.
Arch native_of(Arch arch);

// The ABI that this build of whittle runs on.
Arch host_arch();

}  // namespace whittle::syscalls
