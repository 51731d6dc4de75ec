/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Counting: calls, their results and phases, for each cell and CPU. */
#ifndef WHITTLE_BPF_TOTALS_H
#define WHITTLE_BPF_TOTALS_H

static __always_inline void count_errno(struct recorder_total *total, __u32 cell, __u32 number)
{
	for (int i = 0; i < RECORDER_ERRNOS; i++) {
		if (total->errnos[i].number == 0)
			total->errnos[i].number = number;
		if (total->errnos[i].number == number) {
			total->errnos[i].count++;
			return;
		}
	}
	struct recorder_errno key = {.cell = cell, .number = number};
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

/* The totals of the cell on this CPU, with the call counted. */
static __always_inline struct recorder_total *count(__u32 cell, __u32 error, __u32 phase)
{
	struct recorder_total *total = bpf_map_lookup_elem(&totals, &cell);

	if (!total)
		return 0;
	__u64 now = bpf_jiffies64();

	if (total->count++ == 0)
		total->first = now;
	total->last = now;
	total->phases |= 1U << (phase & 31);
	if (error)
		count_errno(total, cell, error);
	return total;
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

static __always_inline void count_other(__u32 source, struct call call, __u32 error)
{
	struct recorder_other key = {
		.source = source, .abi = call.abi, .nr = filter_nr(call), .error = error};

	if (!add_seen(&others, &key))
		__sync_fetch_and_add(&control.lost_others, 1);
}

#endif
