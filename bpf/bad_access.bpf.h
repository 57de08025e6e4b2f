/* SPDX-License-Identifier: GPL-2.0 */
/* SIGSEGV and SIGBUS that a thread brought on itself, with what is around the address. */
#ifndef MEMTRACE_BAD_ACCESS_BPF_H
#define MEMTRACE_BAD_ACCESS_BPF_H

/* Signals of one process that are sent in detail; more are only counted (a JVM makes thousands by design). */
#define SIGNALS_IN_DETAIL 16

/*
 * Global functions of scalars, which hand over through the context's scratch: verified once, and the frames
 * of a call chain must fit 512 bytes together.
 */

/* Announce the VMA that holds addr, and put where it is into s->extent. 0: there is none. */
__noinline int describe_extent(__u64 mm, __u64 addr)
{
	struct scratch *s = scratch(IN_SIGNAL);

	if (!s)
		return 0;
	s->vma.key.process = s->signal.process;
	if (!describe_vma(mm, addr, IN_SIGNAL))
		return 0;
	s->extent.key = s->vma.key;
	s->extent.start = s->vma.start;
	s->extent.end = s->vma.end;
	s->extent.pgoff = s->vma.pgoff;
	s->extent.flags = s->vma.flags;
	announce(IN_SIGNAL);
	return 1;
}

/* Put the hole around addr into s->gap. */
__noinline int find_gap(__u64 mm, __u64 addr)
{
	struct scratch *s = scratch(IN_SIGNAL);

	if (s)
		vma_gap(mm, addr, &s->gap);
	return 0;
}

/* The VMA at the address, or its neighbours if there is none. */
static __always_inline void describe_address(struct scratch *s, __u64 mm)
{
	struct signal_record *r = &s->signal;
	struct file *file;

	if (describe_extent(mm, r->address)) {
		r->at = s->extent;
		file = (void *)s->extent.key.file;
		if (file)
			r->file_size = BPF_CORE_READ(file, f_inode, i_size);
		return;
	}
	find_gap(mm, r->address);
	if (s->gap.first && describe_extent(mm, s->gap.first - 1))
		r->below = s->extent;
	if (s->gap.last != ~0ull && describe_extent(mm, s->gap.last + 1))
		r->above = s->extent;
}

static __always_inline bool has_handler(__u64 task, int signal)
{
	__u64 sighand = (__u64)kread(struct task_struct, task, sighand), handler = 0;

	bpf_core_read(&handler, sizeof(handler),
		      (void *)sighand + bpf_core_field_offset(struct sighand_struct, action) +
			      (signal - 1) * bpf_core_type_size(struct k_sigaction) +
			      bpf_core_field_offset(struct k_sigaction, sa) +
			      bpf_core_field_offset(struct sigaction, sa_handler));
	return handler > 1; /* SIG_DFL, SIG_IGN */
}

/* Before the record of the signal, in the same ring. */
static __always_inline void send_signal_stack(void *ctx, struct scratch *s)
{
	struct vma_key key = {.process = s->signal.process};
	struct stack_record *r;

	if (!config.stacks)
		return;
	r = take_stack(ctx, STACK_OF_SIGNAL, true, false);
	if (r)
		send_stack(control, r, key, s->signal.time_ns, 1, config.control_wake_bytes);
}

static __always_inline void send_signal_record(void *ctx, const struct fault *f, __u64 task, int signal,
					       int code, __u64 address)
{
	struct scratch *s = scratch(IN_SIGNAL);
	struct signal_record *r;
	__u64 mm = kread_address(struct task_struct, task, mm);

	if (!s)
		return;
	r = &s->signal;
	__builtin_memset(r, 0, sizeof(*r));
	r->header.type = RECORD_SIGNAL;
	r->header.size = sizeof(*r);
	r->process = process_key_of(task);
	r->time_ns = bpf_ktime_get_ns();
	r->address = address;
	r->signal = signal;
	r->code = code;
	r->tid = (__u32)bpf_get_current_pid_tgid();
	r->handled = has_handler(task, signal);
	r->error = ERROR_UNKNOWN;
	bpf_get_current_comm(r->comm, COMM_SIZE);
	if (f) {
		r->ip = f->ip;
		r->sp = f->sp;
		r->error = f->error;
	} else if (config.task_registers) {
		struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

		r->ip = PT_REGS_IP_CORE(regs);
		r->sp = PT_REGS_SP_CORE(regs);
	}
	if (f)
		describe_address(s, mm);
	if (r->ip && describe_extent(mm, r->ip))
		r->code_at = s->extent;
	send_signal_stack(ctx, s);
	emit(control, r, sizeof(*r), config.control_wake_bytes, LOSS_NAMES);
}

#endif
