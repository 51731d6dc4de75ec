// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The kernel side of the recorder: counts the system calls of the recorded tasks where they happen.
 *
 * Nothing is sent for a call: totals live in a per-CPU array, argument values and refusals in bounded
 * hash maps, so no rate of calls can lose one. What finds no room is counted as lost.
 *
 * One hook carries the load, sys_exit: it sees number, arguments, ABI and result together, and calls
 * that a seccomp filter refused, which sys_enter never sees. Calls that do not come back, or come
 * back changed, are counted where they can still be told (measured on x86_64):
 *
 *   execve, execveat   a success returns as execve with cleared registers: counted at
 *                      sched_prepare_exec (Linux 6.10), before that at sched_process_exec with what
 *                      sys_enter saw; failures return as themselves
 *   exit, exit_group   never return: counted at sched_process_exit
 *   rt_sigreturn       returns as number -1
 *   fork, vfork, clone, clone3   return a second time, in the child, with 0: not counted
 *
 * A task is recorded when it carries task storage: the user side gives it to the target, and
 * sched_process_fork hands it on to every child and thread before their first call.
 */
#include <stdbool.h>

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "recorder.h"

#define TS_COMPAT 0x0002            /* arch/x86/include/asm/thread_info.h */
#define X32_BIT 0x40000000U         /* arch/x86/include/uapi/asm/unistd.h: __X32_SYSCALL_BIT */
#define SECCOMP_MODE_FILTER 2
#define SIGSTOP 19
#define SIGSYS 31
#define ENOSYS 38
#define MAX_ERRNO 4095

struct recorder_control control; /* alone in .bss, mapped by the user side */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct recorder_task);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECORDER_SLOTS);
	__type(key, __u32);
	__type(value, struct recorder_total);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORDER_MAP_ENTRIES);
	__type(key, struct recorder_errno);
	__type(value, __u64);
} errnos SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORDER_MAP_ENTRIES);
	__type(key, struct recorder_other);
	__type(value, struct recorder_seen);
} others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORDER_MAP_ENTRIES);
	__type(key, struct recorder_value);
	__type(value, __u64);
} values SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORDER_MAP_ENTRIES);
	__type(key, struct recorder_judged);
	__type(value, struct recorder_seen);
} judged SEC(".maps");

/* A call as it stands in the registers. */
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

static __always_inline void count_errno(struct recorder_total *total, __u32 slot, __u32 number)
{
	for (int i = 0; i < RECORDER_ERRNOS; i++) {
		if (total->errnos[i].number == 0)
			total->errnos[i].number = number;
		if (total->errnos[i].number == number) {
			total->errnos[i].count++;
			return;
		}
	}
	struct recorder_errno key = {.slot = slot, .number = number};
	__u64 one = 1;
	__u64 *count = bpf_map_lookup_elem(&errnos, &key);

	if (!count && bpf_map_update_elem(&errnos, &key, &one, BPF_NOEXIST) == 0)
		return;
	if (!count)
		count = bpf_map_lookup_elem(&errnos, &key); /* another CPU was first */
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		__sync_fetch_and_add(&control.lost_errnos, 1);
}

static __always_inline void count(__u32 slot, __u32 error, __u32 phase)
{
	struct recorder_total *total = bpf_map_lookup_elem(&totals, &slot);

	if (!total)
		return;
	__u64 now = bpf_jiffies64();

	if (total->count++ == 0)
		total->first = now;
	total->last = now;
	total->phases |= 1U << (phase & 31);
	if (error)
		count_errno(total, slot, error);
}

static __always_inline bool add_seen(void *map, void *key)
{
	struct recorder_seen *seen = bpf_map_lookup_elem(map, key);

	if (!seen) {
		struct recorder_seen fresh = {};

		bpf_map_update_elem(map, key, &fresh, BPF_NOEXIST); /* or another CPU was first */
		seen = bpf_map_lookup_elem(map, key);
	}
	if (!seen)
		return false;
	__u64 now = bpf_jiffies64();

	if (__sync_fetch_and_add(&seen->count, 1) == 0)
		seen->first = now;
	seen->last = now;
	return true;
}

