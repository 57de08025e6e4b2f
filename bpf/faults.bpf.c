/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page faults per process and VMA.
 *
 * Two depths, chosen by config.complete before loading:
 *   summary   the exception is counted at once (VMA, kind as far as error code and VMA tell). Only a fault
 * that may become major or bad is remembered, so that its completion or its signal finds it. complete  the
 * exception is only remembered; it is counted when its software event (MIN or MAJ) says that it is done, with
 * latency, and the exact kind from the RSS counters that changed meanwhile. A fault that ends in neither (a
 * signal, a retry) is counted when that is known.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "faults.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct faults_config config;

#define PF_MEMALLOC  0x800 /* include/linux/sched.h: in reclaim */
#define RLIMIT_STACK 3
#define SIGBUS	     7
#define SIGSEGV	     11
#define E2BIG	     7

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"
#include "vma.bpf.h"
#include "name.bpf.h"
#include "fault_state.bpf.h"
#include "process.bpf.h"
#include "fault_kind.bpf.h"
#include "describe.bpf.h"
#include "latency.bpf.h"
#include "fault_count.bpf.h"
#include "hot_vma.bpf.h"
#include "fault_events.bpf.h"
#include "fault_pause.bpf.h"
#include "stack.bpf.h"
#include "bad_access.bpf.h"

/* --- a fault's life ---------------------------------------------------------------------------------------
 */

static __always_inline void set_vma(struct fault *f, const struct vma *vma)
{
	f->start = vma->start;
	f->end = vma->end;
	f->vm_flags = vma->flags;
	f->key.anchor = vma_anchor(vma);
	f->key.file = vma->file;
}

/* The exception came before the kernel has grown the stack: is the address where it will? */
static __always_inline bool will_grow_stack(const struct fault *f, const struct vma *stack, __u64 task)
{
	__u64 limit, signal = (__u64)kread(struct task_struct, task, signal);

	bpf_core_read(&limit, sizeof(limit),
		      (void *)signal + bpf_core_field_offset(struct signal_struct, rlim) +
			      RLIMIT_STACK * bpf_core_type_size(struct rlimit));
	return (stack->flags & VM_GROWSDOWN) && f->address < stack->start &&
	       stack->end - f->address <= limit && vma_next(f->mm, f->address) == stack->start;
}

static __always_inline void locate(struct fault *f, __u64 task)
{
	struct vma vma;

	if (vma_find(f->mm, f->address, &vma)) {
		set_vma(f, &vma);
	} else if (vma_find(f->mm, kread(struct mm_struct, f->mm, start_stack), &vma) &&
		   will_grow_stack(f, &vma, task)) {
		set_vma(f, &vma);
		f->grows_stack = 1;
	}
}

/* It cannot complete: a signal follows, or EFAULT where the kernel made the access. */
static __always_inline bool is_bad(const struct fault *f)
{
	return !f->end || (denied(f) && !f->grows_stack);
}

/* Where f is: in the VMA of the last fault on this CPU (true), or wherever the walk finds it. */
static __always_inline bool place(struct hot_vma *hot, struct fault *f, __u64 task)
{
	if (hot && hot_vma_holds(hot, f, (__u32)kread(struct task_struct, task, self_exec_id))) {
		f->key = hot->key;
		f->start = hot->start;
		f->end = hot->end;
		f->vm_flags = hot->vm_flags;
		f->class = hot->class;
		f->sequence = hot->sequence;
		return true;
	}
	if (hot)
		f->sequence = mm_sequence(f->mm);
	f->key.process = process_key_of(task);
	locate(f, task);
	return false;
}

static __always_inline void count_at_exception(struct fault *f)
{
	struct vma_stats *stats = stats_of(f, IN_EXCEPTION);

	f->kind = kind_at_exception(f);
	if (!stats) {
		count_other(f, false, is_bad(f), IN_EXCEPTION);
		return;
	}
	count_fault(stats, f);
	stats->failed += is_bad(f);
}

/* The exception, in the summary: count it now. */
static __always_inline void count_in_summary(struct fault *f, __u64 task)
{
	struct hot_vma *hot = hot_vma();

	if (place(hot, f, task)) {
		f->kind = kind_at_exception(f);
		count_fault(&hot->pending, f);
		hot->pending.failed += is_bad(f);
		return;
	}
	count_at_exception(f);
	if (hot)
		set_hot_vma(hot, f);
}

