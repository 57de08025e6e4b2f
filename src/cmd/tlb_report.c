/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/tlb_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/tlb_findings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- reasons ----------------------------------------------------------------------------------------------
 */

static const struct out_column reason_columns[] = {
	{.key = "reason", .heading = "WHY", .flags = OUT_LEFT},
	{.key = "flushes", .heading = "COUNT"},
	{.key = "per_s", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY, .heading = "A SECOND"},
	{.key = "full", .heading = "FULL"},
	{.key = "nothing", .heading = "NOTHING", .flags = OUT_IF_ANY},
	{.key = "pages", .heading = "PAGES"},
	{.key = "meaning", .heading = "WHAT IT IS", .flags = OUT_LEFT | OUT_FILL},
};
static const struct out_table reason_table = {"reason", "Why", reason_columns, COUNT(reason_columns)};

void tlb_report__reasons(struct out *out, const struct tlb_table *table, double seconds)
{
	out__begin(out, &reason_table);
	for (int i = 0; i < TLB_REASONS; i++) {
		struct tlb_count count = tlb_table__total(table, i).count;
		double per_s = seconds > 0 ? count.flushes / seconds : 0;
		char rate[32];

		if (!count.flushes && (i == TLB_OTHER || i == TLB_IN_VAIN))
			continue;
		snprintf(rate, sizeof(rate), "%.*f", per_s > 0 && per_s < 10 ? 1 : 0, per_s);
		out__row(out);
		out__text(out, "reason", tlb_reason__name(i));
		out__count(out, "flushes", count.flushes);
		out__real(out, "per_s", per_s);
		out__text(out, NULL, rate);
		out__count(out, "full", count.full);
		out__count(out, "nothing", count.nothing);
		out__count(out, "pages", count.pages);
		out__text(out, "meaning", tlb_reason__meaning(i));
		out__row_end(out);
	}
	out__end(out, 0);
}

/* --- pages ------------------------------------------------------------------------------------------------
 */

static const struct out_column page_columns[] = {
	{.key = "pages", .heading = "PAGES", .flags = OUT_LEFT},
	{.key = "from_pages", .flags = OUT_JSON_ONLY},
	{.key = "sent", .heading = "SENT"},
	{.key = "received", .heading = "RECEIVED"},
	{.key = "local", .heading = "LOCAL"},
	{.key = "reclaim", .heading = "RECLAIM", .flags = OUT_IF_ANY},
	{.key = "switch", .heading = "SWITCH"},
};
static const struct out_table page_table = {"pages", "Pages of each flush", page_columns,
					    COUNT(page_columns)};

/* The kernel flushes all of the TLB when there is more to flush than tlb_single_page_flush_ceiling (33). */
void tlb_report__pages(struct out *out, const struct tlb_table *table)
{
	static const enum tlb_reason shown[] = {TLB_SENT, TLB_RECEIVED, TLB_LOCAL_MM, TLB_LOCAL, TLB_SWITCH};
	struct tlb_total totals[COUNT(shown)];

	for (size_t i = 0; i < COUNT(shown); i++)
		totals[i] = tlb_table__total(table, shown[i]);
	out__begin(out, &page_table);
	for (unsigned bucket = 0; bucket <= TLB_BUCKETS; bucket++) {
		uint64_t values[COUNT(shown)], any = 0;
		char name[32] = "all";

		for (size_t i = 0; i < COUNT(shown); i++) {
			values[i] = bucket < TLB_BUCKETS ? totals[i].buckets[bucket] : totals[i].count.full;
			any += values[i];
		}
		if (!any)
			continue;
		if (bucket < TLB_BUCKETS)
			tlb_bucket__name(bucket, name, sizeof(name));
		out__row(out);
		out__text(out, "pages", name);
		if (bucket < TLB_BUCKETS)
			out__count(out, "from_pages", bucket ? 1u << (bucket - 1) : 0);
		else
			out__unknown(out, "from_pages");
		for (size_t i = 0; i < COUNT(shown); i++)
			out__count(out, tlb_reason__name(shown[i]), values[i]);
		out__row_end(out);
	}
	out__end(out, 0);
}

/* --- processes --------------------------------------------------------------------------------------------
 */

