/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the recorder's kernel side (recorder.bpf.c) and its user side (src/record/ebpf_recorder.cc)
 * share: the layout of the maps. Plain C, fixed-width types only.
 */
#ifndef WHITTLE_BPF_RECORDER_H
#define WHITTLE_BPF_RECORDER_H

/* A call is known by a slot: ABI * RECORDER_NUMBERS + number (x32 numbers without their bit). */
enum recorder_abi { RECORDER_X86_64 = 0, RECORDER_X86 = 1, RECORDER_X32 = 2, RECORDER_ABIS = 3 };

#define RECORDER_NUMBERS 576 /* Linux 7.2 has none above 547 (x32); larger ones go to `others` */
#define RECORDER_SLOTS (RECORDER_ABIS * RECORDER_NUMBERS)
/*
 * A source is what is recorded apart from everything else: a command, a container's own processes,
 * what entered the container later. Each has totals of its own: those of call `slot` of a source
 * stand at source * RECORDER_SLOTS + slot, here called a cell.
 */
#define RECORDER_SOURCES 32
#define RECORDER_CELLS (RECORDER_SOURCES * RECORDER_SLOTS)
#define RECORDER_ERRNOS 6 /* kept beside the count; further ones go to the map `errnos` */
#define RECORDER_VALUES 256 /* distinct values kept of one spec */
#define RECORDER_SPECS 4 /* recorded units of one call, at most */
#define RECORDER_TUPLE 3 /* arguments of one unit, at most */
#define RECORDER_STACKS 60 /* of one spec: how many values are kept with a stack */
#define RECORDER_MAP_ENTRIES 16384
#define RECORDER_CGROUPS 1024

/* Whether a call is kept for judgement, with its result and those arguments that the filter looks at. */
enum recorder_judge {
	RECORDER_NO_JUDGE = 0,
	RECORDER_JUDGE = 1,
	/* The filter always refuses it and looks at none: its first occurrences keep all, for a reader. */
	RECORDER_JUDGE_REFUSED = 2,
	/* The filter is not known yet: kept with all arguments when the result may be a filter's. */
	RECORDER_JUDGE_UNKNOWN = 3,
};
#define RECORDER_SHOWN 64 /* how many of them */

/* One unit to record of a call: one argument, or several whose values are kept together. */
struct recorder_spec {
	__u8 index[RECORDER_TUPLE]; /* 0 to 5, RECORDER_IN_STRUCT, or RECORDER_NO_ARGUMENT */
	__u8 wide;                  /* bit i: index[i] keeps 64 bits, else 32 */
};
#define RECORDER_IN_STRUCT 6 /* clone3: flags | exit_signal of the struct at argument 0 */
#define RECORDER_NO_ARGUMENT 7

/* What to record of a call besides its count; one for each slot, written by the user side. */
struct recorder_call {
	__u8 specs;           /* how many of spec[] are used */
	__u8 judge;           /* enum recorder_judge */
	__u8 judge_arguments; /* bit i: the filter looks at argument i; others are kept as 0 */
	__u8 in_struct;       /* one of them is RECORDER_IN_STRUCT */
	struct recorder_spec spec[RECORDER_SPECS];
};

struct recorder_values {
	__u64 value[RECORDER_TUPLE]; /* unused ones are 0 */
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
	__u32 cell;
	__u32 number;
};

/* Key of `others`: numbers from RECORDER_NUMBERS on, counted one by one with their result. */
struct recorder_other {
	__u32 source;
	__u32 abi;
	__u32 nr;    /* as a filter sees it */
	__u32 error; /* errno, or 0 */
};

/* Key of `values`: one observed value (or tuple) of one spec of one call. The value is not used. */
struct recorder_value {
	__u32 cell;
	__u32 spec;
	struct recorder_values values;
};

