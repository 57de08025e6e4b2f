/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where processes grow (--stacks): of every so many completed faults one is looked at. If its process has
 * grown beyond what it was when its last stack was taken, this stack stands for the growth since then; so
 * huge pages weigh what they are, and a process that goes up and down costs next to nothing.
 */
#ifndef MEMTRACE_OOM_GROWTH_BPF_H
#define MEMTRACE_OOM_GROWTH_BPF_H

#define YOUNG_NS   1000000000ull /* a process of that age has been seen from its beginning */
#define MUCH_PAGES 256
#define FORGET_NS                                                                                \
	10000000000ull /* a mark that has not been reached for so long is not that of its growth \
			*/

/* Of a process, by its pid: how large it was when its last stack was taken. */
struct high_water {
	__u64 start_ns; /* of the process: a pid is used again */
	__u64 pages;
	__u64 time_ns; /* when it was so large */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct high_water);
} high_waters SEC(".maps");

/* Faults that were looked at, by VMA: each stands for config.fault_period of them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct vma_key);
	__type(value, __u64);
} vma_faults SEC(".maps");

/* What a process has for itself, in memory or swap: reclaim moves it and takes none away. */
static __always_inline __u64 own_pages(__u64 mm)
{
	return rss_counter(mm, MM_ANONPAGES, false) + rss_counter(mm, MM_SHMEMPAGES, false) +
	       rss_counter(mm, MM_SWAPENTS, false);
}

/* Pages by which the process has grown since its last stack. mark: what to say when this one is taken. */
static __always_inline __u64 growth(const struct process_key *key, __u64 mm, struct high_water *mark)
{
	struct high_water *last = bpf_map_lookup_elem(&high_waters, &key->tgid);
	__u64 base;

	mark->start_ns = key->start_ns;
	mark->pages = own_pages(mm);
	mark->time_ns = bpf_ktime_get_ns();
	if (last && last->start_ns == key->start_ns)
		base = last->pages;
	else
		base = mark->time_ns - key->start_ns < YOUNG_NS ? 0 : mark->pages;
	if (!last || last->start_ns != key->start_ns ||
	    (mark->pages < base && mark->time_ns - last->time_ns > FORGET_NS)) {
		struct high_water begin = {key->start_ns, base < mark->pages ? base : mark->pages,
					   mark->time_ns};

		if (bpf_map_update_elem(&high_waters, &key->tgid, &begin, BPF_ANY))
			count_loss(LOSS_STACK);
	}
	return mark->pages > base ? mark->pages - base : 0;
}

/*
 * Growth that is not left to chance: others may take all turns of this CPU. A 64th of the process, so that
 * the number of stacks grows with the logarithm of its size.
 */
static __always_inline bool is_much(__u64 growth, __u64 size)
{
	return growth >= MUCH_PAGES && growth >= size / 64;
}

static __always_inline void count_vma_fault(const struct vma_key *key)
{
	__u64 *n = bpf_map_lookup_elem(&vma_faults, key), one = 1;

	if (n)
		__sync_fetch_and_add(n, 1);
	else if (bpf_map_update_elem(&vma_faults, key, &one, BPF_ANY))
		count_loss(LOSS_NAMES);
}

static __always_inline int fault_looked_at(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), task = bpf_get_current_task();
	__u64 mm = kread_address(struct task_struct, task, mm), pages;
	struct vma_key key = {};
	struct stack_record *r;
	struct high_water mark;
	struct vma vma;

	if (!mm || !target_selects(task, id >> 32) || !vma_find(mm, ctx->addr, &vma))
		return 0;
	key.process = process_key_of(task);
	key.anchor = vma_anchor(&vma);
	key.file = vma.file;
	count_vma_fault(&key);
	pages = growth(&key.process, mm, &mark);
	if (!pages || (!is_much(pages, mark.pages) && !stack_weight(SAMPLER_OF_EVENTS, false)))
		return 0;
	if (bpf_map_update_elem(&high_waters, &key.process.tgid, &mark, BPF_ANY))
		count_loss(LOSS_STACK);
	r = take_stack(ctx, STACK_OF_EVENT, config.stacks == STACK_BY_COPY, false);
	if (r)
		send_stack(control, r, key, mark.time_ns, pages, config.ring_wake_bytes);
	return 0;
}

SEC("perf_event")
int fault_sampled(struct bpf_perf_event_data *ctx)
{
	return TIMED(fault_looked_at(ctx));
}

#endif
