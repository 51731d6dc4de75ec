// What this kernel offers to filters and to BPF programs, found out by asking it. Nothing is
// changed: no filter and no program stays.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace whittle::host {

// The actions of filters that the kernel has, in its own order ("kill_process", ..., "allow");
// nullopt: it has no seccomp filters (/proc/sys/kernel/seccomp/actions_avail, 4.14 or newer).
std::optional<std::vector<std::string>> seccomp_actions();

// Whether seccomp(2) takes these flags of SECCOMP_SET_MODE_FILTER. Asked with no filter at all:
// flags that are known fail with EFAULT, others with EINVAL.
bool takes_seccomp_flags(unsigned flags);
bool has_wait_killable();  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19
bool has_log_flag();       // SECCOMP_FILTER_FLAG_LOG, Linux 4.14

// Whether the kernel takes a program of that kind from us: loaded, and closed at once. nullopt: it
// does. Else the reason, in words.
std::optional<std::string> refuses_raw_tracepoint();
// The same with the types of the kernel (BTF), for the tracepoint sys_exit.
std::optional<std::string> refuses_tp_btf();

// "none", "integrity", "confidentiality": kernel_lockdown(7). Empty: the file is not there, without
// that module or without securityfs.
std::string lockdown();

}  // namespace whittle::host
