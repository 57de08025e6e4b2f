/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/heap_table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/stack_table.h"

/* A stack in an image. */
struct site {
	struct site_key {
		struct heap_process process;
		uint32_t stack;
		uint32_t pad;
	} key;
	struct heap_sum now;  /* of blocks that are outstanding now */
	struct heap_sum kept; /* of blocks that were when the image ended */
	struct heap_site counted;
	char label[HEAP_LABEL];
	double points[HEAP_POINTS]; /* outstanding bytes at the table's times */
	UT_hash_handle hh;
};

/* What the kernel side calls a site. */
struct number {
	struct heap_site_key key;
	uint32_t stack;
	bool is_named;
	struct heap_site counted;
	UT_hash_handle hh;
};

struct heap_table {
	uint64_t sample_mean;
	struct heap_image *images; /* hashes by process, key, key */
	struct site *sites;
	struct number *numbers;
	uint64_t times[HEAP_POINTS]; /* at which points were noted */
	size_t n;
	uint64_t began_ns, step_ns;
};

/* --- sums -------------------------------------------------------------------------------------------------
 */

void heap_sum__add(struct heap_sum *sum, const struct heap_block *block, uint64_t mean)
{
	double size = block->size, p = mean ? -expm1(-size / mean) : 1;

	if (p <= 0) /* of no bytes: cannot be chosen */
		return;
	sum->count += 1 / p;
	sum->bytes += size / p;
	sum->count_variance += (1 - p) / (p * p);
	sum->bytes_variance += size * size * (1 - p) / (p * p);
	sum->blocks++;
	if (!sum->oldest_ns || block->time_ns < sum->oldest_ns)
		sum->oldest_ns = block->time_ns;
}

static void add_counted(struct heap_site *to, const struct heap_site *from)
{
	to->allocations += from->allocations;
	to->allocated_bytes += from->allocated_bytes;
	to->frees += from->frees;
	to->freed_bytes += from->freed_bytes;
}

static void add_sum(struct heap_sum *to, const struct heap_sum *from)
{
	to->count += from->count;
	to->bytes += from->bytes;
	to->count_variance += from->count_variance;
	to->bytes_variance += from->bytes_variance;
	to->blocks += from->blocks;
	if (from->oldest_ns && (!to->oldest_ns || from->oldest_ns < to->oldest_ns))
		to->oldest_ns = from->oldest_ns;
}

/* --- images, sites, numbers -------------------------------------------------------------------------------
 */

struct heap_table *heap_table__new(uint64_t sample_mean, uint64_t now_ns)
{
	struct heap_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->sample_mean = sample_mean;
	t->began_ns = now_ns;
	t->step_ns = HEAP_FIRST_STEP_NS;
	return t;
}

void heap_table__free(struct heap_table *t)
{
	struct heap_image *i, *next_image;
	struct site *s, *next_site;
	struct number *n, *next_number;

	if (!t)
		return;
	HASH_ITER(hh, t->images, i, next_image) {
		HASH_DEL(t->images, i);
		free(i);
	}
	HASH_ITER(hh, t->sites, s, next_site) {
		HASH_DEL(t->sites, s);
		free(s);
	}
	HASH_ITER(hh, t->numbers, n, next_number) {
		HASH_DEL(t->numbers, n);
		free(n);
	}
	free(t);
}

struct heap_image *heap_table__find(const struct heap_table *t, struct heap_process process)
{
	struct heap_image *i;

	HASH_FIND(hh, t->images, &process, sizeof(process), i);
	return i;
}

struct heap_image *heap_table__image(struct heap_table *t, struct heap_process process)
{
	struct heap_image *i = heap_table__find(t, process);

	if (i)
		return i;
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->process = process;
	HASH_ADD(hh, t->images, process, sizeof(i->process), i);
	return i;
}

struct heap_image *heap_table__images(const struct heap_table *t)
{
	return t->images;
}

static struct site *site_of(struct heap_table *t, struct heap_process process, uint32_t stack)
{
	struct site_key key = {.process = process, .stack = stack};
	struct site *s;