static __always_inline void count_other(struct call call, __u32 error)
{
	struct recorder_other key = {.abi = call.abi, .nr = filter_nr(call), .error = error};

	if (!add_seen(&others, &key))
		__sync_fetch_and_add(&control.lost_others, 1);
}

/* Argument `index` of the call in `regs`: 32-bit entries pass theirs in other registers. */
static __always_inline __u64 argument(struct pt_regs *regs, __u32 abi, __u32 index)
{
	if (abi == RECORDER_X86) {
		switch (index) {
		case 0: return (__u32)regs->bx;
		case 1: return (__u32)regs->cx;
		case 2: return (__u32)regs->dx;
		case 3: return (__u32)regs->si;
		case 4: return (__u32)regs->di;
		default: return (__u32)regs->bp;
		}
	}
	switch (index) {
	case 0: return regs->di;
	case 1: return regs->si;
	case 2: return regs->dx;
	case 3: return regs->r10;
	case 4: return regs->r8;
	default: return regs->r9;
	}
}

static __always_inline void keep_value(struct recorder_value *key)
{
	__u64 one = 1;
	__u64 *seen = bpf_map_lookup_elem(&values, key);

	if (seen) {
		__sync_fetch_and_add(seen, 1);
		return;
	}
	__u32 slot = key->slot;

	if (slot >= RECORDER_SLOTS)
		return;
	/* Two CPUs may both add one more than the bound: the bound is for memory, not exact. */
	if (control.distinct[slot] > RECORDER_VALUES)
		return;
	if (__sync_fetch_and_add(&control.distinct[slot], 1) >= RECORDER_VALUES)
		return;
	long failed = bpf_map_update_elem(&values, key, &one, BPF_NOEXIST);

	if (failed == 0)
		return;
	seen = bpf_map_lookup_elem(&values, key); /* another CPU was first */
	if (seen)
		__sync_fetch_and_add(seen, 1);
	else
		__sync_fetch_and_add(&control.lost_values, 1);
}

static __always_inline void keep_arguments(struct pt_regs *regs, struct call call, __u32 slot,
					   const struct recorder_spec *spec)
{
	struct recorder_value key = {.slot = slot};

	if (spec->in_struct) {
		struct clone3_arguments args;

		if (bpf_probe_read_user(&args, sizeof(args), (void *)argument(regs, call.abi, 0))) {
			__sync_fetch_and_add(&control.lost_arguments, 1);
			return;
		}
		key.values[0] = args.flags | args.exit_signal;
	} else {
		for (int i = 0; i < RECORDER_TUPLE; i++) {
			if (i >= spec->arguments)
				break;
			__u64 value = argument(regs, call.abi, spec->index[i]);

			key.values[i] = spec->wide & (1U << i) ? value : (__u32)value;
		}
	}
	keep_value(&key);
}

/* Keeps a call for judgement. `wanted` has a bit for each argument that the filter looks at. */
static __always_inline void keep_for_judgement(struct pt_regs *regs, struct call call, long result,
					       __u8 wanted, __u32 phase)
{
	struct recorder_judged key = {.abi = call.abi, .nr = filter_nr(call), .phase = phase};

	key.result = error_of(result);
	if ((__u32)result == key.nr)
		key.result = RECORDER_RESULT_NUMBER;
	for (int i = 0; i < 6; i++) {
		if (wanted & (1U << i))
			key.arguments[i] = argument(regs, call.abi, i);
	}
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	if (!add_seen(&judged, &key))
		__sync_fetch_and_add(&control.lost_judged, 1);
}

static __always_inline __u32 phase_of(const struct recorder_task *state)
{
	return state->flags & RECORDER_IN_RUNTIME ? RECORDER_PHASE_RUNTIME : control.phase;
}

