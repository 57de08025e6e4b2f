/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/leaks_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/growth_limit.h"
#include "out/plot.h"

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))
#define PLOT_COLUMNS   48

void leaks_report__summary(struct out *out, const struct memory_watch *watch)
{
	size_t verdicts[GROWTH_VERDICTS] = {}, all = 0;
	char growing[64];

	for (const struct watched *p = memory_watch__processes(watch); p; p = p->hh.next) {
		verdicts[p->growth.verdict]++;
		all++;
	}
	snprintf(growing, sizeof(growing), verdicts[GROWTH_GROWING] ? "%zu" : "None",
		 verdicts[GROWTH_GROWING]);
	out__say(out, "%s of %zu processes %s; %zu stable, %zu shrinking, %zu unclear.", growing, all,
		 verdicts[GROWTH_GROWING] == 1 ? "grows" : "grow", verdicts[GROWTH_STABLE],
		 verdicts[GROWTH_SHRINKING], verdicts[GROWTH_UNCLEAR]);
}

/* --- what all rows have -----------------------------------------------------------------------------------
 */

static const struct out_column point_columns[] = {
	{.key = "t_s", .flags = OUT_JSON_ONLY},
	{.key = "held_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table point_table = {"point", NULL, point_columns, COUNT(point_columns)};

/* wanted: else the key is absent. */
static void put_history(struct out *out, const struct series *s, bool wanted, uint64_t began_ns)
{
	if (!wanted || out__format(out) != OUT_JSON) {
		out__unknown(out, "history");
		return;
	}
	out__list(out, "history", &point_table);
	for (size_t i = 0; i < s->count; i++) {
		out__row(out);
		out__real(out, "t_s", s->points[i].ns > began_ns ? (s->points[i].ns - began_ns) / 1e9 : 0);
		out__count(out, "held_bytes", s->points[i].value);
		out__row_end(out);
	}
	out__list_end(out);
}

static void put_bytes(struct out *out, const char *key, uint64_t bytes)
{
	if (bytes == PROCESS_UNKNOWN)
		out__unknown(out, key);
	else
		out__bytes(out, key, bytes);
}

static void put_number(struct out *out, const char *key, uint64_t bytes)
{
	if (bytes == PROCESS_UNKNOWN)
		out__unknown(out, key);
	else
		out__count(out, key, bytes);
}

/* "+12.0 KiB/s" */
static void format_rate(double rate, char *buf, size_t size)
{
	char text[32];

	out__format_change(llround(rate), text, sizeof(text));
	snprintf(buf, size, "%s/s", text);
}

static void put_rate(struct out *out, const struct growth *g)
{
	bool known = g->reason != GROWTH_FEW;
	char text[40];

	format_rate(g->rate, text, sizeof(text));
	if (known && llround(g->rate))
		out__text(out, NULL, text);
	else
		out__unknown(out, NULL);
}

/* What JSON has of a verdict, but for its first fields. */
static void put_growth(struct out *out, const struct growth *g, const struct series *s)
{
	out__text(out, "reason", growth_reason__words(g->reason));
	if (g->reason == GROWTH_FEW) {
		out__unknown(out, "slope_bytes_per_s");
		out__unknown(out, "slope_low_bytes_per_s");
		out__unknown(out, "slope_high_bytes_per_s");
		out__unknown(out, "chance");
	} else {
		out__real(out, "slope_bytes_per_s", g->rate);
		out__real(out, "slope_low_bytes_per_s", g->rate_low);
		out__real(out, "slope_high_bytes_per_s", g->rate_high);
		out__real(out, "chance", g->chance);
	}
	out__real(out, "window_s", g->seconds);
	out__count(out, "samples", s->samples);
}

#define GROWTH_COLUMNS                                                                                   \
	{.key = "reason", .flags = OUT_JSON_ONLY}, {.key = "slope_bytes_per_s", .flags = OUT_JSON_ONLY}, \
		{.key = "slope_low_bytes_per_s", .flags = OUT_JSON_ONLY},                                \
		{.key = "slope_high_bytes_per_s", .flags = OUT_JSON_ONLY},                               \
		{.key = "chance", .flags = OUT_JSON_ONLY}, {.key = "window_s", .flags = OUT_JSON_ONLY},  \
	{                                                                                                \
		.key = "samples", .flags = OUT_JSON_ONLY                                                 \
	}

#define LIMIT_COLUMNS                                                                                   \
	{.key = "limit.kind", .flags = OUT_JSON_ONLY}, {.key = "limit.cgroup", .flags = OUT_JSON_ONLY}, \
		{.key = "limit.limit_bytes", .flags = OUT_JSON_ONLY},                                   \
		{.key = "limit.room_bytes", .flags = OUT_JSON_ONLY},                                    \
	{                                                                                               \
		.key = "limit.seconds", .flags = OUT_JSON_ONLY                                          \
	}

/* Of what grows: how long the room lasts. */
static void put_limit(struct out *out, const struct growth *g, const struct growth_limit *l)
{
	if (!l->known) {
		out__unknown(out, "limit.kind");
		out__unknown(out, "limit.cgroup");
		out__unknown(out, "limit.limit_bytes");
		out__unknown(out, "limit.room_bytes");
		out__unknown(out, "limit.seconds");
		return;
	}
	out__text(out, "limit.kind", l->is_cgroup ? "cgroup" : "machine");
	if (l->is_cgroup)
		out__text(out, "limit.cgroup", l->cgroup);
	else
		out__unknown(out, "limit.cgroup");
	out__count(out, "limit.limit_bytes", l->limit);
	out__count(out, "limit.room_bytes", l->room);
	out__real(out, "limit.seconds", l->room / g->rate);
}

/* --- processes --------------------------------------------------------------------------------------------
 */

static const struct out_column process_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT | OUT_FILL},
	{.key = "verdict", .heading = "VERDICT", .flags = OUT_LEFT},
	{.flags = OUT_TABLE_ONLY, .heading = "RATE"},
	{.key = "held_bytes", .heading = "HELD"},
	{.key = "rss_bytes", .heading = "RSS"},
	{.key = "uss_bytes", .heading = "USS"},
	{.key = "pss_bytes", .heading = "PSS"},
	{.key = "swap_bytes", .heading = "SWAP", .flags = OUT_IF_ANY},
	{.key = "anon_bytes", .flags = OUT_JSON_ONLY},
	{.key = "shmem_bytes", .flags = OUT_JSON_ONLY},
	{.key = "file_bytes", .flags = OUT_JSON_ONLY},
	{.key = "heap_bytes", .heading = "HEAP"},
	{.key = "data_bytes", .flags = OUT_JSON_ONLY},
	{.key = "ended", .flags = OUT_JSON_ONLY},
	GROWTH_COLUMNS,
	LIMIT_COLUMNS,
	{.key = "history", .flags = OUT_JSON_ONLY},
};
static const struct out_table process_table = {"process", "Processes", process_columns,
					       COUNT(process_columns)};
