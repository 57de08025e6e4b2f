/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/reclaim_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/oom_kill.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE	     4096ull
#define GFP_SIZE     512

size_t reclaim_view__shown(const struct reclaim_view *view, size_t n)
{
	return view->top && view->top < n ? view->top : n;
}

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / whole : 0;
}

/* --- fields that several tables have ----------------------------------------------------------------------
 */

static void put_who(struct out *out, const struct reclaim_row *row)
{
	if (row->key.process.tgid)
		out__count(out, "pid", row->key.process.tgid);
	else
		out__unknown(out, "pid");
	out__text(out, "comm", row->comm);
	if (row->key.process.tgid || !row->processes)
		out__unknown(out, "processes");
	else
		out__count(out, "processes", row->processes);
}

static void put_cgroup(struct out *out, const struct reclaim_source *source, uint64_t id)
{
	char path[RECLAIM_PATH_MAX + RECLAIM_COMPONENT];

	reclaim_source__cgroup(source, id, path, sizeof(path));
	if (*path)
		out__text(out, "cgroup", path);
	else
		out__unknown(out, "cgroup");
}

#define TALLY_COLUMNS                                                    \
	{.key = "scanned_bytes", .flags = OUT_JSON_ONLY},                \
		{.key = "anon_scanned_bytes", .flags = OUT_JSON_ONLY},   \
		{.key = "anon_reclaimed_bytes", .flags = OUT_JSON_ONLY}, \
		{.key = "file_scanned_bytes", .flags = OUT_JSON_ONLY},   \
		{.key = "file_reclaimed_bytes", .flags = OUT_JSON_ONLY}, \
	{                                                                \
		.key = "writes", .flags = OUT_JSON_ONLY                  \
	}

static void put_tally(struct out *out, const struct reclaim_tally *t)
{
	out__bytes(out, "scanned_bytes", reclaim_tally__scanned(t) * PAGE);
	out__bytes(out, "anon_scanned_bytes", t->scanned[LRU_ANON] * PAGE);
	out__bytes(out, "anon_reclaimed_bytes", t->reclaimed[LRU_ANON] * PAGE);
	out__bytes(out, "file_scanned_bytes", t->scanned[LRU_FILE] * PAGE);
	out__bytes(out, "file_reclaimed_bytes", t->reclaimed[LRU_FILE] * PAGE);
	out__count(out, "writes", t->writes);
}

/* Of what was looked at, how much could be freed. */
static void put_efficiency(struct out *out, const struct reclaim_tally *t)
{
	uint64_t scanned = reclaim_tally__scanned(t);

	if (scanned)
		out__share(out, "efficiency", ratio(reclaim_tally__reclaimed(t), scanned));
	else
		out__unknown(out, "efficiency");
}

static void put_gfp(struct out *out, uint32_t gfp)
{
	char text[GFP_SIZE];

	if (gfp) {
		oom_gfp__format(gfp, text, sizeof(text));
		out__text(out, "gfp", text);
		out__text(out, "purpose", oom_gfp__meaning(gfp));
	} else {
		out__unknown(out, "gfp");
		out__unknown(out, "purpose");
	}
}

/* --- stalls -----------------------------------------------------------------------------------------------
 */

#define WORKS_WAITED (WORKS_STALL | 1u << WORK_COMPACTION)

static const struct out_column stall_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "work", .heading = "WORK", .flags = OUT_LEFT},
	{.key = "count", .heading = "COUNT"},
	{.key = "time_ns", .heading = "TIME"},
	{.key = "share", .heading = "OF RUN"},
	{.key = "p50_ns", .flags = OUT_JSON_ONLY},
	{.key = "p99_ns", .heading = "P99"},
	{.key = "max_ns", .heading = "MAX"},
	{.key = "freed_bytes", .heading = "GOT"},
	{.key = "succeeded", .flags = OUT_JSON_ONLY},
	{.key = "efficiency", .heading = "EFF"},
	{.key = "failed", .flags = OUT_JSON_ONLY},
	{.key = "wanted_bytes", .flags = OUT_JSON_ONLY},
	{.key = "order", .flags = OUT_JSON_ONLY},
	{.key = "gfp", .flags = OUT_JSON_ONLY},
	{.key = "purpose", .flags = OUT_JSON_ONLY},
	TALLY_COLUMNS,
	{.key = "log2_buckets", .flags = OUT_JSON_ONLY},
	{.key = "cgroup", .heading = "CGROUP", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
	{.key = "cgroup_of", .flags = OUT_JSON_ONLY},
};
static const struct out_table stall_table = {"stall", "Who had to find memory itself", stall_columns,
					     COUNT(stall_columns)};

