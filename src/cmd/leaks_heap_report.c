/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/leaks_heap_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

/* --- what is probed ---------------------------------------------------------------------------------------
 */

static const struct out_column object_columns[] = {
	{.key = "path", .flags = OUT_JSON_ONLY},	   {.key = "functions", .flags = OUT_JSON_ONLY},
	{.key = "slow_functions", .flags = OUT_JSON_ONLY}, {.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "usdt", .flags = OUT_JSON_ONLY},
};
static const struct out_table object_table = {"allocator", NULL, object_columns, COUNT(object_columns)};

void leaks_heap_report__objects(struct out *out, const struct heap_object *objects, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (out__format(out) == OUT_TABLE) {
			if (objects[i].tells_itself)
				out__say(out, "Probed: what %s tells of its blocks (USDT otel_memory).",
					 objects[i].path);
			else
				out__say(out, "Probed: %zu functions in %s.", objects[i].functions,
					 objects[i].path);
			continue;
		}
		out__line(out, &object_table);
		out__text(out, "path", objects[i].path);
		out__count(out, "functions", objects[i].functions);
		out__count(out, "slow_functions", objects[i].slow);
		out__count(out, "processes", objects[i].processes);
		out__flag(out, "usdt", objects[i].tells_itself);
		out__row_end(out);
	}
}

/* --- processes --------------------------------------------------------------------------------------------
 */

static const struct out_column process_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT | OUT_FILL},
	{.key = "outstanding_bytes", .heading = "OUTSTANDING"},
	{.key = "outstanding_count", .heading = "BLOCKS"},
	{.key = "allocations", .heading = "ALLOCATIONS", .flags = OUT_IF_ANY},
	{.key = "allocated_bytes", .heading = "ALLOCATED", .flags = OUT_IF_ANY},
	{.key = "frees", .heading = "FREES", .flags = OUT_IF_ANY},
	{.key = "freed_bytes", .flags = OUT_JSON_ONLY},
	{.key = "bytes_standard_error", .flags = OUT_JSON_ONLY},
	{.key = "count_standard_error", .flags = OUT_JSON_ONLY},
	{.key = "ended", .flags = OUT_JSON_ONLY},
};
static const struct out_table process_table = {"heap", "Processes, by what is outstanding", process_columns,
					       COUNT(process_columns)};

static int by_sum(const void *a, const void *b)
{
	const struct heap_image *p = *(const struct heap_image *const *)a,
				*q = *(const struct heap_image *const *)b;

	if (p->sum.bytes != q->sum.bytes)
		return p->sum.bytes > q->sum.bytes ? -1 : 1;
	return p->process.tgid < q->process.tgid ? -1 : p->process.tgid > q->process.tgid;
}

static struct heap_site counted_in(const struct heap_table *table, const struct heap_image *image)
{
	struct heap_site total = {};

	heap_table__counted(table, image->process, &total);
	return total;
}

static void put_errors(struct out *out, const struct heap_sum *sum, bool is_sample)
{
	if (!is_sample) {
		out__unknown(out, "bytes_standard_error");
		out__unknown(out, "count_standard_error");
		return;
	}
	out__count(out, "bytes_standard_error", llround(sqrt(sum->bytes_variance)));
	out__count(out, "count_standard_error", llround(sqrt(sum->count_variance)));
}

static void put_process(struct out *out, const struct heap_table *table, const struct heap_image *image,
			bool is_sample)
{
	struct heap_site counted = counted_in(table, image);

	out__row(out);
	out__count(out, "pid", image->process.tgid);
	out__text(out, "comm", image->comm);
	out__bytes(out, "outstanding_bytes", llround(image->sum.bytes));
	out__count(out, "outstanding_count", llround(image->sum.count));
	if (is_sample) {
		out__unknown(out, "allocations");
		out__unknown(out, "allocated_bytes");
		out__unknown(out, "frees");
		out__unknown(out, "freed_bytes");
	} else {
		out__count(out, "allocations", counted.allocations);
		out__bytes(out, "allocated_bytes", counted.allocated_bytes);
		out__count(out, "frees", counted.frees);
		out__bytes(out, "freed_bytes", counted.freed_bytes);
	}
	put_errors(out, &image->sum, is_sample);
	out__flag(out, "ended", image->ended_ns);
	out__row_end(out);
}

void leaks_heap_report__processes(struct out *out, const struct heap_table *table, size_t top, bool is_sample)
{
	const struct heap_image *all = heap_table__images(table), *i;
	size_t n = 0, shown;
	const struct heap_image **images = calloc(all ? HASH_COUNT(all) : 1, sizeof(*images));

	for (i = all; i && images; i = i->hh.next)
		if (i->is_probed && !i->is_replaced)
			images[n++] = i;
	if (!n) {
		free(images);
		return;
	}
	qsort(images, n, sizeof(*images), by_sum);
	shown = top && top < n ? top : n;
	out__begin(out, &process_table);
	for (size_t k = 0; k < shown; k++)
		put_process(out, table, images[k], is_sample);
	out__end(out, n - shown);
	free(images);
}

