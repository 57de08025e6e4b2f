/* SPDX-License-Identifier: GPL-2.0 */
/* Where a fault is counted: in its VMA's entry, in its process's if there is no room, or as an event. */
#ifndef MEMTRACE_FAULT_COUNT_BPF_H
#define MEMTRACE_FAULT_COUNT_BPF_H

/* Send the context's VMA record. */
__noinline int announce(__u32 context)
{
	struct scratch *s = scratch(context);
	__u32 size;

	if (!s)
		return 0;
	size = finish_vma_record(&s->vma);
	return emit(control, &s->vma, size, config.control_wake_bytes, LOSS_NAMES);
}

static __always_inline bool same_vma(const struct vma_key *a, const struct vma_key *b)
{
	return a->anchor == b->anchor && a->file == b->file && a->process.tgid == b->process.tgid &&
	       a->process.image == b->process.image && a->process.start_ns == b->process.start_ns;
}

/*
 * A VMA without an entry in the map: make it, and send its name. The VMA is looked up again, by its start:
 * the fault may have slept since it was located. map: where stats_of() will look, which user space may have
 * exchanged by now.
 */
static __noinline int first_seen(struct fault *f, void *map, __u32 context)
{
	struct scratch *s = scratch(context);

	if (!s || !f)
		return 0;
	s->vma.key.process = f->key.process;
	describe_vma(f->mm, f->end ? f->start : ~0ull, context);
	if (!same_vma(&s->vma.key, &f->key)) { /* it is gone */
		describe_vma(f->mm, ~0ull, context);
		s->vma.key = f->key;
	}
	process_of(&f->key.process, bpf_get_current_task(), context);
	__builtin_memset(&s->stats, 0, sizeof(s->stats));
	s->stats.class = s->vma.class;
	if (bpf_map_update_elem(map, &f->key, &s->stats, BPF_NOEXIST))
		return 0; /* full, or another CPU was first */
	__sync_fetch_and_add(&control_block.first_seen, 1);
	f->first = 1;
	announce(context);
	return 0;
}

/* The counters of f's VMA; NULL: the map is full. Decides f->class. */
static __always_inline struct vma_stats *stats_of(struct fault *f, __u32 context)
{
	struct vma_stats *stats;
	struct scratch *s;
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&vmas, &zero);

	if (!map)
		return NULL;
	stats = bpf_map_lookup_elem(map, &f->key);
	if (!stats) {
		first_seen(f, map, context);
		stats = bpf_map_lookup_elem(map, &f->key);
	}
	if (!stats || stats->class == CLASS_UNKNOWN) { /* no room, or made on another CPU */
		s = scratch(context);
		if (s && f->end && describe_vma(f->mm, f->start, context))
			f->class = s->vma.class;
		if (stats)
			stats->class = f->class;
		return stats;
	}
	f->class = stats->class;
	return stats;
}

/* No room for the VMA: the fault counts for its process, and if there is no room for that either, at all. */
static __noinline int count_other(struct fault *f, bool major, bool failed, __u32 context)
{
	struct process_stats *p;
	__u32 kind;

	if (!f)
		return 0;
	count_loss(LOSS_MAP);
	p = process_of(&f->key.process, bpf_get_current_task(), context);
	if (!p) {
		__sync_fetch_and_add(&control_block.unattributed, 1);
		return 0;
	}
	kind = f->kind;
	__sync_fetch_and_add(&p->other_faults, 1);
	if (kind < KINDS)
		__sync_fetch_and_add(&p->other_kinds[kind], 1);
	if (major)
		__sync_fetch_and_add(&p->other_major, 1);
	if (f->kernel_mode)
		__sync_fetch_and_add(&p->other_kernel_mode, 1);
	if (failed)
		__sync_fetch_and_add(&p->other_failed, 1);
	return 0;
}

static __always_inline void count_kind(struct vma_stats *stats, __u32 kind, int n)
{
	if (kind < KINDS)
		stats->kinds[kind] += n;
}

/* The kernel marks no thread's stack: it is where a thread, other than the first, keeps its pointer. */
static __always_inline bool is_own_stack(const struct fault *f)
{
	return f->class == CLASS_ANON && f->sp >= f->start && f->sp < f->end && f->tid != f->key.process.tgid;
}

static __always_inline void count_fault(struct vma_stats *stats, const struct fault *f)
{
	stats->faults++;
	stats->kernel_mode += f->kernel_mode;
	count_kind(stats, f->kind, 1);
	if (!stats->end || f->start < stats->start)
		stats->start = f->start;
	if (f->end > stats->end)
		stats->end = f->end;
	if (is_own_stack(f))
		stats->stack_tid = f->tid;
}

static __always_inline void count_latency(struct vma_stats *stats, __u8 class, bool major, __u64 latency_ns)
{
	__u32 index = class * 2 + major, bucket;
	struct class_latency *l;

	if (latency_ns == NOT_TIMED && config.time_minor != MINOR_SAMPLED)
		return;
	l = bpf_map_lookup_elem(&class_latencies, &index);
	if (latency_ns == NOT_TIMED) {
		if (l)
			l->untimed++;
		return;
	}
	bucket = latency_bucket(latency_ns);
	if (bucket >= LATENCY_BUCKETS)
		return;
	if (l) {
		l->buckets[bucket]++;
		if (latency_ns > l->max_ns)
			l->max_ns = latency_ns;
	}
	if (!stats)
		return;
	stats->latency[bucket]++;
	if (latency_ns > stats->max_ns)
		stats->max_ns = latency_ns;
}

#endif
