/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/brk_vs_mmap_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/call_text.h"
#include "model/findings.h"
#include "model/vma_name.h"
#include "out/plot.h"

#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

/* --- processes -------------------------------------------------------------------------------------------
 */

static const struct out_column process_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT | OUT_FILL},
	{.flags = OUT_TABLE_ONLY, .heading = "NET"},
	{.flags = OUT_TABLE_ONLY, .heading = "BRK"},
	{.flags = OUT_TABLE_ONLY, .heading = "MMAP"},
	{.flags = OUT_TABLE_ONLY, .heading = "OBTAINED"},
	{.flags = OUT_TABLE_ONLY, .heading = "RETURNED"},
	{.flags = OUT_TABLE_ONLY, .heading = "RESIDENT"},
	{.key = "calls", .heading = "CALLS"},
	{.key = "failed", .heading = "FAILED", .flags = OUT_IF_ANY},
	{.key = "lost_calls", .flags = OUT_JSON_ONLY},
	{.key = "ended", .flags = OUT_JSON_ONLY},
	{.key = "net_bytes", .flags = OUT_JSON_ONLY},
	{.key = "before_bytes", .flags = OUT_JSON_ONLY},
	{.key = "brk.calls", .flags = OUT_JSON_ONLY},
	{.key = "brk.failed", .flags = OUT_JSON_ONLY},
	{.key = "brk.grown_bytes", .flags = OUT_JSON_ONLY},
	{.key = "brk.shrunk_bytes", .flags = OUT_JSON_ONLY},
	{.key = "brk.net_bytes", .flags = OUT_JSON_ONLY},
	{.key = "brk.committed_bytes", .flags = OUT_JSON_ONLY},
	{.key = "brk.resident_bytes", .flags = OUT_JSON_ONLY},
	{.key = "brk.faults", .flags = OUT_JSON_ONLY},
	{.key = "brk.ns", .flags = OUT_JSON_ONLY},
	{.key = "mmap.calls", .flags = OUT_JSON_ONLY},
	{.key = "mmap.failed", .flags = OUT_JSON_ONLY},
	{.key = "mmap.mapped_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.munmap_calls", .flags = OUT_JSON_ONLY},
	{.key = "mmap.munmap_failed", .flags = OUT_JSON_ONLY},
	{.key = "mmap.unmapped_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.mremap_calls", .flags = OUT_JSON_ONLY},
	{.key = "mmap.mremap_failed", .flags = OUT_JSON_ONLY},
	{.key = "mmap.mremap_grown_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.mremap_shrunk_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.net_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.reserved_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.committed_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.anon_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.file_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.resident_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mmap.faults", .flags = OUT_JSON_ONLY},
	{.key = "mmap.ns", .flags = OUT_JSON_ONLY},
};
static const struct out_table process_table = {"process", "Processes, since tracing began", process_columns,
					       COUNT(process_columns)};
static const struct out_table ended_table = {"process", "Processes that have ended, as they were then",
					     process_columns, COUNT(process_columns)};

static void count_if(struct out *out, const char *key, bool known, uint64_t n)
{
	if (known)
		out__count(out, key, n);
	else
		out__unknown(out, key);
}

static void put_brk(struct out *out, const struct process_ledger *s, const struct via_total *v)
{
	out__count(out, "brk.calls", process_ledger__calls(s, CALL_BRK));
	out__count(out, "brk.failed", process_ledger__failed(s, CALL_BRK));
	out__count(out, "brk.grown_bytes", process_ledger__obtained(s, CALL_BRK));
	out__count(out, "brk.shrunk_bytes", process_ledger__returned(s, CALL_BRK));
	out__change(out, "brk.net_bytes", v->net);
	out__count(out, "brk.committed_bytes", v->now.committed);
	count_if(out, "brk.resident_bytes", v->resident_known, v->now.resident);
	out__count(out, "brk.faults", v->faults);
	out__count(out, "brk.ns", v->ns + s->lost[CALL_BRK].ns);
}

