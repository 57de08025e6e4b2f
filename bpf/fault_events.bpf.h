/* SPDX-License-Identifier: GPL-2.0 */
/*
 * --events: a record for each fault. They are gathered on the CPU and sent together, since sending one costs
 * more than making it: when there is no room for the next, when the task is switched out (so that the lines
 * of a thread stay in order), and by a timer.
 *
 * A fault that is not timed is put here when it is raised. If it may yet turn out to be major, or bad, it is
 * held: it can still be changed, or withdrawn, and is not sent while it has not ended.
 */
#ifndef MEMTRACE_FAULT_EVENTS_BPF_H
#define MEMTRACE_FAULT_EVENTS_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_batch);
} event_batches SEC(".maps");

static __always_inline struct event_batch *event_batch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&event_batches, &zero);
}

/* Is it among those that --events shows? */
static __always_inline bool is_asked_for(bool major, __u64 latency_ns)
{
	return (major || !config.major_only) && latency_ns >= config.min_latency_ns;
}

/* Send what this CPU has gathered. Global: verified once. */
__noinline int flush_events(void)
{
	struct event_batch *batch = event_batch();
	__u64 n, size;

	if (!batch)
		return 0;
	n = batch->count;
	size = n * sizeof(batch->events[0]);
	barrier_var(size);
	if (!n || size > sizeof(batch->events))
		return 0;
	size += __builtin_offsetof(struct event_batch, events);
	batch->header.type = RECORD_FAULTS;
	batch->header.size = size;
	if (!emit(events, batch, size, config.ring_wake_bytes, LOSS_RING))
		count_losses(LOSS_RING, n - 1);
	batch->count = 0;
	return 0;
}

static __always_inline __u8 event_flags(const struct fault *f, bool major, bool timed)
{
	__u8 flags = (major ? FAULT_MAJOR : 0) | (f->kernel_mode ? FAULT_KERNEL_MODE : 0) |
		     (timed ? FAULT_TIMED : 0);

	if (f->vm_flags & VM_GROWSDOWN)
		flags |= FAULT_GROWS_DOWN;
	if (is_own_stack(f))
		flags |= FAULT_OWN_STACK;
	return flags;
}

/* latency_ns: or NOT_TIMED. False: there was no room for it, which has been counted. */
static __always_inline bool put_event(const struct fault *f, __u64 task, bool major, __u64 latency_ns)
{
	struct event_batch *batch = event_batch();
	struct fault_event *e;
	__u32 at;

	if (!batch)
		return false;
	if (batch->count == EVENT_BATCH ||
	    (batch->count && (batch->tid != f->tid || batch->process.image != f->key.process.image)))
		flush_events();
	at = batch->count;
	if (at >= EVENT_BATCH)
		return false;
	if (!at) {
		batch->process = f->key.process;
		batch->tid = f->tid;
		bpf_core_read(batch->comm, COMM_SIZE, &((struct task_struct *)task)->comm);
	}
	e = &batch->events[at];
	e->anchor = f->key.anchor;
	e->file = f->key.file;
	e->vma_size = f->end - f->start;
	e->time_ns = f->time_ns;
	e->latency_ns = latency_ns;
	e->address = f->address;
	e->ip = f->ip;
	e->error = f->error;
	e->kind = f->kind;
	e->class = f->class;
	e->flags = event_flags(f, major, latency_ns != NOT_TIMED);
	batch->count = at + 1;
	/* A stack was sent just before, and user space joins the two. */
	if (config.stacks)
		flush_events();
	return true;
}

/* The event held, which is the last, becomes that of a major fault. */
static __always_inline void amend_event(struct slot *slot, __u64 latency_ns)
{
	struct event_batch *batch = event_batch();
	__u32 last;

	slot->held = 0;
	if (!batch)
		return;
	last = batch->count - 1;
	if (last >= EVENT_BATCH)
		return;
	batch->events[last].flags |= FAULT_MAJOR | FAULT_TIMED;
	batch->events[last].kind = slot->fault.kind;
	batch->events[last].latency_ns = latency_ns;
}

/* The event held was none: its fault has not completed, or not yet. */
static __always_inline void withdraw_event(struct slot *slot)
{
	struct event_batch *batch = event_batch();

	if (slot->held && batch && batch->count)
		batch->count--;
	slot->held = 0;
}

/* --events, when faults are not timed: the fault in the slot is put down when it is raised. */
static __always_inline void hold_event(struct slot *slot, __u64 task)
{
	if (config.events && !config.complete && !config.major_only)
		slot->held = put_event(&slot->fault, task, false, NOT_TIMED);
}

/* The fault that the slot still holds has ended: another begins, its thread ends, or is in user mode. */
static __always_inline void end_held_event(struct slot *slot, __u64 task)
{
	if (slot->active && slot->held && completed_faults(task) == slot->completed)
		withdraw_event(slot);
}

static __always_inline void flush_this_cpu(void)
{
	struct event_batch *batch = event_batch();

	if (batch && batch->count && control_block.enabled)
		flush_events();
}

#endif
