// The attack steps that `whittle probe` tries, and the system calls that each of them makes. Shared
// by the program that makes the calls (probe_program.c, C without a library) and by the code that
// starts it and judges (probe.cc).
//
// Every call is harmless even for root without a filter: its arguments are refused by the kernel
// before anything happens, or it changes nothing but the probe program itself. What each comes to
// in the kernel is in the comment beside it, and tests/live/probe_test.py holds it to that.
#pragma once

// X(ID, name, technique): in the order of the report.
#define WHITTLE_PROBE_STEPS(X)                                                                    \
  X(UNSHARE, "namespaces-unshare",                                                                \
    "a namespace of its own gives a process capabilities over it, and with them the kernel code " \
    "that only root can reach")                                                                   \
  X(CLONE, "namespaces-clone", "the same namespaces, made for a new process by clone")            \
  X(CLONE3, "clone3",                                                                             \
    "the same by clone3, whose flags are in memory where no filter can look at them")             \
  X(SETNS, "setns", "enters a namespace of another process or of the host")                       \
  X(MOUNT, "mount",                                                                               \
    "mounts host devices, cgroups or /proc inside, by the old or the new mount interface")        \
  X(PIVOT_ROOT, "pivot-root", "leaves the root file system of the container")                     \
  X(PTRACE, "ptrace", "takes over another process: reads and writes its memory and registers")    \
  X(PROCESS_VM_WRITEV, "process-vm-writev", "writes into the memory of another process")          \
  X(PIDFD_GETFD, "pidfd-getfd", "takes an open file or socket out of another process")            \
  X(OPEN_BY_HANDLE_AT, "open-by-handle-at",                                                       \
    "opens any file of the host's file system by a guessed handle (the shocker escape)")          \
  X(MODULE, "kernel-module", "loads code into the kernel")                                        \
  X(KEXEC_LOAD, "kexec-load", "replaces the running kernel")                                      \
  X(BPF, "bpf", "loads BPF programs, whose verifier has been a way into the kernel")              \
  X(PERF_EVENT_OPEN, "perf-event-open",                                                           \
    "watches other processes and the kernel, and has been a way into the kernel")                 \
  X(USERFAULTFD, "userfaultfd",                                                                   \
    "stops the kernel in the middle of a copy, which makes races in it easy to win")              \
  X(KEYRING, "keyring", "reaches the kernel's keyrings, which no namespace separates fully")      \
  X(IO_URING_SETUP, "io-uring", "does file and network calls out of the filter's sight")          \
  X(AF_ALG, "socket-af-alg", "reaches the kernel's cryptography interface")                       \
  X(AF_VSOCK, "socket-af-vsock", "talks to the hypervisor or to the host past the network")       \
  X(AF_PACKET, "socket-af-packet", "reads and forges raw packets of the network")                 \
  X(NETFILTER, "socket-netfilter",                                                                \
    "reaches nf_tables, the part of the kernel with the most exploits of late years")             \
  X(PERSONALITY, "personality", "turns off address randomisation before the next step")           \
  X(INT80, "int80-entry", "makes 32-bit calls, which a list of 64-bit calls does not see")        \
  X(X32, "x32-entry", "makes x32 calls, which a list of 64-bit calls does not see")

enum whittle_probe_step {
#define WHITTLE_PROBE_ID(id, name, technique) WHITTLE_PROBE_##id,
  WHITTLE_PROBE_STEPS(WHITTLE_PROBE_ID)
#undef WHITTLE_PROBE_ID
      WHITTLE_PROBE_STEP_COUNT
};

// The way into the kernel.
enum whittle_probe_entry { WHITTLE_ENTRY_NATIVE, WHITTLE_ENTRY_INT80, WHITTLE_ENTRY_X32 };