/* Of what mmap obtained, that of files. */
static uint64_t file_bytes(const struct process_ledger *s)
{
	const struct ledger_interval *i = ledger__from(s->ledger, 0);
	uint64_t bytes = 0;

	for (; i; i = ledger__from(s->ledger, i->end))
		bytes += i->via == VIA_MMAP && i->kind == LEDGER_FILE ? i->end - i->start : 0;
	return bytes;
}

static void put_mmap(struct out *out, const struct process_ledger *s, const struct via_total *v)
{
	uint64_t files = file_bytes(s);

	out__count(out, "mmap.calls", process_ledger__calls(s, CALL_MMAP));
	out__count(out, "mmap.failed", process_ledger__failed(s, CALL_MMAP));
	out__count(out, "mmap.mapped_bytes", process_ledger__obtained(s, CALL_MMAP));
	out__count(out, "mmap.munmap_calls", process_ledger__calls(s, CALL_MUNMAP));
	out__count(out, "mmap.munmap_failed", process_ledger__failed(s, CALL_MUNMAP));
	out__count(out, "mmap.unmapped_bytes", process_ledger__returned(s, CALL_MUNMAP));
	out__count(out, "mmap.mremap_calls", process_ledger__calls(s, CALL_MREMAP));
	out__count(out, "mmap.mremap_failed", process_ledger__failed(s, CALL_MREMAP));
	out__count(out, "mmap.mremap_grown_bytes", process_ledger__obtained(s, CALL_MREMAP));
	out__count(out, "mmap.mremap_shrunk_bytes", process_ledger__returned(s, CALL_MREMAP));
	out__change(out, "mmap.net_bytes", v->net);
	out__count(out, "mmap.reserved_bytes", v->now.reserved);
	out__count(out, "mmap.committed_bytes", v->now.committed);
	out__count(out, "mmap.anon_bytes", v->now.reserved + v->now.committed - files);
	out__count(out, "mmap.file_bytes", files);
	count_if(out, "mmap.resident_bytes", v->resident_known, v->now.resident);
	out__count(out, "mmap.faults", v->faults);
	out__count(out, "mmap.ns",
		   v->ns + s->lost[CALL_MMAP].ns + s->lost[CALL_MUNMAP].ns + s->lost[CALL_MREMAP].ns);
}

static void put_totals(struct out *out, const struct process_ledger *s, const struct ledger_report *r)
{
	uint64_t obtained = 0, returned = 0, resident = 0;
	bool known = true;

	for (enum ledger_via via = 0; via < VIAS; via++) {
		const struct via_total *v = &r->vias[via];

		obtained += v->obtained;
		returned += v->returned;
		if (via != VIA_BRK && via != VIA_MMAP)
			continue;
		resident += v->now.resident;
		known &= v->resident_known;
	}
	out__change(out, NULL, process_ledger__net(s));
	out__change(out, NULL, r->vias[VIA_BRK].net);
	out__change(out, NULL, r->vias[VIA_MMAP].net);
	out__bytes(out, NULL, obtained);
	out__bytes(out, NULL, returned);
	if (known)
		out__bytes(out, NULL, resident);
	else
		out__unknown(out, NULL);
}

static void put_process(struct out *out, const struct process_ledger *s)
{
	uint64_t failed = 0, lost = 0;
	struct ledger_report r;

	if (process_ledger__report(s, &r))
		return;
	for (enum alloc_call call = 0; call < CALLS; call++) {
		failed += process_ledger__failed(s, call);
		lost += s->lost[call].calls;
	}
	out__row(out);
	out__count(out, "pid", s->key.tgid);
	out__text(out, "comm", s->comm);
	put_totals(out, s, &r);
	out__count(out, "calls", s->calls);
	out__count(out, "failed", failed);
	out__count(out, "lost_calls", lost);
	out__flag(out, "ended", s->ended);
	out__change(out, "net_bytes", process_ledger__net(s));
	count_if(out, "before_bytes", !s->maps_unread, r.vias[VIA_BEFORE].inherited);
	put_brk(out, s, &r.vias[VIA_BRK]);
	put_mmap(out, s, &r.vias[VIA_MMAP]);
	out__row_end(out);
	ledger_report__free(&r);
}

