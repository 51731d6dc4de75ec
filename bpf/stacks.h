/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Stacks of first occurrences: the registers and the top of the stack go to the user side, which
 * unwinds them. Beside them what the kernel can tell by itself, for a process that is gone by then.
 */
#ifndef WHITTLE_BPF_STACKS_H
#define WHITTLE_BPF_STACKS_H

/* Reads as much of the top of the stack as there is, in halves: near its end the rest is not mapped. */
static __always_inline void read_stack(struct recorder_stack_event *event)
{
	void *from = (void *)event->registers.sp;

	event->bytes = 0;
	if (bpf_probe_read_user(event->stack, RECORDER_STACK_BYTES, from) == 0)
		event->bytes = RECORDER_STACK_BYTES;
	else if (bpf_probe_read_user(event->stack, 4096, from) == 0)
		event->bytes = 4096;
	else if (bpf_probe_read_user(event->stack, 2048, from) == 0)
		event->bytes = 2048;
	else if (bpf_probe_read_user(event->stack, 1024, from) == 0)
		event->bytes = 1024;
	else if (bpf_probe_read_user(event->stack, 256, from) == 0)
		event->bytes = 256;
}

static __noinline int take_stack(void *ctx, __u32 cell, __u32 spec, const struct recorder_values *values)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct recorder_stack_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&control.lost_stacks, 1);
		return 0;
	}
	event->type = RECORDER_STACK_EVENT;
	event->cell = cell;
	event->spec = spec;
	event->tgid = task->tgid;
	event->pid = task->pid;
	event->code32 = regs->cs == USER32_CS;
	event->image = BPF_CORE_READ(task, mm, start_stack);
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	if (values)
		event->values = *values;
	else
		__builtin_memset(&event->values, 0, sizeof(event->values));
	event->registers = (struct recorder_registers){
		.ip = regs->ip, .sp = regs->sp, .bp = regs->bp, .bx = regs->bx,
		.si = regs->si, .di = regs->di,
		.r12 = regs->r12, .r13 = regs->r13, .r14 = regs->r14, .r15 = regs->r15};
	__builtin_memset(&event->build_id, 0, sizeof(event->build_id));
	bpf_get_stack(ctx, &event->build_id, sizeof(event->build_id),
		      BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
	read_stack(event);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* The stack of the first call of a cell, whatever its arguments. Not inlined: see shows_all(). */
static __noinline void take_first_stack(void *ctx, __u32 cell)
{
	if (cell >= RECORDER_CELLS || control.met[cell])
		return;
	if (__sync_lock_test_and_set(&control.met[cell], 1) == 0 && control.stacks)
		take_stack(ctx, cell, RECORDER_SPECS, 0);
}

#endif