/* --- sites ------------------------------------------------------------------------------------------------
 */

static const struct out_column site_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "via", .flags = OUT_JSON_ONLY},
	{.key = "outstanding_bytes", .heading = "OUTSTANDING"},
	{.flags = OUT_TABLE_ONLY | OUT_IF_ANY, .heading = "+-"},
	{.key = "outstanding_count", .heading = "BLOCKS"},
	{.key = "bytes_per_s", .heading = "GROWTH/S"},
	{.key = "oldest_ns", .heading = "OLDEST"},
	{.key = "allocations", .heading = "ALLOCATED", .flags = OUT_IF_ANY},
	{.key = "frees", .heading = "FREED", .flags = OUT_IF_ANY},
	{.key = "sampled_count", .heading = "SAMPLED", .flags = OUT_IF_ANY},
	{.key = "bytes_standard_error", .flags = OUT_JSON_ONLY},
	{.key = "count_standard_error", .flags = OUT_JSON_ONLY},
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table site_table = {"site", "Call stacks, by what is outstanding", site_columns,
					    COUNT(site_columns)};

static void put_counted(struct out *out, const struct heap_row *row, bool is_sample)
{
	if (is_sample) {
		out__unknown(out, "allocations");
		out__unknown(out, "frees");
		out__count(out, "sampled_count", row->sum.blocks);
	} else {
		out__count(out, "allocations", row->counted.allocations);
		out__count(out, "frees", row->counted.frees);
		out__unknown(out, "sampled_count");
	}
	put_errors(out, &row->sum, is_sample);
}

static void put_site(struct out *out, struct stacks *stacks, const struct heap_row *row, uint64_t now_ns,
		     bool is_sample)
{
	uint64_t end = row->image->ended_ns ? row->image->ended_ns : now_ns;
	struct frame *frames = NULL;
	const char *note = NULL;
	size_t n = 0;

	if (stacks)
		frames = stacks__frames(stacks, row->stack, false, &n, &note);
	out__row(out);
	out__count(out, "pid", row->image->process.tgid);
	out__text(out, "via", "malloc");
	out__bytes(out, "outstanding_bytes", llround(row->sum.bytes));
	if (is_sample)
		out__bytes(out, NULL, llround(sqrt(row->sum.bytes_variance)));
	else
		out__unknown(out, NULL);
	out__count(out, "outstanding_count", llround(row->sum.count));
	if (row->has_growth)
		out__change(out, "bytes_per_s", llround(row->bytes_per_s));
	else
		out__unknown(out, "bytes_per_s");
	out__ns(out, "oldest_ns", end > row->sum.oldest_ns ? end - row->sum.oldest_ns : 0);
	put_counted(out, row, is_sample);
	if (note)
		out__text(out, "truncated", note);
	else
		out__unknown(out, "truncated");
	if (!n && !note)
		note = stacks ? "the stack was lost" : "no stacks were taken (--stacks)";
	out__stack(out, "stack", frames, n, note);
	out__row_end(out);
	free(frames);
}

void leaks_heap_report__sites(struct out *out, struct stacks *stacks, const struct heap_row *rows, size_t n,
			      size_t top, uint64_t now_ns, bool is_sample)
{
	size_t shown = top && top < n ? top : n;

	if (!n) {
		out__say(out, "No block that was allocated while tracing is outstanding.");
		return;
	}
	out__begin(out, &site_table);
	for (size_t i = 0; i < shown; i++)
		put_site(out, stacks, &rows[i], now_ns, is_sample);
	out__end(out, n - shown);
}

/* --- counts -----------------------------------------------------------------------------------------------
 */