void brk_vs_mmap__processes(struct out *out, struct process_ledger *const *rows, size_t n, size_t top)
{
	size_t shown = top && top < n ? top : n;

	if (!n)
		return;
	out__begin(out, rows[0]->ended ? &ended_table : &process_table);
	for (size_t i = 0; i < shown; i++)
		put_process(out, rows[i]);
	out__end(out, n - shown);
}

/* --- brk beside mmap -------------------------------------------------------------------------------------
 */

static const struct out_column compare_columns[] = {
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .heading = "", .width = 16},
	{.flags = OUT_TABLE_ONLY, .heading = "BRK", .width = 11},
	{.flags = OUT_TABLE_ONLY, .heading = "MMAP", .width = 11},
	{.flags = OUT_TABLE_ONLY | OUT_IF_ANY, .heading = "BEFORE", .width = 11},
	{.flags = OUT_TABLE_ONLY | OUT_IF_ANY, .heading = "OTHER", .width = 11},
};

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_CHANGE, UNIT_NS, UNIT_SHARE, UNIT_REAL };

/* One line: a figure of each side; `known` says which sides have it. */
static void put_line(struct out *out, const char *what, enum unit unit, const double values[VIAS],
		     const bool known[VIAS], const bool present[VIAS])
{
	static const enum ledger_via order[VIAS] = {VIA_BRK, VIA_MMAP, VIA_BEFORE, VIA_OTHER};
	char text[40];

	out__row(out);
	out__text(out, NULL, what);
	for (size_t i = 0; i < VIAS; i++) {
		double v = values[order[i]];

		if (!known[order[i]] || !present[order[i]]) {
			out__unknown(out, NULL);
			continue;
		}
		switch (unit) {
		case UNIT_COUNT:
			snprintf(text, sizeof(text), "%.0f", v);
			break;
		case UNIT_BYTES:
			out__format_bytes(v, text, sizeof(text));
			break;
		case UNIT_CHANGE:
			out__format_change(v, text, sizeof(text));
			break;
		case UNIT_NS:
			out__format_ns(v, text, sizeof(text));
			break;
		case UNIT_SHARE:
			snprintf(text, sizeof(text), "%.1f%%", v * 100);
			break;
		case UNIT_REAL:
			snprintf(text, sizeof(text), "%.1f", v);
			break;
		}
		out__text(out, NULL, text);
	}
	out__row_end(out);
}

#define LINE(what, unit, expression, is_known)                                                     \
	do {                                                                                       \
		double values[VIAS];                                                               \
		bool known[VIAS];                                                                  \
		for (enum ledger_via via = 0; via < VIAS; via++) {                                 \
			const struct via_total *v = &r.vias[via];                                  \
			bool by_calls __attribute__((unused)) = via == VIA_BRK || via == VIA_MMAP; \
			known[via] = (is_known);                                                   \
			values[via] = known[via] ? (expression) : 0;                               \
		}                                                                                  \
		put_line(out, what, unit, values, known, present);                                 \
	} while (0)

/* Calls that were lost are of brk, or of mmap and its like. */
static void add_lost(struct ledger_report *r, const struct process_ledger *s)
{
	for (enum alloc_call call = CALL_BRK; call <= CALL_MREMAP; call++) {
		struct via_total *v = &r->vias[call == CALL_BRK ? VIA_BRK : VIA_MMAP];

		v->calls += s->lost[call].calls;
		v->failed += s->lost[call].failed;
		v->ns += s->lost[call].ns;
	}
}

