/* SPDX-License-Identifier: GPL-2.0 */
/*
 * OOM kills: who was killed, for whose request, at which limit, and what became of the victim.
 *
 * mark_victim runs in the task whose allocation failed, with the victim as its argument, before the victim
 * has lost any memory. What the request was, its last reclaim tells: that comes first, and only when it
 * yields nothing does the kernel kill.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "oom.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct oom_config config;

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"
#include "vma.bpf.h"
#include "name.bpf.h"

/* What user space changes while programs run. */
struct {
	__u64 under;   /* the iterator lists processes in and below this memory cgroup (struct mem_cgroup); 0:
			  all */
	__u64 least;   /* and only those with so many pages */
	__u64 busy_ns; /* in the programs, but for the iterator, whose time is its reader's */
	__u64 kills;   /* of targets */
	__u64 reclaim_ns; /* that tasks have spent reclaiming memory themselves, of whichever cgroup */
	__u32 exact;	  /* and adds up the parts of CPUs */
	__u32 generation; /* of sampled stacks: stack.bpf.h */
} control_block = {};

/* The hooks run so seldom that they can be timed one by one: sampling would miss or multiply a kill. */
static __always_inline int timed(__u64 began_ns, int result)
{
	__sync_fetch_and_add(&control_block.busy_ns, bpf_ktime_get_ns() - began_ns);
	return result;
}

#define TIMED(call) timed(bpf_ktime_get_ns(), call)

enum context { IN_KILL, CONTEXTS };

struct scratch {
	struct vma_record vma;
	struct oom_kill_record kill;
	struct {
		__u64 start, size;
	} large[OOM_VMAS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CONTEXTS);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch(__u32 context)
{
	return bpf_map_lookup_elem(&scratches, &context);
}

#include "describe.bpf.h"
#include "memory_cgroup.bpf.h"
#include "oom_facts.bpf.h"
#define STACKS_PER_PERIOD 32 /* they are kept for a minute, in little room */
#include "stack.bpf.h"
#include "oom_growth.bpf.h"

/* --- reclaim ----------------------------------------------------------------------------------------------
 */

/* The last reclaim of each thread, by tid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct oom_reclaim);
} reclaims SEC(".maps");

#define RETRY_NS 100000000ull /* between two reclaims of one request it is less */

static __always_inline int reclaim_began(unsigned long long *ctx, __u32 kind)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct oom_reclaim *last = bpf_map_lookup_elem(&reclaims, &tid);
	struct oom_reclaim r = {
		.time_ns = bpf_ktime_get_ns(),
		.start_ns = kread(struct task_struct, bpf_get_current_task(), start_time),
		.kind = kind,
	};

	r.first_ns = r.time_ns;
	if (last && last->start_ns == r.start_ns && last->kind == kind && r.time_ns - last->end_ns < RETRY_NS)
		r.first_ns = last->first_ns;

