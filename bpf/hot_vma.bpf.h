/* SPDX-License-Identifier: GPL-2.0 */
/* A fault in the VMA of the one before: the short way. See struct hot_vma. */
#ifndef MEMTRACE_HOT_VMA_BPF_H
#define MEMTRACE_HOT_VMA_BPF_H

static __always_inline struct hot_vma *hot_vma(void)
{
	__u32 index = control_block.generation & 1;

	if (!bpf_core_field_exists(struct mm_struct___seq, mm_lock_seq.sequence))
		return NULL;
	return bpf_map_lookup_elem(&hot_vmas, &index);
}

static __always_inline __u32 mm_sequence(__u64 mm)
{
	return kread(struct mm_struct___seq, mm, mm_lock_seq.sequence);
}

/* Is f's fault in this VMA? tgid and image: the memory of an mm may be another's by now. */
static __always_inline bool hot_vma_holds(const struct hot_vma *hot, const struct fault *f, __u32 image)
{
	return hot->mm == f->mm && f->address >= hot->start && f->address < hot->end &&
	       hot->key.process.tgid == f->key.process.tgid && hot->key.process.image == image &&
	       hot->sequence == mm_sequence(f->mm);
}

static __always_inline void add_stats(struct vma_stats *to, const struct vma_stats *from)
{
	to->faults += from->faults;
	to->kernel_mode += from->kernel_mode;
	to->failed += from->failed;
	to->major += from->major;
	for (int i = 0; config.complete && i < LATENCY_BUCKETS; i++)
		to->latency[i] += from->latency[i];
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (int i = 0; i < KINDS; i++)
		to->kinds[i] += from->kinds[i];
	if (from->stack_tid)
		to->stack_tid = from->stack_tid;
	if (!to->end || (from->end && from->start < to->start))
		to->start = from->start;
	if (from->end > to->end)
		to->end = from->end;
}

/* No room in the map: what would be there counts for the process. */
static __always_inline void add_to_other(const struct process_key *key, const struct vma_stats *s)
{
	struct process_stats *p = bpf_map_lookup_elem(&processes, key);

	count_loss(LOSS_MAP);
	if (!p) {
		__sync_fetch_and_add(&control_block.unattributed, s->faults);
		return;
	}
	__sync_fetch_and_add(&p->other_faults, s->faults);
	__sync_fetch_and_add(&p->other_kernel_mode, s->kernel_mode);
	__sync_fetch_and_add(&p->other_failed, s->failed);
	__sync_fetch_and_add(&p->other_major, s->major);
	for (int i = 0; i < KINDS; i++)
		__sync_fetch_and_add(&p->other_kinds[i], s->kinds[i]);
}

/* Add counts that were kept elsewhere to those of their VMA. */
static __noinline int put_stats(const struct vma_key *key, const struct vma_stats *counted)
{
	struct vma_stats *stats;
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&vmas, &zero);

	if (!key || !counted || !map)
		return 0;
	stats = bpf_map_lookup_elem(map, key);
	if (!stats) {
		if (!bpf_map_update_elem(map, key, counted, BPF_NOEXIST))
			return 0;
		stats = bpf_map_lookup_elem(map, key); /* another CPU was first, or there is no room */
	}
	if (stats)
		add_stats(stats, counted);
	else
		add_to_other(&key->process, counted);
	return 0;
}

static __always_inline void flush_hot_vma(struct hot_vma *hot)
{
	put_stats(&hot->key, &hot->pending);
	__builtin_memset(&hot->pending, 0, sizeof(hot->pending));
}

/* f's VMA is known by now: the next fault there may be counted here. */
static __always_inline void set_hot_vma(struct hot_vma *hot, const struct fault *f)
{
	if (hot->pending.faults)
		flush_hot_vma(hot);
	hot->mm = 0;
	if (f->grows_stack || !f->end || (f->sequence & 1) || f->sequence != mm_sequence(f->mm))
		return;
	hot->key = f->key;
	hot->start = f->start;
	hot->end = f->end;
	hot->vm_flags = f->vm_flags;
	hot->class = f->class;
	hot->sequence = f->sequence;
	hot->mm = f->mm;
}

#endif
