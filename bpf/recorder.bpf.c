// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The kernel side of the recorder: counts the system calls of the recorded tasks where they happen.
 *
 * Nothing is sent for a call: totals live in a per-CPU array, argument values and refusals in bounded
 * hash maps, so no rate of calls can lose one. What finds no room is counted as lost. Only what is
 * rare goes through a ring: stacks of first occurrences, and new cgroups.
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
 *   abi.h        a call in the registers
 *   totals.h     counting
 *   arguments.h  sets of argument values
 *   judged.h     calls that a filter may have refused
 *   stacks.h     stacks of first occurrences
 *   follow.h     which tasks are recorded
 */
#include <stdbool.h>

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "recorder.h"

#define AT_EMPTY_PATH 0x1000 /* include/uapi/linux/fcntl.h */
#define SIGSTOP 19
#define SIGSYS 31
#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

struct recorder_control control; /* alone in .bss, mapped by the user side */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct recorder_task);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECORDER_SLOTS); /* the user side: for as many sources as it needs */
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
	__type(value, __u8);
} values SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct recorder_recent);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8); /* the user side: for all thread ids */
	__type(key, __u32);
	__type(value, struct recorder_marks);
} marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORDER_MAP_ENTRIES);
	__type(key, struct recorder_judged);
	__type(value, struct recorder_seen);
} judged SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORDER_CGROUPS);
	__type(key, struct recorder_cgroup);
	__type(value, struct recorder_followed);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 23);
} events SEC(".maps");

#include "abi.h"
#include "totals.h"
#include "stacks.h"
#include "arguments.h"
#include "judged.h"
#include "follow.h"

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
	if ((__u32)task->seccomp.filter_count.counter <= state->base_filters)
		return false;
	if (!decide(task, state))
		return false;
	state->flags &= RECORDER_BY_CGROUP;
	state->flags |= RECORDER_COUNTING | RECORDER_IN_RUNTIME;
	return !is_filter_load(call); /* the call that loaded the filter was not under it yet */
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	if (!*with_stack(regs) && !control.unmarked)
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	__u8 mark = mark_of(task);

	if (!mark)
		return 0;
	struct call call = call_of(task, regs->orig_ax);
	__u32 error = error_of(result);
	__u32 phase = control.phase;
	__u32 source = mark - 1U;

	if (mark == RECORDER_ASK) {
		struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

		if (!state || !counts(task, state, call))
			return 0;
		phase = phase_of(state);
		source = state->source;
	}
	if (call.nr == ~0U && result != -ENOSYS) {
		/* rt_sigreturn took the number with it. 32-bit code may have used sigreturn instead. */
		call.nr = call.abi == RECORDER_X86 ? 173 : 15;
		error = 0;
	}
	if (result == 0 && (is_fork(call) || is_exec(call)))
		return 0;
	if (call.nr >= RECORDER_NUMBERS) {
		__u64 arguments[6];

		read_arguments(regs, call.abi, arguments);
		count_other(source, call, error);
		keep_for_judgement(arguments, source, call, result, ALL_ARGUMENTS, phase);
		return 0;
	}
	__u32 slot = call.abi * RECORDER_NUMBERS + call.nr;
	__u32 cell = source * RECORDER_SLOTS + slot;
	struct recorder_total *total = count(cell, error, phase);

	if (!total || slot >= RECORDER_SLOTS)
		return 0;
	if (total->count == 1)
		take_first_stack(ctx, cell);
	const struct recorder_call *how = &control.calls[slot];

	if (!how->specs && how->judge == RECORDER_NO_JUDGE)
		return 0;
	__u64 arguments[8];

	read_arguments(regs, call.abi, arguments);
	arguments[RECORDER_IN_STRUCT] = 0;
	arguments[RECORDER_NO_ARGUMENT] = 0;
	if (how->specs)
		keep_arguments(ctx, arguments, cell, how);
	if (how->judge == RECORDER_NO_JUDGE)
		return 0;
	judge(arguments, source, cell, call, result, how->judge, how->judge_arguments, phase);
	return 0;
}