/* Compaction gets blocks, the others pages. */
static void put_got(struct out *out, const struct reclaim_row *row)
{
	if (row->key.work == WORK_COMPACTION) {
		out__unknown(out, "freed_bytes");
		out__count(out, "succeeded", row->got);
	} else {
		out__bytes(out, "freed_bytes", row->got * PAGE);
		out__unknown(out, "succeeded");
	}
}

static void put_stall(struct out *out, const struct reclaim_view *view, const struct reclaim_row *row)
{
	out__row(out);
	put_who(out, row);
	out__text(out, "work", reclaim_work__name(row->key.work));
	out__count(out, "count", row->count);
	out__ns(out, "time_ns", row->ns);
	out__share(out, "share", view->seconds > 0 ? row->ns / 1e9 / view->seconds : 0);
	out__ns(out, "p50_ns", histogram__percentile(&row->latency, 50));
	out__ns(out, "p99_ns", histogram__percentile(&row->latency, 99));
	out__ns(out, "max_ns", row->latency.max_ns);
	put_got(out, row);
	put_efficiency(out, &row->tally);
	out__count(out, "failed", row->failed);
	out__bytes(out, "wanted_bytes", row->wanted * PAGE);
	out__count(out, "order", row->max_order);
	put_gfp(out, row->gfp);
	put_tally(out, &row->tally);
	out__counts(out, "log2_buckets", row->latency.buckets, LATENCY_BUCKETS);
	put_cgroup(out, view->source, row->key.cgroup);
	if (row->key.work == WORK_MEMCG)
		out__text(out, "cgroup_of", reclaim_source__knows_limit(view->source) ? "limit" : "task");
	else
		out__unknown(out, "cgroup_of");
	out__row_end(out);
}

void reclaim_report__stalls(struct out *out, const struct reclaim_view *view)
{
	size_t n, shown;
	struct reclaim_row **rows = reclaim_table__rows(view->table, WORKS_WAITED, &n);

	shown = reclaim_view__shown(view, n);
	out__begin(out, &stall_table);
	for (size_t i = 0; i < shown; i++)
		put_stall(out, view, rows[i]);
	out__end(out, n - shown);
	free(rows);
}

void reclaim_report__latency(struct out *out, const struct reclaim_view *view)
{
	static const char *const titles[WORKS] = {
		[WORK_DIRECT] = "direct reclaim, each",
		[WORK_MEMCG] = "memcg reclaim, each",
		[WORK_NODE] = "node reclaim, each",
		[WORK_COMPACTION] = "compaction, each zone",
	};

	for (unsigned work = 0; work < WORKS; work++) {
		struct reclaim_row sum = reclaim_table__sum(view->table, 1u << work);

		if (titles[work] && sum.count)
			out__bars(out, titles[work], sum.latency.buckets, LATENCY_BUCKETS);
	}
}

/* --- kswapd -----------------------------------------------------------------------------------------------
 */

static const struct out_column kswapd_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "count", .heading = "SLEPT"},
	{.key = "time_ns", .heading = "AWAKE"},
	{.key = "share", .heading = "OF RUN"},
	{.key = "max_ns", .heading = "LONGEST"},
	{.key = "freed_bytes", .heading = "GOT"},
	{.key = "efficiency", .heading = "EFF"},
	{.key = "order", .heading = "ORDER"},
	TALLY_COLUMNS,
};
static const struct out_table kswapd_table = {"kswapd", "kswapd", kswapd_columns, COUNT(kswapd_columns)};

static const struct out_column wakeup_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "count", .heading = "COUNT"},
	{.key = "order", .heading = "ORDER"},
	{.key = "gfp", .flags = OUT_JSON_ONLY},
	{.key = "purpose", .heading = "PURPOSE", .flags = OUT_LEFT},
	{.key = "cgroup", .heading = "CGROUP", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
};
static const struct out_table wakeup_table = {"wakeup", "Who called kswapd", wakeup_columns,
					      COUNT(wakeup_columns)};

