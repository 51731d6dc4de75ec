#include "host/kernel.h"

#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::host {

namespace {

// The number at the front of `text`, which is moved past it.
std::optional<unsigned> take_number(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_u64(text.substr(0, end));
  if (!number || *number > std::numeric_limits<unsigned>::max()) return std::nullopt;
  text.remove_prefix(end);
  return static_cast<unsigned>(*number);
}

bool is_cgroup2(const char* path) {
  struct statfs info = {};
  return ::statfs(path, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

// user_namespaces(7): the first namespace maps every id to itself.
bool in_initial_user_namespace() {
  const auto map = read_file("/proc/self/uid_map");
  if (!map) return true;  // a kernel without user namespaces
  std::vector<std::string> fields;
  for (std::string& field : split(trim(*map), ' ')) {
    if (!field.empty()) fields.push_back(std::move(field));
  }
  return fields == std::vector<std::string>{"0", "0", "4294967295"};
}

// What stands behind a key of /proc/self/status (proc(5)); empty when it is not there.
std::string own_status(std::string_view key) {
  const auto status = read_file("/proc/self/status");
  if (!status) return {};
  for (const std::string& line : split(*status, '\n')) {
    if (line.starts_with(key)) return std::string(trim(std::string_view(line).substr(key.size())));
  }
  return {};
}

Privileges privileges() {
  Privileges result;
  result.initial_user_namespace = in_initial_user_namespace();
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return result;
  const auto has = [&data](unsigned capability) {
    return (data.at(capability / 32).effective >> (capability % 32) & 1U) != 0;
  };
  result.bpf = has(CAP_BPF);
  result.perfmon = has(CAP_PERFMON);
  result.sys_admin = has(CAP_SYS_ADMIN);
  result.sys_ptrace = has(CAP_SYS_PTRACE);
  return result;
}

int ptrace_scope() {
  const auto text = read_file("/proc/sys/kernel/yama/ptrace_scope");
  if (!text) return 0;
  return static_cast<int>(parse_u64(trim(*text)).value_or(0));
}

}  // namespace

std::optional<KernelVersion> parse_kernel_version(std::string_view release) {
  const auto major = take_number(release);
  if (!major || !release.starts_with('.')) return std::nullopt;
  release.remove_prefix(1);
  const auto minor = take_number(release);
  if (!minor) return std::nullopt;
  return KernelVersion{*major, *minor};
}

CgroupMode cgroup_mode() {
  if (is_cgroup2("/sys/fs/cgroup")) return CgroupMode::kV2;
  if (is_cgroup2("/sys/fs/cgroup/unified")) return CgroupMode::kHybrid;
  struct statfs info = {};
  const bool mounted = ::statfs("/sys/fs/cgroup", &info) == 0 && info.f_type != SYSFS_MAGIC;
  return mounted ? CgroupMode::kV1 : CgroupMode::kNone;
}

const char* cgroup_mode_name(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::kNone:
      return "none";
    case CgroupMode::kV1:
      return "v1";
    case CgroupMode::kHybrid:
      return "hybrid";
    case CgroupMode::kV2:
      break;
  }
  return "v2";
}

bool under_seccomp_filter() {
  constexpr std::string_view kFilterMode = "2";  // SECCOMP_MODE_FILTER, proc(5)
  return own_status("Seccomp:") == kFilterMode;
}

std::uint64_t capabilities_after_exec() {
  if (!in_initial_user_namespace()) return 0;
  const std::string digits = own_status(::geteuid() == 0 ? "CapBnd:" : "CapAmb:");
  return parse_u64("0x" + digits).value_or(0);
}

KernelFacts kernel_facts() {
  KernelFacts facts;
  utsname names = {};
  ::uname(&names);
  facts.release = names.release;
  facts.machine = names.machine;
  facts.version = parse_kernel_version(facts.release).value_or(KernelVersion{});
  facts.btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  facts.ptrace_scope = ptrace_scope();
  facts.cgroups = cgroup_mode();
  facts.privileges = privileges();
  return facts;
}

std::string missing_for_ebpf(const KernelFacts& facts) {
  std::vector<std::string> missing;
  const Privileges& ours = facts.privileges;
  if (!ours.sys_admin && !(ours.bpf && ours.perfmon)) {
    missing.emplace_back("not root: CAP_BPF and CAP_PERFMON are needed");
  } else if (!ours.initial_user_namespace) {
    missing.emplace_back("inside a user namespace, where capabilities do not count for BPF");
  }
  if (facts.version < kOldestForEbpf) {
    missing.push_back(format("the kernel is {}, older than {}.{}", facts.release,
                             kOldestForEbpf.major, kOldestForEbpf.minor));
  }
  if (!facts.btf) missing.emplace_back("no BTF at /sys/kernel/btf/vmlinux");
  return join(missing, "; ");
}

bool may_trace_children(const KernelFacts& facts) {
  if (facts.ptrace_scope >= 3) return false;
  return facts.ptrace_scope < 2 || facts.privileges.sys_ptrace;
}

bool may_trace_others(const KernelFacts& facts) {
  if (facts.ptrace_scope >= 3) return false;
  return facts.ptrace_scope == 0 || facts.privileges.sys_ptrace;
}

}  // namespace whittle::host