static void say_caveats(struct out *out, const struct process_ledger *s)
{
	if (s->is_32bit)
		out__say(
			out,
			"A 32-bit process: the kernel does not tell its system calls; what it has is read from "
			"/proc/%u/maps.",
			s->key.tgid);
	if (process_ledger__has_lost(s))
		out__say(out, "Calls of it were lost: what it has now is %s.",
			 s->ended ? "not known for certain" : "read from /proc");
	if (s->maps_unread)
		out__say(out, "What it had before tracing is not known: /proc/%u/maps could not be read.",
			 s->key.tgid);
}

void brk_vs_mmap__compare(struct out *out, const struct process_ledger *s, const struct ledger_report *report)
{
	char title[128];
	const struct out_table table = {"compare", title, compare_columns, COUNT(compare_columns)};
	struct ledger_report r = *report;
	bool present[VIAS];

	if (out__format(out) == OUT_JSON)
		return;
	snprintf(title, sizeof(title), "%s, pid %u%s: address space by what obtained it", s->comm,
		 s->key.tgid, s->ended ? ", at its end" : "");
	add_lost(&r, s);
	for (enum ledger_via via = 0; via < VIAS; via++)
		present[via] =
			via == VIA_BRK || via == VIA_MMAP || r.vias[via].inherited || r.vias[via].obtained;
	out__begin(out, &table);
	LINE("calls", UNIT_COUNT, v->calls, by_calls);
	LINE("failed", UNIT_COUNT, v->failed, by_calls);
	LINE("time in calls", UNIT_NS, v->ns, by_calls);
	LINE("obtained", UNIT_BYTES, v->obtained, true);
	LINE("returned", UNIT_BYTES, v->returned, true);
	LINE("net", UNIT_CHANGE, v->net, true);
	LINE("reserved now", UNIT_BYTES, v->now.reserved, true);
	LINE("committed now", UNIT_BYTES, v->now.committed, true);
	LINE("resident now", UNIT_BYTES, v->now.resident, v->resident_known);
	LINE("  of committed", UNIT_SHARE, extent__touched(&v->now), v->resident_known && v->now.committed);
	LINE("faults", UNIT_COUNT, v->faults, true);
	LINE("  for each MiB", UNIT_REAL, via_total__faults_per_mib(v), by_calls && v->obtained);
	out__end(out, 0);
	say_caveats(out, s);
}

/* --- its calls -------------------------------------------------------------------------------------------
 */

static const struct out_column call_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "call", .heading = "CALL", .flags = OUT_LEFT},
	{.key = "calls", .heading = "CALLS"},
	{.key = "queries", .heading = "QUERIES", .flags = OUT_IF_ANY},
	{.key = "failed", .heading = "FAILED"},
	{.key = "obtained_bytes", .heading = "OBTAINED"},
	{.key = "returned_bytes", .heading = "RETURNED"},
	{.key = "changed_bytes", .heading = "CHANGED"},
	{.key = "ns", .heading = "TIME"},
	{.flags = OUT_TABLE_ONLY, .heading = "MEAN"},
};
static const struct out_table call_table = {"calls", "System calls", call_columns, COUNT(call_columns)};

static void put_call(struct out *out, const struct process_ledger *s, enum alloc_call call)
{
	const struct ledger_call *c = ledger__call(s->ledger, call);
	uint64_t calls = process_ledger__calls(s, call), ns = c->ns + s->lost[call].ns;

	if (!calls)
		return;
	out__row(out);
	out__count(out, "pid", s->key.tgid);
	out__text(out, "call", alloc_call__name(call));
	out__count(out, "calls", calls);
	out__count(out, "queries", c->queries);
	out__count(out, "failed", process_ledger__failed(s, call));
	out__bytes(out, "obtained_bytes", process_ledger__obtained(s, call));
	out__bytes(out, "returned_bytes", process_ledger__returned(s, call));
	out__bytes(out, "changed_bytes", c->changed);
	out__ns(out, "ns", ns);
	out__ns(out, NULL, ns / calls);
	out__row_end(out);
}

void brk_vs_mmap__calls(struct out *out, const struct process_ledger *s)
{
	out__begin(out, &call_table);
	for (enum alloc_call call = 0; call < CALLS; call++)
		put_call(out, s, call);
	out__end(out, 0);
}