	/* (order, gfp); from 7.2 (gfp, order, memcg). */
	if (config.reclaim_has_memcg) {
		r.gfp = ctx[0];
		r.order = ctx[1];
		*(volatile __u64 *)&r.memcg = ctx[2];
	} else {
		r.order = ctx[0];
		r.gfp = ctx[1];
	}
	if (bpf_map_update_elem(&reclaims, &tid, &r, BPF_ANY))
		count_loss(LOSS_MAP);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int direct_reclaim_began(unsigned long long *ctx)
{
	return TIMED(reclaim_began(ctx, RECLAIM_DIRECT));
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int memcg_reclaim_began(unsigned long long *ctx)
{
	return TIMED(reclaim_began(ctx, RECLAIM_MEMCG));
}

static __always_inline int reclaim_ended(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct oom_reclaim *r = bpf_map_lookup_elem(&reclaims, &tid);
	__u64 now = bpf_ktime_get_ns();

	if (!r || r->end_ns >= r->time_ns ||
	    r->start_ns != kread(struct task_struct, bpf_get_current_task(), start_time))
		return 0;
	r->end_ns = now;
	__sync_fetch_and_add(&control_block.reclaim_ns, now - r->time_ns);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int direct_reclaim_ended(void *ctx)
{
	return TIMED(reclaim_ended());
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int memcg_reclaim_ended(void *ctx)
{
	return TIMED(reclaim_ended());
}

static __always_inline void read_reclaim(struct oom_reclaim *r, __u64 task)
{
	__u32 tid = kread(struct task_struct, task, pid);
	struct oom_reclaim *last = bpf_map_lookup_elem(&reclaims, &tid);

	__builtin_memset(r, 0, sizeof(*r));
	if (last && last->start_ns == kread(struct task_struct, task, start_time))
		*r = *last;
}

/* --- the decision -----------------------------------------------------------------------------------------
 */

/* The last one of each thread, by tid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct oom_decision);
} decisions SEC(".maps");

#define DECISION_NS                                                                            \
	1000000000ull /* from the decision to mark_victim; a long dump of the state is between \
		       */

static __always_inline int decided(struct oom_control *oc)
{
	__u64 task = bpf_get_current_task();
	__u32 tid = bpf_get_current_pid_tgid();
	struct oom_decision d = {
		.time_ns = bpf_ktime_get_ns(),
		.start_ns = kread(struct task_struct, task, start_time),
		.memcg = (__u64)BPF_CORE_READ(oc, memcg),
		.total = BPF_CORE_READ(oc, totalpages),
		.points = BPF_CORE_READ(oc, chosen_points),
		.order = BPF_CORE_READ(oc, order),
		.gfp = BPF_CORE_READ(oc, gfp_mask),
		.constraint = BPF_CORE_READ(oc, constraint),
	};

	if (d.constraint == CONSTRAINT_MEMORY_POLICY)
		d.nodes = read_word((__u64)BPF_CORE_READ(oc, nodemask));
	else if (d.constraint == CONSTRAINT_CPUSET && bpf_core_field_exists(struct task_struct, mems_allowed))
		d.nodes = read_word(task + bpf_core_field_offset(struct task_struct, mems_allowed));
	if (bpf_map_update_elem(&decisions, &tid, &d, BPF_ANY))
		count_loss(LOSS_MAP);
	return 0;
}

/* One of the two, where either can be had. */
SEC("fentry/oom_kill_process")
int BPF_PROG(decided_fentry, struct oom_control *oc)
{
	return TIMED(decided(oc));
}

SEC("kprobe/oom_kill_process")
int BPF_KPROBE(decided_kprobe, struct oom_control *oc)
{
	return TIMED(decided(oc));
}

/* Who was dying was not chosen. */
static __always_inline void read_decision(struct oom_decision *d, __u64 task, bool was_dying)
{
	__u32 tid = kread(struct task_struct, task, pid);
	struct oom_decision *last = bpf_map_lookup_elem(&decisions, &tid);

	__builtin_memset(d, 0, sizeof(*d));
	if (last && !was_dying && last->start_ns == kread(struct task_struct, task, start_time) &&
	    bpf_ktime_get_ns() - last->time_ns < DECISION_NS)
		*d = *last;
}

/* --- kills ------------------------------------------------------------------------------------------------
 */

/* Processes that have been killed, until they are gone; value: their memory. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} victims SEC(".maps");

/* The same by the address of their struct mm_struct. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} victim_mms SEC(".maps");

/* Whom a thread has last sent SIGKILL, by its tid. */
struct killed {
	__u64 task;
	__u64 time_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct killed);
} killed_by SEC(".maps");

#define SIGKILL	     9
#define KILL_MARK_NS 1000000000ull /* from the signal to mark_victim it is a few instructions */

static __always_inline int victim_signalled(__u64 task)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct killed killed = {task, bpf_ktime_get_ns()};

	if (bpf_map_update_elem(&killed_by, &tid, &killed, BPF_ANY))
		count_loss(LOSS_NAMES);
	return 0;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(kill_signalled, int signal, struct kernel_siginfo *info, struct task_struct *task)
{
	return signal == SIGKILL ? TIMED(victim_signalled((__u64)task)) : 0;
}

/* The task that the current thread has just killed; 0: none. */
static __always_inline __u64 just_killed(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct killed *killed = bpf_map_lookup_elem(&killed_by, &tid);

	return killed && bpf_ktime_get_ns() - killed->time_ns < KILL_MARK_NS ? killed->task : 0;
}

/*
 * A task that is dying, by whoever's hand, and asks for memory meanwhile is marked and not killed: it shall
 * be gone soon. So is each thread of a victim.
 */
static __always_inline bool was_dying(__u64 victim, __u32 tgid)
{
	__u64 killed;

	if (tgid != bpf_get_current_pid_tgid() >> 32)
		return false;
	killed = just_killed();
	return !killed || (__u32)kread(struct task_struct, killed, tgid) != tgid;
}

static __always_inline bool is_told(__u32 tgid, __u64 mm)
{
	__u64 *known = bpf_map_lookup_elem(&victims, &tgid);

	return known && *known == mm;
}

static __always_inline void follow_victim(__u32 tgid, __u64 mm)
{
	if (bpf_map_update_elem(&victims, &tgid, &mm, BPF_ANY) ||
	    bpf_map_update_elem(&victim_mms, &mm, &tgid, BPF_ANY))
		count_loss(LOSS_NAMES);
}

static __always_inline void read_memory(struct oom_memory *m, __u64 mm)
{
	m->total_vm = kread(struct mm_struct, mm, total_vm);
	m->file = rss_counter(mm, MM_FILEPAGES, true);
	m->anon = rss_counter(mm, MM_ANONPAGES, true);
	m->swap = rss_counter(mm, MM_SWAPENTS, true);
	m->shmem = rss_counter(mm, MM_SHMEMPAGES, true);
	m->pgtables_bytes = kread(struct mm_struct, mm, pgtables_bytes.counter);
	m->is_rough = rss_is_rough();
	m->pad = 0;
}

static __always_inline int victim_marked(__u64 victim)
{
	__u64 current = bpf_get_current_task(), mm = kread_address(struct task_struct, victim, mm);
	__u32 tgid = kread(struct task_struct, victim, tgid);
	struct scratch *s = scratch(IN_KILL);
	struct oom_kill_record *r;

	if (!s || is_told(tgid, mm) || !target_selects(victim, tgid))
		return 0;
	learn_cpu_offset();
	r = &s->kill;
	r->header.type = RECORD_OOM_KILL;
	r->header.size = sizeof(*r);
	r->time_ns = bpf_ktime_get_ns();
	read_task(&r->victim, victim);
	read_task(&r->trigger, current);
	r->trigger_is_kernel = !!(kread(struct task_struct, current, flags) & PF_KTHREAD);
	r->has_exited = !BPF_CORE_READ((struct task_struct *)victim, signal, live.counter);
	r->was_dying = was_dying(victim, tgid);
	read_memory(&r->memory, mm);
	read_reclaim(&r->reclaim, current);
	read_decision(&r->decision, current, r->was_dying);
	read_cgroup(victim, OF_VICTIM);
	read_cgroup(current, OF_TRIGGER);
	follow_victim(tgid, mm);
	weigh_vmas(s, mm);
	send_large_vmas(s, mm);
	__sync_fetch_and_add(&control_block.kills, 1);
	emit(events, r, sizeof(*r), 0, LOSS_RING);
	return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(mark_victim_task, struct task_struct *victim)
{
	return TIMED(victim_marked((__u64)victim));
}

/*
 * Before 6.9 (commit 72ba14deb40a, also in stable kernels) mark_victim has only a pid. The victim has just
 * got its signal, from this thread; or it is this thread, which was dying anyway.
 */
SEC("tp_btf/mark_victim")
int BPF_PROG(mark_victim_pid, int pid)
{
	__u64 current = bpf_get_current_task(), victim;

	if ((int)kread(struct task_struct, current, pid) == pid)
		return TIMED(victim_marked(current));
	victim = just_killed();
	if (victim && (int)kread(struct task_struct, victim, pid) == pid)
		return TIMED(victim_marked(victim));
	count_loss(LOSS_RING);
	return 0;
}

/* --- what becomes of the victim ---------------------------------------------------------------------------
 */

static __always_inline int send_step(__u32 step, __u32 pid)
{
	struct oom_step_record r = {
		.header = {RECORD_OOM_STEP, sizeof(r)},
		.time_ns = bpf_ktime_get_ns(),
		.step = step,
		.pid = pid,
	};

	emit(events, &r, sizeof(r), 0, LOSS_NAMES);
	return 0;
}

static __always_inline int victim_exited(struct task_struct *task)
{
	__u32 tgid = kread(struct task_struct, task, tgid);

	if (!bpf_map_lookup_elem(&victims, &tgid) || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	bpf_map_delete_elem(&victims, &tgid);
	return send_step(OOM_EXITED, tgid);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	return TIMED(victim_exited(task));
}

static __always_inline int space_is_gone(__u64 address)
{
	__u32 *tgid = bpf_map_lookup_elem(&victim_mms, &address), pid;

	if (!tgid)
		return 0;
	pid = *tgid;
	bpf_map_delete_elem(&victim_mms, &address);
	return send_step(OOM_FREED, pid);
}

/* From 6.1 (commit d4af56c5c7c6): the address space is gone, pages and all. */
SEC("tp_btf/exit_mmap")
int BPF_PROG(memory_freed, struct mm_struct *mm)
{
	return TIMED(space_is_gone((__u64)mm));
}

SEC("tp_btf/wake_reaper")
int BPF_PROG(reaper_woken, int pid)
{
	return send_step(OOM_QUEUED, pid);
}

SEC("tp_btf/finish_task_reaping")
int BPF_PROG(victim_reaped, int pid)
{
	return send_step(OOM_REAPED, pid);
}

SEC("tp_btf/skip_task_reaping")
int BPF_PROG(victim_passed_over, int pid)
{
	return send_step(OOM_NOT_TAKEN, pid);
}

/* --- processes that live ----------------------------------------------------------------------------------
 */

static __always_inline bool is_under(__u64 task, __u64 memcg)
{
	__u64 css = memory_css(task);

	for (int i = 0; i < OOM_LEVELS && css; i++) {
		if (css - bpf_core_field_offset(struct mem_cgroup, css) == memcg)
			return true;
		css = kread_address(struct cgroup_subsys_state, css, parent);
	}
	return false;
}

SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *listed = ctx->task;
	__u64 task = (__u64)listed, mm;
	struct oom_process p = {};
	bool exact = control_block.exact;

	if (!listed)
		return 0;
	if (kread(struct task_struct, task, pid) != kread(struct task_struct, task, tgid))
		return 0;
	mm = kread_address(struct task_struct, task, mm);
	if (!mm || (control_block.under && !is_under(task, control_block.under)))
		return 0;
	p.file = rss_counter(mm, MM_FILEPAGES, exact);
	p.anon = rss_counter(mm, MM_ANONPAGES, exact);
	p.shmem = rss_counter(mm, MM_SHMEMPAGES, exact);
	p.swap = rss_counter(mm, MM_SWAPENTS, exact);
	if (p.file + p.anon + p.shmem + p.swap < control_block.least)
		return 0;
	p.process = process_key_of(task);
	p.pgtables_bytes = kread(struct mm_struct, mm, pgtables_bytes.counter);
	p.uid = uid_of(task);
	p.oom_score_adj = adj_of(task);
	bpf_core_read(p.comm, COMM_SIZE, &listed->comm);
	bpf_seq_write(ctx->meta->seq, &p, sizeof(p));
	return 0;
}

/* Run by user space on each CPU once, when it begins. */
SEC("raw_tp")
int learn_cpu(void *ctx)
{
	learn_cpu_offset();
	return 0;
}
