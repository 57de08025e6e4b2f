/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reclaim: who had to find free pages itself, how long that took and what it brought; the background work of
 * kswapd and of compaction; whose pages went to swap.
 *
 * The hooks run where memory is short: nothing here allocates.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "reclaim.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct reclaim_config config;

/* What user space changes while programs run. */
struct {
	__u32 enabled;
	__u32 generation; /* of sampled stacks: stack.bpf.h */
} control_block = {};

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "target.bpf.h"
#include "latency.bpf.h"
#include "memory_cgroup.bpf.h"
#include "vma.bpf.h"
#define STACKS_PER_PERIOD 32 /* what is traced takes long: many of them tell enough */
#include "stack.bpf.h"

#define PF_MEMALLOC 0x800	/* include/linux/sched.h: in reclaim */
#define PF_KTHREAD  0x200000	/* the same */
#define LONG_NS	    10000000ull /* a stall that users notice has its stack taken for certain */

enum { MM_SWAPENTS = 2 };     /* include/linux/mm_types_task.h */
enum { COMPACT_SUCCESS = 8 }; /* enum compact_result, include/linux/compaction.h */

/* --- state ------------------------------------------------------------------------------------------------
 */

struct row_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, struct reclaim_key);
	__type(value, struct reclaim_stats);
} rows_a SEC(".maps"), rows_b SEC(".maps");

/* The map in use: user space exchanges them to take the counts, as it does with the VMAs of `faults`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct row_map);
} rows SEC(".maps") = {.values = {&rows_a}};

/* What found no room there, by kind of work. Never reset. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WORKS);
	__type(key, __u32);
	__type(value, struct reclaim_stats);
} others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* threads that reclaim at once */
	__type(key, __u32);
	__type(value, struct reclaim_under_way);
} under_way SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* kernfs id */
	__type(value, struct reclaim_cgroup);
} cgroups SEC(".maps");

/* For what a thread has last asked compaction. */
struct request {
	__u32 order, gfp;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct request);
} requests SEC(".maps");