static const struct out_table ended_table = {"process", "Processes that have ended, as they were then",
					     process_columns, COUNT(process_columns)};

static void put_process(struct out *out, const struct watched *p, bool history, uint64_t began_ns)
{
	const struct smaps_rollup *r = p->has_rollup ? &p->rollup : NULL;
	struct growth_limit limit = {};

	if (history && p->growth.verdict == GROWTH_GROWING && !p->ended_ns && out__format(out) == OUT_JSON)
		limit = growth_limit__of_process(p->pid);
	out__row(out);
	out__count(out, "pid", p->pid);
	out__text(out, "comm", p->status.comm);
	out__text(out, "verdict", growth_verdict__name(p->growth.verdict));
	put_rate(out, &p->growth);
	out__bytes(out, "held_bytes", p->held);
	out__bytes(out, "rss_bytes", p->status.rss);
	put_bytes(out, "uss_bytes", r ? r->uss : PROCESS_UNKNOWN);
	put_bytes(out, "pss_bytes", r ? r->pss : PROCESS_UNKNOWN);
	put_bytes(out, "swap_bytes", p->status.swap);
	put_number(out, "anon_bytes", p->status.anon);
	put_number(out, "shmem_bytes", p->status.shmem);
	put_number(out, "file_bytes", p->status.file);
	put_bytes(out, "heap_bytes", p->heap);
	put_number(out, "data_bytes", p->status.data);
	out__flag(out, "ended", p->ended_ns);
	put_growth(out, &p->growth, &p->series);
	put_limit(out, &p->growth, &limit);
	put_history(out, &p->series, history, began_ns);
	out__row_end(out);
}

static void put_list(struct out *out, const struct out_table *table, const struct watched *first, size_t top,
		     bool history, uint64_t began_ns)
{
	size_t n = 0;

	if (!first)
		return;
	out__begin(out, table);
	for (const struct watched *p = first; p; p = p->hh.next) {
		if (!top || n < top)
			put_process(out, p, history, began_ns);
		n++;
	}
	out__end(out, top && n > top ? n - top : 0);
}

void leaks_report__processes(struct out *out, const struct memory_watch *watch, size_t top, bool history,
			     uint64_t began_ns)
{
	put_list(out, &process_table, memory_watch__processes(watch), top, history, began_ns);
	put_list(out, &ended_table, memory_watch__ended(watch), top, history, began_ns);
}

/* --- in words ---------------------------------------------------------------------------------------------
 */

/* From the first point to the last, as marks between the least and the most. */
static void say_plot(struct out *out, const struct series *s)
{
	char plot[PLOT_SIZE(PLOT_COLUMNS)], first[32], last[32], took[32];
	int64_t values[SERIES_POINTS], low, high;

	if (s->count < 2)
		return;
	low = high = s->points[0].value;
	for (size_t i = 0; i < s->count; i++) {
		values[i] = s->points[i].value;
		low = values[i] < low ? values[i] : low;
		high = values[i] > high ? values[i] : high;
	}
	/* The lowest is no gap; and what hardly changes looks so. */
	if (high - low < high / 20)
		high = low + high / 20;
	low -= (high - low) / 8 + 1;
	plot__line(values, s->count, PLOT_COLUMNS, low, high, plot);
	out__format_bytes(s->points[0].value, first, sizeof(first));
	out__format_bytes(s->points[s->count - 1].value, last, sizeof(last));
	out__format_ns(series__span_ns(s), took, sizeof(took));
	out__say(out, "  |%s|", plot);
	out__say(out, "  held: %s at first, %s at last, %s later", first, last, took);
}

