/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Calls that a filter in force may have refused, kept with their arguments to be judged by the user side. */
#ifndef WHITTLE_BPF_JUDGED_H
#define WHITTLE_BPF_JUDGED_H

#define EPERM 1
#define EACCES 13
#define ALL_ARGUMENTS 0x3f

/* `wanted` has a bit for each argument that the filter looks at. */
static __always_inline void keep_for_judgement(const __u64 arguments[6], __u32 source, struct call call,
					       long result, __u8 wanted, __u32 phase)
{
	struct recorder_judged key = {.abi = call.abi, .nr = filter_nr(call), .source = source, .phase = phase};

	key.result = error_of(result);
	if ((__u32)result == key.nr)
		key.result = RECORDER_RESULT_NUMBER;
	for (int i = 0; i < 6; i++) {
		if (wanted & (1U << i))
			key.arguments[i] = arguments[i];
	}
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	if (!add_seen(&judged, &key))
		__sync_fetch_and_add(&control.lost_judged, 1);
}

/* What a filter answers most often: ERRNO with one of these, trap or kill. */
static __always_inline bool may_be_an_answer(struct call call, long result)
{
	return result == -EPERM || result == -EACCES || result == -ENOSYS ||
	       (__u32)result == filter_nr(call);
}

/* Whether the current task is under any filter. */
static __always_inline bool is_filtered(void)
{
	return bpf_get_current_task_btf()->seccomp.filter_count.counter > 0;
}

/*
 * Whether this occurrence is kept with all arguments. A function of its own, so that the bound of `cell`
 * stays in a register: Linux 6.1's verifier forgets it when the number is spilled to the stack.
 */
static __noinline bool shows_all(__u32 cell)
{
	if (cell >= RECORDER_CELLS || control.shown[cell] >= RECORDER_SHOWN)
		return false;
	__sync_fetch_and_add(&control.shown[cell], 1);
	return true;
}

static __always_inline void judge(const __u64 arguments[6], __u32 source, __u32 cell, struct call call,
				  long result, __u8 how, __u8 wanted, __u32 phase)
{
	if (how == RECORDER_JUDGE_UNKNOWN) {
		if (!may_be_an_answer(call, result) || !is_filtered())
			return;
		wanted = ALL_ARGUMENTS;
	} else if (how == RECORDER_JUDGE_REFUSED && shows_all(cell)) {
		wanted = ALL_ARGUMENTS;
	}
	keep_for_judgement(arguments, source, call, result, wanted, phase);
}

#endif
