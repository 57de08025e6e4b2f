/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/reclaim_table.h"

#include <stdlib.h>
#include <string.h>

struct reclaim_table {
	struct reclaim_row *rows; /* hash by key */
	size_t keep_gone;
};

uint64_t reclaim_tally__scanned(const struct reclaim_tally *t)
{
	return t->scanned[LRU_ANON] + t->scanned[LRU_FILE];
}

uint64_t reclaim_tally__reclaimed(const struct reclaim_tally *t)
{
	return t->reclaimed[LRU_ANON] + t->reclaimed[LRU_FILE];
}

struct reclaim_table *reclaim_table__new(size_t keep_gone)
{
	struct reclaim_table *t = calloc(1, sizeof(*t));

	if (t)
		t->keep_gone = keep_gone;
	return t;
}

static void remove_row(struct reclaim_table *t, struct reclaim_row *row)
{
	HASH_DEL(t->rows, row);
	stack_counts__free(&row->stacks);
	free(row);
}

void reclaim_table__free(struct reclaim_table *t)
{
	struct reclaim_row *row, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->rows, row, next)
		remove_row(t, row);
	free(t);
}

/* --- adding -----------------------------------------------------------------------------------------------
 */

static void add_tally(struct reclaim_tally *to, const struct reclaim_tally *from)
{
	for (int i = 0; i < LRUS; i++) {
		to->scanned[i] += from->scanned[i];
		to->reclaimed[i] += from->reclaimed[i];
	}
	to->writes += from->writes;
	for (int i = 0; i < THROTTLES; i++) {
		to->throttled_ns[i] += from->throttled_ns[i];
		to->throttled[i] += from->throttled[i];
	}
}

static void add_row(struct reclaim_row *to, const struct reclaim_row *from)
{
	to->count += from->count;
	to->ns += from->ns;
	to->wanted += from->wanted;
	to->got += from->got;
	to->failed += from->failed;
	add_tally(&to->tally, &from->tally);
	if (from->max_order > to->max_order)
		to->max_order = from->max_order;
	if (from->gfp)
		to->gfp = from->gfp;
	histogram__add(&to->latency, &from->latency);
}

static struct reclaim_row *row_of(struct reclaim_table *t, const struct reclaim_key *key)
{
	struct reclaim_row *row;

	HASH_FIND(hh, t->rows, key, sizeof(*key), row);
	if (row)
		return row;
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->key = *key;
	row->processes = key->process.tgid != 0;
	HASH_ADD(hh, t->rows, key, sizeof(row->key), row);
	return row;
}

static struct reclaim_row row_from(const struct reclaim_stats *s)
{
	struct reclaim_row row = {
		.count = s->count,
		.ns = s->ns,
		.wanted = s->wanted,
		.got = s->got,
		.failed = s->failed,
		.tally = s->tally,
		.max_order = s->max_order,
		.gfp = s->gfp,
		.latency.max_ns = s->max_ns,
	};

	for (int i = 0; i < LATENCY_BUCKETS; i++)
		row.latency.buckets[i] = s->buckets[i];
	return row;
}

bool reclaim_table__add(struct reclaim_table *t, const struct reclaim_key *key,
			const struct reclaim_stats *stats)
{
	struct reclaim_row *row = row_of(t, key), added = row_from(stats);

	if (!row)
		return false;
	memcpy(row->comm, stats->comm, COMM_SIZE);
	add_row(row, &added);
	return true;
}

bool reclaim_table__add_stack(struct reclaim_table *t, const struct reclaim_key *key, uint32_t stack,
			      uint64_t weight, uint64_t ns)
{
	struct reclaim_row *row = row_of(t, key);

	return row && stack_counts__add(&row->stacks, stack, 1, weight * ns);
}

/* --- folding ----------------------------------------------------------------------------------------------
 */

/* FNV-1a of 64 bits: with the other members of the key, it tells names apart. */
static uint64_t hash_of(const char *comm)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *comm; comm++)
		hash = (hash ^ (unsigned char)*comm) * 0x100000001b3;
	return hash;
}

static void fold(struct reclaim_table *t, struct reclaim_row *row)
{
	struct reclaim_key key = {
		.process.start_ns = hash_of(row->comm), .cgroup = row->key.cgroup, .work = row->key.work};
	struct reclaim_row *to = row_of(t, &key);

	if (!to)
		return;
	memcpy(to->comm, row->comm, sizeof(to->comm));
	to->processes += row->processes;
	add_row(to, row);
	stack_counts__merge(&to->stacks, row->stacks);
	remove_row(t, row);
}

static int least_first(const void *a, const void *b)
{
	const struct reclaim_row *p = *(struct reclaim_row *const *)a, *q = *(struct reclaim_row *const *)b;

	if (p->ns != q->ns)
		return p->ns > q->ns ? 1 : -1;
	return p->count > q->count ? 1 : p->count < q->count ? -1 : 0;
}