static void say_verdict(struct out *out, const char *who, const struct growth *g)
{
	char rate[40], low[40], high[40], over[32];

	if (g->reason == GROWTH_FEW) {
		out__say(out, "%s: unclear: %s", who, growth_reason__words(g->reason));
		return;
	}
	out__format_ns(g->seconds * 1e9, over, sizeof(over));
	if (g->reason == GROWTH_NO_SIGN) {
		out__say(out, "%s: %s: no trend in the last %s", who, growth_verdict__name(g->verdict), over);
		return;
	}
	format_rate(g->rate, rate, sizeof(rate));
	format_rate(g->rate_low, low, sizeof(low));
	format_rate(g->rate_high, high, sizeof(high));
	out__say(out, "%s: %s %s: %s (%s to %s) in the last %s", who, growth_verdict__name(g->verdict),
		 growth_reason__words(g->reason), rate, low, high, over);
}

static void say_limit(struct out *out, const struct growth *g, const struct growth_limit *l)
{
	char room[32], limit[32], time[64];

	if (!l->known || g->verdict != GROWTH_GROWING)
		return;
	out__format_bytes(l->room, room, sizeof(room));
	out__format_bytes(l->limit, limit, sizeof(limit));
	growth_limit__format_time(l->room / g->rate, time, sizeof(time));
	if (l->is_cgroup)
		out__say(out, "  at this rate, cgroup %s is at its limit of %s in %s (%s are left)",
			 l->cgroup, limit, time, room);
	else
		out__say(out, "  at this rate, the machine is out of memory in %s (%s are left)", time, room);
}

void leaks_report__story(struct out *out, const struct watched *p)
{
	struct growth_limit limit = {};
	char who[128];

	if (out__format(out) == OUT_JSON)
		return;
	if (p->growth.verdict == GROWTH_GROWING && !p->ended_ns)
		limit = growth_limit__of_process(p->pid);
	snprintf(who, sizeof(who), "%s, pid %u", p->status.comm, p->pid);
	out__blank(out);
	say_verdict(out, who, &p->growth);
	say_plot(out, &p->series);
	say_limit(out, &p->growth, &limit);
}

/* --- a cgroup ---------------------------------------------------------------------------------------------
 */

static const struct out_column cgroup_columns[] = {
	{.key = "path", .heading = "CGROUP", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
	{.key = "verdict", .heading = "VERDICT", .flags = OUT_LEFT},
	{.flags = OUT_TABLE_ONLY, .heading = "RATE"},
	{.key = "held_bytes", .heading = "HELD"},
	{.key = "usage_bytes", .heading = "USAGE"},
	{.key = "anon_bytes", .heading = "ANON"},
	{.key = "shmem_bytes", .flags = OUT_JSON_ONLY},
	{.key = "cache_bytes", .heading = "CACHE"},
	{.key = "swap_bytes", .heading = "SWAP", .flags = OUT_IF_ANY},
	{.key = "limit_bytes", .heading = "LIMIT"},
	GROWTH_COLUMNS,
	LIMIT_COLUMNS,
	{.key = "history", .flags = OUT_JSON_ONLY},
};
static const struct out_table cgroup_table = {"cgroup", "Cgroup", cgroup_columns, COUNT(cgroup_columns)};

void leaks_report__cgroup(struct out *out, const struct watched_cgroup *c, bool history, uint64_t began_ns)
{
	struct growth_limit limit = {};

	if (!c || !c->series.count)
		return;
	if (history && c->growth.verdict == GROWTH_GROWING)
		limit = growth_limit__of_cgroup(c->dir, c->is_v1);
	out__begin(out, &cgroup_table);
	out__row(out);
	out__text(out, "path", c->path);
	out__text(out, "verdict", growth_verdict__name(c->growth.verdict));
	put_rate(out, &c->growth);
	out__bytes(out, "held_bytes", c->series.points[c->series.count - 1].value);
	put_bytes(out, "usage_bytes", c->memory.usage);
	put_bytes(out, "anon_bytes", c->memory.anon);
	put_number(out, "shmem_bytes", c->memory.shmem);
	put_bytes(out, "cache_bytes", c->memory.cache);
	put_bytes(out, "swap_bytes", c->memory.swap);
	put_bytes(out, "limit_bytes", c->memory.limit);
	put_growth(out, &c->growth, &c->series);
	put_limit(out, &c->growth, &limit);
	put_history(out, &c->series, history, began_ns);
	out__row_end(out);
	out__end(out, 0);
	if (!history || out__format(out) == OUT_JSON)
		return;
	out__blank(out);
	say_verdict(out, "The cgroup", &c->growth);
	say_plot(out, &c->series);
	say_limit(out, &c->growth, &limit);
}
