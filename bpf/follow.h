/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which tasks are recorded. A task carries task storage with the source it counts for: given by the
 * user side (a command), inherited at fork, on entering a followed cgroup, or by mark_tasks, which
 * goes over the tasks that run already.
 */
#ifndef WHITTLE_BPF_FOLLOW_H
#define WHITTLE_BPF_FOLLOW_H

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define CGROUP_DEPTH 16 /* levels above a cgroup that are looked at */
#define TREE_DEPTH 64   /* generations of processes */

/* What the cgroup, or the nearest one above it that is followed, is followed for. */
static __always_inline struct recorder_followed *followed(struct cgroup *cgroup)
{
	if (!cgroup)
		return 0;
	struct recorder_cgroup key = {.hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id)};

	for (int i = 0; i < CGROUP_DEPTH; i++) {
		if (!cgroup)
			return 0;
		key.id = BPF_CORE_READ(cgroup, kn, id);
		struct recorder_followed *found = bpf_map_lookup_elem(&cgroups, &key);

		if (found)
			return found;
		struct cgroup_subsys_state *parent = BPF_CORE_READ(cgroup, self.parent);

		if (!parent)
			return 0;
		cgroup = BPF_CORE_READ(parent, cgroup);
	}
	return 0;
}

/* Whether the cgroup is `wanted` or below it. */
static __always_inline bool is_below(struct cgroup *cgroup, const struct recorder_cgroup *wanted)
{
	if (!cgroup || (__u32)BPF_CORE_READ(cgroup, root, hierarchy_id) != wanted->hierarchy)
		return false;
	for (int i = 0; i < CGROUP_DEPTH; i++) {
		if (!cgroup)
			return false;
		if (BPF_CORE_READ(cgroup, kn, id) == wanted->id)
			return true;
		struct cgroup_subsys_state *parent = BPF_CORE_READ(cgroup, self.parent);

		if (!parent)
			return false;
		cgroup = BPF_CORE_READ(parent, cgroup);
	}
	return false;
}

/* The cgroup of a task in a hierarchy. */
static __always_inline struct cgroup *cgroup_of(struct task_struct *task, __u32 hierarchy)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);

	if (!set)
		return 0;
	if (hierarchy == 0)
		return BPF_CORE_READ(set, dfl_cgrp);
	/* The subsystems that are mounted together have one hierarchy. */
	__u32 subsystems = bpf_core_field_size(set->subsys) / sizeof(void *);
	void *base = (void *)set + bpf_core_field_offset(set->subsys);

	for (__u32 i = 0; i < 16; i++) {
		struct cgroup_subsys_state *state = 0;

		if (i >= subsystems)
			break;
		bpf_probe_read_kernel(&state, sizeof(state), base + i * sizeof(void *));
		struct cgroup *cgroup = state ? BPF_CORE_READ(state, cgroup) : 0;

		if (cgroup && (__u32)BPF_CORE_READ(cgroup, root, hierarchy_id) == hierarchy)
			return cgroup;
	}
	return 0;
}

static __always_inline void add_live(__u32 source, __s64 change)
{
	if (source < RECORDER_SOURCES)
		__sync_fetch_and_add(&control.live[source], change);
}

static __always_inline __u8 *mark_at(__u32 pid)
{
	__u32 chunk = pid / RECORDER_MARKS;
	struct recorder_marks *found = bpf_map_lookup_elem(&marks, &chunk);

	return found ? &found->of[pid % RECORDER_MARKS] : 0;
}

/* Ids beyond those that the user side knew of have no mark: their storage tells. */
static __always_inline __u8 mark_of(struct task_struct *task)
{
	__u8 *mark = mark_at(task->pid);

	return mark ? *mark : RECORDER_ASK;
}

/* The entry of with_stack for a task whose registers are saved at `regs`, on top of its kernel stack. */
static __always_inline __u32 *with_stack(struct pt_regs *regs)
{
	__u64 stack = (__u64)regs;

	/* The verifier makes a number of a pointer only by taking another from it. */
	asm volatile("%0 -= %1" : "+r"(stack) : "r"(&control));
	stack >>= 14; /* THREAD_SIZE, arch/x86/include/asm/page_64_types.h */
	return &control.with_stack[(stack ^ stack >> 15) & (RECORDER_STACKS_OF_TASKS - 1)];
}

/* A thread that execs has taken the id of its process, and left its own. */
static __always_inline void move_mark(__u32 from, __u32 to)
{
	__u8 *old = mark_at(from);
	__u8 *new = mark_at(to);

	if (old && new)
		*new = *old;
	if (old)
		*old = 0;
}

/* Writes the mark that a task's state makes. To be called whenever that has changed. */
static __always_inline void write_mark(struct task_struct *task, const struct recorder_task *state)
{
	__u8 mark = 0;

	if (state->flags)
		mark = RECORDER_ASK;
	if ((state->flags & (RECORDER_COUNTING | RECORDER_IN_RUNTIME)) == RECORDER_COUNTING &&
	    state->source < RECORDER_SOURCES)
		mark = state->source + 1;
	__u8 *now = mark_at(task->pid);

	if (!now) {
		control.unmarked = 1;
		return;
	}
	if (!*now != !mark)
		__sync_fetch_and_add(with_stack((struct pt_regs *)bpf_task_pt_regs(task)), mark ? 1 : -1);
	*now = mark;
}