static void put_kswapd(struct out *out, const struct reclaim_view *view, const struct reclaim_row *row)
{
	out__row(out);
	put_who(out, row);
	out__count(out, "count", row->count);
	out__ns(out, "time_ns", row->ns);
	out__share(out, "share", view->seconds > 0 ? row->ns / 1e9 / view->seconds : 0);
	out__ns(out, "max_ns", row->latency.max_ns);
	out__bytes(out, "freed_bytes", row->got * PAGE);
	put_efficiency(out, &row->tally);
	out__count(out, "order", row->max_order);
	put_tally(out, &row->tally);
	out__row_end(out);
}

static void put_wakeup(struct out *out, const struct reclaim_view *view, const struct reclaim_row *row)
{
	out__row(out);
	put_who(out, row);
	out__count(out, "count", row->count);
	out__count(out, "order", row->max_order);
	put_gfp(out, row->gfp);
	put_cgroup(out, view->source, row->key.cgroup);
	out__row_end(out);
}

void reclaim_report__kswapd(struct out *out, const struct reclaim_view *view)
{
	size_t n, shown;
	struct reclaim_row **rows = reclaim_table__rows(view->table, 1u << WORK_KSWAPD, &n);

	out__begin(out, &kswapd_table);
	for (size_t i = 0; i < n; i++)
		put_kswapd(out, view, rows[i]);
	out__end(out, 0);
	free(rows);
	rows = reclaim_table__rows(view->table, 1u << WORK_WAKEUP, &n);
	shown = reclaim_view__shown(view, n);
	out__begin(out, &wakeup_table);
	for (size_t i = 0; i < shown; i++)
		put_wakeup(out, view, rows[i]);
	out__end(out, n - shown);
	free(rows);
}

/* --- throttling -------------------------------------------------------------------------------------------
 */

static const struct out_column throttle_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "work", .heading = "WORK", .flags = OUT_LEFT},
	{.key = "reason", .heading = "REASON", .flags = OUT_LEFT},
	{.key = "count", .heading = "COUNT"},
	{.key = "time_ns", .heading = "TIME"},
	{.key = "meaning", .heading = "MEANING", .flags = OUT_LEFT | OUT_FILL},
};
static const struct out_table throttle_table = {"throttle", "Paused within reclaim", throttle_columns,
						COUNT(throttle_columns)};

static void put_throttle(struct out *out, const struct reclaim_row *row, unsigned reason)
{
	static const char *const meanings[THROTTLES] = {
		[THROTTLE_WRITEBACK] = "the pages found are being written: the disk is slower",
		[THROTTLE_ISOLATED] = "too many tasks reclaim at once",
		[THROTTLE_NO_PROGRESS] = "nothing could be freed: memory is about to run out",
		[THROTTLE_CONGESTED] = "dirty pages wait for a busy disk",
	};

	out__row(out);
	put_who(out, row);
	out__text(out, "work", reclaim_work__name(row->key.work));
	out__text(out, "reason", reclaim_throttle__name(reason));
	out__count(out, "count", row->tally.throttled[reason]);
	out__ns(out, "time_ns", row->tally.throttled_ns[reason]);
	out__text(out, "meaning", meanings[reason]);
	out__row_end(out);
}

void reclaim_report__throttling(struct out *out, const struct reclaim_view *view)
{
	size_t n, shown;
	struct reclaim_row **rows = reclaim_table__rows(view->table, WORKS_WAITED | 1u << WORK_KSWAPD, &n);

	shown = reclaim_view__shown(view, n);
	out__begin(out, &throttle_table);
	for (size_t i = 0; i < shown; i++)
		for (unsigned reason = 0; reason < THROTTLES; reason++)
			if (rows[i]->tally.throttled[reason])
				put_throttle(out, rows[i], reason);
	out__end(out, 0);
	free(rows);
}

/* --- cgroups ----------------------------------------------------------------------------------------------
 */

