/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which RSS counters of its mm a fault has changed, by comparison: while the task stays on its CPU and is not
 * in reclaim, nobody else changes that CPU's part of them. Before 6.2 a task has a part of its own.
 */
#ifndef MEMTRACE_RSS_BPF_H
#define MEMTRACE_RSS_BPF_H

/* Those that tell kinds apart: pages of anonymous memory, and entries that stand for pages in swap. */
enum { RSS_ANON, RSS_SWAP, RSS_COUNTERS };

enum { MM_ANONPAGES = 1, MM_SWAPENTS, MM_COUNTERS = 4 }; /* include/linux/mm_types_task.h */

struct rss {
	int local[RSS_COUNTERS];    /* the part of the task (before 6.2), or of the CPU */
	__u64 folded[RSS_COUNTERS]; /* what has been folded into the mm, where local is 0; before 6.2 how
				       often */
};

static __always_inline bool has_task_rss(void)
{
	return bpf_core_field_exists(struct task_struct___rss, rss_stat);
}

static __always_inline void read_task_rss(__u64 task, struct rss *rss)
{
	struct task_struct___rss *t = (void *)task;
	int count[MM_COUNTERS] = {};

	bpf_core_read(count, sizeof(count), &t->rss_stat.count);
	rss->local[RSS_ANON] = count[MM_ANONPAGES];
	rss->local[RSS_SWAP] = count[MM_SWAPENTS];
	rss->folded[RSS_ANON] = rss->folded[RSS_SWAP] = BPF_CORE_READ(t, rss_stat.events);
}

/* cpu_offset: from percpu addresses to those of this CPU. */
static __always_inline void read_counter(__u64 cpu_offset, __u64 counter, int *local, __u64 *folded)
{
	*local = read_word(read_word(counter + bpf_core_field_offset(struct percpu_counter, counters)) +
			   cpu_offset);
	if (!*local)
		*folded = read_word(counter + bpf_core_field_offset(struct percpu_counter, count));
}

static __always_inline void read_rss(__u64 task, __u64 cpu_offset, __u64 mm, struct rss *rss)
{
	__u64 size = bpf_core_type_size(struct percpu_counter),
	      anon = mm + bpf_core_field_offset(struct mm_struct___percpu, rss_stat) + MM_ANONPAGES * size;

	if (has_task_rss()) {
		read_task_rss(task, rss);
		return;
	}
	read_counter(cpu_offset, anon, &rss->local[RSS_ANON], &rss->folded[RSS_ANON]);
	if (control_block.swap_on)
		read_counter(cpu_offset, anon + size, &rss->local[RSS_SWAP], &rss->folded[RSS_SWAP]);
}

/*
 * Before 6.2, handle_mm_fault() first folds the counts into the mm when `events`, which it increments, has
 * passed a threshold: then they start from 0. In a percpu_counter a change that reaches the batch (THP) goes
 * into the total at once and leaves the CPU's part at 0.
 */
static __always_inline bool counter_changed(const struct rss *before, const struct rss *now, int i)
{
	if (has_task_rss())
		return now->local[i] != (now->folded[i] >= before->folded[i] ? before->local[i] : 0);
	return now->local[i] != before->local[i] || (!now->local[i] && now->folded[i] != before->folded[i]);
}

/* The counters that have changed since `before` was read, a bit each (1 << RSS_ANON). */
static __always_inline __u32 rss_changes(__u64 task, __u64 cpu_offset, __u64 mm, const struct rss *before)
{
	struct rss now = {};
	__u32 members;

	read_rss(task, cpu_offset, mm, &now);
	members = counter_changed(before, &now, RSS_ANON) << RSS_ANON;
	if (has_task_rss() || control_block.swap_on)
		members |= counter_changed(before, &now, RSS_SWAP) << RSS_SWAP;
	return members;
}

#endif