#define REASON_COLUMNS(name)                                                                             \
	{.key = name ".flushes", .flags = OUT_JSON_ONLY}, {.key = name ".full", .flags = OUT_JSON_ONLY}, \
		{.key = name ".nothing", .flags = OUT_JSON_ONLY},                                        \
	{                                                                                                \
		.key = name ".pages", .flags = OUT_JSON_ONLY                                             \
	}

static const struct out_column process_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT | OUT_FILL},
	{.key = "processes", .heading = "ENDED", .flags = OUT_IF_ANY},
	{.key = "ppid", .flags = OUT_JSON_ONLY},
	{.key = "kernel", .flags = OUT_JSON_ONLY},
	{.key = "ended", .flags = OUT_JSON_ONLY},
	REASON_COLUMNS("sent"),
	REASON_COLUMNS("received"),
	REASON_COLUMNS("in_vain"),
	REASON_COLUMNS("local"),
	REASON_COLUMNS("reclaim"),
	REASON_COLUMNS("switch"),
	REASON_COLUMNS("other"),
	{.heading = "SENT", .flags = OUT_TABLE_ONLY},
	{.heading = "RECEIVED", .flags = OUT_TABLE_ONLY},
	{.heading = "LOCAL", .flags = OUT_TABLE_ONLY},
	{.heading = "PAGES", .flags = OUT_TABLE_ONLY},
	{.heading = "FULL", .flags = OUT_TABLE_ONLY},
	{.heading = "LOADED", .flags = OUT_TABLE_ONLY},
	{.heading = "EMPTY", .flags = OUT_TABLE_ONLY},
	{.key = "voluntary_switches", .flags = OUT_JSON_ONLY},
	{.key = "involuntary_switches", .flags = OUT_JSON_ONLY},
	{.heading = "SWITCHES", .flags = OUT_TABLE_ONLY},
};
static const struct out_table process_table = {"process", "Processes", process_columns,
					       COUNT(process_columns)};

static void put_reasons(struct out *out, const struct tlb_row *row)
{
	static const char *const members[] = {"flushes", "full", "nothing", "pages"};

	for (int i = 0; i < TLB_REASONS; i++) {
		const struct tlb_count *c = &row->reasons[i];
		const uint64_t values[] = {c->flushes, c->full, c->nothing, c->pages};

		for (size_t m = 0; m < COUNT(members); m++) {
			char key[32];

			snprintf(key, sizeof(key), "%s.%s", tlb_reason__name(i), members[m]);
			out__count(out, key, values[m]);
		}
	}
}

static void put_switches(struct out *out, const struct tlb_row *row)
{
	if (row->switches_known) {
		out__integer(out, "voluntary_switches", row->voluntary);
		out__integer(out, "involuntary_switches", row->involuntary);
		out__integer(out, NULL, row->voluntary + row->involuntary);
		return;
	}
	out__unknown(out, "voluntary_switches");
	out__unknown(out, "involuntary_switches");
	out__unknown(out, NULL);
}

static void put_process(struct out *out, const struct tlb_row *row)
{
	struct tlb_count made = tlb_row__made(row);

	out__row(out);
	if (row->is_other)
		out__unknown(out, "pid");
	else
		out__count(out, "pid", row->key.tgid);
	out__text(out, "comm", row->comm);
	if (row->is_other)
		out__count(out, "processes", row->processes);
	else
		out__unknown(out, "processes");
	if (row->is_other)
		out__unknown(out, "ppid");
	else
		out__count(out, "ppid", row->ppid);
	out__flag(out, "kernel", row->is_kernel);
	out__flag(out, "ended", row->exited);
	put_reasons(out, row);
	out__count(out, NULL, row->reasons[TLB_SENT].flushes);
	out__count(out, NULL, tlb_row__received(row));
	out__count(out, NULL, tlb_row__local(row));
	out__count(out, NULL, made.pages);
	out__count(out, NULL, made.full);
	out__count(out, NULL, row->reasons[TLB_SWITCH].flushes);
	out__count(out, NULL, row->reasons[TLB_SWITCH].full);
	put_switches(out, row);
	out__row_end(out);
}

