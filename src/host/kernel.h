// Facts about this machine's kernel and about what we may ask of it. Reading them changes nothing
// and needs no privilege.
//
//   const std::string missing = missing_for_ebpf(kernel_facts());
//   if (!missing.empty()) ...   // "not root: CAP_BPF and CAP_PERFMON are needed"
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace whittle::host {

struct KernelVersion {
  unsigned major = 0;
  unsigned minor = 0;
  auto operator<=>(const KernelVersion&) const = default;
};

// From uname's release: "6.1.0-18-amd64" is 6.1. nullopt when it does not begin with two numbers.
std::optional<KernelVersion> parse_kernel_version(std::string_view release);

// What is mounted at /sys/fs/cgroup (cgroups(7)): v1 controllers alone; v1 with the v2 tree at
// unified/ (systemd's "hybrid"); or v2 alone.
enum class CgroupMode { kNone, kV1, kHybrid, kV2 };

CgroupMode cgroup_mode();
const char* cgroup_mode_name(CgroupMode mode);  // "none", "v1", "hybrid", "v2"

// Our effective capabilities (capabilities(7)), as far as whittle asks for them.
struct Privileges {
  bool bpf = false;
  bool perfmon = false;
  bool sys_admin = false;
  bool sys_ptrace = false;
  // In the first user namespace: elsewhere capabilities do not count for BPF and perf.
  bool initial_user_namespace = true;
};

struct KernelFacts {
  std::string release;  // "6.18.44"
  std::string machine;  // "x86_64"
  KernelVersion version;
  bool btf = false;      // /sys/kernel/btf/vmlinux is there and readable
  int ptrace_scope = 0;  // kernel.yama.ptrace_scope, 0 without Yama
  CgroupMode cgroups = CgroupMode::kNone;
  Privileges privileges;
};

KernelFacts kernel_facts();

// Whether we run under a seccomp filter ourselves: so does what we start then.
bool under_seccomp_filter();

// What a program that we start has in effect, a bit for each capability: for root its bounding set,
// for another user the ambient set (capabilities(7), "Transformation of capabilities during
// execve()"). 0 in another user namespace than the first, where they count for little.
std::uint64_t capabilities_after_exec();

// The oldest kernel that the eBPF recorder is built for.
constexpr KernelVersion kOldestForEbpf{5, 15};

// What eBPF recording lacks here, as one line for people; empty when it lacks nothing that can be
// known beforehand.
std::string missing_for_ebpf(const KernelFacts& facts);

// Whether we may trace a program that we started, or one that somebody else did and that runs under
// our user (ptrace(2), Documentation/admin-guide/LSM/Yama.rst).
bool may_trace_children(const KernelFacts& facts);
bool may_trace_others(const KernelFacts& facts);

}  // namespace whittle::host
