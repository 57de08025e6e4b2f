/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flushes of the TLB, by process and reason, and the context switches of those processes.
 *
 * The tracepoint is hit with the lock of a run queue held: nothing here may allocate, so all maps have their
 * memory beforehand. Context switches are not traced: threads count their own, and their counters are read.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "tlb.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct tlb_config config;

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"

#define FULL_FLUSH (~0ul)     /* TLB_FLUSH_ALL */
#define PF_EXITING 0x00000004 /* include/linux/sched.h */
#define PF_KTHREAD 0x00200000

/* What user space changes while programs run. */
struct {
	__u32 enabled; /* count */
	__u32 phase;   /* enum tlb_phase */
	__u32 visited; /* threads up to this pid have been visited by the first, or the last, task iteration
			*/
	__u32 pad;
	__u64 began_ns; /* when it began: a thread that started later needs no visit */
} control_block = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, struct process_key);
	__type(value, struct tlb_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TLB_REASONS);
	__type(key, __u32);
	__type(value, struct tlb_total);
} totals SEC(".maps");

/* The run queue of each CPU. */
extern const struct rq runqueues __ksym __weak;

/* What a CPU has to remember. */
struct cpu_state {
	__u64 leaves, comes; /* the last context switch, or the one that is under way */
	__u64 has_sent;	     /* and has not yet come by itself as one of those that it sent to */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

static __always_inline struct cpu_state *cpu_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_states, &zero);
}

static const struct tlb_process nothing = {};

/* --- processes --------------------------------------------------------------------------------------------
 */

static __always_inline void add_switches(struct tlb_process *p, __u64 task, int sign)
{
	__sync_fetch_and_add(&p->voluntary, sign * (__s64)kread(struct task_struct, task, nvcsw));
	__sync_fetch_and_add(&p->involuntary, sign * (__s64)kread(struct task_struct, task, nivcsw));
}