static const struct out_column count_columns[] = {
	{.key = "allocations", .flags = OUT_JSON_ONLY},
	{.key = "allocated_bytes", .flags = OUT_JSON_ONLY},
	{.key = "failed", .flags = OUT_JSON_ONLY},
	{.key = "frees", .flags = OUT_JSON_ONLY},
	{.key = "frees_unknown", .flags = OUT_JSON_ONLY},
	{.key = "no_room_count", .flags = OUT_JSON_ONLY},
	{.key = "no_room_bytes", .flags = OUT_JSON_ONLY},
	{.key = "frees_missed", .flags = OUT_JSON_ONLY},
	{.key = "stacks_copied", .flags = OUT_JSON_ONLY},
	{.key = "room", .flags = OUT_JSON_ONLY},
	{.key = "processes_probed_late", .flags = OUT_JSON_ONLY},
	{.key = "processes_not_probed", .flags = OUT_JSON_ONLY},
	{.key = "sample_bytes", .flags = OUT_JSON_ONLY},
	{.key = "older_ns", .flags = OUT_JSON_ONLY},
	{.key = "min_size_bytes", .flags = OUT_JSON_ONLY},
	{.key = "max_size_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table count_table = {"heap_counts", NULL, count_columns, COUNT(count_columns)};

static bool is_filtered(const struct leaks_heap_options *o)
{
	return o->sample_bytes || o->min_size || o->max_size;
}

static void counts_json(struct out *out, const struct leaks_heap_options *o, const uint64_t *counts,
			uint32_t room, uint64_t late, uint64_t missed)
{
	out__line(out, &count_table);
	out__count(out, "allocations", counts[HEAP_ALLOCATIONS]);
	out__count(out, "allocated_bytes", counts[HEAP_ALLOCATED_BYTES]);
	out__count(out, "failed", counts[HEAP_FAILED]);
	out__count(out, "frees", counts[HEAP_FREES]);
	if (is_filtered(o))
		out__unknown(out, "frees_unknown");
	else
		out__count(out, "frees_unknown", counts[HEAP_FREES_UNKNOWN]);
	out__count(out, "no_room_count", counts[HEAP_NO_ROOM]);
	out__count(out, "no_room_bytes", counts[HEAP_NO_ROOM_BYTES]);
	out__count(out, "frees_missed", counts[HEAP_SEEN_TWICE]);
	out__count(out, "stacks_copied", counts[HEAP_COPIES]);
	out__count(out, "room", room);
	out__count(out, "processes_probed_late", late);
	out__count(out, "processes_not_probed", missed);
	out__count(out, "sample_bytes", o->sample_bytes);
	out__count(out, "older_ns", o->older_ns);
	out__count(out, "min_size_bytes", o->min_size);
	if (o->max_size)
		out__count(out, "max_size_bytes", o->max_size);
	else
		out__unknown(out, "max_size_bytes");
	out__row_end(out);
}

static void say_filters(struct out *out, const struct leaks_heap_options *o)
{
	char least[32], most[32], age[32], mean[32];

	out__format_bytes(o->min_size, least, sizeof(least));
	out__format_bytes(o->max_size, most, sizeof(most));
	out__format_ns(o->older_ns, age, sizeof(age));
	out__format_bytes(o->sample_bytes, mean, sizeof(mean));
	if (o->min_size)
		out__say(out, "Only blocks of at least %s (--min-size).", least);
	if (o->max_size)
		out__say(out, "Only blocks of at most %s (--max-size).", most);
	if (o->older_ns)
		out__say(out, "Only blocks older than %s (--older).", age);
	if (o->sample_bytes)
		out__say(
			out,
			"A sample, one byte in %s on average: OUTSTANDING and BLOCKS are estimates of all, +- is one "
			"standard error. Each call is still trapped: a sample saves memory, and of the time only that "
			"for stacks and tables.",
			mean);
}

void leaks_heap_report__counts(struct out *out, const struct leaks_heap_options *o,
			       const uint64_t counts[HEAP_COUNTS], uint32_t room, uint64_t late,
			       uint64_t missed)
{
	char bytes[32];

	if (out__format(out) == OUT_JSON) {
		counts_json(out, o, counts, room, late, missed);
		return;
	}
	say_filters(out, o);
	if (!is_filtered(o) && counts[HEAP_FREES_UNKNOWN])
		out__say(out,
			 "%" PRIu64
			 " frees were of blocks not seen to be allocated: before tracing, or by the "
			 "allocator for itself (glibc frees what a thread has cached when the thread ends).",
			 counts[HEAP_FREES_UNKNOWN]);
	if (counts[HEAP_FAILED])
		out__say(out, "%" PRIu64 " allocations failed.", counts[HEAP_FAILED]);
	if (counts[HEAP_SEEN_TWICE])
		out__say(out,
			 "%" PRIu64 " frees were not seen: their blocks were handed out again all the same.",
			 counts[HEAP_SEEN_TWICE]);
	if (late)
		out__say(out,
			 "%" PRIu64
			 " processes were probed after they had begun: what they allocated in their first "
			 "tens of milliseconds is missing (--everywhere).",
			 late);
	if (missed)
		out__say(out, "%" PRIu64 " processes had ended before they could be probed (--everywhere).",
			 missed);
	out__format_bytes(counts[HEAP_NO_ROOM_BYTES], bytes, sizeof(bytes));
	if (counts[HEAP_NO_ROOM])
		out__say(out,
			 "%" PRIu64 " blocks, %s, are missing above: there is room for %" PRIu32
			 " that are outstanding (--blocks; --sample and --min-size need less).",
			 counts[HEAP_NO_ROOM], bytes, room);
}