/* True when the task's calls count, now that it is inside `call`. */
static __always_inline bool counts(struct task_struct *task, struct recorder_task *state,
				   struct call call)
{
	if (state->flags & RECORDER_COUNTING)
		return true;
	if (!(state->flags & RECORDER_UNTIL_FILTER))
		return false;
	if ((__u32)task->seccomp.filter_count.counter <= control.base_filters)
		return false;
	state->flags = RECORDER_COUNTING | RECORDER_IN_RUNTIME;
	return !is_filter_load(call); /* the call that loaded the filter was not under it yet */
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state)
		return 0;
	struct call call = call_of(task, regs->orig_ax);

	if (!counts(task, state, call))
		return 0;
	__u32 error = error_of(result);
	__u32 phase = phase_of(state);

	if (call.nr == ~0U && result != -ENOSYS) {
		/* rt_sigreturn took the number with it. 32-bit code may have used sigreturn instead. */
		call.nr = call.abi == RECORDER_X86 ? 173 : 15;
		error = 0;
	}
	if (result == 0 && (is_fork(call) || is_exec(call)))
		return 0;
	if (call.nr >= RECORDER_NUMBERS) {
		count_other(call, error);
		keep_for_judgement(regs, call, result, 0x3f, phase);
		return 0;
	}
	__u32 slot = call.abi * RECORDER_NUMBERS + call.nr;

	count(slot, error, phase);
	if (slot >= RECORDER_SLOTS)
		return 0;
	const struct recorder_spec *spec = &control.specs[slot];

	if (spec->arguments)
		keep_arguments(regs, call, slot, spec);
	if (spec->judge == RECORDER_NO_JUDGE)
		return 0;
	if ((__u32)result == filter_nr(call))
		state->returned_number = filter_nr(call) + 1;
	__u8 wanted = spec->judge_arguments;

	if (spec->judge == RECORDER_JUDGE_REFUSED && control.shown[slot] < RECORDER_SHOWN) {
		__sync_fetch_and_add(&control.shown[slot], 1);
		wanted = 0x3f;
	}
	keep_for_judgement(regs, call, result, wanted, phase);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, parent, 0, 0);

	if (!state)
		return 0;
	struct recorder_task copy = {.flags = state->flags};

	if (bpf_task_storage_get(&tasks, child, &copy, BPF_LOCAL_STORAGE_GET_F_CREATE))
		__sync_fetch_and_add(&control.live, 1);
	else
		__sync_fetch_and_add(&control.lost_tasks, 1);
	return 0;
}

static __always_inline void count_without_result(struct recorder_task *state, struct call call)
{
	if (call.nr < RECORDER_NUMBERS)
		count(call.abi * RECORDER_NUMBERS + call.nr, 0, phase_of(state));
}

/* A successful exec, still with the number that was asked for. */
static __always_inline void on_exec(struct task_struct *task, struct recorder_task *state,
				    struct call call)
{
	if (state->flags & RECORDER_UNTIL_EXEC)
		state->flags = RECORDER_COUNTING;
	else if (!counts(task, state, call))
		return;
	count_without_result(state, call);
	if (!(state->flags & RECORDER_IN_RUNTIME))
		return;
	state->flags &= ~RECORDER_IN_RUNTIME;
	/* Stopped before its first instruction, so that the filter can be read back. */
	if (control.stop_at_exec && __sync_lock_test_and_set(&control.stopped, task->tgid) == 0) {
		control.stop_at_exec = 0;
		bpf_send_signal(SIGSTOP);
	}
}

SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(on_prepare_exec, struct task_struct *task, struct linux_binprm *bprm)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state)
		return 0;
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	on_exec(task, state, call_of(task, regs->orig_ax));
	return 0;
}

/* Kernels before 6.10 only: remembers which exec call is under way. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state)
		return 0;
	struct call call = call_of(task, (__u64)nr);

	if (is_exec(call)) {
		state->exec_abi = call.abi;
		state->exec_nr = call.nr;
	}
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(on_process_exec, struct task_struct *task)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state)
		return 0;
	on_exec(task, state, (struct call){.abi = state->exec_abi, .nr = state->exec_nr});
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state)
		return 0;
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct call call = call_of(task, regs->orig_ax);

	if (is_exit(call) && counts(task, state, call))
		count_without_result(state, call);
	/*
	 * A thread that a filter kills alone ends here, without sys_exit. One that is killed with its
	 * process has been there, and got its number as the result.
	 */
	else if ((task->exit_code & 0x7f) == SIGSYS && call.nr != ~0U && counts(task, state, call) &&
		 state->returned_number != filter_nr(call) + 1) {
		count_without_result(state, call);
		keep_for_judgement(regs, call, (long)filter_nr(call), 0x3f, phase_of(state));
	}
	__sync_fetch_and_add(&control.live, -1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
