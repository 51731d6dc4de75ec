/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* A system call as it stands in the registers of x86: its ABI, number, arguments and result. */
#ifndef WHITTLE_BPF_ABI_H
#define WHITTLE_BPF_ABI_H

#define TS_COMPAT 0x0002    /* arch/x86/include/asm/thread_info.h */
#define X32_BIT 0x40000000U /* arch/x86/include/uapi/asm/unistd.h: __X32_SYSCALL_BIT */
#define USER32_CS 0x23      /* arch/x86/include/asm/segment.h: __USER32_CS */
#define ENOSYS 38
#define MAX_ERRNO 4095

struct call {
	__u32 abi;
	__u32 nr; /* without the x32 bit */
};

static __always_inline struct call call_of(struct task_struct *task, __u64 orig_ax)
{
	struct call call = {.abi = RECORDER_X86_64, .nr = (__u32)orig_ax};

	if (task->thread_info.status & TS_COMPAT)
		call.abi = RECORDER_X86;
	else if (call.nr != ~0U && (call.nr & X32_BIT)) {
		call.abi = RECORDER_X32;
		call.nr &= ~X32_BIT;
	}
	return call;
}

static __always_inline __u32 filter_nr(struct call call)
{
	return call.abi == RECORDER_X32 ? call.nr | X32_BIT : call.nr;
}

static __always_inline bool is_exec(struct call call)
{
	if (call.abi == RECORDER_X86_64)
		return call.nr == 59 || call.nr == 322;
	if (call.abi == RECORDER_X86)
		return call.nr == 11 || call.nr == 358;
	return call.nr == 520 || call.nr == 545;
}

static __always_inline bool is_exit(struct call call)
{
	if (call.abi == RECORDER_X86)
		return call.nr == 1 || call.nr == 252;
	return call.nr == 60 || call.nr == 231;
}

/* clone, fork, vfork, clone3: they return 0 in the new child only. */
static __always_inline bool is_fork(struct call call)
{
	if (call.abi == RECORDER_X86)
		return call.nr == 2 || call.nr == 120 || call.nr == 190 || call.nr == 435;
	return (call.nr >= 56 && call.nr <= 58) || call.nr == 435;
}

/* prctl and seccomp: the calls that put a filter in force. */
static __always_inline bool is_filter_load(struct call call)
{
	if (call.abi == RECORDER_X86)
		return call.nr == 172 || call.nr == 354;
	return call.nr == 157 || call.nr == 317;
}

static __always_inline __u32 error_of(long result)
{
	return result < 0 && result >= -MAX_ERRNO ? (__u32)-result : 0;
}

/* All arguments: 32-bit entries pass theirs in other registers. */
static __always_inline void read_arguments(struct pt_regs *regs, __u32 abi, __u64 arguments[6])
{
	if (abi == RECORDER_X86) {
		arguments[0] = (__u32)regs->bx;
		arguments[1] = (__u32)regs->cx;
		arguments[2] = (__u32)regs->dx;
		arguments[3] = (__u32)regs->si;
		arguments[4] = (__u32)regs->di;
		arguments[5] = (__u32)regs->bp;
	} else {
		arguments[0] = regs->di;
		arguments[1] = regs->si;
		arguments[2] = regs->dx;
		arguments[3] = regs->r10;
		arguments[4] = regs->r8;
		arguments[5] = regs->r9;
	}
}

#endif