static __always_inline void count_without_result(void *ctx, struct recorder_task *state,
						 struct call call)
{
	__u32 cell = state->source * RECORDER_SLOTS + call.abi * RECORDER_NUMBERS + call.nr;

	if (call.nr >= RECORDER_NUMBERS)
		return;
	struct recorder_total *total = count(cell, 0, phase_of(state));

	if (total && total->count == 1)
		take_first_stack(ctx, cell);
}

/* execveat(descriptor, "", argv, envp, AT_EMPTY_PATH) */
static __always_inline bool is_exec_of_descriptor(struct pt_regs *regs, struct call call)
{
	__u64 arguments[6];

	if (call.nr != (call.abi == RECORDER_X86 ? 358 : call.abi == RECORDER_X32 ? 545 : 322))
		return false;
	read_arguments(regs, call.abi, arguments);
	return arguments[4] & AT_EMPTY_PATH;
}

/* A successful exec, still with the number that was asked for. */
static __always_inline void on_exec(void *ctx, struct task_struct *task, struct recorder_task *state,
				    struct call call, bool anew)
{
	/* A filter may have come into force in the runtime: that this is its exec is to be known. */
	bool counting = counts(task, state, call);

	if (!counting && (state->flags & RECORDER_UNTIL_EXEC)) {
		/* runc starts itself anew from a descriptor, maybe in the container's cgroup already. */
		if ((state->flags & RECORDER_BY_CGROUP) && anew)
			return;
		if (!decide(task, state))
			return;
		state->flags = RECORDER_COUNTING | (state->flags & RECORDER_BY_CGROUP);
		counting = true;
	}
	if (!counting)
		return;
	if ((state->flags & RECORDER_BY_CGROUP) && state->source < RECORDER_SOURCES)
		control.started[state->source] = 1;
	count_without_result(ctx, state, call);
	const bool in_runtime = state->flags & RECORDER_IN_RUNTIME;

	state->flags &= ~RECORDER_IN_RUNTIME;
	write_mark(task, state);
	if (!in_runtime)
		return;
	/* Stopped before its first instruction, so that the filter can be read back. */
	if (control.stop_at_exec && __sync_lock_test_and_set(&control.stopped, task->tgid) == 0) {
		control.stop_at_exec = 0;
		bpf_send_signal(SIGSTOP);
	}
}

SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(on_prepare_exec, struct task_struct *task, struct linux_binprm *bprm)
{
	struct recorder_task *state = state_at_exec(task);

	if (!state || !state->flags)
		return 0;
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct call call = call_of(task, regs->orig_ax);

	on_exec(ctx, task, state, call, is_exec_of_descriptor(regs, call));
	return 0;
}

/* Kernels before 6.10 only: remembers which exec call is under way. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state && !control.by_cgroup)
		return 0;
	struct call call = call_of(task, (__u64)nr);

	if (!is_exec(call))
		return 0;
	state = state_at_exec(task);
	if (state) {
		state->exec_abi = call.abi;
		state->exec_nr = call.nr;
		state->exec_anew = is_exec_of_descriptor(regs, call);
	}
	return 0;
}

/* There the old program is gone already, and its stack with it. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_process_exec, struct task_struct *task, int old_pid)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state || !state->flags)
		return 0;
	if (old_pid != task->pid)
		move_mark(old_pid, task->pid);
	if (!control.exec_at_enter)
		return 0;
	on_exec(ctx, task, state, (struct call){.abi = state->exec_abi, .nr = state->exec_nr},
		state->exec_anew);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, parent, 0, 0);

	if (state && state->flags) {
		const struct recorder_task as = {.flags = state->flags,
						 .source = state->source,
						 .hierarchy = state->hierarchy,
						 .base_filters = state->base_filters};

		begin(child, &as);
	}
	/* clone3 can put the child into another cgroup than its parent's. */
	if (control.by_cgroup && control.cgroup_hierarchy == 0)
		on_enter(child, BPF_CORE_READ(child, cgroups, dfl_cgrp));
	return 0;
}

