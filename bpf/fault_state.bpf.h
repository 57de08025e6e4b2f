/* SPDX-License-Identifier: GPL-2.0 */
/* What faults.bpf.c remembers between its hooks: the maps, a fault under way, room for what the stack cannot
 * hold. */
#ifndef MEMTRACE_FAULT_STATE_BPF_H
#define MEMTRACE_FAULT_STATE_BPF_H

enum {
	MM_FILEPAGES,
	MM_ANONPAGES,
	MM_SWAPENTS,
	MM_SHMEMPAGES,
	MM_COUNTERS
}; /* include/linux/mm_types_task.h */

/* What user space changes while programs run. */
struct {
	__u32 enabled;	/* count */
	__u32 swap_on;	/* an anonymous fault can be major */
	__u32 phase;	/* enum phase */
	__u32 visited;	/* threads up to this pid have been visited by the first, or the last, task iteration
			 */
	__u64 began_ns; /* when it began: a thread that started later needs no visit */
	__u32 generation; /* which of the two hot VMAs a CPU uses, changed with the map */
	__u32 pad;
	__u64 first_seen;   /* VMAs entered since the maps were last taken */
	__u64 unattributed; /* faults that found room neither in the VMA map nor in that of processes */
} control_block = {};

struct vma_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* set by the loader */
	__type(key, struct vma_key);
	__type(value, struct vma_stats);
} vmas_a SEC(".maps"), vmas_b SEC(".maps");

/*
 * The map in use. User space takes the counts by putting the other one here: that update returns after a
 * grace period, when no program writes to the old map any more, so nothing is lost and nothing counted twice.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct vma_map);
} vmas SEC(".maps") = {.values = {&vmas_a}};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* generation & 1: user space reads the other, as it does with the maps */
	__type(key, __u32);
	__type(value, struct hot_vma);
} hot_vmas SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CLASSES * 2); /* class * 2 + major */
	__type(key, __u32);
	__type(value, struct class_latency);
} class_latencies SEC(".maps");

/* A fault between its exception and its end. */
struct fault {
	struct vma_key key;
	__u64 time_ns;
	__u64 address, ip, sp, mm;
	__u64 start, end; /* of the VMA; 0 if there is none */
	__u32 vm_flags;
	__u32 error;
	__u32 tid;
	__u32 sequence; /* of the mm's lock, before the VMA was found; where that is a seqcount */
	__u32 pad1;
	__u8 class;
	__u8 kind;
	__u8 kernel_mode;
	__u8 grows_stack;
	__u8 first; /* in its VMA, since the maps were last taken */
	__u8 pad[7];
};

/* What is remembered of a task. */
struct slot {
	struct fault fault;
	__u32 active;				/* the fault has not ended yet, as far as is known */
	__u32 members;				/* RSS counters that changed since, a bit each */
	int rss_events, rss_count[MM_COUNTERS]; /* task->rss_stat at the exception, where that exists */
	__u32 announced_class;
	struct vma_key announced; /* --events: the last VMA whose name was sent for this task */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct slot);
} slots_by_task SEC(".maps");

/* For kernels without task storage, and where it cannot be had (7.2 on a CPU without cmpxchg16b). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct slot);
} slots_by_tid SEC(".maps");

/*
 * Room for what the stack cannot hold. One each for the hooks that may interrupt one another on a CPU: a
 * kernel with preemptible tracepoints runs the exception hook in the middle of a process hook.
 */
enum context { IN_EXCEPTION, IN_COMPLETION, IN_PROCESS, IN_SIGNAL, CONTEXTS };

struct scratch {
	struct vma_record vma;
	struct slot blank;
	struct process_stats process;
	struct vma_stats stats;
	struct fault_record fault;
	struct signal_record signal;
	struct vma_extent extent;
	struct vma_gap gap;
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

/* What is remembered of the current task. NULL: nothing, or no room to make it. */
static __always_inline struct slot *slot_of_current(bool create, __u32 context)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct slot *slot;

	if (config.task_storage) {
		slot = bpf_task_storage_get(&slots_by_task, bpf_get_current_task_btf(), NULL,
					    create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
		if (slot)
			return slot;
	}
	slot = bpf_map_lookup_elem(&slots_by_tid, &tid);
	if (!slot && create) {
		struct scratch *s = scratch(context);

		if (!s || bpf_map_update_elem(&slots_by_tid, &tid, &s->blank, BPF_ANY)) {
			count_loss(LOSS_MAP);
			return NULL;
		}
		slot = bpf_map_lookup_elem(&slots_by_tid, &tid);
	}
	return slot;
}

#endif
