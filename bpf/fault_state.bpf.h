/* SPDX-License-Identifier: GPL-2.0 */
/* What faults.bpf.c remembers between its hooks: the maps, a fault under way, room for what the stack cannot
 * hold. */
#ifndef MEMTRACE_FAULT_STATE_BPF_H
#define MEMTRACE_FAULT_STATE_BPF_H

/* What user space changes while programs run. */
struct {
	__u32 enabled;	/* count */
	__u32 swap_on;	/* an anonymous fault can be major */
	__u32 phase;	/* enum phase */
	__u32 visited;	/* threads up to this pid have been visited by the first, or the last, task iteration
			 */
	__u64 began_ns; /* when it began: a thread that started later needs no visit */
	__u32 generation;   /* which of the two hot VMAs a CPU uses, changed with the map */
	__u32 parked;	    /* faults in parked_slots */
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
	__u8 timed; /* though it be minor */
	__u8 pad[6];
};

#include "rss.bpf.h"

/*
 * The fault in progress of the task that runs on a CPU: it costs a fraction of task storage. A task that is
 * switched out in the middle of a fault takes it along: sched_switch parks it, and brings it back where the
 * task goes on.
 */
struct slot {
	struct fault fault;
	__u16 active;	 /* the fault has not ended yet, as far as is known */
	__u8 in_reclaim; /* what changes now is not its doing */
	__u8 held;	 /* --events: the last event gathered on this CPU is its, and it has not ended */
	__u32 members;	 /* RSS counters that have changed, as far as that was looked at; a bit each */
	struct rss rss;	 /* where the next look starts from */
	__u64 completed; /* faults of the task before this one, by the kernel's counters */
};

/* MINOR_SAMPLED: whose turn it is to be timed, and how often minor faults come. */
struct minor_sampler {
	__u32 turn;	/* counts faults */
	__u32 mask;	/* those whose turn has none of these bits are timed; 0: all */
	__u64 since_ns; /* the present window, and the turn when it began */
	__u32 since_turn;
	__u32 pad;
};

/* What a CPU keeps. */
struct cpu_state {
	struct slot slot;
	struct minor_sampler minors;
	__u64 address;	  /* of this, in the kernel */
	__u64 map;	  /* of the map that this is in */
	__u64 cpu_offset; /* from percpu addresses to those of this CPU; 0: not known yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

/* Faults whose task sleeps, by thread. control_block.parked says how many. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct slot);
} parked_slots SEC(".maps");

/*
 * Room for what the stack cannot hold. One each for the hooks that may interrupt one another on a CPU: a
 * kernel with preemptible tracepoints runs the exception hook in the middle of a process hook.
 */
enum context { IN_EXCEPTION, IN_COMPLETION, IN_PROCESS, IN_SIGNAL, IN_FLUSH, CONTEXTS };

struct scratch {
	struct vma_record vma;
	struct process_stats process;
	struct vma_stats stats;
	struct signal_record signal;
	struct fault signalled; /* the fault that led to it */
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

static __always_inline struct cpu_state *cpu_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_states, &zero);
}

/*
 * __per_cpu_offset[] is not exported to programs on every kernel. But an element of a per-CPU map is where
 * the map says, plus that offset. A pointer that was stored in a map is read back as a number.
 */
static __always_inline __u64 cpu_offset(struct cpu_state *state)
{
	if (state->cpu_offset)
		return state->cpu_offset;
	*(void *volatile *)&state->address = state;
	*(void *volatile *)&state->map = &cpu_states;
	state->cpu_offset =
		*(volatile __u64 *)&state->address -
		read_word(*(volatile __u64 *)&state->map + bpf_core_field_offset(struct bpf_array, pptrs));
	return state->cpu_offset;
}

/* By the counters of the kernel. */
static __always_inline __u64 completed_faults(__u64 task)
{
	return kread(struct task_struct, task, min_flt) + kread(struct task_struct, task, maj_flt);
}

/* The state of this CPU, if the current task is in a fault that has not ended. NULL: none is known. */
static __always_inline struct cpu_state *fault_in_progress(void)
{
	struct cpu_state *state = cpu_state();

	return state && state->slot.active && state->slot.fault.tid == (__u32)bpf_get_current_pid_tgid()
		       ? state
		       : NULL;
}

#endif
