/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The sets of argument values. */
#ifndef WHITTLE_BPF_ARGUMENTS_H
#define WHITTLE_BPF_ARGUMENTS_H

/* Adds to the set of a spec. True when it holds the value now. */
static __noinline int add_value(void *ctx, __u32 cell, __u32 spec, const struct recorder_values *value)
{
	struct recorder_value key = {.cell = cell, .spec = spec};
	__u8 present = 1;
	__u32 set = cell * RECORDER_SPECS + spec;

	if (!value)
		return 0;
	key.values = *value;
	if (bpf_map_lookup_elem(&values, &key))
		return 1;
	if (set >= RECORDER_CELLS * RECORDER_SPECS)
		return 0;
	/* CPUs at the same time may add some more than the bound: it is for memory, not exact. */
	if (control.distinct[set] > RECORDER_VALUES)
		return 0;
	__u32 before = __sync_fetch_and_add(&control.distinct[set], 1);

	if (before >= RECORDER_VALUES)
		return 0;
	if (bpf_map_update_elem(&values, &key, &present, BPF_NOEXIST)) {
		if (bpf_map_lookup_elem(&values, &key)) { /* another CPU was first */
			__sync_fetch_and_add(&control.distinct[set], -1);
			return 1;
		}
		__sync_fetch_and_add(&control.lost_values, 1);
		return 0;
	}
	if (control.stacks && before < RECORDER_STACKS)
		take_stack(ctx, cell, spec, value);
	return 1;
}

static __always_inline bool is_same(const struct recorder_value *a, const struct recorder_value *b)
{
	return !((a->cell ^ b->cell) | (a->spec ^ b->spec) | (a->values.value[0] ^ b->values.value[0]) |
		 (a->values.value[1] ^ b->values.value[1]) | (a->values.value[2] ^ b->values.value[2]));
}

/* `arguments` has room for the value in a struct and for the zero of unused places. */
static __always_inline void keep_arguments(void *ctx, __u64 arguments[8], __u32 cell,
					   const struct recorder_call *call)
{
	if (call->in_struct) {
		struct clone3_arguments args;

		if (bpf_probe_read_user(&args, sizeof(args), (void *)arguments[0])) {
			__sync_fetch_and_add(&control.lost_arguments, 1);
			return;
		}
		arguments[RECORDER_IN_STRUCT] = args.flags | args.exit_signal;
	}
	__u32 zero = 0;
	struct recorder_recent *lately = bpf_map_lookup_elem(&recent, &zero);

	if (!lately)
		return;
	for (__u32 i = 0; i < RECORDER_SPECS; i++) {
		if (i >= call->specs)
			break;
		const struct recorder_spec *spec = &call->spec[i];
		struct recorder_value key = {.cell = cell, .spec = i + 1};
		__u32 hash = cell + (i << 6);

		for (int k = 0; k < RECORDER_TUPLE; k++) {
			__u64 argument = arguments[spec->index[k] & 7];

			key.values.value[k] = spec->wide & (1U << k) ? argument : (__u32)argument;
			hash = hash * 31 + (__u32)key.values.value[k];
		}
		/* Most calls have values that were there a moment ago: no need to look them up. */
		struct recorder_value *seen = &lately->of[(hash ^ hash >> 9) & (RECORDER_RECENT - 1)];

		if (!is_same(seen, &key) && add_value(ctx, cell, i, &key.values))
			*seen = key;
	}
}

#endif