void reclaim_table__fold(struct reclaim_table *t, bool (*is_gone)(const struct process_key *))
{
	struct reclaim_row **gone, *row, *next;
	size_t n = 0;

	if (HASH_COUNT(t->rows) <= t->keep_gone)
		return;
	gone = calloc(HASH_COUNT(t->rows), sizeof(gone[0]));
	if (!gone)
		return;
	HASH_ITER(hh, t->rows, row, next)
		if (row->key.process.tgid && is_gone(&row->key.process))
			gone[n++] = row;
	if (n > t->keep_gone) {
		qsort(gone, n, sizeof(gone[0]), least_first);
		for (size_t i = 0; i < n - t->keep_gone; i++)
			fold(t, gone[i]);
	}
	free(gone);
}

/* --- asking -----------------------------------------------------------------------------------------------
 */

static int most_first(const void *a, const void *b)
{
	return least_first(b, a);
}

static bool is_one_of(const struct reclaim_row *row, unsigned works)
{
	return row->count && works & 1u << row->key.work;
}

struct reclaim_row **reclaim_table__rows(const struct reclaim_table *t, unsigned works, size_t *n)
{
	struct reclaim_row **rows = calloc(HASH_COUNT(t->rows) + 1, sizeof(rows[0])), *row, *next;

	*n = 0;
	if (!rows)
		return NULL;
	HASH_ITER(hh, t->rows, row, next)
		if (is_one_of(row, works))
			rows[(*n)++] = row;
	qsort(rows, *n, sizeof(rows[0]), most_first);
	return rows;
}

struct reclaim_row reclaim_table__sum(const struct reclaim_table *t, unsigned works)
{
	struct reclaim_row sum = {}, *row, *next;

	HASH_ITER(hh, t->rows, row, next)
		if (is_one_of(row, works))
			add_row(&sum, row);
	return sum;
}

static int most_stalled_first(const void *a, const void *b)
{
	const struct reclaim_cgroup_row *p = a, *q = b;

	if (p->stalls.ns != q->stalls.ns)
		return p->stalls.ns < q->stalls.ns ? 1 : -1;
	return p->swapped_out < q->swapped_out ? 1 : p->swapped_out > q->swapped_out ? -1 : 0;
}

struct reclaim_cgroup_row *reclaim_table__cgroups(const struct reclaim_table *t, size_t *n)
{
	struct reclaim_cgroup_row *rows = calloc(HASH_COUNT(t->rows) + 1, sizeof(rows[0]));
	struct reclaim_cgroup_row *known = NULL, *c;
	struct reclaim_row *row, *next;

	*n = 0;
	if (!rows)
		return NULL;
	HASH_ITER(hh, t->rows, row, next) {
		if (!is_one_of(row, WORKS_STALL | 1u << WORK_COMPACTION | 1u << WORK_SWAPOUT) ||
		    !row->key.cgroup)
			continue;
		HASH_FIND(hh, known, &row->key.cgroup, sizeof(row->key.cgroup), c);
		if (!c) {
			c = &rows[(*n)++];
			c->cgroup = row->key.cgroup;
			HASH_ADD(hh, known, cgroup, sizeof(c->cgroup), c);
		}
		if (row->key.work == WORK_SWAPOUT)
			c->swapped_out += row->got;
		else
			add_row(&c->stalls, row);
	}
	HASH_CLEAR(hh, known);
	qsort(rows, *n, sizeof(rows[0]), most_stalled_first);
	return rows;
}

void reclaim_table__next_interval(struct reclaim_table *t)
{
	struct reclaim_row *row, *next;

	HASH_ITER(hh, t->rows, row, next)
		remove_row(t, row);
}

/* --- words ------------------------------------------------------------------------------------------------
 */

const char *reclaim_work__name(unsigned work)
{
	static const char *const names[WORKS] = {
		[WORK_DIRECT] = "direct",	  [WORK_MEMCG] = "memcg",   [WORK_NODE] = "node",
		[WORK_COMPACTION] = "compaction", [WORK_KSWAPD] = "kswapd", [WORK_WAKEUP] = "wakeup",
		[WORK_SWAPOUT] = "swap_out",
	};

	return work < WORKS ? names[work] : "?";
}

const char *reclaim_throttle__name(unsigned reason)
{
	static const char *const names[THROTTLES] = {
		[THROTTLE_WRITEBACK] = "writeback",
		[THROTTLE_ISOLATED] = "isolated",
		[THROTTLE_NO_PROGRESS] = "no_progress",
		[THROTTLE_CONGESTED] = "congested",
	};

	return reason < THROTTLES ? names[reason] : "?";
}
