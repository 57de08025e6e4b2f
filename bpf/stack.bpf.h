/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Call stacks: which events get one, and how it is taken.
 *
 * By frame pointer the kernel follows the chain itself; code without frame pointers, which is most of what
 * distributions ship, breaks it. By copy the registers and the memory above the stack pointer are sent, and
 * user space unwinds them.
 */
#ifndef MEMTRACE_STACK_BPF_H
#define MEMTRACE_STACK_BPF_H

#define STACK_PAGE   4096
#define THREAD_SIZE  16384 /* of the kernel's own stack; x86-64 and arm64, without KASAN */
#define USER_CODE_64 0x33  /* __USER_CS of x86-64; 32-bit code has another */
#ifndef STACKS_PER_PERIOD
#define STACKS_PER_PERIOD 128
#endif
#define VMA_STACKS 512 /* of first faults, in a generation */

/* Which of many events get a stack, on one CPU. */
struct sampler {
	__u32 period;	  /* one in so many, at random */
	__u32 skip;	  /* events until the next one */
	__u32 taken;	  /* in this generation */
	__u32 firsts;	  /* of them, first faults in a VMA */
	__u32 generation; /* of control_block */
};

/* A topic that takes stacks of two kinds of events has a sampler for each: the many do not hide the few. */
enum sampler_of { SAMPLER_OF_EVENTS, SAMPLER_OF_OTHERS, SAMPLERS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SAMPLERS);
	__type(key, __u32);
	__type(value, struct sampler);
} samplers SEC(".maps");

/*
 * One a CPU for what takes stacks of many events, one for signals, which the former may interrupt. An array
 * of its own kind because a per-CPU value is limited to 32 KiB.
 */
struct stack_buffer {
	struct stack_record record;
	__u8 slack[STACK_PAGE]; /* the verifier sees any chunk at any offset */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* CPUs * STACK_BUFFERS, set by the loader */
	__type(key, __u32);
	__type(value, struct stack_buffer);
} stack_buffers SEC(".maps");

/* A generation, a second or less, begins with more samples if the last one had few. */
static __always_inline void next_generation(struct sampler *s)
{
	if (s->taken < STACKS_PER_PERIOD && s->period > 1)
		s->period /= 2;
	s->generation = control_block.generation;
	s->taken = s->firsts = 0;
}

/*
 * Is it this event's turn? 0: no; else how many events its stack stands for. One in s->period at random, so
 * that a loop of several faults does not always show the same one. The period doubles with each
 * STACKS_PER_PERIOD stacks, so what stacks cost grows with the logarithm of the events. The first fault in a
 * VMA, which might never be hit, is taken without regard to chance, a limited number of times.
 */
static __always_inline __u32 stack_weight(__u32 of, bool first)
{
	struct sampler *s;

	if (!config.stacks || config.every_stack)
		return config.stacks ? 1 : 0;
	s = bpf_map_lookup_elem(&samplers, &of);
	if (!s)
		return 0;
	if (s->generation != control_block.generation)
		next_generation(s);
	if (first && s->firsts < VMA_STACKS) {
		s->firsts++;
		return 1;
	}
	if (s->skip) {
		s->skip--;
		return 0;
	}
	if (!s->period)
		s->period = 1;
	if (++s->taken % STACKS_PER_PERIOD == 0 && s->period < 1 << 20)
		s->period *= 2;
	/* Uniform from 0 to twice the mean. */
	s->skip = s->period > 1 ? bpf_get_prandom_u32() % (2 * s->period - 1) : 0;
	return s->period;
}

/* The registers of the task in user mode, into r->registers. False: not known, or those of 32-bit code. */
static __always_inline bool read_registers(struct stack_record *r)
{
	__u32 size = bpf_core_type_size(struct pt_regs);
	struct pt_regs *regs;

	if (size > sizeof(r->registers))
		size = sizeof(r->registers);
	if (config.task_registers) {
		regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();

		regs = BPF_CORE_READ(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
	}
	if (bpf_probe_read_kernel(r->registers, size, regs))
		return false;
#if defined(__TARGET_ARCH_x86)
	return r->registers[bpf_core_field_offset(struct pt_regs, cs) / 8] == USER_CODE_64;
#else
	return true;
#endif
}

static __always_inline __u64 stack_pointer(const struct stack_record *r)
{
	return r->registers[bpf_core_field_offset(struct pt_regs, sp) / 8];
}

/*
 * Bytes to copy: what the VMA of the stack pointer has above it, at most config.stack_bytes. 0: no stack is
 * there. In user mode it may be just below: the stack is about to grow, or has come to its end.
 */
static __always_inline __u64 bytes_above(__u64 sp, bool kernel_mode)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct vma vma;

	if (!vma_find(kread_address(struct task_struct, task, mm), sp, &vma))
		return kernel_mode ? 0 : config.stack_bytes;
	return vma.end - sp > config.stack_bytes || !(vma.flags & VM_READ) ? config.stack_bytes
									   : vma.end - sp;
}