/* Stops recording a task. */
static __always_inline void forget(struct task_struct *task, struct recorder_task *state)
{
	if (!__sync_lock_test_and_set(&state->flags, 0)) /* it ends while mark_tasks is at it */
		return;
	write_mark(task, state);
	add_live(state->source, -1);
	state->taken = 0;
}

/* Begins to record a task that is not recorded yet; false when it is, or there is no memory for it. */
static __always_inline bool begin(struct task_struct *task, const struct recorder_task *as)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!state) {
		__sync_fetch_and_add(&control.lost_tasks, 1);
		return false;
	}
	if (__sync_val_compare_and_swap(&state->taken, 0, 1) != 0)
		return false;
	state->source = as->source;
	state->hierarchy = as->hierarchy;
	state->base_filters = as->base_filters;
	state->flags = as->flags;
	write_mark(task, state);
	add_live(state->source, 1);
	return true;
}

static __always_inline bool follow(struct task_struct *task, __u32 source, __u32 hierarchy, __u32 flags)
{
	const struct recorder_task as = {.flags = flags,
					 .source = source,
					 .hierarchy = hierarchy,
					 .base_filters = task->seccomp.filter_count.counter};

	return begin(task, &as);
}

static __noinline bool descends_from(struct task_struct *task, __u32 tgid)
{
	for (int i = 0; i < TREE_DEPTH; i++) {
		if (!task)
			return false;
		__u32 own = BPF_CORE_READ(task, tgid);

		if (own == tgid)
			return true;
		if (own <= 1)
			return false;
		task = BPF_CORE_READ(task, real_parent);
	}
	return false;
}

/* The task has come into a cgroup, by being put there or by having been cloned into it. */
static __always_inline void on_enter(struct task_struct *task, struct cgroup *cgroup)
{
	__u32 hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	struct recorder_followed *into = followed(cgroup);
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if (!into) {
		/* A move in another hierarchy says nothing about the one that it is followed by. */
		if (state && (state->flags & RECORDER_BY_CGROUP) && state->hierarchy == hierarchy)
			forget(task, state);
		return;
	}
	__u32 main = into->main;
	__u32 source = main;
	__u32 flags = RECORDER_BY_CGROUP | RECORDER_UNTIL_EXEC | RECORDER_UNTIL_FILTER;
	if (state && state->flags) {
		/* From one cgroup below the followed one to another: it stays what it is. */
		if (!(state->flags & RECORDER_BY_CGROUP) || state->source == into->main ||
		    state->source == into->exec)
			return;
		forget(task, state);
	}
	__u32 first = __sync_val_compare_and_swap(&into->first, 0, task->tgid);

	if (first ? !descends_from(task, first) : main < RECORDER_SOURCES && control.started[main]) {
		source = into->exec;
		flags |= RECORDER_ENTERED;
	}
	follow(task, source, hierarchy, flags);
}

/*
 * What is known of a task that is about to execute a program. A thread that came into its cgroup
 * with its process, moved or forked by one that was, is met here first.
 */
static __always_inline struct recorder_task *state_at_exec(struct task_struct *task)
{
	struct recorder_task *state = bpf_task_storage_get(&tasks, task, 0, 0);

	if ((state && state->flags) || !control.by_cgroup)
		return state;
	struct cgroup *cgroup = cgroup_of(task, control.cgroup_hierarchy);

	if (!cgroup)
		return 0;
	on_enter(task, cgroup);
	return bpf_task_storage_get(&tasks, task, 0, 0);
}

/* Gives a cgroup on trial a free pair of sources; RECORDER_UNDECIDED when there is none. */
static __always_inline __u32 take_pair(struct recorder_followed *into)
{
	for (__u32 i = 0; i + 1 < RECORDER_SOURCES; i++) {
		if (__sync_val_compare_and_swap(&control.trial[i], 1, 0) != 1)
			continue;
		__u32 other = __sync_val_compare_and_swap(&into->main, RECORDER_UNDECIDED, i);

		if (other == RECORDER_UNDECIDED) {
			into->exec = i + 1;
			return i;
		}
		control.trial[i] = 1; /* another CPU was first */
		return other;
	}
	return RECORDER_UNDECIDED;
}

/*
 * The task begins to count. One from a cgroup on trial gets its source only now: most cgroups have
 * been dropped by the user side before anything runs in them, and take none. False when its cgroup
 * has been dropped, or nothing is free.
 */
static __noinline bool decide(struct task_struct *task, struct recorder_task *state)
{
	if (state->source != RECORDER_UNDECIDED)
		return true;
	struct recorder_followed *into = followed(cgroup_of(task, state->hierarchy));

	if (!into) {
		state->flags = 0;
		write_mark(task, state);
		state->taken = 0;
		return false;
	}
	__u32 main = into->main;

	if (main == RECORDER_UNDECIDED)
		main = take_pair(into);
	if (main >= RECORDER_SOURCES) {
		/* Whether that is a loss depends on whose cgroup it is. */
		__sync_val_compare_and_swap(&into->main, RECORDER_UNDECIDED, RECORDER_NO_PAIR);
		state->flags = 0;
		write_mark(task, state);
		state->taken = 0;
		return false;
	}
	state->source = state->flags & RECORDER_ENTERED || control.started[main] ? main + 1 : main;
	add_live(state->source, 1);
	return true;
}

#endif
