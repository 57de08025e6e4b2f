/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a fault was, and which code made it, as the rows of `memtrace faults` say it. */
#ifndef MEMTRACE_FAULT_PLACE_H
#define MEMTRACE_FAULT_PLACE_H

#include "model/fault_table.h"
#include "out/out.h"
#include "trace/stacks.h"

#define FAULT_PLACE_NAME 64

/* The name and class shown of a VMA; v NULL: those that found no room. buf may hold the name. */
const char *fault_place__name(const struct vma_row *v, char buf[FAULT_PLACE_NAME]);
unsigned fault_place__class(const struct vma_row *v);

/* One VMA inside another row, in JSON. end == 0: there is none; v NULL: nothing else is known of it. */
#define NESTED_VMA_COLUMNS                                                                                  \
	{.key = "vma.start", .flags = OUT_JSON_ONLY}, {.key = "vma.end", .flags = OUT_JSON_ONLY},           \
		{.key = "vma.perms", .flags = OUT_JSON_ONLY}, {.key = "vma.class", .flags = OUT_JSON_ONLY}, \
		{.key = "vma.name", .flags = OUT_JSON_ONLY},                                                \
	{                                                                                                   \
		.key = "vma", .flags = OUT_JSON_ONLY                                                        \
	}
void fault_place__put_vma(struct out *out, const struct vma_row *v, uint64_t start, uint64_t end,
			  uint64_t flags);
void fault_place__put_no_vma(struct out *out);

/* Where an instruction is, for the VMA that holds it. */
struct code {
	const struct vma_row *vma; /* NULL: not known */
	uint64_t start, pgoff;	   /* of the VMA, in bytes and in pages */
	uint64_t ip;
	const struct frame *frame; /* of the file; NULL: the VMA is not known to map one */
};
struct code code__at(struct stacks *stacks, const struct vma_row *v, uint64_t start, uint64_t pgoff,
		     uint32_t pid, uint64_t ip);

/* "memcpy+0x1f (libc.so.6)", or as much as is known: "libc.so.6+0x1234". */
void code__format(const struct code *code, char *buf, size_t size);

/*
 * The names of instructions that have faulted lately: a stream of events has the same few again and again. To
 * be forgotten now and then, since code may be unmapped and other code mapped there.
 */
#define RECENT_CODES 64
struct recent_codes {
	struct stacks *stacks; /* which follow mappings */
	struct recent_code {
		struct process_key process;
		uint64_t ip; /* 0: nothing here */
		char name[300];
	} codes[RECENT_CODES];
};

void recent_codes__forget(struct recent_codes *recent);

/* Of an instruction that was executed at that time. Valid until the next call. */
const char *recent_codes__name(struct recent_codes *recent, const struct process_key *process,
			       uint64_t time_ns, uint64_t ip);

#endif
