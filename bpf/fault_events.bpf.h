/* SPDX-License-Identifier: GPL-2.0 */
/*
 * --events: a record for each fault. They are gathered on the CPU and sent together, since sending one costs
 * more than making it: when there are EVENT_BATCH of them, when the task is switched out (so that the lines
 * of a thread stay in order), and by a timer.
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

/* There was no room for a record: its fault is counted here, as user space would have. Global: verified once.
 */
__noinline int count_unsent(__u64 i)
{
	struct event_batch *batch = event_batch();
	struct scratch *s = scratch(IN_FLUSH);
	const struct fault_event *e;
	struct vma_key key;
	bool major;

	barrier_var(i);
	if (!batch || !s || i >= EVENT_BATCH)
		return 0;
	e = &batch->events[i];
	major = e->flags & FAULT_MAJOR;
	key.process = batch->process;
	key.anchor = e->anchor;
	key.file = e->file;
	__builtin_memset(&s->stats, 0, sizeof(s->stats));
	if (e->vma_size) {
		s->stats.start =
			(e->anchor & ~(__u64)VM_PERMS) - (e->flags & FAULT_GROWS_DOWN ? e->vma_size : 0);
		s->stats.end = s->stats.start + e->vma_size;
	}
	s->stats.faults = 1;
	s->stats.major = major;
	s->stats.kernel_mode = !!(e->flags & FAULT_KERNEL_MODE);
	s->stats.stack_tid = e->flags & FAULT_OWN_STACK ? batch->tid : 0;
	s->stats.class = e->class;
	count_kind(&s->stats, e->kind, 1);
	count_latency(&s->stats, e->class, major, e->latency_ns);
	put_stats(&key, &s->stats);
	return 0;
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
	if (!emit(events, batch, size, config.ring_wake_bytes, LOSS_RING)) {
		count_losses(LOSS_RING, n - 1);
		for (__u32 i = 0; i < EVENT_BATCH && i < n; i++)
			count_unsent(i);
	}
	batch->count = 0;
	return 0;
}

static __always_inline __u8 event_flags(const struct fault *f, bool major)
{
	__u8 flags = (major ? FAULT_MAJOR : 0) | (f->kernel_mode ? FAULT_KERNEL_MODE : 0);

	if (f->vm_flags & VM_GROWSDOWN)
		flags |= FAULT_GROWS_DOWN;
	if (f->class == CLASS_ANON && f->sp >= f->start && f->sp < f->end && f->tid != f->key.process.tgid)
		flags |= FAULT_OWN_STACK;
	return flags;
}

/* The fault goes to user space, which counts it. False: it could not be kept. */
static __always_inline bool send_fault(const struct fault *f, bool major, __u64 latency_ns)
{
	struct event_batch *batch = event_batch();
	struct fault_event *e;
	__u32 at;

	if (!batch)
		return false;
	if (batch->count && (batch->tid != f->tid || batch->process.image != f->key.process.image))
		flush_events();
	at = batch->count;
	if (at >= EVENT_BATCH)
		return false;
	if (!at) {
		batch->process = f->key.process;
		batch->tid = f->tid;
		bpf_get_current_comm(batch->comm, COMM_SIZE);
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
	e->flags = event_flags(f, major);
	batch->count = at + 1;
	/* A stack was sent just before, and user space joins the two. */
	if (at + 1 == EVENT_BATCH || config.stacks)
		flush_events();
	return true;
}

static __always_inline void flush_this_cpu(void)
{
	struct event_batch *batch = event_batch();

	if (batch && batch->count && control_block.enabled)
		flush_events();
}

#endif
