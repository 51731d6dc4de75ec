#include "syscalls/arch.h"

namespace whittle::syscalls {

namespace {

struct Names {
  std::string_view name;
  std::string_view oci;
  std::string_view docker;
  std::string_view machine;  // as uname -m or a distribution names it
  std::uint32_t audit;
};

// In the order of Arch. The audit values are AUDIT_ARCH_* of include/uapi/linux/audit.h.
constexpr std::array<Names, kAllArches.size()> kNames = {{
    {"x86_64", "SCMP_ARCH_X86_64", "amd64", "x86-64", 0xc000003e},
    {"x86", "SCMP_ARCH_X86", "x86", "i386", 0x40000003},
    {"x32", "SCMP_ARCH_X32", "x32", "x32", 0xc000003e},
    {"aarch64", "SCMP_ARCH_AARCH64", "arm64", "aarch64", 0xc00000b7},
    {"arm", "SCMP_ARCH_ARM", "arm", "armhf", 0x40000028},
}};

const Names& names(Arch arch) { return kNames[static_cast<std::size_t>(arch)]; }

}  // namespace

std::string_view arch_name(Arch arch) { return names(arch).name; }

std::optional<Arch> arch_from_name(std::string_view name) {
  for (const Arch arch : kAllArches) {
    const Names& n = names(arch);
    if (name == n.name || name == n.docker || name == n.machine) return arch;
  }
  return std::nullopt;
}

std::string_view oci_arch(Arch arch) { return names(arch).oci; }

std::optional<Arch> arch_from_oci(std::string_view name) {
  for (const Arch arch : kAllArches) {
    if (name == names(arch).oci) return arch;
  }
  return std::nullopt;
}

std::string_view docker_arch(Arch arch) { return names(arch).docker; }

std::uint32_t audit_arch(Arch arch) { return names(arch).audit; }

std::optional<Arch> arch_from_audit(std::uint32_t audit, std::uint32_t nr) {
  // -1 has the bit too, but is what a tracer leaves behind when it skips a call: no x32 number.
  const bool x32 = (nr & kX32Bit) != 0 && nr != UINT32_MAX;
  for (const Arch arch : kAllArches) {
    if (audit != audit_arch(arch)) continue;
    return arch == Arch::kX86_64 && x32 ? Arch::kX32 : arch;
  }
  return std::nullopt;
}

bool compares_64_bits(Arch arch) { return arch == Arch::kX86_64 || arch == Arch::kAarch64; }

Arch native_of(Arch arch) {
  return arch == Arch::kAarch64 || arch == Arch::kArm ? Arch::kAarch64 : Arch::kX86_64;
}

Arch host_arch() {
#if defined(__x86_64__) && defined(__ILP32__)
  return Arch::kX32;
#elif defined(__x86_64__)
  return Arch::kX86_64;
#elif defined(__i386__)
  return Arch::kX86;
#elif defined(__aarch64__)
  return Arch::kAarch64;
#elif defined(__arm__)
  return Arch::kArm;
#else
#error "whittle runs on x86_64, x86, x32, aarch64 and arm"
#endif
}

}  // namespace whittle::syscalls
