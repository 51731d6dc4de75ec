/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the recorder's kernel side (recorder.bpf.c) and its user side (src/record/ebpf_recorder.cc)
 * share: the layout of the maps. Plain C, fixed-width types only.
 */
#ifndef WHITTLE_BPF_RECORDER_H
#define WHITTLE_BPF_RECORDER_H

/* A call is known by a slot: ABI * RECORDER_NUMBERS + number (x32 numbers without their bit). */
enum recorder_abi { RECORDER_X86_64 = 0, RECORDER_X86 = 1, RECORDER_X32 = 2, RECORDER_ABIS = 3 };

#define RECORDER_NUMBERS 1024
#define RECORDER_SLOTS (RECORDER_ABIS * RECORDER_NUMBERS)
#define RECORDER_ERRNOS 6       /* kept beside the count; further ones go to the map `errnos` */
#define RECORDER_VALUES 256     /* distinct argument values kept of one call */
#define RECORDER_TUPLE 3        /* arguments of one recorded tuple, at most */
#define RECORDER_MAP_ENTRIES 16384

/* Whether a call is kept for judgement, with its result and those arguments that the filter looks at. */
enum recorder_judge {
	RECORDER_NO_JUDGE = 0,
	RECORDER_JUDGE = 1,
	/* The filter always refuses it and looks at none: its first occurrences keep all, for a reader. */
	RECORDER_JUDGE_REFUSED = 2,
};
#define RECORDER_SHOWN 64 /* how many of them */

/* What to record of a call besides its count; one for each slot, written by the user side. */
struct recorder_spec {
	__u8 arguments;              /* how many of index[] are used: 0 to RECORDER_TUPLE */
	__u8 index[RECORDER_TUPLE];  /* argument indexes, 0 to 5 */
	__u8 wide;                   /* bit i: index[i] keeps 64 bits, else 32 */
	__u8 in_struct;              /* clone3: flags | exit_signal of the struct at argument 0 */
	__u8 judge;                  /* enum recorder_judge */
	__u8 judge_arguments;        /* bit i: the filter looks at argument i; others are kept as 0 */
};

/* One call's totals on one CPU. Times are jiffies: reading a clock costs more than all the rest. */
struct recorder_total {
	__u64 count;
	__u64 first;
	__u64 last;
	__u32 phases; /* bit i: seen in phase i */
	__u32 unused;
	struct {
		__u64 count;
		__u64 number; /* 0: free */
	} errnos[RECORDER_ERRNOS];
};

/* Key of `errnos`: results that found no room in recorder_total. */
struct recorder_errno {
	__u32 slot;
	__u32 number;
};

/* Key of `others`: numbers over RECORDER_NUMBERS, counted one by one with their result. */
struct recorder_other {
	__u32 abi;
	__u32 nr;    /* as a filter sees it */
	__u32 error; /* errno, or 0 */
	__u32 unused;
};

/* Key of `values`: one observed value (or tuple) of one call. */
struct recorder_value {
	__u32 slot;
	__u32 unused;
	__u64 values[RECORDER_TUPLE];
};

/* Key of `judged`: one call that the filter in force may have refused. */
#define RECORDER_RESULT_NUMBER 0xffff /* the result equals the call's number: trap and kill leave that */
struct recorder_judged {
	__u32 abi;
	__u32 nr;      /* as a filter sees it */
	__u32 result;  /* errno, RECORDER_RESULT_NUMBER, or 0 */
	__u32 phase;
	__u64 arguments[6];
	char comm[16];
};

/* Value of `others` and `judged`. */
struct recorder_seen {
	__u64 count;
	__u64 first;
	__u64 last;
};

/* How a task came to be recorded; the value of the task storage `tasks`. */
enum recorder_task_flags {
	RECORDER_COUNTING = 1,     /* its calls are counted */
	RECORDER_UNTIL_EXEC = 2,   /* not yet: from its next execve on */
	RECORDER_UNTIL_FILTER = 4, /* not yet: from the moment a seccomp filter is in force */
	RECORDER_IN_RUNTIME = 8,   /* counting, but still the container runtime's own code before execve */
};

struct recorder_task {
	__u32 flags;
	__u32 exec_abi; /* of the execve under way, where the kernel has no sched_prepare_exec */
	__u32 exec_nr;
	__u32 returned_number; /* the last judged call that returned its own number, plus one */
};

/* Shared memory between both sides. */
struct recorder_control {
	__u32 phase;          /* user: the current phase, 0 to 30 */
	__u32 base_filters;   /* user: seccomp filters that the recorder itself is under */
	__u32 stop_at_exec;   /* user: stop the first task that execs under a filter (SIGSTOP), once */
	__u32 stopped;        /* kernel: its process id, once it is on its way to stop */
	__u64 live;           /* kernel: recorded tasks that have not exited; user: +1 for a target */
	__u64 lost_tasks;     /* kernel: children that could not be followed */
	__u64 lost_values;    /* kernel: argument values that found no room */
	__u64 lost_arguments; /* kernel: arguments behind a pointer that could not be read */
	__u64 lost_errnos;    /* kernel: results that found no room */
	__u64 lost_others;    /* kernel: calls with large numbers that found no room */
	__u64 lost_judged;    /* kernel: refusals that found no room */
	__u32 distinct[RECORDER_SLOTS]; /* kernel: values kept of a call; over RECORDER_VALUES: open */
	__u32 shown[RECORDER_SLOTS];    /* kernel: occurrences kept with all arguments */
	struct recorder_spec specs[RECORDER_SLOTS];
};

#define RECORDER_PHASE_RUNTIME 31 /* the container runtime between loading the filter and execve */

#endif
