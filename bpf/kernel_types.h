/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The few kernel types that the recorder reads, by hand instead of a 120,000-line vmlinux.h. Only
 * the members that are used; their offsets are relocated at load time from the kernel's BTF (CO-RE),
 * so order and omissions do not matter. Sources: include/linux/sched.h, include/linux/seccomp.h,
 * arch/x86/include/asm/{thread_info,ptrace}.h, include/uapi/linux/sched.h.
 */
#ifndef WHITTLE_BPF_KERNEL_TYPES_H
#define WHITTLE_BPF_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;

/* include/uapi/linux/bpf.h */
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_F_NO_PREALLOC = 1 };
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct thread_info {
	__u32 status; /* TS_COMPAT: the current call came through a 32-bit entry */
};

struct seccomp {
	int mode;
	atomic_t filter_count;
};

struct task_struct {
	struct thread_info thread_info;
	struct seccomp seccomp;
	int exit_code;
	int pid;
	int tgid;
};

struct pt_regs {
	unsigned long bp, bx, r10, r9, r8, cx, dx, si, di, orig_ax;
};

#pragma clang attribute pop

struct linux_binprm;

/* The start of struct clone_args (clone3): its layout is ABI, so it is not relocated. */
struct clone3_arguments {
	__u64 flags;
	__u64 pidfd;
	__u64 child_tid;
	__u64 parent_tid;
	__u64 exit_signal;
};

#endif
