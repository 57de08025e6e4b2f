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
	const struct fault_record *r;

	barrier_var(i);
	if (!batch || !s || i >= EVENT_BATCH)
		return 0;
	r = &batch->records[i];
	__builtin_memset(&s->stats, 0, sizeof(s->stats));
	s->stats.start = r->start;
	s->stats.end = r->end;
	s->stats.faults = 1;
	s->stats.major = r->major;
	s->stats.kernel_mode = r->kernel_mode;
	s->stats.stack_tid = r->stack_tid;
	s->stats.class = r->class;
	count_kind(&s->stats, r->kind, 1);
	count_latency(&s->stats, r->class, r->major, r->latency_ns);
	put_stats(&r->key, &s->stats);
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
	batch->count = 0;
	size = n * sizeof(batch->records[0]);
	barrier_var(size);
	if (!n || size > sizeof(batch->records) ||
	    emit(events, batch->records, size, config.ring_wake_bytes, LOSS_RING))
		return 0;
	count_losses(LOSS_RING, n - 1);
	for (__u32 i = 0; i < EVENT_BATCH && i < n; i++)
		count_unsent(i);
	return 0;
}

/* The fault goes to user space, which counts it. False: it could not be kept. */
static __always_inline bool send_fault(const struct fault *f, bool major, __u64 latency_ns)
{
	struct event_batch *batch = event_batch();
	struct fault_record *r;
	__u32 at;

	if (!batch || (at = batch->count) >= EVENT_BATCH)
		return false;
	r = &batch->records[at];
	r->header.type = RECORD_FAULT;
	r->header.size = sizeof(*r);
	r->key = f->key;
	r->time_ns = f->time_ns;
	r->latency_ns = latency_ns;
	r->address = f->address;
	r->ip = f->ip;
	r->start = f->start;
	r->end = f->end;
	r->tid = f->tid;
	r->error = f->error;
	r->kind = f->kind;
	r->class = f->class;
	r->major = major;
	r->kernel_mode = f->kernel_mode;
	r->stack_tid = 0;
	if (f->class == CLASS_ANON && f->sp >= f->start && f->sp < f->end && f->tid != f->key.process.tgid)
		r->stack_tid = f->tid;
	bpf_get_current_comm(r->comm, COMM_SIZE);
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