static const struct out_column failure_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},	  {.key = "call", .flags = OUT_JSON_ONLY},
	{.key = "error", .flags = OUT_JSON_ONLY}, {.key = "count", .flags = OUT_JSON_ONLY},
	{.key = "text", .flags = OUT_JSON_ONLY},
};
static const struct out_table failure_table = {"failure", NULL, failure_columns, COUNT(failure_columns)};

static void put_failure(struct out *out, const struct process_ledger *s, const struct ledger_failure *f)
{
	char text[256];

	errno_words__explain(f, &s->limits, text, sizeof(text));
	if (out__format(out) == OUT_TABLE) {
		out__say(out, "%6" PRIu64 " %s: %s", f->count, alloc_call__name(f->call), text);
		return;
	}
	out__line(out, &failure_table);
	out__count(out, "pid", s->key.tgid);
	out__text(out, "call", alloc_call__name(f->call));
	out__text(out, "error", strerrorname_np(f->error) ?: "?");
	out__count(out, "count", f->count);
	out__text(out, "text", text);
	out__row_end(out);
}

void brk_vs_mmap__failures(struct out *out, const struct process_ledger *s)
{
	size_t n;
	const struct ledger_failure *f = ledger__failures(s->ledger, &n);

	if (n) {
		out__blank(out);
		out__say(out, "Calls that failed");
	}
	for (size_t i = 0; i < n; i++)
		put_failure(out, s, &f[i]);
}

/* --- sizes -----------------------------------------------------------------------------------------------
 */

static const struct out_column size_columns[] = {
	{.flags = OUT_TABLE_ONLY, .heading = "FROM"},
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "via", .flags = OUT_JSON_ONLY},
	{.key = "from_bytes", .flags = OUT_JSON_ONLY},
	{.key = "to_bytes", .flags = OUT_JSON_ONLY},
	{.key = "calls", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY, .heading = "BRK", .width = 8},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .heading = "", .width = 22},
	{.flags = OUT_TABLE_ONLY, .heading = "MMAP", .width = 8},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .heading = "", .width = 22},
};
static const struct out_table size_table = {"sizes", "Sizes asked for, in calls", size_columns,
					    COUNT(size_columns)};

static void put_size_json(struct out *out, uint32_t pid, const char *via, unsigned bucket, uint64_t calls)
{
	if (!calls)
		return;
	out__row(out);
	out__unknown(out, NULL);
	out__count(out, "pid", pid);
	out__text(out, "via", via);
	out__count(out, "from_bytes", bucket ? 1ull << bucket : 0);
	out__count(out, "to_bytes", 2ull << bucket);
	out__count(out, "calls", calls);
	for (int i = 0; i < 4; i++)
		out__unknown(out, NULL);
	out__row_end(out);
}

static void put_bar(struct out *out, uint64_t n, uint64_t most)
{
	static const char bar[] = "####################";
	int length = most ? (n * 20 + most - 1) / most : 0;
	char text[24];

	snprintf(text, sizeof(text), "%.*s", length, bar);
	out__text(out, NULL, text);
}

static void put_size_row(struct out *out, unsigned bucket, uint64_t brk, uint64_t brk_most, uint64_t mmap,
			 uint64_t mmap_most)
{
	out__row(out);
	out__bytes(out, NULL, bucket ? 1ull << bucket : 0);
	for (int i = 0; i < 5; i++)
		out__unknown(out, size_columns[i + 1].key);
	out__count(out, NULL, brk);
	put_bar(out, brk, brk_most);
	out__count(out, NULL, mmap);
	put_bar(out, mmap, mmap_most);
	out__row_end(out);
}

static uint64_t most_of(const uint64_t *sizes)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < LEDGER_BUCKETS; i++)
		most = sizes[i] > most ? sizes[i] : most;
	return most;
}