/* A fault that was followed ended otherwise than by completion: count it now. */
static __always_inline void count_unfinished(struct fault *f, bool failed, __u32 context)
{
	struct vma_stats *stats = stats_of(f, context);

	f->kind = f->end && denied(f) ? KIND_PROTECTION : KIND_OTHER;
	failed |= is_bad(f);
	if (!stats) {
		count_other(f, false, failed, context);
		return;
	}
	count_fault(stats, f);
	stats->failed += failed;
}

/* Only a fault that waits is major. Anonymous memory without swap seldom does. */
static __always_inline bool may_be_major(const struct fault *f)
{
	return f->key.file || control_block.swap_on || (f->vm_flags & (VM_UFFD_MISSING | VM_UFFD_WP));
}

/* Is this fault to be timed, if it turns out to be minor? */
static __always_inline bool is_its_turn(struct minor_sampler *minors)
{
	if (config.time_minor != MINOR_SAMPLED)
		return config.time_minor;
	return !(++minors->turn & minors->mask);
}

/* It was a fault's turn: at the end of a window, decide for the next one. */
static __always_inline void measure_rate(struct minor_sampler *minors, __u64 now)
{
	__u64 elapsed = now - minors->since_ns;
	__u32 faults = minors->turn - minors->since_turn;

	if (elapsed < MINOR_WINDOW_NS)
		return;
	minors->mask = faults * (__u64)MINOR_SAMPLED_BELOW_NS > elapsed ? MINOR_SAMPLE - 1 : 0;
	minors->since_ns = now;
	minors->since_turn = minors->turn;
}

/* The fault in the slot has begun: its end will be told by an event. */
static __always_inline void follow(struct cpu_state *state, __u64 task)
{
	struct slot *slot = &state->slot;
	struct fault *f = &slot->fault;

	if (!config.complete)
		slot->completed = completed_faults(task);
	slot->members = slot->in_reclaim = slot->held = 0;
	if (config.exact_kinds)
		read_rss(task, cpu_offset(state), f->mm, &slot->rss);
	f->timed = config.complete && is_its_turn(&state->minors);
	if (!f->time_ns && (!config.complete || f->timed || may_be_major(f)))
		f->time_ns = bpf_ktime_get_ns();
	if (config.time_minor == MINOR_SAMPLED && f->timed)
		measure_rate(&state->minors, f->time_ns);
	slot->active = 1;
}

/* A new image: its entry takes off what came before, so it has to be made before a fault of it is counted. */
static __always_inline void begin_image(struct slot *slot, __u64 task)
{
	struct fault *f = &slot->fault;
	struct hot_vma *hot = hot_vma();

	if (!hot || hot->key.process.image != f->key.process.image ||
	    hot->key.process.tgid != f->key.process.tgid)
		process_of(&f->key.process, task, IN_EXCEPTION);
}

static __always_inline bool may_wait_or_fail(const struct fault *f)
{
	return may_be_major(f) || !f->end || f->kind == KIND_PROTECTION || f->grows_stack;
}

/* The stack of a fault that was counted, if it is its turn. */
static __always_inline void sample_stack(void *ctx, const struct fault *f)
{
	__u32 weight = stack_weight(SAMPLER_OF_EVENTS, f->first);
	struct stack_record *r;

	if (!weight)
		return;
	r = take_stack(ctx, STACK_OF_EVENT, config.stacks == STACK_BY_COPY, f->kernel_mode);
	if (r)
		send_stack(events, r, f->key, f->time_ns ?: bpf_ktime_get_ns(), weight,
			   config.ring_wake_bytes);
}

static __always_inline int fault_raised(void *ctx, __u64 address, __u64 ip, __u64 sp, __u32 error,
					bool kernel_mode)
{
	__u64 id = bpf_get_current_pid_tgid(), task = bpf_get_current_task(), mm;
	struct cpu_state *state;
	struct fault *f;

	if (!control_block.enabled || (kernel_mode && (__s64)address < 0))
		return 0;
	if (!target_selects(task, id >> 32))
		return 0;
	/* A probe of the kernel's own (copy_from_user_nofault): it is not resolved but given up. */
	if (kernel_mode && faults_are_off(task))
		return 0;
	mm = kread_address(struct task_struct, task, mm);
	state = cpu_state();
	if (!mm || !state)
		return 0;
	f = &state->slot.fault;
	if (config.complete && state->slot.active)
		count_unfinished(f, false, IN_EXCEPTION);
	end_held_event(&state->slot, task);
	state->slot.active = 0;
	f->time_ns = 0;
	f->mm = mm;
	f->address = address;
	f->ip = ip;
	f->sp = sp;
	f->error = error;
	f->tid = id;
	f->kernel_mode = kernel_mode;
	f->start = f->end = 0;
	f->grows_stack = f->first = 0;
	f->class = CLASS_UNKNOWN;
	f->key.anchor = f->key.file = 0;
	f->key.process.tgid = id >> 32;
	if (config.complete) {
		if (!place(hot_vma(), f, task))
			begin_image(&state->slot, task);
		follow(state, task);
		return 0;
	}
	if (config.events)
		f->time_ns = bpf_ktime_get_ns();
	count_in_summary(f, task);
	sample_stack(ctx, f);
	if (may_wait_or_fail(f))
		follow(state, task);
	hold_event(&state->slot, task);
	return 0;
}

