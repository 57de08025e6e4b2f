/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/map_events.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "trace/map_record.h"
#include "trace/privileges.h"
#include "util/log.h"

/*
 * An exec with its fork, its end and ten libraries is about 2 KiB of records: at 2,000 a second, all on one
 * CPU, 512 KiB last for 120 ms, and the rings are read every 50. Where there are many CPUs, each has less to
 * tell.
 */
#define RINGS_SIZE (4u << 20)
#define RING_MAX   (512u << 10)
#define RING_MIN   (64u << 10)
#define RING_LEAST (16u << 10) /* if memory that may be locked is short */

struct ring {
	int fd;
	struct perf_event_mmap_page *page; /* followed by the data */
	size_t size;			   /* of the data, a power of two */
	uint64_t tail, head;		   /* head: as of the beginning of this consume() */
	uint64_t time;			   /* of the record at tail; UINT64_MAX: none */
};

struct map_events {
	struct ring *rings; /* one a CPU that is online */
	int n;
	uint64_t until_ns;			     /* what happened up to then is delivered */
	void (*mapped)(void *context, uint32_t pid); /* NULL: nobody wants to know */
	void *mapped_context;
	union {
		struct perf_event_header header;
		char bytes[65536]; /* a record that the end of the ring cuts in two */
	} record;
};

/* --- open and close --------------------------------------------------------------------------------------
 */

/* Build ids came in 5.12 (88a16a130933); comm_exec and mmap2 are older than what memtrace runs on. */
static int open_event(int cpu, bool has_build_id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = MAP_RECORD_SAMPLE_TYPE,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.build_id = has_build_id,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = UINT32_MAX, /* nobody waits */
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int map_ring(struct ring *ring, size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *at;

	for (; size >= RING_LEAST; size /= 2) {
		at = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
		if (at != MAP_FAILED) {
			ring->page = at;
			ring->size = size;
			return 0;
		}
		if (errno != EPERM && errno != ENOMEM)
			break;
	}
	return -errno;
}

static size_t size_of_ring(int cpus)
{
	size_t size = RING_MAX;

	while (size > RING_MIN && size * cpus > RINGS_SIZE)
		size /= 2;
	return size;
}

static int open_cpu(struct map_events *events, int cpu, size_t size, bool *has_build_id)
{
	struct ring *ring = &events->rings[events->n];
	int fd = open_event(cpu, *has_build_id);

	if (fd == -EINVAL && *has_build_id) {
		*has_build_id = false;
		fd = open_event(cpu, false);
	}
	if (fd < 0)
		return fd == -ENODEV ? 0 : fd; /* the CPU is offline */
	ring->fd = fd;
	events->n++;
	return map_ring(ring, size);
}

int map_events__open(struct map_events **result)
{
	int cpus = libbpf_num_possible_cpus(), err = cpus < 0 ? cpus : 0;
	struct map_events *events = calloc(1, sizeof(*events));
	bool has_build_id = true;

	if (events && !err)
		events->rings = calloc(cpus, sizeof(*events->rings));
	if (!err && (!events || !events->rings))
		err = -ENOMEM;
	for (int cpu = 0; cpu < cpus && !err; cpu++)
		err = open_cpu(events, cpu, size_of_ring(cpus), &has_build_id);
	if (!err && !events->n)
		err = -ENODEV;
	if (err) {
		log__error("cannot watch what processes map: %s%s", strerror(-err),
			   privileges__why_no_event(err));
		map_events__close(events);
		return err;
	}
	if (!has_build_id)
		log__verbose("this kernel does not tell build ids: files are told apart by inode");
	*result = events;
	return 0;
}

void map_events__close(struct map_events *events)
{
	if (!events)
		return;
	for (int i = 0; i < events->n; i++) {
		if (events->rings[i].page)
			munmap(events->rings[i].page, sysconf(_SC_PAGESIZE) + events->rings[i].size);
		close(events->rings[i].fd);
	}
	free(events->rings);
	free(events);
}

/* --- records ---------------------------------------------------------------------------------------------
 */

void map_events__on_mapped(struct map_events *events, void (*mapped)(void *context, uint32_t pid),
			   void *context)
{
	events->mapped = mapped;
	events->mapped_context = context;
}

/* Of PERF_RECORD_MMAP2 the pid comes first. */
static void tell_mapped(const struct map_events *events, const struct perf_event_header *record)
{
	uint32_t pid;

	if (!events->mapped || record->type != PERF_RECORD_MMAP2 ||
	    record->size < sizeof(*record) + sizeof(pid))
		return;
	memcpy(&pid, record + 1, sizeof(pid));
	events->mapped(events->mapped_context, pid);
}

static const char *data_of(const struct ring *ring)
{
	return (const char *)ring->page + sysconf(_SC_PAGESIZE);
}

/* The record at tail, copied if the end of the ring cuts it. NULL: none, or what cannot be one. */
static const struct perf_event_header *peek(struct map_events *events, const struct ring *ring)
{
	size_t at = ring->tail & (ring->size - 1), first = ring->size - at;
	const struct perf_event_header *header = (const void *)(data_of(ring) + at);

	/* Records are multiples of eight bytes, so that the header is never cut. */
	if (ring->head - ring->tail < sizeof(*header) || header->size < sizeof(*header) ||
	    header->size > ring->head - ring->tail)
		return NULL;
	if (header->size <= first)
		return header;
	memcpy(events->record.bytes, header, first);
	memcpy(events->record.bytes + first, data_of(ring), header->size - first);
	return &events->record.header;
}

static void look(struct map_events *events, struct ring *ring)
{
	const struct perf_event_header *record = peek(events, ring);

	if (!record)
		ring->tail = ring->head;
	ring->time = record ? map_record__time(record) : UINT64_MAX;
}

static struct ring *earliest(struct map_events *events)
{
	struct ring *found = &events->rings[0];

	for (int i = 1; i < events->n; i++)
		if (events->rings[i].time < found->time)
			found = &events->rings[i];
	return found;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/*
 * Whatever is later than `now` waits: what came before it, on another CPU, may have been written after that
 * ring was looked at.
 */
void map_events__consume(struct map_events *events, struct sym *sym, uint64_t until_ns)
{
	uint64_t now = now_ns();
	struct ring *ring;

	if (until_ns && until_ns <= events->until_ns)
		return;
	for (int i = 0; i < events->n; i++) {
		ring = &events->rings[i];
		ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
		look(events, ring);
	}
	for (ring = earliest(events); ring->time <= now; ring = earliest(events)) {
		const struct perf_event_header *record = peek(events, ring);

		map_record__deliver(record, sym);
		tell_mapped(events, record);
		ring->tail += record->size;
		look(events, ring);
	}
	for (int i = 0; i < events->n; i++)
		__atomic_store_n(&events->rings[i].page->data_tail, events->rings[i].tail, __ATOMIC_RELEASE);
	events->until_ns = now;
}