void brk_vs_mmap__sizes(struct out *out, const struct process_ledger *s)
{
	const uint64_t *brk = ledger__call(s->ledger, CALL_BRK)->sizes;
	const uint64_t *mmap = ledger__call(s->ledger, CALL_MMAP)->sizes;
	bool json = out__format(out) == OUT_JSON;
	unsigned first = LEDGER_BUCKETS, last = 0;

	for (unsigned i = 0; i < LEDGER_BUCKETS; i++) {
		if (!brk[i] && !mmap[i])
			continue;
		first = i < first ? i : first;
		last = i;
	}
	out__begin(out, &size_table);
	for (unsigned i = first; i <= last && first < LEDGER_BUCKETS; i++) {
		if (!brk[i] && !mmap[i])
			continue;
		if (json) {
			put_size_json(out, s->key.tgid, "brk", i, brk[i]);
			put_size_json(out, s->key.tgid, "mmap", i, mmap[i]);
		} else {
			put_size_row(out, i, brk[i], most_of(brk), mmap[i], most_of(mmap));
		}
	}
	out__end(out, 0);
}

/* --- growth ----------------------------------------------------------------------------------------------
 */

#define PLOT_COLUMNS 46
#define PLOT_LEAST   4 /* steps: fewer show nothing */

/* One line: net bytes by one via over time, as marks of eight heights. */
static void say_growth(struct out *out, const struct trend *t, int value, const char *name)
{
	char plot[PLOT_SIZE(PLOT_COLUMNS)], last[40], most_text[40];
	int64_t values[TREND_POINTS], most = 0;

	for (size_t i = 0; i < t->count; i++) {
		values[i] = t->points[i].values[value];
		most = values[i] > most ? values[i] : most;
	}
	if (!most)
		return;
	plot__line(values, t->count, PLOT_COLUMNS, 0, most, plot);
	out__format_change(t->points[t->count - 1].values[value], last, sizeof(last));
	out__format_bytes(most, most_text, sizeof(most_text));
	out__say(out, "  %-4s |%s| %s, at most %s", name, plot, last, most_text);
}

static bool has_grown(const struct trend *t)
{
	for (size_t i = 0; i < t->count; i++)
		for (size_t v = 0; v < TREND_VALUES; v++)
			if (t->points[i].values[v] > 0)
				return true;
	return false;
}

void brk_vs_mmap__growth(struct out *out, const struct ledger_report *r)
{
	struct trend trend = r->trend;
	char step[32];

	if (out__format(out) == OUT_JSON || !trend.count)
		return;
	trend__extend(&trend, r->now_ns);
	if (trend.count < PLOT_LEAST || !has_grown(&trend))
		return;
	out__format_ns(trend.step_ns * (trend.count > PLOT_COLUMNS ? trend.count : 1) /
			       (trend.count > PLOT_COLUMNS ? PLOT_COLUMNS : 1),
		       step, sizeof(step));
	out__blank(out);
	out__say(out, "Net growth, each column %s", step);
	say_growth(out, &trend, 0, "brk");
	say_growth(out, &trend, 1, "mmap");
}

/* --- sites -----------------------------------------------------------------------------------------------
 */

static const struct out_column site_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "via", .heading = "VIA", .flags = OUT_LEFT},
	{.key = "net_bytes", .heading = "NET"},
	{.key = "bytes", .heading = "OBTAINED"},
	{.key = "reserved_bytes", .heading = "RESERVED"},
	{.key = "committed_bytes", .heading = "COMMITTED"},
	{.key = "resident_bytes", .heading = "RESIDENT"},
	{.key = "calls", .heading = "CALLS"},
	{.key = "faults", .heading = "FAULTS"},
	{.key = "truncated", .flags = OUT_JSON_ONLY},
	{.key = "stack", .flags = OUT_STACK},
};
static const struct out_table site_table = {"site", "Call stacks, by net growth", site_columns,
					    COUNT(site_columns)};

static void put_site(struct out *out, const struct process_ledger *s, const struct site_total *site,
		     struct stacks *stacks)
{
	struct call_stack_shown shown;
	size_t first = 0;

