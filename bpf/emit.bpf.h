/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only way out of the kernel: two ring buffers, and a count of what did not fit.
 *
 * `control` carries what gives the numbers their names (VMAs, signals); `events` carries --events, and its
 * flood cannot push the names out. A wake-up costs more than ten records, so none is sent per record: user
 * space polls, and is woken once when a ring passes its watermark.
 */
#ifndef MEMTRACE_EMIT_BPF_H
#define MEMTRACE_EMIT_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set by the loader */
} control SEC(".maps"), events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_CAUSES);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static __always_inline void count_losses(__u32 cause, __u64 n)
{
	__u64 *lost = bpf_map_lookup_elem(&losses, &cause);

	if (lost)
		__sync_fetch_and_add(lost, n);
}

static __always_inline void count_loss(__u32 cause)
{
	count_losses(cause, 1);
}

/* Wake the reader on the record that crosses the watermark, and only on that one. */
static __always_inline __u64 wake_flags(__u64 waiting, __u32 watermark, __u32 size)
{
	return waiting >= watermark && waiting < watermark + 2 * size ? BPF_RB_FORCE_WAKEUP
								      : BPF_RB_NO_WAKEUP;
}

/* Send one record. False: the ring was full, and that has been counted as `loss`. */
#define emit(ring, record, record_size, watermark, loss)                                         \
	({                                                                                       \
		__u64 _waiting = bpf_ringbuf_query(&(ring), BPF_RB_AVAIL_DATA);                  \
		long _failed = bpf_ringbuf_output(&(ring), record, record_size,                  \
						  wake_flags(_waiting, watermark, record_size)); \
		if (_failed)                                                                     \
			count_loss(loss);                                                        \
		!_failed;                                                                        \
	})

#endif
