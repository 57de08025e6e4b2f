/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/site_growth.h"

#include <errno.h>
#include <stdlib.h>

#include "model/ledger_report.h"

struct site_growth *site_growth__new(uint64_t now_ns)
{
	struct site_growth *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->began_ns = g->measured_ns = now_ns;
	g->random = 1;
	return g;
}

void site_growth__free(struct site_growth *g)
{
	struct grown_site *s, *next;

	if (!g)
		return;
	HASH_ITER(hh, g->sites, s, next) {
		HASH_DEL(g->sites, s);
		free(s->series);
		free(s);
	}
	free(g->samples);
	free(g);
}

/* --- samples ----------------------------------------------------------------------------------------------
 */

/* xorshift (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8, 2003). */
static uint32_t draw(struct site_growth *g)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 17;
	g->random ^= g->random << 5;
	return g->random;
}

static void thin_out(struct site_growth *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->count; i++) {
		if (draw(g) & 1)
			continue;
		g->samples[kept] = g->samples[i];
		if (g->samples[kept].weight <= UINT32_MAX / 2)
			g->samples[kept].weight *= 2;
		kept++;
	}
	g->count = kept;
}

int site_growth__touch(struct site_growth *g, const struct touch_sample *sample)
{
	struct touch_sample *grown;

	if (g->count == SAMPLES_MOST)
		thin_out(g);
	if (g->count == g->room) {
		size_t room = g->room ? g->room * 2 : 256;

		grown = reallocarray(g->samples, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		g->samples = grown;
		g->room = room;
	}
	g->samples[g->count++] = *sample;
	return 0;
}

static uint64_t since(const struct ledger_interval *i)
{
	return i->since_ns > i->discarded_ns ? i->since_ns : i->discarded_ns;
}

/* Memory that the process alone can give back; of files the kernel can. */
static bool is_of_interest(const struct ledger_interval *i)
{
	return i->kind != LEDGER_FILE && !ledger_interval__is_reserved(i);
}

/* Pages that a sampled fault has brought and that are still there. */
static uint64_t pages_held(const struct touch_sample *s, const struct ledger *l, const struct touched *t)
{
	const struct ledger_interval *i = ledger__at(l, s->address);
	uint64_t page = s->address & ~(TOUCHED_PAGE - 1), huge = 0;
	/* Two units: the kernel side's clock and the ledger's are rounded. */
	uint64_t later = s->ns + (2ull << TOUCHED_UNIT_SHIFT);

	if (!i || !is_of_interest(i) || s->ns < since(i))
		return 0;
	if (touched__pages(t, page, page + TOUCHED_PAGE, later, NULL))
		return 0; /* it was touched again since, by whoever it was */
	touched__pages(t, page, page + TOUCHED_PAGE, 0, &huge);
	return huge ? TOUCHED_HUGE_PAGES : 1;
}

/* --- measuring --------------------------------------------------------------------------------------------
 */

static struct grown_site *site_of(struct site_growth *g, uint32_t view, uint32_t via, uint32_t stack)
{
	struct grown_site_key key = {.view = view, .via = via, .stack = stack};
	struct grown_site *s;

	HASH_FIND(hh, g->sites, &key, sizeof(key), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = key;
	HASH_ADD(hh, g->sites, key, sizeof(s->key), s);
	return s;
}

/* By who obtained it. Returns what was touched, page by page, in bytes. */
static int measure_obtained(struct site_growth *g, const struct ledger *l, const struct touched *t,
			    uint64_t *touched)
{
	*touched = 0;
	for (const struct ledger_interval *i = ledger__from(l, 0); i; i = ledger__from(l, i->end)) {
		struct grown_site *s;
		uint64_t bytes, huge;

		if (!is_of_interest(i))
			continue;
		bytes = ledger_interval__resident(i, t, &huge);
		if (!bytes)
			continue;
		/* What is there without having been touched (MAP_POPULATE) has nobody who did. */
		*touched += touched__pages(t, i->start, i->end, since(i), NULL) * TOUCHED_PAGE;
		g->held += bytes;
		s = site_of(g, SITE_OBTAINED, i->via, i->via == VIA_BRK || i->via == VIA_MMAP ? i->site : 0);
		if (!s)
			return -ENOMEM;
		s->held += bytes;
	}
	return 0;
}

/* By who touched it; samples of what is gone are dropped. */
static int measure_touched(struct site_growth *g, const struct ledger *l, const struct touched *t,
			   uint64_t touched)
{
	uint64_t all = 0, pages;
	size_t kept = 0;

	for (size_t i = 0; i < g->count; i++) {
		struct touch_sample *sample = &g->samples[i];
		struct grown_site *s;

		pages = pages_held(sample, l, t);
		if (!pages)
			continue;
		s = site_of(g, SITE_TOUCHED, 0, sample->stack);
		if (!s)
			return -ENOMEM;
		s->held += pages * sample->weight;
		s->samples++;
		all += pages * sample->weight;
		g->samples[kept++] = *sample;
	}
	g->count = kept;
	for (struct grown_site *s = g->sites; s; s = s->hh.next)
		if (s->key.view == SITE_TOUCHED && all)
			s->held = (double)s->held / (double)all * (double)touched;
	return 0;
}

static int follow(struct site_growth *g, struct grown_site *s, uint64_t now_ns)
{
	if (!s->series) {
		if (s->held < SITE_LEAST || g->followed == SITES_MOST)
			return 0;
		s->series = calloc(1, sizeof(*s->series));
		if (!s->series)
			return -ENOMEM;
		g->followed++;
		/* It held next to nothing until now. */
		series__add(s->series, g->began_ns, 0);
		if (g->measured_ns > g->began_ns)
			series__add(s->series, g->measured_ns, 0);
	}
	series__add(s->series, now_ns, (int64_t)s->held);
	return 0;
}

int site_growth__measure(struct site_growth *g, const struct ledger *l, const struct touched *t,
			 uint64_t now_ns)
{
	uint64_t touched;
	int err;

	g->held = 0;
	for (struct grown_site *s = g->sites; s; s = s->hh.next)
		s->held = s->samples = 0;
	err = measure_obtained(g, l, t, &touched);
	if (!err)
		err = measure_touched(g, l, t, touched);
	for (struct grown_site *s = g->sites; s && !err; s = s->hh.next)
		err = follow(g, s, now_ns);
	g->measured_ns = now_ns;
	return err;
}

/* --- judging ----------------------------------------------------------------------------------------------
 */

/* What it held at a time, on a line between the points before and after. */
static double held_at(const struct series *s, uint64_t ns)
{
	size_t i = 0;

	while (i < s->count && s->points[i].ns <= ns)
		i++;
	if (!i)
		return 0;
	if (i == s->count)
		return (double)s->points[i - 1].value;
	return (double)s->points[i - 1].value + (double)(s->points[i].value - s->points[i - 1].value) *
							(double)(ns - s->points[i - 1].ns) /
							(double)(s->points[i].ns - s->points[i - 1].ns);
}

static int by_rate(const struct grown_site *a, const struct grown_site *b)
{
	if (a->key.view != b->key.view)
		return (int)a->key.view - (int)b->key.view;
	if (a->rate != b->rate)
		return a->rate > b->rate ? -1 : 1;
	if (a->held != b->held)
		return a->held > b->held ? -1 : 1;
	return a->key.stack < b->key.stack ? -1 : a->key.stack > b->key.stack;
}

void site_growth__judge(struct site_growth *g, uint64_t began_ns, uint64_t now_ns)
{
	uint64_t middle = began_ns + (now_ns - began_ns) / 2;

	for (struct grown_site *s = g->sites; s; s = s->hh.next) {
		s->rate = 0;
		s->growth = (struct growth){};
		if (!s->series || now_ns <= began_ns)
			continue;
		growth__judge(s->series, &s->growth);
		s->rate = ((double)s->held - held_at(s->series, middle)) * 1e9 / (double)(now_ns - middle);
	}
	HASH_SORT(g->sites, by_rate);
}
