/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The few kernel types that the recorder reads, by hand instead of a 120,000-line vmlinux.h. Only
 * the members that are used; their offsets are relocated at load time from the kernel's BTF (CO-RE),
 * so order and omissions do not matter. Sources: include/linux/{sched,sched/signal,seccomp,
 * cgroup-defs,kernfs}.h, arch/x86/include/asm/{thread_info,ptrace}.h, include/uapi/linux/sched.h.
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
enum { BPF_F_USER_STACK = 256, BPF_F_USER_BUILD_ID = 2048 };
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

#define CGROUP_SUBSYSTEMS 10 /* of task_struct.cgroups->subsys: enough for pids and freezer */

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

struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup_subsys_state *subsys[CGROUP_SUBSYSTEMS];
	struct cgroup *dfl_cgrp;
};

struct signal_struct {
	unsigned int flags;
	int group_exit_code;
	int nr_threads;
};

struct mm_struct {
	unsigned long start_stack;
};

struct task_struct {
	struct thread_info thread_info;
	struct seccomp seccomp;
	int exit_code;
	int exit_state;
	int pid;
	int tgid;
	unsigned int flags;
	struct task_struct *real_parent;
	struct css_set *cgroups;
	struct mm_struct *mm;
	struct signal_struct *signal;
	char comm[16];
};

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r10, r9, r8, cx, dx, si, di, orig_ax, ip, cs, sp;
};

struct bpf_iter__task {
	struct task_struct *task;
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
