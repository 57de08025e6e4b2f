/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/leaks_kernel_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

const char *kmem_via__name(unsigned via)
{
	static const char *const names[KMEM_VIAS] = {
		[KMEM_KMALLOC] = "kmalloc",
		[KMEM_SLAB] = "slab",
		[KMEM_VMALLOC] = "vmalloc",
		[KMEM_PAGE] = "page",
	};

	return via < KMEM_VIAS ? names[via] : "?";
}

/* --- kinds ------------------------------------------------------------------------------------------------
 */

static const struct out_column kind_columns[] = {
	{.key = "via", .heading = "VIA", .flags = OUT_LEFT},
	{.key = "outstanding_bytes", .heading = "OUTSTANDING"},
	{.key = "outstanding_count", .heading = "BLOCKS"},
	{.key = "allocations", .heading = "ALLOCATIONS"},
	{.key = "allocated_bytes", .flags = OUT_JSON_ONLY},
	{.key = "frees", .heading = "FREES"},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT | OUT_FILL, .heading = ""},
};
static const struct out_table kind_table = {"kernel_memory", "Kernel memory, by what it was obtained from",
					    kind_columns, COUNT(kind_columns)};

static const char *about(unsigned via)
{
	static const char *const texts[KMEM_VIAS] = {
		[KMEM_KMALLOC] = "small, physically contiguous",
		[KMEM_SLAB] = "small objects of one kind",
		[KMEM_VMALLOC] = "large, not contiguous",
		[KMEM_PAGE] = "pages, those of slabs too",
	};

	return texts[via];
}

static void put_kind(struct out *out, const struct heap_table *table, unsigned via, bool has)
{
	struct heap_process process = {.tgid = via};
	const struct heap_image *image = heap_table__find(table, process);
	struct heap_site counted;

	heap_table__counted(table, process, &counted);
	out__row(out);
	out__text(out, "via", kmem_via__name(via));
	if (has && image) {
		out__bytes(out, "outstanding_bytes", llround(image->sum.bytes));
		out__count(out, "outstanding_count", llround(image->sum.count));
		out__count(out, "allocations", counted.allocations);
		out__bytes(out, "allocated_bytes", counted.allocated_bytes);
		out__count(out, "frees", counted.frees);
	} else {
		out__unknown(out, "outstanding_bytes");
		out__unknown(out, "outstanding_count");
		out__unknown(out, "allocations");
		out__unknown(out, "allocated_bytes");
		out__unknown(out, "frees");
	}
	out__text(out, NULL, has ? about(via) : "not told by this kernel");
	out__row_end(out);
}

void leaks_kernel_report__kinds(struct out *out, const struct heap_table *table, const bool has[KMEM_VIAS])
{
	out__begin(out, &kind_table);
	for (unsigned via = 0; via < KMEM_VIAS; via++)
		put_kind(out, table, via, has[via]);
	out__end(out, 0);
}

/* --- sites ------------------------------------------------------------------------------------------------
 */