	HASH_FIND(hh, t->sites, &key, sizeof(key), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = key;
	HASH_ADD(hh, t->sites, key, sizeof(s->key), s);
	return s;
}

static struct number *find_number(const struct heap_table *t, struct heap_process process, uint64_t number)
{
	struct heap_site_key key = {.stack = number, .process = process};
	struct number *n;

	HASH_FIND(hh, t->numbers, &key, sizeof(key), n);
	return n;
}

static struct number *number_of(struct heap_table *t, struct heap_process process, uint64_t number)
{
	struct number *n = find_number(t, process, number);

	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->key = (struct heap_site_key){.stack = number, .process = process};
	n->stack = STACK_UNKNOWN;
	HASH_ADD(hh, t->numbers, key, sizeof(n->key), n);
	return n;
}

int heap_table__name(struct heap_table *t, struct heap_process process, uint64_t number, uint32_t stack)
{
	struct number *n = number_of(t, process, number);

	if (!n)
		return -ENOMEM;
	n->stack = stack;
	n->is_named = true;
	return 0;
}

bool heap_table__knows(const struct heap_table *t, struct heap_process process, uint64_t number)
{
	const struct number *n = find_number(t, process, number);

	return n && n->is_named;
}

void heap_table__label(struct heap_table *t, struct heap_process process, uint64_t number, const char *label)
{
	const struct number *n = find_number(t, process, number);
	struct site *s = site_of(t, process, n ? n->stack : STACK_UNKNOWN);

	if (s && !s->label[0])
		snprintf(s->label, sizeof(s->label), "%s", label);
}

int heap_table__count(struct heap_table *t, const struct heap_site_key *key, const struct heap_site *site)
{
	struct number *n = number_of(t, key->process, key->stack);

	if (!n)
		return -ENOMEM;
	n->counted = *site;
	return 0;
}

static struct site *site_of_block(struct heap_table *t, const struct heap_block_key *key,
				  const struct heap_block *block)
{
	const struct number *n = find_number(t, key->process, block->stack);

	return site_of(t, key->process, n ? n->stack : STACK_UNKNOWN);
}

void heap_table__begin(struct heap_table *t)
{
	for (struct site *s = t->sites; s; s = s->hh.next)
		s->now = (struct heap_sum){};
}

int heap_table__block(struct heap_table *t, const struct heap_block_key *key, const struct heap_block *block)
{
	struct site *s = site_of_block(t, key, block);

	if (!s)
		return -ENOMEM;
	heap_sum__add(&s->now, block, t->sample_mean);
	return 0;
}

int heap_table__keep(struct heap_table *t, const struct heap_block_key *key, const struct heap_block *block)
{
	struct site *s = site_of_block(t, key, block);

	if (!s)
		return -ENOMEM;
	heap_sum__add(&s->kept, block, t->sample_mean);
	return 0;
}

/* --- growth -----------------------------------------------------------------------------------------------
 */

/* The counts of all numbers, by the stacks that they are by now. */
static void settle_counts(struct heap_table *t)
{
	for (struct site *s = t->sites; s; s = s->hh.next)
		s->counted = (struct heap_site){};
	for (const struct number *n = t->numbers; n; n = n->hh.next) {
		struct site *s = site_of(t, n->key.process, n->stack);

		if (s)
			add_counted(&s->counted, &n->counted);
	}
}

/* Counts are read one after the other while the program goes on: a free may be seen, and what was freed not
 * yet. */
static double outstanding(const struct heap_table *t, const struct site *s)
{
	if (t->sample_mean)
		return s->now.bytes + s->kept.bytes;
	return s->counted.allocated_bytes > s->counted.freed_bytes
		       ? (double)(s->counted.allocated_bytes - s->counted.freed_bytes)
		       : 0;
}

bool heap_table__wants_point(const struct heap_table *t, uint64_t now_ns)
{
	return now_ns >= (t->n ? t->times[t->n - 1] : t->began_ns) + t->step_ns;
}

/* Every other point goes. */
static void thin_out(struct heap_table *t)
{
	for (size_t i = 0; i < HEAP_POINTS / 2; i++)
		t->times[i] = t->times[2 * i + 1];
	for (struct site *s = t->sites; s; s = s->hh.next)
		for (size_t i = 0; i < HEAP_POINTS / 2; i++)
			s->points[i] = s->points[2 * i + 1];
	t->n = HEAP_POINTS / 2;
	t->step_ns *= 2;
}

void heap_table__note(struct heap_table *t, uint64_t now_ns)
{
	if (t->n == HEAP_POINTS)
		thin_out(t);
	settle_counts(t);
	for (struct site *s = t->sites; s; s = s->hh.next)
		s->points[t->n] = outstanding(t, s);
	t->times[t->n++] = now_ns;
}

/* The point nearest to the middle of the image's time, if it is near: within an eighth of it. -1: there is
 * none. */
static int middle(const struct heap_table *t, uint64_t began_ns, uint64_t ended_ns)
{
	uint64_t length = ended_ns - began_ns, wanted = began_ns + length / 2, best = length / 8;
	int found = -1;

	for (size_t i = 0; i < t->n; i++) {
		uint64_t off = t->times[i] > wanted ? t->times[i] - wanted : wanted - t->times[i];

		if (off > best)
			continue;
		best = off;
		found = i;
	}
	return found;
}

static void set_growth(const struct heap_table *t, const struct site *s, const struct heap_image *image,
		       uint64_t now_ns, struct heap_row *row)
{
	uint64_t began = image->began_ns > t->began_ns ? image->began_ns : t->began_ns;
	uint64_t ended = image->ended_ns ? image->ended_ns : now_ns;
	int at = ended > began ? middle(t, began, ended) : -1;

	if (at < 0)
		return;
	row->has_growth = true;
	row->bytes_per_s = (outstanding(t, s) - s->points[at]) * 1e9 / (ended - t->times[at]);
}

/* --- rows -------------------------------------------------------------------------------------------------
 */

static int by_bytes(const void *a, const void *b)
{
	const struct heap_row *p = a, *q = b;

	if (p->sum.bytes != q->sum.bytes)
		return p->sum.bytes > q->sum.bytes ? -1 : 1;
	if (p->image->process.tgid != q->image->process.tgid)
		return p->image->process.tgid < q->image->process.tgid ? -1 : 1;
	return p->stack < q->stack ? -1 : p->stack > q->stack;
}

struct heap_row *heap_table__rows(struct heap_table *t, uint64_t now_ns, size_t *n)
{
	struct heap_row *rows;