static const struct out_column cgroup_columns[] = {
	{.key = "cgroup", .heading = "CGROUP", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
	{.key = "count", .heading = "COUNT"},
	{.key = "time_ns", .heading = "TIME"},
	{.key = "p50_ns", .heading = "P50"},
	{.key = "p99_ns", .heading = "P99"},
	{.key = "max_ns", .heading = "MAX"},
	{.key = "freed_bytes", .heading = "GOT"},
	{.key = "efficiency", .heading = "EFF"},
	{.key = "swapped_out_bytes", .heading = "SWAPPED OUT"},
	TALLY_COLUMNS,
	{.key = "log2_buckets", .flags = OUT_JSON_ONLY},
};
static const struct out_table cgroup_table = {"cgroup", "By memory cgroup", cgroup_columns,
					      COUNT(cgroup_columns)};

static void put_cgroup_row(struct out *out, const struct reclaim_view *view,
			   const struct reclaim_cgroup_row *c)
{
	const struct reclaim_row *stalls = &c->stalls;

	out__row(out);
	put_cgroup(out, view->source, c->cgroup);
	out__count(out, "count", stalls->count);
	out__ns(out, "time_ns", stalls->ns);
	out__ns(out, "p50_ns", histogram__percentile(&stalls->latency, 50));
	out__ns(out, "p99_ns", histogram__percentile(&stalls->latency, 99));
	out__ns(out, "max_ns", stalls->latency.max_ns);
	out__bytes(out, "freed_bytes", stalls->got * PAGE);
	put_efficiency(out, &stalls->tally);
	if (view->swap_outs_known)
		out__bytes(out, "swapped_out_bytes", c->swapped_out * PAGE);
	else
		out__unknown(out, "swapped_out_bytes");
	put_tally(out, &stalls->tally);
	out__counts(out, "log2_buckets", stalls->latency.buckets, LATENCY_BUCKETS);
	out__row_end(out);
}

void reclaim_report__cgroups(struct out *out, const struct reclaim_view *view)
{
	size_t n, shown;
	struct reclaim_cgroup_row *rows = reclaim_table__cgroups(view->table, &n);

	shown = reclaim_view__shown(view, n);
	out__begin(out, &cgroup_table);
	for (size_t i = 0; i < shown; i++)
		put_cgroup_row(out, view, &rows[i]);
	out__end(out, n - shown);
	free(rows);
}

/* --- under way --------------------------------------------------------------------------------------------
 */

static const struct out_column under_way_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "work", .heading = "WORK", .flags = OUT_LEFT},
	{.key = "time_ns", .heading = "FOR"},
	{.key = "order", .heading = "ORDER"},
	{.key = "gfp", .flags = OUT_JSON_ONLY},
	{.key = "purpose", .heading = "PURPOSE", .flags = OUT_LEFT},
	{.key = "efficiency", .heading = "EFF"},
	TALLY_COLUMNS,
	{.key = "cgroup", .heading = "CGROUP", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
};
static const struct out_table under_way_table = {"under_way", "Still at it", under_way_columns,
						 COUNT(under_way_columns)};

struct under_way {
	struct out *out;
	const struct reclaim_view *view;
};

static void put_under_way(void *context, const struct reclaim_under_way *w)
{
	struct under_way *u = context;
	struct out *out = u->out;
	char comm[COMM_SIZE + 1] = "";

	memcpy(comm, w->comm, COMM_SIZE);
	out__row(out);
	out__count(out, "pid", w->key.process.tgid);
	out__text(out, "comm", comm);
	out__text(out, "work", reclaim_work__name(w->key.work));
	out__ns(out, "time_ns", u->view->now_ns > w->began_ns ? u->view->now_ns - w->began_ns : 0);
	out__count(out, "order", w->order);
	put_gfp(out, w->gfp);
	put_efficiency(out, &w->tally);
	put_tally(out, &w->tally);
	put_cgroup(out, u->view->source, w->key.cgroup);
	out__row_end(out);
}

void reclaim_report__under_way(struct out *out, const struct reclaim_view *view)
{
	struct under_way u = {out, view};

	out__begin(out, &under_way_table);
	reclaim_source__under_way(view->source, put_under_way, &u);
	out__end(out, 0);
}

/* --- call stacks ------------------------------------------------------------------------------------------
 */

static const struct out_column stack_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "work", .heading = "WORK", .flags = OUT_LEFT},
	{.key = "time_ns", .heading = "TIME"},
	{.key = "share", .heading = "SHARE"},
	{.key = "samples", .heading = "SAMPLES"},
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table stack_table = {"stack", "Call stacks, by the time that they stalled",
					     stack_columns, COUNT(stack_columns)};

struct stack_of_row {
	const struct reclaim_row *row;
	uint32_t stack;
	uint64_t ns, samples;
};