static __always_inline void set_comm(struct tlb_process *p, __u64 task)
{
	__u64 leader = kread_address(struct task_struct, task, group_leader);

	bpf_core_read(p->comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
}

/* If the process has just exec'd, its former image is over. True: it has, and that was known. */
static __always_inline bool end_former_image(const struct process_key *key, __u64 task)
{
	struct process_key former = *key;
	struct tlb_process *p;

	former.image--;
	p = bpf_map_lookup_elem(&processes, &former);
	if (!p || (p->flags & TLB_EXITED))
		return false;
	add_switches(p, task, 1);
	p->flags |= TLB_EXITED;
	return true;
}

/* The idle tasks of all CPUs are one process. */
static __always_inline struct process_key key_of(__u64 task)
{
	struct process_key key = process_key_of(task);

	if (!key.tgid)
		key.start_ns = key.image = 0;
	return key;
}

/* The entry of task's image, made if it is not there. NULL: no room. */
static __noinline struct tlb_process *process_of(const struct process_key *key, __u64 task)
{
	struct tlb_process *p;
	bool has_execed;
	__u64 leader;
	__u32 flags;
	long err;

	if (!key)
		return NULL;
	p = bpf_map_lookup_elem(&processes, key);
	if (p)
		return p;
	has_execed = end_former_image(key, task);
	err = bpf_map_update_elem(&processes, key, &nothing, BPF_NOEXIST);
	p = bpf_map_lookup_elem(&processes, key);
	if (!p || err)
		return p;
	leader = (__u64)kread(struct task_struct, task, group_leader);
	p->ppid = BPF_CORE_READ((struct task_struct *)leader, real_parent, tgid);
	set_comm(p, task);
	add_switches(p, task, -1);
	if (has_execed) /* by this thread, the only one that is left */
		p->flags |= TLB_COMPLETE;
	flags = kread(struct task_struct, task, flags);
	if ((flags & PF_KTHREAD) || !key->tgid)
		p->flags |= TLB_KERNEL;
	if (flags & PF_EXITING) /* its exit has been seen, or came before */
		p->flags |= TLB_EXITED;
	return p;
}

/* --- flushes ----------------------------------------------------------------------------------------------
 */

static __always_inline __u64 bucket_of(__u64 pages)
{
	__u64 bucket = 0;

	for (int i = 0; i < TLB_BUCKETS - 1; i++)
		if (pages >> i)
			bucket = i + 1;
	return bucket;
}

static __always_inline void add_flush(struct tlb_count *count, __u64 pages)
{
	__sync_fetch_and_add(&count->flushes, 1);
	if (pages == FULL_FLUSH)
		__sync_fetch_and_add(&count->full, 1);
	else if (!pages)
		__sync_fetch_and_add(&count->nothing, 1);
	else
		__sync_fetch_and_add(&count->pages, pages);
}

static __always_inline void count_flush(__u64 task, __u64 reason, __u64 pages)
{
	struct process_key key = key_of(task);
	__u32 index = reason;
	struct tlb_total *total;
	struct tlb_process *p;

	if (!control_block.enabled || reason >= TLB_REASONS || !target_selects(task, key.tgid))
		return;
	total = bpf_map_lookup_elem(&totals, &index);
	if (!total)
		return;
	add_flush(&total->count, pages);
	if (pages != FULL_FLUSH)
		__sync_fetch_and_add(&total->buckets[bucket_of(pages)], 1);
	p = process_of(&key, task);
	if (p) {
		add_flush(&p->reasons[reason], pages);
		return;
	}
	add_flush(&total->other, pages);
	count_loss(LOSS_MAP);
}

#define reason_is(reason, name)                                     \
	(bpf_core_enum_value_exists(enum tlb_flush_reason, name) && \
	 (reason) == bpf_core_enum_value(enum tlb_flush_reason, name))

static __always_inline __u32 reason_of(__u32 reason)
{
	if (reason_is(reason, TLB_REMOTE_SHOOTDOWN))
		return TLB_RECEIVED;
	if (reason_is(reason, TLB_LOCAL_MM_SHOOTDOWN))
		return TLB_LOCAL_MM;
	if (reason_is(reason, TLB_LOCAL_SHOOTDOWN))
		return TLB_LOCAL;
	if (reason_is(reason, TLB_REMOTE_WRONG_CPU))
		return TLB_IN_VAIN;
	return TLB_OTHER;
}

/*
 * A task that sends has interrupts on, and may be interrupted by another's shootdown, which the kernel would
 * not hand to a program that runs already (6.1, commit 05b24ff9b2cf): so the two are not of one program.
 */
SEC("tp_btf/tlb_flush")
int flush_sent(__u64 *ctx)
{
	__u32 reason = ctx[0];

	if (reason_is(reason, TLB_REMOTE_SEND_IPI))
		count_flush(bpf_get_current_task(), TLB_SENT, ctx[1]);
	return 0;
}

/*
 * Before 5.13 (commit 4c1ba3923e6c) the CPU that sends also runs what it has the others run: a shootdown that
 * finds its own flush done, and interrupts nobody.
 */
static __always_inline bool is_its_own(__u32 reason, __u64 pages)
{
	struct cpu_state *state;

	if (bpf_core_field_exists(struct flush_tlb_info, initiating_cpu))
		return false;
	state = cpu_state();
	if (!state)
		return false;
	if (reason_is(reason, TLB_REMOTE_SEND_IPI)) {
		state->has_sent = 1;
		return false;
	}
	if (!state->has_sent || pages || !reason_is(reason, TLB_REMOTE_SHOOTDOWN))
		return false;
	state->has_sent = 0;
	return true;
}

/* next: the task that runs next on this CPU; 0: there is none, the current one goes on. */
static __always_inline int flush(const __u64 *ctx, __u64 next)
{
	__u32 reason = ctx[0];

	if (is_its_own(reason, ctx[1]))
		return 0;
	if (reason_is(reason, TLB_FLUSH_ON_TASK_SWITCH))
		count_flush(next ? next : bpf_get_current_task(), TLB_SWITCH, ctx[1]);
	else if (!reason_is(reason, TLB_REMOTE_SEND_IPI))
		count_flush(bpf_get_current_task(), reason_of(reason), ctx[1]);
	return 0;
}

/*
 * Within a context switch the current task is the one that leaves, and the address space that is loaded is
 * that of the next, which the run queue has already. Elsewhere (exec) the two are the same.
 */
SEC("tp_btf/tlb_flush")
int flushed(__u64 *ctx)
{
	struct rq *rq = bpf_this_cpu_ptr(&runqueues);

	return flush(ctx, (__u64)rq->curr);
}

/* Where the run queues are not known (a kernel without CONFIG_KALLSYMS_ALL), each switch has to be followed.
 */
SEC("tp_btf/sched_switch")
int switched(__u64 *ctx)
{
	struct cpu_state *state = cpu_state();

	if (state) {
		*(void *volatile *)&state->leaves = (void *)ctx[1];
		*(void *volatile *)&state->comes = (void *)ctx[2];
	}
	return 0;
}

SEC("tp_btf/tlb_flush")
int flushed_followed(__u64 *ctx)
{
	struct cpu_state *state = cpu_state();

	/* A task that has left is not current until another switch brings it back. */
	return flush(ctx, state && state->leaves == bpf_get_current_task() ? state->comes : 0);
}

/* --- the life of processes --------------------------------------------------------------------------------
 */

/* Has the first iteration taken what this thread brought along (or had it nothing to bring)? */
static __always_inline bool baseline_taken(__u64 task)
{
	return control_block.phase != TLB_BEFORE ||
	       kread(struct task_struct, task, start_time) >= control_block.began_ns ||
	       (__u32)kread(struct task_struct, task, pid) <= control_block.visited;
}

/* Has the last iteration taken what this thread has, or does it run when all is over? */
static __always_inline bool settled(__u64 task)
{
	return control_block.phase == TLB_AFTER &&
	       (__u32)kread(struct task_struct, task, pid) <= control_block.visited;
}

static __always_inline void begin_image(__u64 task, const struct process_key *key)
{
	struct tlb_process *p = process_of(key, task);

	if (p)
		p->flags |= TLB_COMPLETE;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = kread(struct task_struct, parent, tgid),
	      tgid = kread(struct task_struct, child, tgid);
	struct process_key key;

	if (tgid == parent_tgid || control_block.phase == TLB_AFTER)
		return 0; /* a thread, or too late */
	target_forked(parent_tgid, (__u64)child, tgid);
	if (!target_selects((__u64)child, tgid))
		return 0;
	key = key_of((__u64)child);
	begin_image((__u64)child, &key);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_execed, struct task_struct *task)
{
	struct process_key key = key_of((__u64)task);

	if (!baseline_taken((__u64)task) || control_block.phase == TLB_AFTER)
		return 0;
	if (target_selects((__u64)task, key.tgid))
		begin_image((__u64)task, &key);
	else
		end_former_image(&key, (__u64)task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	struct process_key key = key_of((__u64)task);
	bool last = BPF_CORE_READ(task, signal, live.counter) == 0;
	struct tlb_process *p = bpf_map_lookup_elem(&processes, &key);

	if (p && baseline_taken((__u64)task) && !settled((__u64)task)) {
		add_switches(p, (__u64)task, 1);
		set_comm(p, (__u64)task); /* it may have been renamed */
		if (last)
			p->flags |= TLB_EXITED;
	}
	if (last)
		target_exited(key.tgid);
	return 0;
}

/* The first iteration takes what each thread brought along; later ones tell user space what each has. */
static __always_inline void take_baseline(const struct process_key *key, __u64 task)
{
	struct tlb_process *p = bpf_map_lookup_elem(&processes, key);

	if (p)
		add_switches(p, task, -1);
	else
		p = process_of(key, task);
	if (p)
		p->flags |= TLB_COMPLETE;
}

SEC("iter/task")
int thread_switches(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct tlb_thread t = {};
	__u64 leader;

	if (!task)
		return 0;
	t.process = key_of((__u64)task);
	if (!(kread(struct task_struct, task, flags) & PF_EXITING) &&
	    target_selects((__u64)task, t.process.tgid)) {
		if (control_block.phase == TLB_BEFORE)
			take_baseline(&t.process, (__u64)task);
		leader = (__u64)kread(struct task_struct, task, group_leader);
		bpf_core_read(t.comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
		t.voluntary = kread(struct task_struct, task, nvcsw);
		t.involuntary = kread(struct task_struct, task, nivcsw);
		bpf_seq_write(ctx->meta->seq, &t, sizeof(t));
	}
	if (control_block.phase != TLB_DURING)
		control_block.visited = kread(struct task_struct, task, pid);
	return 0;
}