// X(STEP, ENTRY, syscall, label, a0, ..., a5): in the order in which they are made. Those that
// change the probe program stand last, so that the ones before are made by an ordinary process.
// WHITTLE_CLONE and WHITTLE_CLONE3_ARGUMENTS are defined in probe_program.c.
//
// socket: the kernel takes the low 32 bits of the family, a filter sees all 64. A filter that
// compares them all ("greater than 40") answers for another family than the one that is opened:
// Docker's default profile lets AF_ALG and AF_VSOCK through in this way. 0x100 is no flag of a
// type, so that the kernel answers EINVAL (net/socket.c,
// __sys_socket_create) before it would load the module of the family.
#define WHITTLE_PROBE_CALLS(X)                                                                    \
  X(CLONE3, NATIVE, clone3, "clone3", WHITTLE_CLONE3_ARGUMENTS, 64, 0, 0, 0, 0) /* a child */     \
  X(SETNS, NATIVE, setns, "setns", -1, 0x00020000, 0, 0, 0, 0)                  /* EBADF */       \
  X(MOUNT, NATIVE, mount, "mount", 0, 0, 0, 0x1000, 0, 0)           /* MS_BIND; EFAULT */         \
  X(MOUNT, NATIVE, fsopen, "fsopen", 0, 0, 0, 0, 0, 0)              /* EFAULT */                  \
  X(MOUNT, NATIVE, move_mount, "move_mount", -1, 0, -1, 0, 0, 0)    /* EFAULT */                  \
  X(MOUNT, NATIVE, open_tree, "open_tree", -1, 0, 1, 0, 0, 0)       /* OPEN_TREE_CLONE; EFAULT */ \
  X(PIVOT_ROOT, NATIVE, pivot_root, "pivot_root", 0, 0, 0, 0, 0, 0) /* EFAULT */                  \
  X(PTRACE, NATIVE, ptrace, "ptrace", 16, 0, 0, 0, 0, 0) /* PTRACE_ATTACH to pid 0; ESRCH */      \
  X(PROCESS_VM_WRITEV, NATIVE, process_vm_writev, "process_vm_writev", 0, 0, 0, 0, 0, 0) /* 0 */  \
  X(PIDFD_GETFD, NATIVE, pidfd_getfd, "pidfd_getfd", -1, -1, 0, 0, 0, 0) /* EBADF */              \
  X(OPEN_BY_HANDLE_AT, NATIVE, open_by_handle_at, "open_by_handle_at", -1, 0, 0, 0, 0,            \
    0)                                                               /* EBADF */                  \
  X(MODULE, NATIVE, init_module, "init_module", 0, 0, 0, 0, 0, 0)    /* too short: ENOEXEC */     \
  X(MODULE, NATIVE, finit_module, "finit_module", -1, 0, 0, 0, 0, 0) /* EBADF */                  \
  X(KEXEC_LOAD, NATIVE, kexec_load, "kexec_load", 0, 17, 0, 0xff00, 0, 0)                         \
  /* no such flags, and too many segments: EINVAL */                                              \
  X(BPF, NATIVE, bpf, "bpf", -1, 0, 0, 0, 0, 0)                                      /* EINVAL */ \
  X(PERF_EVENT_OPEN, NATIVE, perf_event_open, "perf_event_open", 0, 0, -1, -1, 0, 0) /* EFAULT */ \
  X(USERFAULTFD, NATIVE, userfaultfd, "userfaultfd", 0x100, 0, 0, 0, 0, 0)           /* EINVAL */ \
  X(KEYRING, NATIVE, keyctl, "keyctl", 0x7fffffff, 0, 0, 0, 0, 0)               /* EOPNOTSUPP */  \
  X(KEYRING, NATIVE, add_key, "add_key", 0, 0, 0, 0, 0, 0)                      /* EFAULT */      \
  X(IO_URING_SETUP, NATIVE, io_uring_setup, "io_uring_setup", 0, 0, 0, 0, 0, 0) /* EFAULT */      \
  X(AF_ALG, NATIVE, socket, "socket", 38, 0x105, 0, 0, 0, 0) /* SOCK_SEQPACKET */                 \
  X(AF_ALG, NATIVE, socket, "bits above 32", 0x100000026, 0x105, 0, 0, 0, 0)                      \
  X(AF_VSOCK, NATIVE, socket, "socket", 40, 0x101, 0, 0, 0, 0) /* SOCK_STREAM */                  \
  X(AF_VSOCK, NATIVE, socket, "bits above 32", 0x100000028, 0x101, 0, 0, 0, 0)                    \
  X(AF_PACKET, NATIVE, socket, "socket", 17, 0x103, 0, 0, 0, 0) /* SOCK_RAW */                    \
  X(AF_PACKET, NATIVE, socket, "bits above 32", 0x100000011, 0x103, 0, 0, 0, 0)                   \
  X(NETFILTER, NATIVE, socket, "socket", 16, 0x103, 12, 0, 0, 0) /* SOCK_RAW */                   \
  X(NETFILTER, NATIVE, socket, "bits above 32", 0x100000010, 0x103, 12, 0, 0, 0)                  \
  X(INT80, INT80, getpid, "getpid", 0, 0, 0, 0, 0, 0)                                             \
  X(X32, X32, getpid, "getpid", 0, 0, 0, 0, 0, 0)                                                 \
  X(CLONE, NATIVE, clone, "CLONE_NEWNS", WHITTLE_CLONE(0x00020000))            /* a child */      \
  X(CLONE, NATIVE, clone, "CLONE_NEWNET", WHITTLE_CLONE(0x40000000))           /* a child */      \
  X(CLONE, NATIVE, clone, "CLONE_NEWPID", WHITTLE_CLONE(0x20000000))           /* a child */      \
  X(CLONE, NATIVE, clone, "CLONE_NEWUSER", WHITTLE_CLONE(0x10000000))          /* a child */      \
  X(PERSONALITY, NATIVE, personality, "personality", 0x0040000, 0, 0, 0, 0, 0) /* itself */       \
  X(UNSHARE, NATIVE, unshare, "CLONE_NEWNS", 0x00020000, 0, 0, 0, 0, 0)        /* itself */       \
  X(UNSHARE, NATIVE, unshare, "CLONE_NEWNET", 0x40000000, 0, 0, 0, 0, 0)       /* itself */       \
  X(UNSHARE, NATIVE, unshare, "CLONE_NEWPID", 0x20000000, 0, 0, 0, 0, 0)       /* itself */       \
  X(UNSHARE, NATIVE, unshare, "CLONE_NEWUSER", 0x10000000, 0, 0, 0, 0, 0)      /* itself */