void tlb_report__processes(struct out *out, const struct tlb_row *rows, size_t n, size_t top)
{
	size_t shown = top && top < n ? top : n;

	out__begin(out, &process_table);
	for (size_t i = 0; i < shown; i++)
		put_process(out, &rows[i]);
	out__end(out, n - shown);
	if (n)
		out__say(out, "SENT: other CPUs were interrupted, too, and waited for. RECEIVED: interrupted "
			      "so. LOCAL: its own CPU. PAGES, FULL: of SENT and LOCAL. LOADED: its address "
			      "space by a CPU; EMPTY: nothing of it was in the TLB any more.");
}

/* --- memory -----------------------------------------------------------------------------------------------
 */

static const struct out_column memory_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT | OUT_FILL},
	{.key = "rss_bytes", .heading = "RSS"},
	{.key = "huge_bytes", .heading = "HUGE"},
	{.key = "pgtables_bytes", .heading = "PGTABLES"},
	{.key = "pgtables_share", .heading = "OF RSS"},
	{.key = "tlb_entries", .heading = "ENTRIES"},
	{.key = "reach_bytes", .flags = OUT_JSON_ONLY},
	{.key = "reach_share", .heading = "REACH"},
};
static const struct out_table memory_table = {"memory", "What page walks have to find", memory_columns,
					      COUNT(memory_columns)};

static void put_bytes(struct out *out, const char *key, uint64_t bytes)
{
	if (bytes == TLB_UNKNOWN)
		out__unknown(out, key);
	else
		out__bytes(out, key, bytes);
}

static void put_reach(struct out *out, const struct tlb_memory *m, const struct tlb_shape *shape)
{
	bool known = m->huge != TLB_UNKNOWN;
	uint64_t reach;

	if (known)
		out__count(out, "tlb_entries", tlb_shape__entries(m->rss, m->huge));
	else
		out__unknown(out, "tlb_entries");
	if (!known || !shape || !m->rss) {
		out__unknown(out, "reach_bytes");
		out__unknown(out, "reach_share");
		return;
	}
	reach = tlb_shape__reach(shape, m->rss, m->huge);
	out__bytes(out, "reach_bytes", reach);
	out__share(out, "reach_share", (double)reach / m->rss);
}

static void put_memory(struct out *out, const struct tlb_row *row, const struct tlb_shape *shape)
{
	const struct tlb_memory *m = &row->memory;

	out__row(out);
	out__count(out, "pid", row->key.tgid);
	out__text(out, "comm", row->comm);
	out__bytes(out, "rss_bytes", m->rss);
	put_bytes(out, "huge_bytes", m->huge);
	put_bytes(out, "pgtables_bytes", m->pgtables);
	if (m->pgtables == TLB_UNKNOWN || !m->rss)
		out__unknown(out, "pgtables_share");
	else
		out__share(out, "pgtables_share", (double)m->pgtables / m->rss);
	put_reach(out, m, shape);
	out__row_end(out);
}

static void say_shape(struct out *out, const struct tlb_shape *shape)
{
	if (!shape)
		out__say(out, "ENTRIES: of the TLB, to map all of it at a time. This processor does not tell "
			      "what its TLB holds (--entries N), so REACH is not known.");
	else if (shape->either)
		out__say(out,
			 "ENTRIES: of the TLB, to map all of it at a time; it holds %" PRIu32
			 ", which reach so much of it at best (REACH). The rest costs page walks.",
			 shape->either);
	else
		out__say(out,
			 "ENTRIES: of the TLB, to map all of it at a time; it holds %" PRIu32
			 " of 4 KiB and %" PRIu32
			 " of 2 MiB, which reach so much of it at best (REACH). The rest costs page walks.",
			 shape->small, shape->large);
}

void tlb_report__memory(struct out *out, const struct tlb_row *rows, size_t n, size_t top,
			const struct tlb_shape *shape, const struct tlb_memory_gaps *gaps)
{
	size_t shown = top && top < n ? top : n, known = 0;

	out__begin(out, &memory_table);
	for (size_t i = 0; i < shown; i++) {
		if (rows[i].is_other || rows[i].memory.rss == TLB_UNKNOWN)
			continue;
		put_memory(out, &rows[i], shape);
		known++;
	}
	out__end(out, 0);
	if (known)
		say_shape(out, shape);
	if (gaps->denied)
		out__say(out, "Of %zu processes it is not for this user to know their huge pages.",
			 gaps->denied);
	if (gaps->too_large)
		out__say(out, "Of %zu processes reading smaps_rollup would take more than 0.2 s.",
			 gaps->too_large);
}