static const struct out_column site_columns[] = {
	{.key = "via", .heading = "VIA", .flags = OUT_LEFT},
	{.key = "outstanding_bytes", .heading = "OUTSTANDING"},
	{.key = "outstanding_count", .heading = "BLOCKS"},
	{.key = "bytes_per_s", .heading = "GROWTH/S"},
	{.key = "oldest_ns", .heading = "OLDEST"},
	{.key = "allocations", .heading = "ALLOCATED"},
	{.key = "frees", .heading = "FREED"},
	{.key = "cache", .heading = "CACHE", .flags = OUT_LEFT | OUT_FILL},
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table site_table = {"site", "Call sites, by what is outstanding", site_columns,
					    COUNT(site_columns)};

static void put_site(struct out *out, struct stacks *stacks, const struct heap_row *row, uint64_t now_ns)
{
	const char *note;
	size_t n;
	struct frame *frames = stacks__frames(stacks, row->stack, false, &n, &note);

	out__row(out);
	out__text(out, "via", kmem_via__name(row->image->process.tgid));
	out__bytes(out, "outstanding_bytes", llround(row->sum.bytes));
	out__count(out, "outstanding_count", llround(row->sum.count));
	if (row->has_growth)
		out__change(out, "bytes_per_s", llround(row->bytes_per_s));
	else
		out__unknown(out, "bytes_per_s");
	out__ns(out, "oldest_ns", now_ns > row->sum.oldest_ns ? now_ns - row->sum.oldest_ns : 0);
	out__count(out, "allocations", row->counted.allocations);
	out__count(out, "frees", row->counted.frees);
	if (row->label[0])
		out__text(out, "cache", row->label);
	else
		out__unknown(out, "cache");
	if (note)
		out__text(out, "truncated", note);
	else
		out__unknown(out, "truncated");
	out__stack(out, "stack", frames, n, n || note ? note : "the stack was lost");
	out__row_end(out);
	free(frames);
}

void leaks_kernel_report__sites(struct out *out, struct stacks *stacks, const struct heap_row *rows, size_t n,
				size_t top, uint64_t now_ns)
{
	size_t shown = top && top < n ? top : n;

	if (!n) {
		out__say(out, "Nothing that was allocated while tracing is outstanding.");
		return;
	}
	out__begin(out, &site_table);
	for (size_t i = 0; i < shown; i++)
		put_site(out, stacks, &rows[i], now_ns);
	out__end(out, n - shown);
}

/* --- the kernel's own account ----------------------------------------------------------------------------
 */

static const struct out_column count_columns[] = {
	{.key = "source", .heading = "FILE", .flags = OUT_LEFT},
	{.key = "name", .heading = "NAME", .flags = OUT_LEFT | OUT_FILL},
	{.key = "before_count", .heading = "BEFORE"},
	{.key = "now_count", .heading = "NOW"},
	{.key = "change_count", .heading = "CHANGE"},
	{.key = "traced_count", .heading = "TRACED"},
	{.key = "change_bytes", .heading = "BYTES"},
	{.key = "traced_bytes", .heading = "TRACED"},
};
static const struct out_table count_table = {"kernel_count", "The kernel's own count, beside what was traced",
					     count_columns, COUNT(count_columns)};

static void put_count(struct out *out, const struct kernel_count *k)
{
	out__row(out);
	out__text(out, "source", k->source);
	out__text(out, "name", k->name);
	if (k->is_known) {
		out__count(out, "before_count", k->before_count);
		out__count(out, "now_count", k->now_count);
		out__integer(out, "change_count", (int64_t)(k->now_count - k->before_count));
	} else {
		out__unknown(out, "before_count");
		out__unknown(out, "now_count");
		out__unknown(out, "change_count");
	}
	if (k->is_traced)
		out__integer(out, "traced_count", k->traced_count);
	else
		out__unknown(out, "traced_count");
	if (k->is_known)
		out__change(out, "change_bytes", (int64_t)(k->now_bytes - k->before_bytes));
	else
		out__unknown(out, "change_bytes");
	if (k->is_traced)
		out__change(out, "traced_bytes", k->traced_bytes);
	else
		out__unknown(out, "traced_bytes");
	out__row_end(out);
}

void leaks_kernel_report__counts(struct out *out, const struct kernel_count *counts, size_t n, size_t top)
{
	size_t shown = top && top < n ? top : n;

	if (!n)
		return;
	out__begin(out, &count_table);
	for (size_t i = 0; i < shown; i++)
		put_count(out, &counts[i]);
	out__end(out, n - shown);
	out__say(
		out,
		"Where TRACED is above CHANGE, objects were freed in bulk or after a grace period of RCU, which "
		"the kernel does not tell one by one; slabinfo counts what CPUs hold in reserve as in use.");
}

/* --- totals -----------------------------------------------------------------------------------------------
 */

static const struct out_column total_columns[] = {
	{.key = "allocations", .flags = OUT_JSON_ONLY},	  {.key = "allocated_bytes", .flags = OUT_JSON_ONLY},
	{.key = "frees", .flags = OUT_JSON_ONLY},	  {.key = "frees_unknown", .flags = OUT_JSON_ONLY},
	{.key = "no_room_count", .flags = OUT_JSON_ONLY}, {.key = "no_room_bytes", .flags = OUT_JSON_ONLY},
	{.key = "frees_missed", .flags = OUT_JSON_ONLY},  {.key = "room", .flags = OUT_JSON_ONLY},
};
static const struct out_table total_table = {"kernel_counts", NULL, total_columns, COUNT(total_columns)};

void leaks_kernel_report__totals(struct out *out, const uint64_t counts[HEAP_COUNTS], uint32_t room)
{
	char bytes[32];

	if (out__format(out) == OUT_JSON) {
		out__line(out, &total_table);
		out__count(out, "allocations", counts[HEAP_ALLOCATIONS]);
		out__count(out, "allocated_bytes", counts[HEAP_ALLOCATED_BYTES]);
		out__count(out, "frees", counts[HEAP_FREES]);
		out__count(out, "frees_unknown", counts[HEAP_FREES_UNKNOWN]);
		out__count(out, "no_room_count", counts[HEAP_NO_ROOM]);
		out__count(out, "no_room_bytes", counts[HEAP_NO_ROOM_BYTES]);
		out__count(out, "frees_missed", counts[HEAP_SEEN_TWICE]);
		out__count(out, "room", room);
		out__row_end(out);
		return;
	}
	if (counts[HEAP_SEEN_TWICE])
		out__say(out,
			 "%" PRIu64 " frees were not seen: their memory was handed out again all the same.",
			 counts[HEAP_SEEN_TWICE]);
	out__format_bytes(counts[HEAP_NO_ROOM_BYTES], bytes, sizeof(bytes));
	if (counts[HEAP_NO_ROOM])
		out__say(out,
			 "%" PRIu64 " blocks, %s, are missing above: there is room for %" PRIu32
			 " that are outstanding (--blocks).",
			 counts[HEAP_NO_ROOM], bytes, room);
}
