/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/system_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/vm_rates.h"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_known(struct out *out, const char *key, uint64_t bytes)
{
	if (bytes == MACHINE_UNKNOWN)
		out__unknown(out, key);
	else
		out__bytes(out, key, bytes);
}

static const char *in_units(uint64_t bytes, char buf[32])
{
	out__format_bytes(bytes, buf, 32);
	return buf;
}

/* --- the sum ----------------------------------------------------------------------------------------------
 */

static const struct out_column sum_columns[] = {
	{.key = "from_s", .flags = OUT_JSON_ONLY},
	{.key = "to_s", .flags = OUT_JSON_ONLY},
	{.key = "total_bytes", .flags = OUT_JSON_ONLY},
	{.key = "used_bytes", .flags = OUT_JSON_ONLY},
	{.key = "buffers_bytes", .flags = OUT_JSON_ONLY},
	{.key = "cache_bytes", .flags = OUT_JSON_ONLY},
	{.key = "free_bytes", .flags = OUT_JSON_ONLY},
	{.key = "available_bytes", .flags = OUT_JSON_ONLY},
	{.key = "dirty_bytes", .flags = OUT_JSON_ONLY},
	{.key = "writeback_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mapped_bytes", .flags = OUT_JSON_ONLY},
	{.key = "mlocked_bytes", .flags = OUT_JSON_ONLY},
	{.key = "anon_huge_bytes", .flags = OUT_JSON_ONLY},
	{.key = "shmem_huge_bytes", .flags = OUT_JSON_ONLY},
	{.key = "file_huge_bytes", .flags = OUT_JSON_ONLY},
	{.key = "committed_bytes", .flags = OUT_JSON_ONLY},
	{.key = "commit_limit_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_total_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_free_bytes", .flags = OUT_JSON_ONLY},
	{.key = "zswap_bytes", .flags = OUT_JSON_ONLY},
	{.key = "zswapped_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table sum_table = {"memory", NULL, sum_columns, COUNT(sum_columns)};

static void say_sum(struct out *out, const struct machine_memory *m, const struct memory_sum *sum)
{
	char total[32], used[32], buffers[32], cache[32], free[32], available[32];

	out__say(out, "%s of memory = %s used + %s buffers + %s cache + %s free", in_units(m->total, total),
		 in_units(sum->used, used), in_units(sum->buffers, buffers), in_units(sum->cache, cache),
		 in_units(sum->free, free));
	if (m->available != MACHINE_UNKNOWN)
		out__say(
			out,
			"%s (%.0f%%) could be had by programs without swapping: what is free, and most of the "
			"cache.",
			in_units(m->available, available), m->total ? 100.0 * m->available / m->total : 0.0);
}

static void put_sum(struct out *out, const struct system_state *before, const struct system_state *now,
		    uint64_t began_ns)
{
	const struct machine_memory *m = &now->memory;
	struct memory_sum sum = machine_memory__sum(m);

	if (out__format(out) == OUT_TABLE) {
		say_sum(out, m, &sum);
		return;
	}
	out__line(out, &sum_table);
	out__real(out, "from_s", (before->read_ns - began_ns) / 1e9);
	out__real(out, "to_s", (now->read_ns - began_ns) / 1e9);
	out__bytes(out, "total_bytes", m->total);
	out__bytes(out, "used_bytes", sum.used);
	out__bytes(out, "buffers_bytes", sum.buffers);
	out__bytes(out, "cache_bytes", sum.cache);
	out__bytes(out, "free_bytes", sum.free);
	put_known(out, "available_bytes", m->available);
	put_known(out, "dirty_bytes", m->dirty);
	put_known(out, "writeback_bytes", m->writeback);
	put_known(out, "mapped_bytes", m->mapped);
	put_known(out, "mlocked_bytes", m->mlocked);
	put_known(out, "anon_huge_bytes", m->anon_huge);
	put_known(out, "shmem_huge_bytes", m->shmem_huge);
	put_known(out, "file_huge_bytes", m->file_huge);
	put_known(out, "committed_bytes", m->committed);
	put_known(out, "commit_limit_bytes", m->commit_limit);
	put_known(out, "swap_total_bytes", m->swap_total);
	put_known(out, "swap_free_bytes", m->swap_free);
	put_known(out, "zswap_bytes", m->zswap);
	put_known(out, "zswapped_bytes", m->zswapped);
	out__row_end(out);
}

/* --- its parts --------------------------------------------------------------------------------------------
 */

static const struct out_column part_columns[] = {
	{.key = "name", .heading = "PART", .flags = OUT_LEFT},
	{.key = "bytes", .heading = "SIZE"},
	{.key = "share", .heading = "SHARE"},
	{.key = "change_bytes", .heading = "CHANGE", .flags = OUT_IF_ANY},
	{.key = "words", .heading = "WHAT IT IS", .flags = OUT_LEFT | OUT_FILL},
};
static const struct out_table part_table = {"part", "Where it is", part_columns, COUNT(part_columns)};

static const struct memory_part *find_part(const struct memory_part *parts, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(parts[i].name, name))
			return &parts[i];
	return NULL;
}

static void put_signed_bytes(struct out *out, const char *key, int64_t bytes)
{
	if (bytes < 0)
		out__change(out, key, bytes);
	else
		out__bytes(out, key, (uint64_t)bytes);
}

static void put_parts(struct out *out, const struct system_state *before, const struct system_state *now,
		      bool changes)
{
	struct memory_part parts[MACHINE_PARTS], old[MACHINE_PARTS];
	unsigned n = machine_memory__parts(&now->memory, parts),
		 n_old = machine_memory__parts(&before->memory, old);

	out__begin(out, &part_table);
	for (unsigned i = 0; i < n; i++) {
		const struct memory_part *was = changes ? find_part(old, n_old, parts[i].name) : NULL;

		out__row(out);
		out__text(out, "name", parts[i].name);
		put_signed_bytes(out, "bytes", parts[i].bytes);
		out__share(out, "share", now->memory.total ? (double)parts[i].bytes / now->memory.total : 0);
		if (was)
			out__change(out, "change_bytes", parts[i].bytes - was->bytes);
		else
			out__unknown(out, "change_bytes");
		out__text(out, "words", parts[i].words);
		out__row_end(out);
	}
	out__end(out, 0);
}

/* What is in parts above, seen another way. */
static void say_of_this(struct out *out, const struct machine_memory *m)
{
	char a[32], b[32], c[32], d[32];

	if (m->dirty != MACHINE_UNKNOWN && m->writeback != MACHINE_UNKNOWN && m->mapped != MACHINE_UNKNOWN)
		out__say(out, "Of the file cache %s is dirty, %s being written, %s mapped by programs.",
			 in_units(m->dirty, a), in_units(m->writeback, b), in_units(m->mapped, c));
	if (m->anon_huge != MACHINE_UNKNOWN && m->mlocked != MACHINE_UNKNOWN)
		out__say(out, "Of anonymous memory %s is in transparent huge pages. %s is locked (mlock).",
			 in_units(m->anon_huge, a), in_units(m->mlocked, b));
	if (m->committed != MACHINE_UNKNOWN && m->commit_limit != MACHINE_UNKNOWN)
		out__say(out, "Programs have been promised %s (limit, where overcommit is off: %s).",
			 in_units(m->committed, c), in_units(m->commit_limit, d));
}

/* --- swap -------------------------------------------------------------------------------------------------
 */

static const struct out_column swap_columns[] = {
	{.key = "name", .heading = "SWAP AREA", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
	{.key = "kind", .heading = "TYPE", .flags = OUT_LEFT},
	{.key = "size_bytes", .heading = "SIZE"},
	{.key = "used_bytes", .heading = "USED"},
	{.key = "share", .heading = "USED%"},
	{.key = "priority", .heading = "PRIORITY"},
};
static const struct out_table swap_table = {"swap", "Swap", swap_columns, COUNT(swap_columns)};

static void put_swap(struct out *out, const struct system_state *now)
{
	const char *at = now->swaps;
	struct swap_area area;
	size_t n = 0;

	if (!at)
		return;
	out__begin(out, &swap_table);
	for (; swaps__next(&at, &area) == 1; n++) {
		out__row(out);
		out__text(out, "name", area.name);
		out__text(out, "kind", area.type);
		out__bytes(out, "size_bytes", area.size);
		out__bytes(out, "used_bytes", area.used);
		out__share(out, "share", area.size ? (double)area.used / area.size : 0);
		out__integer(out, "priority", area.priority);
		out__row_end(out);
	}
	out__end(out, 0);
	if (!n) {
		out__blank(out);
		out__say(out, "There is no swap: anonymous and shared memory cannot be reclaimed.");
	}
}

/* --- zones ------------------------------------------------------------------------------------------------
 */

static const struct out_column zone_columns[] = {
	{.key = "node", .heading = "NODE"},
	{.key = "zone", .heading = "ZONE", .flags = OUT_LEFT},
	{.key = "managed_bytes", .heading = "MANAGED"},
	{.key = "free_bytes", .heading = "FREE"},
	{.key = "min_bytes", .heading = "MIN"},
	{.key = "low_bytes", .heading = "LOW"},
	{.key = "high_bytes", .heading = "HIGH"},
	{.key = "boost_bytes", .flags = OUT_JSON_ONLY},
	{.key = "state", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT | OUT_FILL, .heading = "STATE"},
};
static const struct out_table zone_table = {"zone", "Zones and their watermarks", zone_columns,
					    COUNT(zone_columns)};

static const struct {
	const char *name, *words;
} zone_states[] = {
	[ZONE_EMPTY] = {"empty", "no memory"},
	[ZONE_AT_EASE] = {"at_ease", "above low"},
	[ZONE_BELOW_HIGH] = {"below_high", "above low"},
	[ZONE_BELOW_LOW] = {"below_low", "kswapd reclaims"},
	[ZONE_BELOW_MIN] = {"below_min", "allocations stall"},
};

/* How far it is to the watermark at which kswapd is woken, or what happens below it. */
static void format_state(const struct zone *zone, uint64_t page_size, char buf[64])
{
	enum zone_state state = zone__state(zone);
	char distance[32];

	if (state == ZONE_AT_EASE || state == ZONE_BELOW_HIGH)
		snprintf(buf, 64, "%s above low", in_units((zone->free - zone->low) * page_size, distance));
	else
		snprintf(buf, 64, "%s", zone_states[state].words);
}

static void put_zones(struct out *out, const struct system_state *now, uint64_t page_size)
{
	char state[64];

	out__begin(out, &zone_table);
	for (size_t i = 0; i < now->n_zones; i++) {
		const struct zone *z = &now->zones[i];

		format_state(z, page_size, state);
		out__row(out);
		out__count(out, "node", z->node);
		out__text(out, "zone", z->name);
		out__bytes(out, "managed_bytes", z->managed * page_size);
		out__bytes(out, "free_bytes", z->free * page_size);
		out__bytes(out, "min_bytes", z->min * page_size);
		out__bytes(out, "low_bytes", z->low * page_size);
		out__bytes(out, "high_bytes", z->high * page_size);
		out__bytes(out, "boost_bytes", z->boost * page_size);
		out__text(out, "state", zone_states[zone__state(z)].name);
		out__text(out, NULL, state);
		out__row_end(out);
	}
	out__end(out, 0);
	for (size_t i = 0; i < now->n_zones; i++)
		if (now->zones[i].boost)
			out__say(
				out,
				"The watermarks of %s on node %u are raised by %s for now, to keep blocks whole.",
				now->zones[i].name, now->zones[i].node,
				in_units(now->zones[i].boost * page_size, state));
}

/* A column for each order, in two tables: free blocks, and the share of the free memory that is in smaller
 * ones. */
#define ORDER_COLUMNS_MAX (ZONE_ORDERS + 4)

static const char *order_size(unsigned order, uint64_t page_size, char buf[16])
{
	uint64_t kib = (page_size << order) / 1024;

	if (kib < 1024)
		snprintf(buf, 16, "%" PRIu64 "K", kib);
	else
		snprintf(buf, 16, "%" PRIu64 "M", kib / 1024);
	return buf;
}

/* Eleven of them have to fit a line: at most five characters. */
static void short_count(uint64_t n, char buf[static 16])
{
	if (n < 10000)
		snprintf(buf, 16, "%" PRIu64, n);
	else if (n < 99950)
		snprintf(buf, 16, "%.1fk", n / 1e3);
	else if (n < 9999500)
		snprintf(buf, 16, "%.0fk", n / 1e3);
	else
		snprintf(buf, 16, "%.0fM", n / 1e6);
}

static unsigned most_orders(const struct system_state *state)
{
	unsigned most = 0;

	for (size_t i = 0; i < state->n_zones; i++)
		if (state->zones[i].orders > most)
			most = state->zones[i].orders;
	return most;
}

static void put_orders(struct out *out, const struct system_state *now, uint64_t page_size, bool shares)
{
	char sizes[ZONE_ORDERS][16], text[32];
	struct out_column columns[ORDER_COLUMNS_MAX] = {
		{.heading = "NODE", .flags = OUT_TABLE_ONLY},
		{.heading = "ZONE", .flags = OUT_TABLE_ONLY | OUT_LEFT}};
	struct out_table table = {NULL,
				  shares ? "Free memory that is in blocks too small for one of that size"
					 : "Free blocks by size",
				  columns, 2 + most_orders(now)};

	for (unsigned i = 0; i < most_orders(now); i++)
		columns[2 + i] = (struct out_column){.heading = order_size(i, page_size, sizes[i]),
						     .flags = OUT_TABLE_ONLY};
	out__begin(out, &table);
	for (size_t i = 0; i < now->n_zones; i++) {
		const struct zone *z = &now->zones[i];

		out__row(out);
		snprintf(text, sizeof(text), "%u", z->node);
		out__text(out, NULL, text);
		out__text(out, NULL, z->name);
		for (unsigned order = 0; order < most_orders(now); order++) {
			if (order >= z->orders || (shares && zone__unusable(z, order) < 0)) {
				out__unknown(out, NULL);
				continue;
			}
			if (shares)
				snprintf(text, sizeof(text), "%.0f%%", zone__unusable(z, order) * 100);
			else
				short_count(z->blocks[order], text);
			out__text(out, NULL, text);
		}
		out__row_end(out);
	}
	out__end(out, 0);
}

static const struct out_column block_columns[] = {
	{.key = "node", .flags = OUT_JSON_ONLY},	{.key = "zone", .flags = OUT_JSON_ONLY},
	{.key = "order", .flags = OUT_JSON_ONLY},	{.key = "block_bytes", .flags = OUT_JSON_ONLY},
	{.key = "free_blocks", .flags = OUT_JSON_ONLY}, {.key = "unusable_share", .flags = OUT_JSON_ONLY},
};
static const struct out_table block_table = {"free_blocks", NULL, block_columns, COUNT(block_columns)};

static void put_block(struct out *out, const struct zone *z, unsigned order, uint64_t page_size)
{
	out__line(out, &block_table);
	out__count(out, "node", z->node);
	out__text(out, "zone", z->name);
	out__count(out, "order", order);
	out__bytes(out, "block_bytes", page_size << order);
	out__count(out, "free_blocks", z->blocks[order]);
	if (zone__unusable(z, order) < 0)
		out__unknown(out, "unusable_share");
	else
		out__real(out, "unusable_share", zone__unusable(z, order));
	out__row_end(out);
}

static void put_blocks(struct out *out, const struct system_state *now, uint64_t page_size)
{
	if (out__format(out) == OUT_TABLE) {
		put_orders(out, now, page_size, false);
		put_orders(out, now, page_size, true);
		return;
	}
	for (size_t i = 0; i < now->n_zones; i++)
		for (unsigned order = 0; order < now->zones[i].orders; order++)
			put_block(out, &now->zones[i], order, page_size);
}

/* --- pressure ---------------------------------------------------------------------------------------------
 */

static const struct out_column pressure_columns[] = {
	{.key = "kind", .heading = "TASKS", .flags = OUT_LEFT},
	{.key = "avg10", .heading = "10 S"},
	{.key = "avg60", .heading = "1 MIN"},
	{.key = "avg300", .heading = "5 MIN"},
	{.key = "during", .heading = "DURING"},
	{.key = "total_ns", .heading = "SINCE BOOT"},
	{.flags = OUT_TABLE_ONLY | OUT_LEFT | OUT_FILL, .heading = "WHAT IT IS"},
};
static const struct out_table pressure_table = {"pressure",
						"Pressure: share of the time that tasks waited for memory",
						pressure_columns, COUNT(pressure_columns)};

static void put_pressure_of(struct out *out, const struct system_state *before,
			    const struct system_state *now, const char *kind, const char *words)
{
	struct pressure_line p, old;
	uint64_t ns = now->read_ns - before->read_ns;

	if (!pressure__find(now->pressure, kind, &p))
		return;
	out__row(out);
	out__text(out, "kind", kind);
	out__share(out, "avg10", p.average[0]);
	out__share(out, "avg60", p.average[1]);
	out__share(out, "avg300", p.average[2]);
	if (before->pressure && pressure__find(before->pressure, kind, &old) && ns)
		out__share(out, "during", (p.total_us - old.total_us) * 1e3 / ns);
	else
		out__unknown(out, "during");
	out__ns(out, "total_ns", p.total_us * 1000);
	out__text(out, NULL, words);
	out__row_end(out);
}

static void put_pressure(struct out *out, const struct system_state *before, const struct system_state *now)
{
	if (!now->pressure)
		return;
	out__begin(out, &pressure_table);
	put_pressure_of(out, before, now, "some", "at least one waited");
	put_pressure_of(out, before, now, "full", "all that could run did");
	out__end(out, 0);
}

/* --- what the machine did ---------------------------------------------------------------------------------
 */

static const struct vm_rate rates[] = {
	{"pgfault", "page faults, minor and major"},
	{"pgmajfault", "that read from disk or swap"},
	{"pswpin", "pages read from swap"},
	{"pswpout", "pages written to swap"},
	{"allocstall_", "allocations that had to reclaim"},
	{"pgscan_direct", "pages they looked at"},
	{"pgsteal_direct", "pages they got"},
	{"pgscan_kswapd", "pages that kswapd looked at"},
	{"pgsteal_kswapd", "pages that it got"},
	{"workingset_refault_anon", "pages swapped out and soon missed"},
	{"workingset_refault_file", "of files: the cache is too small"},
	{"compact_stall", "allocations that had to compact"},
	{"compact_fail", "and got no block"},
	{"compact_success", "and got one"},
	{"thp_fault_alloc", "huge pages that faults got"},
	{"thp_fault_fallback", "and did not get"},
	{"thp_collapse_alloc", "huge pages khugepaged made"},
	{"thp_split_page", "huge pages split"},
	{"oom_kill", "processes killed"},
};

void system_report__print(struct out *out, const struct system_state *before, const struct system_state *now,
			  uint64_t began_ns, bool changes)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);

	put_sum(out, before, now, began_ns);
	put_parts(out, before, now, changes);
	if (out__format(out) == OUT_TABLE)
		say_of_this(out, &now->memory);
	put_swap(out, now);
	if (now->n_zones) {
		put_zones(out, now, page_size);
		put_blocks(out, now, page_size);
	}
	if (now->zones_left_out)
		out__say(out, "(only the first %d zones)", SYSTEM_ZONES);
	put_pressure(out, before, now);
	vm_rates__print(out, "What it did", rates, COUNT(rates), before->vmstat, now->vmstat,
			(now->read_ns - before->read_ns) / 1e9, false);
}

static const struct out_column end_columns[] = {
	{.key = "duration_s", .flags = OUT_JSON_ONLY},
	{.key = "reports", .flags = OUT_JSON_ONLY},
};
static const struct out_table end_table = {"end", NULL, end_columns, COUNT(end_columns)};

void system_report__end(struct out *out, double seconds, uint64_t reports)
{
	if (out__format(out) != OUT_JSON)
		return;
	out__line(out, &end_table);
	out__real(out, "duration_s", seconds);
	out__count(out, "reports", reports);
	out__row_end(out);
}