static int most_time_first(const void *a, const void *b)
{
	const struct stack_of_row *p = a, *q = b;

	return p->ns < q->ns ? 1 : p->ns > q->ns ? -1 : 0;
}

/* The time of each row is divided among its stacks as the samples weigh, so that they add up to it. */
static size_t list_stacks(struct reclaim_row *const *rows, size_t n, struct stack_of_row **list)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		count += HASH_COUNT(rows[i]->stacks);
	*list = calloc(count + 1, sizeof(**list));
	for (size_t i = 0; *list && i < n; i++) {
		uint64_t *ns = calloc(HASH_COUNT(rows[i]->stacks) + 1, sizeof(*ns)), *next = ns;

		if (ns && stack_counts__divide(rows[i]->stacks, rows[i]->ns, ns))
			for (const struct stack_count *c = rows[i]->stacks; c; c = c->hh.next)
				(*list)[at++] = (struct stack_of_row){rows[i], c->stack, *next++, c->samples};
		free(ns);
	}
	if (at)
		qsort(*list, at, sizeof(**list), most_time_first);
	return at;
}

static void put_stack(struct out *out, struct stacks *stacks, const struct stack_of_row *s, uint64_t total)
{
	size_t n;
	const char *note;
	struct frame *frames = stacks__frames(stacks, s->stack, false, &n, &note);

	out__row(out);
	put_who(out, s->row);
	out__text(out, "work", reclaim_work__name(s->row->key.work));
	out__ns(out, "time_ns", s->ns);
	out__share(out, "share", ratio(s->ns, total));
	out__count(out, "samples", s->samples);
	if (note)
		out__text(out, "truncated", note);
	else
		out__unknown(out, "truncated");
	out__stack(out, "stack", frames, n, n || note ? note : "no stack could be had");
	out__row_end(out);
	free(frames);
}

uint64_t reclaim_report__stacks(struct out *out, const struct reclaim_view *view, struct stacks *stacks)
{
	size_t rows_count;
	struct reclaim_row **rows = reclaim_table__rows(view->table, WORKS_WAITED, &rows_count);
	struct stack_of_row *list;
	size_t n = list_stacks(rows, rows_count, &list), shown = reclaim_view__shown(view, n);
	uint64_t total = reclaim_table__sum(view->table, WORKS_WAITED).ns, samples = 0;

	out__begin(out, &stack_table);
	for (size_t i = 0; i < shown; i++)
		put_stack(out, stacks, &list[i], total);
	out__end(out, n - shown);
	for (size_t i = 0; i < n; i++)
		samples += list[i].samples;
	free(list);
	free(rows);
	return samples;
}

/* --- events -----------------------------------------------------------------------------------------------
 */

static const struct out_column event_columns[] = {
	{.flags = OUT_TABLE_ONLY, .width = 10}, /* seconds */
	{.key = "time_ns", .flags = OUT_JSON_ONLY},
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "tid", .flags = OUT_JSON_ONLY},
	{.key = "comm", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 16}, /* comm/tid */
	{.key = "work", .flags = OUT_LEFT, .width = 10},
	{.key = "latency_ns", .width = 7},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 24}, /* what came of it */
	{.key = "freed_bytes", .flags = OUT_JSON_ONLY},
	{.key = "succeeded", .flags = OUT_JSON_ONLY},
	{.key = "order", .flags = OUT_JSON_ONLY},
	{.key = "gfp", .flags = OUT_JSON_ONLY},
	{.key = "purpose", .flags = OUT_LEFT},
	TALLY_COLUMNS,
	{.key = "cgroup", .flags = OUT_LEFT},
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table event_table = {"reclaim", NULL, event_columns, COUNT(event_columns)};

/* "got 128 KiB of 1.2 MiB", "order 9: no block" */
static void format_result(const struct reclaim_record *r, char *buf, size_t size)
{
	char got[32], scanned[32];

	if (r->work.key.work == WORK_COMPACTION) {
		snprintf(buf, size, "order %u: %s", r->work.order, r->got ? "a block" : "no block");
		return;
	}
	out__format_bytes(r->got * PAGE, got, sizeof(got));
	out__format_bytes(reclaim_tally__scanned(&r->work.tally) * PAGE, scanned, sizeof(scanned));
	snprintf(buf, size, "got %s of %s", got, scanned);
}