	shown.frames = stacks__frames(stacks, site->site, false, &shown.count, &shown.note);
	out__row(out);
	out__count(out, "pid", s->key.tgid);
	out__text(out, "via", ledger_via__name(site->via));
	out__change(out, "net_bytes", site->net);
	out__bytes(out, "bytes", site->obtained);
	out__bytes(out, "reserved_bytes", site->now.reserved);
	out__bytes(out, "committed_bytes", site->now.committed);
	out__bytes(out, "resident_bytes", site->now.resident);
	out__count(out, "calls", site->calls);
	out__count(out, "faults", site->faults);
	if (shown.note)
		out__text(out, "truncated", shown.note);
	else
		out__unknown(out, "truncated");
	if (!shown.count && !shown.note)
		shown.note = "no stack was taken of these calls (--stacks=dwarf takes all)";
	if (out__format(out) == OUT_TABLE)
		first = call_text__first_frame(shown.frames, shown.count);
	out__stack(out, "stack", shown.frames ? shown.frames + first : NULL, shown.count - first, shown.note);
	out__row_end(out);
	free(shown.frames);
}

void brk_vs_mmap__sites(struct out *out, const struct process_ledger *s, const struct ledger_report *r,
			struct stacks *stacks, size_t top)
{
	size_t shown = top && top < r->site_count ? top : r->site_count;

	out__begin(out, &site_table);
	for (size_t i = 0; i < shown; i++)
		put_site(out, s, &r->sites[i], stacks);
	out__end(out, r->site_count - shown);
}

/* --- mappings --------------------------------------------------------------------------------------------
 */

static const struct out_column mapping_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},	       {.key = "start", .flags = OUT_JSON_ONLY},
	{.key = "end", .flags = OUT_JSON_ONLY},	       {.key = "perms", .flags = OUT_JSON_ONLY},
	{.key = "via", .flags = OUT_JSON_ONLY},	       {.key = "kind", .flags = OUT_JSON_ONLY},
	{.key = "size_bytes", .flags = OUT_JSON_ONLY}, {.key = "resident_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table mapping_table = {"mapping", NULL, mapping_columns, COUNT(mapping_columns)};

void brk_vs_mmap__mappings(struct out *out, const struct process_ledger *s)
{
	static const char *const kinds[LEDGER_KINDS] = {"anon", "file", "shared"};
	const struct ledger_interval *i = ledger__from(s->ledger, 0);
	uint64_t resident;
	bool known;
	char perms[5];

	if (out__format(out) != OUT_JSON)
		return;
	for (; i; i = ledger__from(s->ledger, i->end)) {
		vma_name__perms(i->perms, perms);
		out__line(out, &mapping_table);
		out__count(out, "pid", s->key.tgid);
		out__address(out, "start", i->start);
		out__address(out, "end", i->end);
		out__text(out, "perms", perms);
		out__text(out, "via", ledger_via__name(i->via));
		out__text(out, "kind", kinds[i->kind]);
		out__count(out, "size_bytes", i->end - i->start);
		known = process_ledger__resident(s, i, &resident);
		count_if(out, "resident_bytes", known, resident);
		out__row_end(out);
	}
}

/* --- findings --------------------------------------------------------------------------------------------
 */

static const struct out_column finding_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "code", .flags = OUT_JSON_ONLY},
	{.key = "text", .flags = OUT_JSON_ONLY},
	{.key = "knob", .flags = OUT_JSON_ONLY},
};
static const struct out_table finding_table = {"finding", NULL, finding_columns, COUNT(finding_columns)};

