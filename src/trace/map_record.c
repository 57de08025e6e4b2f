/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/map_record.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#ifndef PERF_RECORD_MISC_MMAP_BUILD_ID /* 5.12, 88a16a130933 */
#define PERF_RECORD_MISC_MMAP_BUILD_ID (1 << 14)
#endif

struct trailer {
	uint32_t pid, tid;
	uint64_t time;
};

/* PERF_RECORD_MMAP2 */
struct mmap2 {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, length, pgoff;
	union {
		struct {
			uint32_t major, minor;
			uint64_t inode, generation;
		};
		struct {
			uint8_t build_id_size, reserved[3];
			uint8_t build_id[20];
		};
	};
	uint32_t prot, flags;
	char name[];
};

_Static_assert(sizeof(struct mmap2) == 72, "as in <linux/perf_event.h>");

/* PERF_RECORD_FORK, PERF_RECORD_EXIT */
struct task {
	struct perf_event_header header;
	uint32_t pid, parent, tid, parent_tid;
	uint64_t time;
};

/* PERF_RECORD_COMM */
struct comm {
	struct perf_event_header header;
	uint32_t pid, tid;
	char comm[];
};

/* PERF_RECORD_LOST */
struct lost {
	struct perf_event_header header;
	uint64_t id, lost;
};

static bool has_room_for(const struct perf_event_header *record, size_t size)
{
	return record->size >= size + sizeof(struct trailer);
}

uint64_t map_record__time(const struct perf_event_header *record)
{
	struct trailer trailer;

	if (!has_room_for(record, sizeof(*record)))
		return 0;
	memcpy(&trailer, (const char *)record + record->size - sizeof(trailer), sizeof(trailer));
	return trailer.time;
}

static void deliver_mapping(const struct mmap2 *r, uint64_t time, struct sym *sym)
{
	size_t room = r->header.size - sizeof(*r) - sizeof(struct trailer);
	struct sym_mapping mapping = {
		.start = r->address,
		.end = r->address + r->length,
		.pgoff = r->pgoff,
		.name = r->name,
	};

	if (!(r->prot & PROT_EXEC) || !memchr(r->name, '\0', room))
		return;
	if (!(r->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID)) {
		mapping.device = makedev(r->major, r->minor);
		mapping.inode = r->inode;
	} else if (r->build_id_size <= sizeof(r->build_id)) {
		memcpy(mapping.build_id, r->build_id, r->build_id_size);
		mapping.build_id_size = r->build_id_size;
	}
	sym__mapped(sym, r->pid, time, &mapping);
}

/* Threads share what their process maps; the end of the first thread stands for that of the process. */
static void deliver_task(const struct task *r, uint64_t time, struct sym *sym)
{
	if (r->header.type == PERF_RECORD_FORK && r->pid != r->parent)
		sym__forked(sym, r->pid, r->parent, time);
	else if (r->header.type == PERF_RECORD_EXIT && r->pid == r->tid)
		sym__exited(sym, r->pid, time);
}

void map_record__deliver(const struct perf_event_header *record, struct sym *sym)
{
	const void *r = record;
	uint64_t time = map_record__time(record);

	switch (record->type) {
	case PERF_RECORD_MMAP2:
		if (has_room_for(record, sizeof(struct mmap2)))
			deliver_mapping(r, time, sym);
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		if (has_room_for(record, sizeof(struct task)))
			deliver_task(r, time, sym);
		break;
	case PERF_RECORD_COMM:
		if (has_room_for(record, sizeof(struct comm)) && record->misc & PERF_RECORD_MISC_COMM_EXEC)
			sym__execed(sym, ((const struct comm *)r)->pid, time);
		break;
	case PERF_RECORD_LOST:
		if (has_room_for(record, sizeof(struct lost)))
			sym__lost(sym, ((const struct lost *)r)->lost);
		break;
	default:
		break;
	}
}