	settle_counts(t);
	for (struct heap_image *i = t->images; i; i = i->hh.next)
		i->sum = (struct heap_sum){};
	*n = 0;
	rows = calloc(HASH_COUNT(t->sites) + 1, sizeof(*rows));
	for (const struct site *s = t->sites; s && rows; s = s->hh.next) {
		struct heap_image *image = heap_table__find(t, s->key.process);
		struct heap_row *row = &rows[*n];

		if (!image || image->is_replaced)
			continue;
		*row = (struct heap_row){
			.image = image, .stack = s->key.stack, .label = s->label, .counted = s->counted};
		add_sum(&row->sum, &s->now);
		add_sum(&row->sum, &s->kept);
		add_sum(&image->sum, &row->sum);
		if (!row->sum.blocks)
			continue;
		set_growth(t, s, image, now_ns, row);
		(*n)++;
	}
	if (rows)
		qsort(rows, *n, sizeof(*rows), by_bytes);
	return rows;
}

void heap_table__counted(const struct heap_table *t, struct heap_process process, struct heap_site *total)
{
	*total = (struct heap_site){};
	for (const struct site *s = t->sites; s; s = s->hh.next)
		if (!memcmp(&s->key.process, &process, sizeof(process)))
			add_counted(total, &s->counted);
}