static __always_inline struct stack_record *stack_buffer(__u32 buffer)
{
	__u32 index = bpf_get_smp_processor_id() * STACK_BUFFERS + buffer;
	struct stack_buffer *b = bpf_map_lookup_elem(&stack_buffers, &index);

	return b ? &b->record : NULL;
}

/*
 * Registers and stack, into the buffer, behind the kernel's frames. False: not to be had. A global function
 * of scalars: verified once. barrier_var(): the verifier must find the bounds on the registers that are used;
 * and the loop has no branch for a page that is not in memory (it is zeroes then), or there would be too many
 * ways.
 */
__noinline int copy_stack(__u32 buffer, __u32 kernel_mode)
{
	struct stack_record *r = stack_buffer(buffer);
	__u64 from, end, to, holes = 0, failed;

	if (!r || !read_registers(r))
		return 0;
	from = stack_pointer(r);
	end = from + bytes_above(from, kernel_mode);
	to = r->kernel_frames * 8;
	r->has_registers = end != from;
	for (int i = 0; i <= STACK_COPY_MAX / STACK_PAGE && from < end; i++) {
		__u64 chunk = STACK_PAGE - (from & (STACK_PAGE - 1));

		if (chunk > end - from)
			chunk = end - from;
		barrier_var(chunk);
		barrier_var(to);
		if (chunk > STACK_PAGE || to > STACK_KERNEL_FRAMES * 8 + STACK_COPY_MAX)
			break;
		failed = bpf_probe_read_user(r->data + to, chunk, (void *)from);
		barrier_var(failed);
		holes |= (failed >> 63) << i;
		from += chunk;
		to += chunk;
	}
	r->holes = holes;
	r->copy_size = from - stack_pointer(r);
	r->method = STACK_BY_COPY;
	return 1;
}

/* The stack of the current task, in a buffer of this CPU. ctx is the hook's. copy: by copy, if that can be
 * had. */
static __always_inline struct stack_record *take_stack(void *ctx, __u32 buffer, bool copy, bool kernel_mode)
{
	struct stack_record *r = stack_buffer(buffer);
	__u64 at = 0;
	long got;

	if (!r)
		return NULL;
	r->header.type = RECORD_STACK;
	r->user_frames = r->copy_size = 0;
	if (config.kernel_stacks)
		at = bpf_get_stack(ctx, r->data, STACK_KERNEL_FRAMES * 8, 0);
	barrier_var(at);
	if (at > STACK_KERNEL_FRAMES * 8) /* or negative: an error */
		at = 0;
	r->kernel_frames = at / 8;
	if (!copy || !copy_stack(buffer, kernel_mode)) {
		r->method = STACK_BY_FRAME_POINTER;
		got = bpf_get_stack(ctx, r->data + at, STACK_FRAMES * 8, BPF_F_USER_STACK);
		if (got > 0)
			r->user_frames = got / 8;
	}
	bpf_get_current_comm(r->comm, COMM_SIZE);
	return r;
}

/* Of a record that take_stack() made. */
static __always_inline __u64 stack_record_size(const struct stack_record *r)
{
	__u64 size = (r->kernel_frames + r->user_frames) * 8 + r->copy_size;

	barrier_var(size);
	if (size > sizeof(r->data))
		size = sizeof(r->data);
	return size + __builtin_offsetof(struct stack_record, data);
}

/* Send the record that take_stack() made, as the stack of that event of this thread. */
#define send_stack(ring, r, event_key, event_ns, stands_for, watermark) \
	({                                                              \
		__u64 _size = stack_record_size(r);                     \
		(r)->key = event_key;                                   \
		(r)->time_ns = event_ns;                                \
		(r)->weight = stands_for;                               \
		(r)->tid = (__u32)bpf_get_current_pid_tgid();           \
		(r)->header.size = _size;                               \
		emit(ring, r, _size, watermark, LOSS_STACK);            \
	})

#endif