/* Key of `judged`: one call that the filter in force may have refused. */
#define RECORDER_RESULT_NUMBER 0xffff /* the result equals the call's number: trap and kill leave that */
struct recorder_judged {
	__u32 abi;
	__u32 nr;      /* as a filter sees it */
	__u16 source;
	__u16 result;  /* errno, RECORDER_RESULT_NUMBER, or 0 */
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

/* How a task came to be recorded; part of the value of the task storage `tasks`. */
enum recorder_task_flags {
	RECORDER_COUNTING = 1,     /* its calls are counted */
	RECORDER_UNTIL_EXEC = 2,   /* not yet: from its next execve on */
	RECORDER_UNTIL_FILTER = 4, /* not yet: from the moment one more seccomp filter is in force */
	RECORDER_IN_RUNTIME = 8,   /* counting, but still the container runtime's own code before execve */
	RECORDER_BY_CGROUP = 16,   /* since it is in a cgroup, and as long as it is */
	RECORDER_ENTERED = 32,     /* not the first to enter its cgroup, nor descended from that one */
};

struct recorder_task {
	__u32 flags; /* 0: not recorded (any more) */
	__u32 taken; /* 1: by whoever was first to make it recorded: fork and mark_tasks meet */
	__u32 source; /* or RECORDER_UNDECIDED: that of its cgroup, once it begins to count */
	__u32 hierarchy; /* RECORDER_BY_CGROUP: of the cgroup that it is followed by */
	__u32 base_filters; /* RECORDER_UNTIL_FILTER: how many it was under already */
	__u32 exec_abi; /* of the execve under way, where the kernel has no sched_prepare_exec */
	__u32 exec_nr;
	__u32 exec_anew; /* and whether it runs a program from a descriptor */
};

/*
 * What the hot path needs to know of a thread, by its id (in the initial pid namespace), in chunks:
 * looking up task storage costs as much as all the rest. 0: not recorded. Up to RECORDER_SOURCES: its
 * source plus one, and it counts. RECORDER_ASK: look at its storage.
 */
#define RECORDER_MARKS 4096
#define RECORDER_ASK 0xff
struct recorder_marks {
	__u8 of[RECORDER_MARKS];
};

/*
 * Before that, without a call of any helper (the first one costs 20 ns): how many recorded tasks have a
 * kernel stack whose address has this hash. 0: whoever makes the call is not recorded.
 */
#define RECORDER_STACKS_OF_TASKS 32768

/*
 * Values that one CPU has seen lately: they are in the map `values` for certain. Indexed by a hash of
 * the key; `spec` is one more than the key's, so that 0 is nothing.
 */
#define RECORDER_RECENT 512
struct recorder_recent {
	struct recorder_value of[RECORDER_RECENT];
};

/* Key and value of `cgroups`: those whose tasks are recorded, with all below them. */
struct recorder_cgroup {
	__u64 id; /* kernfs node id: the inode number of the directory */
	__u32 hierarchy; /* first field of /proc/PID/cgroup */
	__u32 unused;
};
struct recorder_followed {
	__u32 main; /* source of the first task that enters, and of its children */
	__u32 exec; /* source of tasks that enter later: `runc exec` may be faster than the container's start */
	__u32 first; /* process that entered first, 0: none has yet; user: that which a container runs already */
};
/* As main and exec: a new cgroup on trial, which takes a pair of sources when a task of it begins to count. */
#define RECORDER_UNDECIDED 0xffffffffU
/* Likewise: something began to count there, and no pair was free. */
#define RECORDER_NO_PAIR 0xfffffffeU

/* What goes through the ring `events`. */
enum recorder_event_type { RECORDER_STACK_EVENT = 1, RECORDER_CGROUP_EVENT = 2 };

/* include/uapi/linux/bpf.h: struct bpf_stack_build_id. status 1: build_id and offset are set. */
struct recorder_build_id {
	__s32 status;
	__u8 build_id[20];
	__u64 offset; /* in the file; without a build id: the address */
};
#define RECORDER_STACK_BYTES 8192

/* The registers that unwinding starts from (arch/x86/include/asm/ptrace.h). */
struct recorder_registers {
	__u64 ip, sp, bp, bx, si, di, r12, r13, r14, r15;
};

/* Where a call was made from, when it or a value of it was seen first. */
struct recorder_stack_event {
	__u32 type;
	__u32 cell;
	__u32 spec; /* RECORDER_SPECS: the call itself */
	__u32 tgid;
	__u32 pid;
	__u32 bytes; /* how many of stack[] could be read */
	__u32 code32; /* the task runs 32-bit code */
	__u32 unused;
	__u64 image;   /* mm_struct.start_stack: tells the program from others that the process runs */
	char comm[16];
	struct recorder_values values;
	struct recorder_registers registers;
	struct recorder_build_id build_id; /* of registers.ip */
	__u8 stack[RECORDER_STACK_BYTES]; /* from registers.sp on */
};

/* A cgroup that was made, and is followed on trial. */
struct recorder_cgroup_event {
	__u32 type;
	__u32 unused;
	struct recorder_cgroup cgroup;
	char path[512]; /* in its hierarchy; "..." of a longer one is cut */
};

/* What the program mark_tasks does to each task of the host. */
enum recorder_mark {
	RECORDER_MARK_TREE = 1,   /* follow mark_tgid with its threads and descendants */
	RECORDER_MARK_CGROUP = 2, /* follow those in mark_cgroup: on mark_source those that descend from
				     mark_tgid, on mark_exec the others */
	RECORDER_MARK_CLEAR = 3,  /* forget those of source mark_source */
	RECORDER_MARK_KNOWN = 4,  /* those with task storage from the user side: write their marks */
};

/* Shared memory between both sides. */
struct recorder_control {
	__u32 phase;          /* user: the current phase, 0 to 30 */
	__u32 stacks;         /* user: whether stacks are taken */
	__u32 stop_at_exec;   /* user: stop the first task that execs under a filter (SIGSTOP), once */
	__u32 stopped;        /* kernel: its process id, once it is on its way to stop */
	__u32 watch;          /* user: follow new cgroups of that hierarchy on trial */
	__u32 exec_at_enter;  /* user: the kernel has no sched_prepare_exec */
	__u32 by_cgroup;      /* user: cgroups of the hierarchy cgroup_hierarchy are followed */
	__u32 cgroup_hierarchy;
	__u32 mark;           /* user: enum recorder_mark and what it works on */
	__u32 mark_tgid;
	__u32 mark_source;
	__u32 mark_exec;
	struct recorder_cgroup mark_cgroup;
	__u64 marked;         /* kernel: tasks that mark_tasks has changed */
	__u64 lost_tasks;     /* kernel: children that could not be followed */
	__u64 lost_values;    /* kernel: argument values that found no room */
	__u64 lost_arguments; /* kernel: arguments behind a pointer that could not be read */
	__u64 lost_errnos;    /* kernel: results that found no room */
	__u64 lost_others;    /* kernel: calls with large numbers that found no room */
	__u64 lost_judged;    /* kernel: refusals that found no room */
	__u64 lost_stacks;    /* kernel: stacks that found no room in the ring */
	__u64 lost_cgroups;   /* kernel: new cgroups that could not be followed for lack of room */
	__u64 live[RECORDER_SOURCES]; /* kernel: recorded tasks that have not exited; user: +1 for a target */
	__u32 started[RECORDER_SOURCES]; /* kernel: a task that entered its cgroup has made its first exec */
	__u32 unmarked; /* kernel: an id without a mark is recorded: with_stack does not tell */
	__u32 with_stack[RECORDER_STACKS_OF_TASKS]; /* kernel */
	__u32 trial[RECORDER_SOURCES]; /* sources free for new cgroups, as main; user: 1 free, kernel: 0 taken */
	__u32 distinct[RECORDER_CELLS * RECORDER_SPECS]; /* kernel: over RECORDER_VALUES: open */
	__u32 shown[RECORDER_CELLS];    /* kernel: occurrences kept with all arguments */
	__u32 met[RECORDER_CELLS];      /* kernel: the call was made */
	struct recorder_call calls[RECORDER_SLOTS];
};

#define RECORDER_PHASE_RUNTIME 31 /* the container runtime between loading the filter and execve */

#endif