/* --- findings ---------------------------------------------------------------------------------------------
 */

static const struct out_column finding_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "code", .flags = OUT_JSON_ONLY},
	{.key = "text", .flags = OUT_JSON_ONLY},
	{.key = "knob", .flags = OUT_JSON_ONLY},
};
static const struct out_table finding_table = {"finding", NULL, finding_columns, COUNT(finding_columns)};

void tlb_report__findings(struct out *out, const struct tlb_row *rows, size_t n, double seconds)
{
	struct tlb_finding found[TLB_FINDINGS];
	size_t count = tlb_findings__make(rows, n, seconds, found);

	if (count)
		out__blank(out);
	for (size_t i = 0; i < count; i++) {
		if (out__format(out) == OUT_TABLE) {
			out__say(out, "* %s. What helps: %s.", found[i].text, found[i].knob);
			continue;
		}
		out__line(out, &finding_table);
		out__count(out, "pid", found[i].pid);
		out__text(out, "code", tlb_finding__name(found[i].code));
		out__text(out, "text", found[i].text);
		out__text(out, "knob", found[i].knob);
		out__row_end(out);
	}
}

/* --- page walks -------------------------------------------------------------------------------------------
 */

static const struct out_column walk_columns[] = {
	{.key = "measured", .flags = OUT_JSON_ONLY},	 {.key = "why_not", .flags = OUT_JSON_ONLY},
	{.key = "cycles", .flags = OUT_JSON_ONLY},	 {.key = "load_misses", .flags = OUT_JSON_ONLY},
	{.key = "store_misses", .flags = OUT_JSON_ONLY}, {.key = "code_misses", .flags = OUT_JSON_ONLY},
};
static const struct out_table walk_table = {"walks", NULL, walk_columns, COUNT(walk_columns)};

static const char *why_not(int err)
{
	return err == EACCES || err == EPERM
		       ? "the hardware counters are not for this user"
		       : "this machine has no hardware counters for it, as most virtual "
			 "machines";
}

static void put_walks(struct out *out, const struct tlb_walks *walks)
{
	out__line(out, &walk_table);
	out__flag(out, "measured", walks->is_known);
	if (walks->is_known)
		out__unknown(out, "why_not");
	else
		out__text(out, "why_not", why_not(walks->err));
	for (int i = 0; i < WALK_EVENTS; i++) {
		if (walks->is_known && walks->has[i])
			out__count(out, walk_columns[2 + i].key, walks->values[i]);
		else
			out__unknown(out, walk_columns[2 + i].key);
	}
	out__row_end(out);
}

void tlb_report__walks(struct out *out, const struct tlb_walks *walks, double seconds)
{
	static const char *const names[] = {
		[WALK_LOADS] = "loads", [WALK_STORES] = "stores", [WALK_CODE] = "fetches of code"};
	uint64_t misses = 0;
	char list[160] = "";

	if (out__format(out) == OUT_JSON) {
		put_walks(out, walks);
		return;
	}
	out__blank(out);
	if (!walks->is_known) {
		out__say(out, "What page walks cost is not measured: %s.", why_not(walks->err));
		return;
	}
	for (int i = WALK_LOADS; i < WALK_EVENTS; i++) {
		size_t used = strlen(list);

		if (!walks->has[i])
			continue;
		misses += walks->values[i];
		snprintf(list + used, sizeof(list) - used, "%s%.0f %s", used ? ", " : "",
			 seconds > 0 ? walks->values[i] / seconds : 0, names[i]);
	}
	out__say(out, "TLB misses of the whole machine, a second, by the processor's counters: %s.", list);
	if (walks->has[WALK_CYCLES] && misses)
		out__say(out, "That is one in %.0f cycles.", (double)walks->values[WALK_CYCLES] / misses);
}