/* Room for what the stack cannot hold. Hooks do not interrupt one another: there is one a CPU. */
struct scratch {
	struct reclaim_stats stats;
	struct reclaim_cgroup cgroup;
	struct reclaim_record record;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

/* --- cgroups ----------------------------------------------------------------------------------------------
 */

/* The path of a kernfs node, into the scratch record. */
__noinline int read_cgroup_path(__u64 node)
{
	struct scratch *s = scratch();

	if (!s)
		return 0;
	s->cgroup.size = 0;
	for (int i = 0; i < RECLAIM_LEVELS && node; i++) {
		__u32 used = s->cgroup.size;
		long len;

		if (used >= RECLAIM_PATH_MAX)
			break;
		len = bpf_probe_read_kernel_str(s->cgroup.path + used, RECLAIM_COMPONENT,
						(void *)kread_address(struct kernfs_node, node, name));
		if (len <= 0)
			break;
		s->cgroup.size = used + len;
		node = kernfs_parent(node);
	}
	s->cgroup.is_cut = node != 0;
	return 0;
}

/* Its id; its path is taken down when it is first seen, for it may be gone before the report. */
static __always_inline __u64 cgroup_id(__u64 cgroup)
{
	__u64 node = cgroup ? kread_address(struct cgroup, cgroup, kn) : 0;
	__u64 id = node ? kread(struct kernfs_node, node, id) : 0;
	struct scratch *s = scratch();

	if (!id || !s || bpf_map_lookup_elem(&cgroups, &id))
		return id;
	read_cgroup_path(node);
	if (bpf_map_update_elem(&cgroups, &id, &s->cgroup, BPF_ANY))
		count_loss(LOSS_NAMES);
	return id;
}

static __always_inline __u64 cgroup_of(__u64 task, __u64 memcg)
{
	__u64 css = memcg ? memcg + bpf_core_field_offset(struct mem_cgroup, css) : memory_css(task);

	return css ? cgroup_id(kread_address(struct cgroup_subsys_state, css, cgroup)) : 0;
}

/* --- rows -------------------------------------------------------------------------------------------------
 */

static __always_inline struct reclaim_stats *other_row(__u32 work)
{
	count_loss(LOSS_MAP);
	return bpf_map_lookup_elem(&others, &work);
}

static __always_inline struct reclaim_stats *row_of(const struct reclaim_key *key, __u64 task)
{
	struct task_struct *leader = kread(struct task_struct, task, group_leader);
	struct scratch *s = scratch();
	struct reclaim_stats *row;
	__u32 zero = 0;
	void *map;

	map = bpf_map_lookup_elem(&rows, &zero);
	if (!map || !s)
		return NULL;
	row = bpf_map_lookup_elem(map, key);
	if (row)
		return row;
	__builtin_memset(&s->stats, 0, sizeof(s->stats));
	bpf_core_read_str(s->stats.comm, COMM_SIZE, &leader->comm);
	bpf_map_update_elem(map, key, &s->stats, BPF_NOEXIST);
	row = bpf_map_lookup_elem(map, key);
	return row ? row : other_row(key->work);
}

static __always_inline void add_tally(struct reclaim_tally *to, const struct reclaim_tally *t)
{
	for (int i = 0; i < LRUS; i++) {
		__sync_fetch_and_add(&to->scanned[i], t->scanned[i]);
		__sync_fetch_and_add(&to->reclaimed[i], t->reclaimed[i]);
	}
	__sync_fetch_and_add(&to->writes, t->writes);
	for (int i = 0; i < THROTTLES; i++) {
		__sync_fetch_and_add(&to->throttled_ns[i], t->throttled_ns[i]);
		__sync_fetch_and_add(&to->throttled[i], t->throttled[i]);
	}
}

/* That maximum may miss one of two that end at the same moment: the smaller, most likely. */
static __always_inline void add_to_row(struct reclaim_stats *row, const struct reclaim_under_way *w, __u64 ns,
				       __u64 got)
{
	__u32 bucket = latency_bucket(ns);

	__sync_fetch_and_add(&row->count, 1);
	__sync_fetch_and_add(&row->ns, ns);
	__sync_fetch_and_add(&row->wanted, 1ull << (w->order & 63));
	__sync_fetch_and_add(&row->got, got);
	if (!got)
		__sync_fetch_and_add(&row->failed, 1);
	add_tally(&row->tally, &w->tally);
	if (ns > row->max_ns)
		row->max_ns = ns;
	if (w->order > row->max_order)
		row->max_order = w->order;
	row->gfp = w->gfp;
	if (bucket < LATENCY_BUCKETS)
		__sync_fetch_and_add(&row->buckets[bucket], 1);
}

/* --- work that begins and ends ----------------------------------------------------------------------------
 */

/* always: the kernel's own threads serve all, whoever is traced. */
static __always_inline int begins(__u32 work, __u32 order, __u32 gfp, __u64 memcg, bool always)
{
	__u64 id = bpf_get_current_pid_tgid(), task = bpf_get_current_task();
	struct reclaim_under_way w = {};
	__u32 tid = id;

	if (!control_block.enabled || (!always && !target_selects(task, id >> 32)))
		return 0;
	w.began_ns = bpf_ktime_get_ns();
	w.start_ns = kread(struct task_struct, task, start_time);
	w.key.process = process_key_of(task);
	w.key.work = work;
	w.key.cgroup = always ? 0 : cgroup_of(task, memcg);
	w.order = order;
	w.gfp = gfp;
	bpf_get_current_comm(w.comm, COMM_SIZE);
	if (bpf_map_update_elem(&under_way, &tid, &w, BPF_ANY))
		count_loss(LOSS_MAP);
	return 0;
}

/* What the current thread is at. NULL: nothing that is traced. */
static __always_inline struct reclaim_under_way *current_work(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct reclaim_under_way *w = bpf_map_lookup_elem(&under_way, &tid);

	return w && w->start_ns == kread(struct task_struct, bpf_get_current_task(), start_time) ? w : NULL;
}

/* Sends its stack, too, if it is this one's turn: how many it stands for then. */
static __always_inline __u32 send_its_stack(void *ctx, const struct reclaim_under_way *w, __u64 now, __u64 ns)
{
	__u32 weight = stack_weight(SAMPLER_OF_EVENTS, ns >= LONG_NS);
	struct vma_key key = {.process = w->key.process};
	struct stack_record *stack;

	if (!weight)
		return 0;
	stack = take_stack(ctx, STACK_OF_EVENT, config.stacks == STACK_BY_COPY, false);
	return stack && send_stack(events, stack, key, now, weight, config.ring_wake_bytes) ? weight : 0;
}

static __always_inline void send_record(void *ctx, const struct reclaim_under_way *w, __u64 now, __u64 got)
{
	struct scratch *s = scratch();
	__u64 ns = now - w->began_ns;
	struct reclaim_record *r;
	__u32 weight;

	if (!s || ns < config.min_latency_ns || w->key.work == WORK_KSWAPD)
		return;
	weight = send_its_stack(ctx, w, now, ns);
	if (!weight && !config.events)
		return;
	r = &s->record;
	r->header.type = RECORD_RECLAIM;
	r->header.size = sizeof(*r);
	r->ended_ns = now;
	r->ns = ns;
	r->got = got;
	r->tid = bpf_get_current_pid_tgid();
	r->weight = weight;
	r->work = *w;
	emit(events, r, sizeof(*r), config.ring_wake_bytes, LOSS_RING);
}

static __always_inline int ends(void *ctx, __u32 work, __u64 got)
{
	struct reclaim_under_way *w = current_work();
	__u64 now = bpf_ktime_get_ns();
	struct reclaim_stats *row;
	__u32 tid = bpf_get_current_pid_tgid();

	if (!w || w->key.work != work)
		return 0;
	row = row_of(&w->key, bpf_get_current_task());
	if (row)
		add_to_row(row, w, now - w->began_ns, got);
	if (config.events || config.stacks)
		send_record(ctx, w, now, got);
	bpf_map_delete_elem(&under_way, &tid);
	return 0;
}

/* (order, gfp); from 7.2 (gfp, order, memcg). */
static __always_inline int reclaim_begins(unsigned long long *ctx, __u32 work)
{
	return config.has_memcg ? begins(work, ctx[1], ctx[0], *(volatile __u64 *)&ctx[2], false)
				: begins(work, ctx[0], ctx[1], 0, false);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int direct_began(unsigned long long *ctx)
{
	return reclaim_begins(ctx, WORK_DIRECT);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int direct_ended(unsigned long long *ctx)
{
	return ends(ctx, WORK_DIRECT, ctx[0]);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int memcg_began(unsigned long long *ctx)
{
	return reclaim_begins(ctx, WORK_MEMCG);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int memcg_ended(unsigned long long *ctx)
{
	return ends(ctx, WORK_MEMCG, ctx[0]);
}

/* (nid, order, gfp) */
SEC("tp_btf/mm_vmscan_node_reclaim_begin")
int node_began(unsigned long long *ctx)
{
	return begins(WORK_NODE, ctx[1], ctx[2], 0, false);
}

SEC("tp_btf/mm_vmscan_node_reclaim_end")
int node_ended(unsigned long long *ctx)
{
	return ends(ctx, WORK_NODE, ctx[0]);
}

static __always_inline bool is_kernel_thread(void)
{
	return kread(struct task_struct, bpf_get_current_task(), flags) & PF_KTHREAD;
}

static __always_inline int compaction_wanted(__u32 order, __u32 gfp)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct request request = {order, gfp};

	if (control_block.enabled)
		bpf_map_update_elem(&requests, &tid, &request, BPF_ANY);
	return 0;
}

/* (order, gfp, priority) */
SEC("tp_btf/mm_compaction_try_to_compact_pages")
int block_wanted(unsigned long long *ctx)
{
	return compaction_wanted(ctx[0], ctx[1]);
}

/* (nid, order, zone) */
SEC("tp_btf/mm_compaction_kcompactd_wake")
int kcompactd_woke(unsigned long long *ctx)
{
	return compaction_wanted(ctx[1], 0);
}

/* Of one zone, which does not tell for what. */
SEC("tp_btf/mm_compaction_begin")
int compaction_began(void *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct request *request = bpf_map_lookup_elem(&requests, &tid);

	return begins(WORK_COMPACTION, request ? request->order : 0, request ? request->gfp : 0, 0,
		      is_kernel_thread());
}

/* The result is the fifth argument, or the sixth before 5.17 (commit 16b0be833b1e). */
SEC("tp_btf/mm_compaction_end")
int compaction_ended(unsigned long long *ctx)
{
	__u32 fifth = *(volatile __u64 *)&ctx[4];

	return ends(ctx, WORK_COMPACTION, fifth == COMPACT_SUCCESS);
}

SEC("tp_btf/mm_compaction_end")
int compaction_ended_6(unsigned long long *ctx)
{
	__u32 sixth = *(volatile __u64 *)&ctx[5];

	return ends(ctx, WORK_COMPACTION, sixth == COMPACT_SUCCESS);
}

/* --- kswapd -----------------------------------------------------------------------------------------------
 */

/* (nid, zid, order). It may be called again before it sleeps. */
SEC("tp_btf/mm_vmscan_kswapd_wake")
int kswapd_woke(unsigned long long *ctx)
{
	return current_work() ? 0 : begins(WORK_KSWAPD, ctx[2], 0, 0, true);
}

SEC("tp_btf/mm_vmscan_kswapd_sleep")
int kswapd_sleeps(unsigned long long *ctx)
{
	struct reclaim_under_way *w = current_work();

	return w ? ends(ctx, WORK_KSWAPD, w->tally.reclaimed[LRU_ANON] + w->tally.reclaimed[LRU_FILE]) : 0;
}

static __always_inline int count_for(__u64 task, __u32 work, __u64 n, __u32 order, __u32 gfp)
{
	struct reclaim_key key = {.process = process_key_of(task), .work = work};
	struct reclaim_stats *row;

	key.cgroup = cgroup_of(task, 0);
	row = row_of(&key, task);
	if (!row)
		return 0;
	__sync_fetch_and_add(&row->count, 1);
	if (n) /* of a constant 0 clang makes an instruction that 5.10 does not know */
		__sync_fetch_and_add(&row->got, n);
	if (order > row->max_order)
		row->max_order = order;
	row->gfp = gfp;
	return 0;
}

/* (nid, zid, order, gfp), in the task that has found too little */
SEC("tp_btf/mm_vmscan_wakeup_kswapd")
int kswapd_wanted(unsigned long long *ctx)
{
	__u64 task = bpf_get_current_task();

	if (!control_block.enabled || !target_selects(task, bpf_get_current_pid_tgid() >> 32))
		return 0;
	return count_for(task, WORK_WAKEUP, 0, ctx[2], ctx[3]);
}

/* --- what it does -----------------------------------------------------------------------------------------
 */

/* (nid, nr_scanned, nr_reclaimed, stat, priority, file) */
SEC("tp_btf/mm_vmscan_lru_shrink_inactive")
int list_shrunk(unsigned long long *ctx)
{
	struct reclaim_under_way *w = current_work();

	if (!w)
		return 0;
	if ((__u32)ctx[5]) {
		w->tally.scanned[LRU_FILE] += ctx[1];
		w->tally.reclaimed[LRU_FILE] += ctx[2];
	} else {
		w->tally.scanned[LRU_ANON] += ctx[1];
		w->tally.reclaimed[LRU_ANON] += ctx[2];
	}
	return 0;
}

static __always_inline int page_written(void)
{
	struct reclaim_under_way *w = current_work();

	if (w)
		w->tally.writes++;
	return 0;
}

SEC("tp_btf/mm_vmscan_write_folio")
int folio_written(void *ctx)
{
	return page_written();
}

/* Its name before 6.0 (commit 3aa7d9be3cd8). */
SEC("tp_btf/mm_vmscan_writepage")
int old_page_written(void *ctx)
{
	return page_written();
}

static __always_inline int paused(__u64 us, __u32 reason)
{
	struct reclaim_under_way *w = current_work();

	if (!w || reason >= THROTTLES)
		return 0;
	barrier_var(reason);
	reason &= THROTTLES - 1; /* for the verifier, which has lost sight of the check */
	w->tally.throttled[reason]++;
	w->tally.throttled_ns[reason] += us * 1000;
	return 0;
}

/* (nid, usec_timeout, usec_delayed, reason), 5.17 (commit 8cd7c588decf) */
SEC("tp_btf/mm_vmscan_throttled")
int throttled(unsigned long long *ctx)
{
	return paused((__u32)ctx[2], ctx[3]);
}

/* (usec_timeout, usec_delayed), before that */
SEC("tp_btf/writeback_congestion_wait")
int congestion_waited(unsigned long long *ctx)
{
	return paused((__u32)ctx[1], THROTTLE_CONGESTED);
}

SEC("tp_btf/writeback_wait_iff_congested")
int congestion_waited_maybe(unsigned long long *ctx)
{
	return paused((__u32)ctx[1], THROTTLE_CONGESTED);
}

/* --- swap -------------------------------------------------------------------------------------------------
 */

/*
 * (mm, member[, count]): while a task reclaims, the swap entries of an mm change for each page that is taken
 * out of it. Of shared memory they do not: that is nobody's own.
 */
SEC("tp_btf/rss_stat")
int counter_changed(unsigned long long *ctx)
{
	__u64 mm = ctx[0], owner;

	if ((__u32)ctx[1] != MM_SWAPENTS || !control_block.enabled ||
	    !(kread(struct task_struct, bpf_get_current_task(), flags) & PF_MEMALLOC) ||
	    !bpf_core_field_exists(struct mm_struct, owner))
		return 0;
	owner = kread_address(struct mm_struct, mm, owner);
	if (!owner || !target_selects(owner, kread(struct task_struct, owner, tgid)))
		return 0;
	return count_for(owner, WORK_SWAPOUT, 1, 0, 0);
}

/* --- whom -------------------------------------------------------------------------------------------------
 */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = kread(struct task_struct, parent, tgid),
	      tgid = kread(struct task_struct, child, tgid);

	if (tgid != parent_tgid)
		target_forked(parent_tgid, (__u64)child, tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exited, struct task_struct *task)
{
	if (!BPF_CORE_READ(task, signal, live.counter))
		target_exited(kread(struct task_struct, task, tgid));
	return 0;
}
