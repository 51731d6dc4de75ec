#include "deploy/machine.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file_system.h"
#include "base/text.h"
#include "deploy/node_store.h"
#include "filter/library.h"
#include "host/default_container.h"
#include "host/kernel.h"
#include "host/kernel_offers.h"
#include "host/runtime.h"

namespace whittle::deploy {

namespace {

using Items = std::vector<MachineItem>;

const std::vector<std::string> kEbpfCommands = {"record", "record --container", "watch", "verify"};
const std::vector<std::string> kTargetCommands = {"record --container", "watch"};

Have have(bool there) { return there ? Have::kYes : Have::kNo; }

void add_seccomp(Items& items) {
  const auto actions = host::seccomp_actions();
  items.push_back({"seccomp",
                   "seccomp filters",
                   have(actions.has_value()),
                   actions ? join(*actions, " ") : "",
                   {"verify", "probe", "record --under"},
                   true,
                   "no profile has any effect, and whittle tries none",
                   "a kernel with CONFIG_SECCOMP_FILTER"});
  const auto has = [&actions](std::string_view action) {
    return actions && std::find(actions->begin(), actions->end(), action) != actions->end();
  };
  items.push_back({"user-notif",
                   "seccomp notification (user_notif)",
                   have(has("user_notif")),
                   "",
                   {"verify"},
                   false,
                   "without privilege a trial does not see what it refuses",
                   "Linux 5.0 or newer, or root"});
  items.push_back({"wait-killable",
                   "seccomp WAIT_KILLABLE_RECV",
                   have(host::has_wait_killable()),
                   "",
                   {"verify"},
                   false,
                   "in a trial by notification a signal repeats the call that it interrupts: "
                   "counts may be too high",
                   "Linux 5.19 or newer, or root"});
  items.push_back({"seccomp-log",
                   "seccomp LOG flag",
                   have(host::has_log_flag()),
                   "",
                   {"audit", "generate --log-denials"},
                   false,
                   "calls refused with an errno leave no audit record",
                   "Linux 4.14 or newer"});
  items.push_back({"no-own-filter",
                   "no filter on whittle itself",
                   have(!host::under_seccomp_filter()),
                   "",
                   {"show --pid", "show --container", "verify --runtime", "baseline capture"},
                   true,
                   "filters of processes can't be read back",
                   "run whittle outside of a container, or in one with seccomp=unconfined"});
}

void add_bpf(Items& items, const host::KernelFacts& facts) {
  const bool new_enough = facts.version >= host::kOldestForEbpf;
  items.push_back({"kernel", "kernel 5.15 or newer", have(new_enough), facts.release, kEbpfCommands,
                   false,
                   "recording is by ptrace: slower, which can make programs take other paths",
                   "a newer kernel"});
  items.push_back({"btf", "types of the kernel (BTF)", have(facts.btf), "", kEbpfCommands, false,
                   "recording is by ptrace; containers and cgroups can't be recorded",
                   "a kernel with CONFIG_DEBUG_INFO_BTF"});
  const bool may = host::missing_for_ebpf(facts).empty();
  const auto raw = may ? host::refuses_raw_tracepoint() : std::nullopt;
  items.push_back({"raw-tracepoint", "BPF on raw tracepoints", may ? have(!raw) : Have::kUnknown,
                   raw.value_or(""), kTargetCommands, true, "no eBPF recording",
                   "CAP_BPF and CAP_PERFMON; lockdown below \"confidentiality\""});
  const auto typed = may ? host::refuses_tp_btf() : std::nullopt;
  items.push_back({"tp-btf", "BPF on tracepoints with types (tp_btf)",
                   may ? have(!typed) : Have::kUnknown, typed.value_or(""), kTargetCommands, true,
                   "no eBPF recording",
                   "CAP_BPF and CAP_PERFMON; lockdown below \"confidentiality\""});
  const std::string lockdown = host::lockdown();
  items.push_back({"lockdown", "kernel lockdown lets BPF read",
                   lockdown.empty() ? Have::kUnknown : have(lockdown != "confidentiality"),
                   lockdown, kTargetCommands, true, "no eBPF recording",
                   "boot without lockdown=confidentiality"});
}

void add_cgroups(Items& items, const host::KernelFacts& facts) {
  const bool any = facts.cgroups != host::CgroupMode::kNone;
  items.push_back({"cgroups",
                   "cgroups",
                   have(any),
                   host::cgroup_mode_name(facts.cgroups),
                   {"record --container", "watch", "verify --runtime"},
                   true,
                   "containers can't be told apart, and runtimes start none",
                   "mount -t cgroup2 none /sys/fs/cgroup"});
}

void add_privileges(Items& items, const host::KernelFacts& facts) {
  const host::Privileges& ours = facts.privileges;
  items.push_back({"root",
                   "root",
                   have(::geteuid() == 0),
                   "",
                   {"verify --runtime", "install", "baseline capture"},
                   false,
                   "runtimes can't be asked for a container; only own directories take profiles",
                   "sudo whittle ..."});
  const bool bpf = ours.initial_user_namespace && (ours.sys_admin || (ours.bpf && ours.perfmon));
  items.push_back({"cap-bpf", "CAP_BPF and CAP_PERFMON", have(bpf), "", kEbpfCommands, false,
                   "recording is by ptrace; containers and cgroups can't be recorded",
                   "root, or these two capabilities, in the first user namespace"});
  items.push_back({"cap-sys-admin",
                   "CAP_SYS_ADMIN",
                   have(ours.sys_admin),
                   "",
                   {"show --pid", "show --container", "verify --runtime", "baseline capture"},
                   true,
                   "filters of processes can't be read back",
                   "root"});
  const bool others = host::may_trace_others(facts);
  items.push_back({"ptrace",
                   "tracing of what runs already",
                   have(others),
                   format("ptrace_scope {}", facts.ptrace_scope),
                   {"record --pid", "show --pid"},
                   false,
                   "of programs that whittle did not start nothing is known",
                   "root, or sysctl kernel.yama.ptrace_scope=0"});
}

void add_runtimes(Items& items) {
  for (const char* name : {"runc", "crun"}) {
    const auto runtime = host::find_runtime(name);
    std::string value = runtime ? runtime->version : std::string();
    if (runtime && !runtime->libseccomp.empty()) value += " with libseccomp " + runtime->libseccomp;
    items.push_back({name,
                     name,
                     have(runtime.has_value()),
                     value,
                     {format("verify --runtime {}", name)},
                     true,
                     format("profiles can't be tried under {}", name),
                     format("install the package {}", name)});
  }
  std::vector<std::string> managers;
  for (const host::Manager manager : host::installed_managers()) {
    managers.emplace_back(host::manager_name(manager));
  }
  items.push_back({"managers",
                   "a container manager (podman, docker, containerd)",
                   have(!managers.empty()),
                   join(managers, " "),
                   {"baseline capture"},
                   false,
                   "only the default of a container that runs already can be captured",
                   "install podman, docker or containerd"});
  items.push_back({"libseccomp",
                   "libseccomp in whittle",
                   Have::kYes,
                   filter::libseccomp().runs,
                   {"eval", "diff", "lint", "verify"},
                   false,
                   "",
                   ""});
}

void add_audit(Items& items) {
  const bool socket = ::prctl(PR_CAPBSET_READ, CAP_AUDIT_READ, 0, 0, 0) == 1 && ::geteuid() == 0;
  items.push_back({"audit-socket",
                   "the kernel's audit records as they come",
                   have(socket),
                   "",
                   {"audit --follow"},
                   false,
                   "only the kernel's log can be followed, which gets ten records in five seconds",
                   "root, or CAP_AUDIT_READ, in the first user and network namespace"});
  const bool log = ::access("/var/log/audit/audit.log", R_OK) == 0;
  const bool kernel_log = ::access("/dev/kmsg", R_OK) == 0;
  items.push_back({"audit-log",
                   "a log of audit records",
                   have(log || kernel_log),
                   log          ? "/var/log/audit/audit.log"
                   : kernel_log ? "the kernel's log (no audit daemon's)"
                                : "",
                   {"audit"},
                   false,
                   "records of before can't be read without a FILE",
                   "run auditd, or read as root"});
}

void add_store(Items& items) {
  const bool there = ::access(kKubeletRoot, F_OK) == 0;
  items.push_back({"kubelet-store",
                   "the kubelet's directory of profiles",
                   there ? Have::kYes : Have::kUnknown,
                   format("{}{}", kKubeletRoot, there ? "" : " (not there: install makes it)"),
                   {"install"},
                   false,
                   "",
                   ""});
}

}  // namespace

std::string have_name(Have have) {
  return have == Have::kYes ? "yes" : have == Have::kNo ? "no" : "unknown";
}

std::string command_state_name(CommandState::State state) {
  using State = CommandState::State;
  return state == State::kWorks ? "works" : state == State::kLimited ? "limited" : "missing";
}

std::vector<MachineItem> look_at_machine() {
  const host::KernelFacts facts = host::kernel_facts();
  Items items;
  add_seccomp(items);
  add_bpf(items, facts);
  add_cgroups(items, facts);
  add_privileges(items, facts);
  // A container is recorded by eBPF alone.
  for (MachineItem& item : items) {
    if (item.id == "kernel" || item.id == "btf" || item.id == "cap-bpf") {
      item.needed_by = {"record --container"};
    }
  }
  add_runtimes(items);
  add_audit(items);
  add_store(items);
  return items;
}

std::vector<CommandState> command_states(const std::vector<MachineItem>& items) {
  using State = CommandState::State;
  std::vector<CommandState> all;
  for (const MachineItem& item : items) {
    for (const std::string& command : item.commands) {
      auto at = std::find_if(all.begin(), all.end(), [&command](const CommandState& one) {
        return one.command == command;
      });
      if (at == all.end()) at = all.insert(all.end(), CommandState{command, State::kWorks, {}});
      if (item.have != Have::kNo) continue;
      at->lacks.push_back(item.id);
      const bool needed =
          std::find(item.needed_by.begin(), item.needed_by.end(), command) != item.needed_by.end();
      if (item.needed || needed) {
        at->state = State::kMissing;
      } else if (at->state == State::kWorks) {
        at->state = State::kLimited;
      }
    }
  }
  return all;
}

}  // namespace whittle::deploy