/* The summary learns that a fault was major; it was counted when it was raised. */
static __always_inline void major_completed(struct fault *f, __u64 latency_ns)
{
	struct vma_stats *stats = stats_of(f, IN_COMPLETION);
	__u8 kind = f->kind;

	if (!is_file_class(f->class) && is_anon_kind(kind))
		f->kind = KIND_SWAPIN;
	count_latency(stats, f->class, true, latency_ns);
	if (!stats) {
		struct process_stats *p = bpf_map_lookup_elem(&processes, &f->key.process);

		if (p)
			__sync_fetch_and_add(&p->other_major, 1);
		return;
	}
	stats->major++;
	count_kind(stats, kind, -1);
	count_kind(stats, f->kind, 1);
}

/* Where the end of a fault is counted: as stats_of(), but without the hash if it is in the VMA of the last.
 */
static __always_inline struct vma_stats *counters_of(struct fault *f)
{
	struct hot_vma *hot = hot_vma();
	struct vma_stats *stats;

	if (hot && hot->mm == f->mm && same_vma(&hot->key, &f->key)) {
		f->class = hot->class;
		return &hot->pending;
	}
	stats = stats_of(f, IN_COMPLETION);
	if (hot && stats)
		set_hot_vma(hot, f);
	return stats;
}

static __always_inline void tell_kind(struct cpu_state *state, bool major, __u64 task)
{
	struct slot *slot = &state->slot;
	struct fault *f = &slot->fault;

	f->kind = kind_at_exception(f);
	if (config.exact_kinds)
		f->kind = exact_kind(f,
				     slot->members | rss_changes(task, cpu_offset(state), f->mm, &slot->rss));
	else if (major && !is_file_class(f->class) && is_anon_kind(f->kind))
		f->kind = KIND_SWAPIN;
}

static __always_inline void followed_completed(void *ctx, struct cpu_state *state, bool major,
					       __u64 latency_ns, __u64 task)
{
	struct fault *f = &state->slot.fault;
	struct vma_stats *stats = counters_of(f);

	tell_kind(state, major, task);
	if (!config.events || is_asked_for(major, latency_ns))
		sample_stack(ctx, f);
	if (config.events && is_asked_for(major, latency_ns))
		put_event(f, task, major, latency_ns);
	count_latency(stats, f->class, major, latency_ns);
	if (!stats) {
		count_other(f, major, false, IN_COMPLETION);
		return;
	}
	count_fault(stats, f);
	stats->major += major;
}

/* The same, when faults are not timed. */
static __always_inline void held_completed(struct slot *slot, __u64 latency_ns, __u64 task)
{
	major_completed(&slot->fault, latency_ns);
	if (slot->held)
		amend_event(slot, latency_ns);
	else if (config.events)
		put_event(&slot->fault, task, true, latency_ns);
}

/* A major fault that nothing is known of: it was raised before counting began, or there was no room to park
 * it. */
static __always_inline void unknown_completed(__u64 address, __u64 task)
{
	struct fault f = {};

	f.mm = kread_address(struct task_struct, task, mm);
	f.address = address;
	f.key.process = process_key_of(task);
	locate(&f, task);
	f.kind = KIND_OTHER;
	major_completed(&f, NOT_TIMED);
}

static __always_inline __u64 latency_of(const struct fault *f, bool major)
{
	return f->time_ns && (major || f->timed) ? bpf_ktime_get_ns() - f->time_ns : NOT_TIMED;
}

