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

/* `arguments` has room for the value in a struct and for the zero of unused places. */
static __always_inline void keep_arguments(void *ctx, __u64 arguments[8], __u32 cell,
					   struct recorder_total *total, const struct recorder_call *call)
{
	if (call->in_struct) {
		struct clone3_arguments args;

		if (bpf_probe_read_user(&args, sizeof(args), (void *)arguments[0])) {
			__sync_fetch_and_add(&control.lost_arguments, 1);
			return;
		}
		arguments[RECORDER_IN_STRUCT] = args.flags | args.exit_signal;
	}
	for (__u32 i = 0; i < RECORDER_SPECS; i++) {
		if (i >= call->specs)
			break;
		const struct recorder_spec *spec = &call->spec[i];
		struct recorder_values *recent = &total->recent_values[i];
		struct recorder_values value;
		__u64 differs = 0;

		for (int k = 0; k < RECORDER_TUPLE; k++) {
			__u64 argument = arguments[spec->index[k] & 7];

			value.value[k] = spec->wide & (1U << k) ? argument : (__u32)argument;
			differs |= value.value[k] ^ recent->value[k];
		}
		/* Most calls have the values of the one before: no need to look them up. */
		if (!differs && (total->recent & (1U << i)))
			continue;
		if (add_value(ctx, cell, i, &value)) {
			*recent = value;
			total->recent |= 1U << i;
		}
	}
}

#endif