void reclaim_report__event(struct out *out, const struct reclaim_source *source,
			   const struct reclaim_record *r, uint64_t began_ns,
			   const struct reclaim_stack_shown *stack)
{
	const struct reclaim_under_way *w = &r->work;
	bool compaction = w->key.work == WORK_COMPACTION;
	char comm[COMM_SIZE + 1] = "", who[COMM_SIZE + 16], result[96];

	memcpy(comm, w->comm, COMM_SIZE);
	snprintf(who, sizeof(who), "%s/%u", comm, r->tid);
	format_result(r, result, sizeof(result));
	out__line(out, &event_table);
	out__seconds(out, NULL, w->began_ns > began_ns ? w->began_ns - began_ns : 0);
	out__count(out, "time_ns", w->began_ns);
	out__count(out, "pid", w->key.process.tgid);
	out__count(out, "tid", r->tid);
	out__text(out, "comm", comm);
	out__text(out, NULL, who);
	out__text(out, "work", reclaim_work__name(w->key.work));
	out__ns(out, "latency_ns", r->ns);
	out__text(out, NULL, result);
	if (compaction)
		out__unknown(out, "freed_bytes");
	else
		out__bytes(out, "freed_bytes", r->got * PAGE);
	if (compaction)
		out__flag(out, "succeeded", r->got);
	else
		out__unknown(out, "succeeded");
	out__count(out, "order", w->order);
	put_gfp(out, w->gfp);
	put_tally(out, &w->tally);
	put_cgroup(out, source, w->key.cgroup);
	if (stack->note)
		out__text(out, "truncated", stack->note);
	else
		out__unknown(out, "truncated");
	out__stack(out, "stack", stack->frames, stack->count, stack->note);
	out__row_end(out);
}

/* --- what it means ----------------------------------------------------------------------------------------
 */

#define MUCH_STALLED 0.05 /* of the run: a user notices */
#define LITTLE_FREED 0.25 /* of what was looked at: most of it is in use */

static void say_of_worst(struct out *out, const struct reclaim_view *view, const struct reclaim_row *row)
{
	char path[RECLAIM_PATH_MAX + RECLAIM_COMPONENT], took[32];

	reclaim_source__cgroup(view->source, row->key.cgroup, path, sizeof(path));
	out__format_ns(row->ns, took, sizeof(took));
	if (row->key.work == WORK_MEMCG)
		out__say(
			out,
			"%s stood still for %s to keep a memory cgroup%s%s within its limit: the limit is short, not "
			"the machine (memtrace system --cgroup shows which; raise memory.max or memory.high, or use less).",
			row->comm, took, *path ? " such as " : "", path);
	else
		out__say(
			out,
			"%s stood still for %s because the machine had no free page when it asked: kswapd did not keep up "
			"(a higher vm.watermark_scale_factor wakes it earlier), or memory is short.",
			row->comm, took);
}

static void say_of_efficiency(struct out *out, const struct reclaim_row *sum)
{
	uint64_t scanned = reclaim_tally__scanned(&sum->tally);
	double freed = ratio(reclaim_tally__reclaimed(&sum->tally), scanned);

	if (scanned >= 1024 && freed < LITTLE_FREED)
		out__say(
			out,
			"Of the pages looked at only %.0f %% could be freed: most of what is there is in use or waits to "
			"be written.",
			freed * 100);
}

void reclaim_report__findings(struct out *out, const struct reclaim_view *view)
{
	size_t n;
	struct reclaim_row **rows = reclaim_table__rows(view->table, WORKS_STALL, &n);
	struct reclaim_row sum = reclaim_table__sum(view->table, WORKS_STALL | 1u << WORK_KSWAPD),
			   kswapd = reclaim_table__sum(view->table, 1u << WORK_KSWAPD);

	if (!n && !kswapd.count)
		out__say(out, "Nobody had to reclaim memory%s.",
			 reclaim_table__sum(view->table, 1u << WORK_COMPACTION).count
				 ? "; some had to compact it"
				 : "");
	else if (!n)
		out__say(out, "No process had to reclaim memory itself: kswapd kept up.");
	else if (view->seconds > 0 && rows[0]->ns / 1e9 / view->seconds >= MUCH_STALLED)
		say_of_worst(out, view, rows[0]);
	say_of_efficiency(out, &sum);
	free(rows);
}