static __always_inline int fault_completed(void *ctx, __u64 address, bool major)
{
	__u64 id = bpf_get_current_pid_tgid(), task = bpf_get_current_task(), latency_ns;
	struct cpu_state *state = cpu_state();
	struct slot *slot;

	if (!control_block.enabled || !state)
		return 0;
	slot = &state->slot;
	if (!slot->active && control_block.parked)
		unpark(state, task); /* it was switched in unseen */
	if (slot->active && slot->fault.address == address && slot->fault.tid == (__u32)id) {
		slot->active = 0;
		latency_ns = latency_of(&slot->fault, major);
		if (config.complete)
			followed_completed(ctx, state, major, latency_ns, task);
		else
			held_completed(slot, latency_ns, task);
		return 0;
	}
	if (major && !config.complete && target_selects(task, id >> 32))
		unknown_completed(address, task);
	return 0;
}

/* --- hooks: exceptions and completions --------------------------------------------------------------------
 */

SEC("tp_btf/page_fault_user")
int BPF_PROG(fault_user, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return fault_raised(ctx, address, PT_REGS_IP(regs), PT_REGS_SP(regs), error_code, false);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(fault_kernel, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return fault_raised(ctx, address, PT_REGS_IP(regs), 0, error_code, true);
}

/*
 * Registers of a perf event are laid out as in the UAPI, and read as whole words. Not by name: since 6.9 the
 * kernel's own pt_regs has cs as 16 bits, and CO-RE would read just these.
 */
static __always_inline bool is_in_kernel(struct bpf_perf_event_data *ctx)
{
	const volatile __u64 *words = (void *)ctx;

#if defined(__TARGET_ARCH_x86)
	return !(words[17] & 3); /* cs */
#else
	return words[33] & 0xf; /* pstate */
#endif
}

/* Where there is no such tracepoint (arm64): the software event PAGE_FAULTS, without the kind of access. */
SEC("perf_event")
int fault_software(struct bpf_perf_event_data *ctx)
{
	bool kernel_mode = is_in_kernel(ctx);
	__u64 sp = kernel_mode ? 0 : PT_REGS_SP(&ctx->regs);

	return fault_raised(ctx, ctx->addr, PT_REGS_IP(&ctx->regs), sp, ERROR_UNKNOWN, kernel_mode);
}

SEC("perf_event")
int fault_major(struct bpf_perf_event_data *ctx)
{
	return fault_completed(ctx, ctx->addr, true);
}

SEC("perf_event")
int fault_minor(struct bpf_perf_event_data *ctx)
{
	return fault_completed(ctx, ctx->addr, false);
}

/*
 * Twenty times a second on each CPU. It does not interrupt the other programs of perf events. A thread that
 * is in user mode has ended its fault.
 */
SEC("perf_event")
int events_due(struct bpf_perf_event_data *ctx)
{
	struct cpu_state *state = fault_in_progress();

	if (state && state->slot.held) {
		if (is_in_kernel(ctx))
			return 0;
		end_held_event(&state->slot, bpf_get_current_task());
		state->slot.held = 0;
	}
	flush_this_cpu();
	return 0;
}

/* --- hooks: signals ---------------------------------------------------------------------------------------
 */

/* The fault in progress, if it is at that address: it ends here. A copy: another task may come in between. */
static __always_inline struct fault *signalled_fault(__u64 address)
{
	struct cpu_state *state = fault_in_progress();
	struct scratch *s = scratch(IN_SIGNAL);
	struct vma_stats *stats;
	struct fault *f;

	if (!state || !s || state->slot.fault.address != address)
		return NULL;
	state->slot.active = 0;
	withdraw_event(&state->slot);
	f = &s->signalled;
	*f = state->slot.fault;
	if (config.complete)
		count_unfinished(f, true, IN_SIGNAL);
	else if (!is_bad(f) && (stats = stats_of(f, IN_SIGNAL)))
		stats->failed++;
	return f;
}

/*
 * A signal for what the thread itself just did: si_code > 0 says that the kernel found it, and the address is
 * that of the fault remembered. siginfo may be 0 or 1 (SEND_SIG_NOINFO, SEND_SIG_PRIV): then it is a kill().
 */
SEC("tp_btf/signal_generate")
int signal_raised(__u64 *ctx)
{
	__u64 task = bpf_get_current_task(), id = bpf_get_current_pid_tgid(), address;
	struct kernel_siginfo *info = (void *)ctx[1];
	int signal = ctx[0], code;
	struct process_stats *p;
	struct process_key key;
	struct fault *f;
	__u32 sent;

	if ((signal != SIGSEGV && signal != SIGBUS) || ctx[2] != task || (__u64)info < 2)
		return 0;
	if (!control_block.enabled || !target_selects(task, id >> 32))
		return 0;
	code = BPF_CORE_READ(info, si_code);
	if (code <= 0)
		return 0;
	address = (__u64)BPF_CORE_READ(info, _sifields._sigfault._addr);
	key = process_key_of(task);
	f = signalled_fault(address);
	p = process_of(&key, task, IN_SIGNAL);
	if (!p)
		return 0;
	sent = p->segv + p->sigbus;
	__sync_fetch_and_add(signal == SIGSEGV ? &p->segv : &p->sigbus, 1);
	if (sent < SIGNALS_IN_DETAIL)
		send_signal_record(ctx, f, task, signal, code, address);
	return 0;
}

/* --- hooks: the life of processes -------------------------------------------------------------------------
 */

/* Has the first iteration taken what this thread brought along (or had it nothing to bring)? */
static __always_inline bool baseline_taken(__u64 task)
{
	return control_block.phase != BEFORE ||
	       kread(struct task_struct, task, start_time) >= control_block.began_ns ||
	       (__u32)kread(struct task_struct, task, pid) <= control_block.visited;
}

/* Has the last iteration taken what this thread has, or does it run when all is over? */
static __always_inline bool settled(__u64 task)
{
	return control_block.phase == AFTER &&
	       (__u32)kread(struct task_struct, task, pid) <= control_block.visited;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = kread(struct task_struct, parent, tgid),
	      tgid = kread(struct task_struct, child, tgid);
	struct process_stats *p;
	struct process_key key;

	if (tgid == parent_tgid || control_block.phase == AFTER)
		return 0; /* a thread, or too late */
	target_forked(parent_tgid, (__u64)child, tgid);
	if (!target_selects((__u64)child, tgid))
		return 0;
	key = process_key_of((__u64)child);
	p = process_of(&key, (__u64)child, IN_PROCESS);
	if (p)
		p->flags |= PROCESS_COMPLETE;
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_execed, struct task_struct *task)
{
	struct process_key key = process_key_of((__u64)task);
	struct process_stats *p;

	if (!baseline_taken((__u64)task) || control_block.phase == AFTER)
		return 0;
	if (!target_selects((__u64)task, key.tgid)) {
		end_former_image(&key, (__u64)task);
		return 0;
	}
	p = process_of(&key, (__u64)task, IN_PROCESS);
	if (p)
		p->flags |= PROCESS_COMPLETE;
	return 0;
}

/* A thread killed in the middle of a fault: its number may soon be another's. */
static __always_inline void forget_fault(__u32 tid)
{
	struct cpu_state *state = fault_in_progress();

	if (state) {
		end_held_event(&state->slot, bpf_get_current_task());
		state->slot.active = 0;
	}
	if (control_block.parked && !bpf_map_delete_elem(&parked_slots, &tid))
		__sync_fetch_and_add(&control_block.parked, -1);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	struct process_key key = process_key_of((__u64)task);
	struct process_stats *p;
	__u32 tid = kread(struct task_struct, task, pid);
	bool last = BPF_CORE_READ(task, signal, live.counter) == 0;

	forget_fault(tid);
	p = bpf_map_lookup_elem(&processes, &key);
	if (p && baseline_taken((__u64)task) && !settled((__u64)task)) {
		add_counters(p, (__u64)task, 1);
		set_comm(p, (__u64)task); /* it may have been renamed */
		if (last)
			p->flags |= PROCESS_EXITED;
	}
	if (last)
		target_exited(key.tgid);
	return 0;
}

/* The first iteration takes what each thread brought along; later ones tell user space what each has. */
static __always_inline void take_baseline(const struct process_key *key, __u64 task)
{
	struct process_stats *p = bpf_map_lookup_elem(&processes, key);

	if (p)
		add_counters(p, task, -1);
	else
		p = process_of(key, task, IN_PROCESS);
	if (p)
		p->flags |= PROCESS_COMPLETE;
}

SEC("iter/task")
int thread_counters(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread_counters c = {};
	__u64 leader;

	if (!task)
		return 0;
	c.process = process_key_of((__u64)task);
	if (kread(struct task_struct, task, mm) && target_selects((__u64)task, c.process.tgid)) {
		if (control_block.phase == BEFORE)
			take_baseline(&c.process, (__u64)task);
		leader = (__u64)kread(struct task_struct, task, group_leader);
		bpf_core_read(c.comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
		c.minor = kread(struct task_struct, task, min_flt);
		c.major = kread(struct task_struct, task, maj_flt);
		bpf_seq_write(ctx->meta->seq, &c, sizeof(c));
	}
	if (control_block.phase != DURING)
		control_block.visited = kread(struct task_struct, task, pid);
	return 0;
}