void brk_vs_mmap__findings(struct out *out, const struct process_ledger *s, const struct ledger_report *r)
{
	struct finding found[FINDINGS];
	size_t n = findings__make(r, found);

	if (n && out__format(out) == OUT_TABLE)
		out__blank(out);
	for (size_t i = 0; i < n; i++) {
		if (out__format(out) == OUT_TABLE) {
			out__say(out, "* %s.%s%s%s", found[i].text, found[i].knob ? " What helps: " : "",
				 found[i].knob ?: "", found[i].knob ? "." : "");
			continue;
		}
		out__line(out, &finding_table);
		out__count(out, "pid", s->key.tgid);
		out__text(out, "code", finding_code__name(found[i].code));
		out__text(out, "text", found[i].text);
		if (found[i].knob)
			out__text(out, "knob", found[i].knob);
		else
			out__unknown(out, "knob");
		out__row_end(out);
	}
}

/* --- events ----------------------------------------------------------------------------------------------
 */

static const struct out_column event_columns[] = {
	{.flags = OUT_TABLE_ONLY, .width = 10}, /* seconds */
	{.key = "time_ns", .flags = OUT_JSON_ONLY},
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "tid", .flags = OUT_JSON_ONLY},
	{.key = "comm", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 14}, /* comm/tid */
	{.key = "call", .flags = OUT_LEFT, .width = 8},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 26}, /* what */
	{.key = "what", .flags = OUT_JSON_ONLY},
	{.key = "address", .flags = OUT_JSON_ONLY},
	{.key = "size_bytes", .flags = OUT_JSON_ONLY},
	{.key = "file", .flags = OUT_JSON_ONLY},
	{.key = "duration_ns", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 16}, /* = result */
	{.key = "result", .flags = OUT_JSON_ONLY},
	{.key = "error", .flags = OUT_JSON_ONLY},
	{.key = "net_bytes", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT, .width = 14}, /* net */
	{.flags = OUT_TABLE_ONLY | OUT_LEFT},		   /* main→load→malloc */
	{.key = "stack", .flags = OUT_JSON_ONLY | OUT_STACK},
};
static const struct out_table event_table = {"call", NULL, event_columns, COUNT(event_columns)};

void brk_vs_mmap__event(struct out *out, const struct process_ledger *s, const struct call_record *r,
			const struct mapped_file *file, uint64_t began_ns,
			const struct call_stack_shown *stack)
{
	char comm[COMM_SIZE + 1], who[32], net_text[64], result[64], net[48], callers[256];
	struct call_text text;

	call_text__make(r, file ? file->name : NULL, &text);
	snprintf(comm, sizeof(comm), "%.*s", COMM_SIZE, r->comm);
	snprintf(who, sizeof(who), "%s/%u", comm, r->tid);
	snprintf(result, sizeof(result), "= %s", text.result);
	out__format_change(process_ledger__net(s), net, sizeof(net));
	call_text__callers(stack->frames, stack->count, callers, sizeof(callers));
	out__line(out, &event_table);
	out__seconds(out, NULL, r->exit_ns > began_ns ? r->exit_ns - began_ns : 0);
	out__count(out, "time_ns", r->exit_ns);
	out__count(out, "pid", r->process.tgid);
	out__count(out, "tid", r->tid);
	out__text(out, "comm", comm);
	out__text(out, NULL, who);
	out__text(out, "call", text.call);
	out__text(out, NULL, text.what);
	out__text(out, "what", text.what);
	if (text.address)
		out__address(out, "address", text.address);
	else
		out__unknown(out, "address");
	out__count(out, "size_bytes", text.size);
	if (file)
		out__text(out, "file", file->name);
	else
		out__unknown(out, "file");
	out__count(out, "duration_ns", r->exit_ns - r->enter_ns);
	out__text(out, NULL, result);
	if (text.error) {
		out__unknown(out, "result");
		out__text(out, "error", strerrorname_np(text.error) ?: "?");
	} else {
		out__address(out, "result", r->result);
		out__unknown(out, "error");
	}
	out__change(out, "net_bytes", process_ledger__net(s));
	snprintf(net_text, sizeof(net_text), "net %s", net);
	out__text(out, NULL, net_text);
	out__text(out, NULL, callers);
	out__stack(out, "stack", stack->frames, stack->count, stack->note);
	out__row_end(out);
}