/*
 * Whether a filter has killed this thread and no other: then it goes from the call to its end without
 * sys_exit (kernel/seccomp.c: do_exit()). One that is killed with its process is sent SIGSYS, and has been
 * there, with its number as the result.
 */
static __always_inline bool killed_alone(struct task_struct *task)
{
	if ((task->exit_code & 0x7f) != SIGSYS)
		return false;
	if (!(BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT))
		return true;
	/* All end, but not by that. */
	return (BPF_CORE_READ(task, signal, group_exit_code) & 0x7f) != SIGSYS;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!state || !state->flags)
		return 0;
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct call call = call_of(task, regs->orig_ax);

	if (is_exit(call) && counts(task, state, call)) {
		count_without_result(ctx, state, call);
	} else if (killed_alone(task) && call.nr != ~0U && counts(task, state, call)) {
		__u64 arguments[6];

		read_arguments(regs, call.abi, arguments);
		count_without_result(ctx, state, call);
		keep_for_judgement(arguments, state->source, call, (long)filter_nr(call), ALL_ARGUMENTS,
				   phase_of(state));
	}
	forget(task, state);
	return 0;
}

SEC("?tp_btf/cgroup_attach_task")
int BPF_PROG(on_attach, struct cgroup *cgroup, const char *path, struct task_struct *task, bool threadgroup)
{
	/* The tracepoint names the leader alone: other threads are found when they execute a program. */
	on_enter(task, cgroup);
	return 0;
}

/* While a container is waited for: it may be this one, whose name only its runtime knows. */
SEC("?tp_btf/cgroup_mkdir")
int BPF_PROG(on_mkdir, struct cgroup *cgroup, const char *path)
{
	struct recorder_cgroup key = {.hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id)};

	if (!control.watch || key.hierarchy != control.cgroup_hierarchy)
		return 0;
	struct recorder_followed *above = followed(cgroup);

	/* A container that runs may have cgroups of its own. */
	if (above && above->main < RECORDER_SOURCES && control.started[above->main])
		return 0;
	struct recorder_followed both = {.main = RECORDER_UNDECIDED, .exec = RECORDER_UNDECIDED};
	struct recorder_cgroup_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&control.lost_cgroups, 1);
		return 0;
	}
	key.id = BPF_CORE_READ(cgroup, kn, id);
	event->type = RECORDER_CGROUP_EVENT;
	event->cgroup = key;
	bpf_probe_read_kernel_str(event->path, sizeof(event->path), path);
	if (bpf_map_update_elem(&cgroups, &key, &both, BPF_ANY))
		__sync_fetch_and_add(&control.lost_cgroups, 1);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("?iter/task")
int mark_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || (task->flags & (PF_KTHREAD | PF_EXITING)))
		return 0;
	if (control.mark == RECORDER_MARK_CLEAR) {
		struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

		if (state && state->source == control.mark_source)
			forget(task, state);
		return 0;
	}
	if (control.mark == RECORDER_MARK_KNOWN) {
		struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

		if (state)
			write_mark(task, state);
		return 0;
	}
	struct recorder_cgroup wanted = control.mark_cgroup;
	__u32 hierarchy = 0;
	__u32 source = control.mark_source;
	__u32 flags = RECORDER_COUNTING;
	bool descends = descends_from(task, control.mark_tgid);

	if (control.mark == RECORDER_MARK_CGROUP) {
		hierarchy = wanted.hierarchy;
		if (!is_below(cgroup_of(task, hierarchy), &wanted))
			return 0;
		if (!descends)
			source = control.mark_exec;
		flags |= RECORDER_BY_CGROUP;
	} else if (!descends) {
		return 0;
	}
	if (!follow(task, source, hierarchy, flags))
		return 0;
	__sync_fetch_and_add(&control.marked, 1);
	/* It may have ended meanwhile, and its id must not stay marked for another. */
	if (task->flags & PF_EXITING) {
		struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

		if (state)
			forget(task, state);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
