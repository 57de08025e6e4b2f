/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/ledger_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OLD_ENOUGH_NS 1000000000ULL  /* a program that has not touched it in a second asked too early */
#define HEAP_TOP      (128ULL << 10) /* M_TRIM_THRESHOLD of glibc: less at the top is not given back */
#define ARENA_SHIFT   26	     /* malloc's parts of 64 MiB are aligned to their size */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A huge page of hugetlbfs is there as a whole when any of it is. */
static uint64_t hugetlb_resident(const struct ledger_interval *i, const struct touched *t, uint64_t since)
{
	uint64_t size = 1ULL << i->huge_shift, resident = 0;

	for (uint64_t at = i->start; at < i->end; at += size) {
		uint64_t end = i->end - at > size ? at + size : i->end;

		if (touched__pages(t, at, end, since, NULL))
			resident += end - at;
	}
	return resident;
}

uint64_t ledger_interval__resident(const struct ledger_interval *i, const struct touched *t, uint64_t *huge)
{
	uint64_t since = later(i->since_ns, i->discarded_ns), resident;
	bool locked = i->flags & LEDGER_LOCKED && !(i->flags & LEDGER_ONFAULT);

	*huge = 0;
	if (!t || ledger_interval__is_reserved(i))
		return 0;
	if (i->huge_shift) {
		resident = locked || i->flags & LEDGER_POPULATED ? i->end - i->start
								 : hugetlb_resident(i, t, since);
		*huge = resident;
		return resident;
	}
	resident = touched__pages(t, i->start, i->end, since, huge) * TOUCHED_PAGE;
	*huge *= TOUCHED_PAGE;
	return locked || i->flags & LEDGER_POPULATED ? i->end - i->start : resident;
}

static void extent__add(struct extent *to, const struct extent *e)
{
	to->reserved += e->reserved;
	to->committed += e->committed;
	to->resident += e->resident;
	to->huge += e->huge;
}

static struct extent extent_of(const struct ledger_interval *i, const struct touched *t)
{
	struct extent e = {};
	uint64_t bytes = i->end - i->start;

	if (ledger_interval__is_reserved(i))
		e.reserved = bytes;
	else
		e.committed = bytes;
	e.resident = ledger_interval__resident(i, t, &e.huge);
	return e;
}

/* --- intervals -------------------------------------------------------------------------------------------
 */

static int by_number(const void *a, const void *b)
{
	const struct site_total *p = a, *q = b;

	return p->site < q->site ? -1 : p->site > q->site;
}

static int by_net(const void *a, const void *b)
{
	const struct site_total *p = a, *q = b;

	if (p->net != q->net)
		return p->net > q->net ? -1 : 1;
	return by_number(a, b);
}

static void add_to_site(struct ledger_report *r, const struct ledger_interval *i, const struct extent *e)
{
	struct site_total key = {.site = i->site}, *s;

	if (i->flags & LEDGER_FOUND || !r->site_count)
		return;
	s = bsearch(&key, r->sites, r->site_count, sizeof(key), by_number);
	if (s)
		extent__add(&s->now, e);
}

static void add_heap(struct ledger_report *r, const struct ledger *l, const struct ledger_interval *i,
		     const struct extent *e, const struct touched *t)
{
	uint64_t top = ledger__break(l) + LEDGER_PAGE - 1, start;

	top &= ~(LEDGER_PAGE - 1);
	if (i->via != VIA_BRK || !t)
		return;
	r->heap += i->end - i->start;
	if (i->discarded_ns)
		r->heap_given_back += e->committed - e->resident;
	start = later(i->start, top > HEAP_TOP ? top - HEAP_TOP : 0);
	if (start < i->end)
		r->heap_top_resident +=
			touched__pages(t, start, i->end, later(i->since_ns, i->discarded_ns), NULL) *
			TOUCHED_PAGE;
}

static void add_interval(struct ledger_report *r, const struct ledger *l, const struct ledger_interval *i,
			 const struct touched *t, uint64_t *last_arena)
{
	struct extent e = extent_of(i, t);
	bool own = i->via == VIA_BRK || i->via == VIA_MMAP;

	extent__add(&r->vias[i->via].now, &e);
	extent__add(&r->kinds[i->kind], &e);
	add_to_site(r, i, &e);
	add_heap(r, l, i, &e, t);
	if (i->flags & LEDGER_ARENA) {
		extent__add(&r->arenas, &e);
		r->arena_count += i->start >> ARENA_SHIFT != *last_arena;
		*last_arena = i->start >> ARENA_SHIFT;
	}
	if (own && i->kind == LEDGER_ANON && !(i->flags & (LEDGER_STACK | LEDGER_ARENA)) &&
	    !i->discarded_ns && i->born_ns + OLD_ENOUGH_NS < r->now_ns)
		extent__add(&r->untouched, &e);
}

/* --- totals ----------------------------------------------------------------------------------------------
 */

static int add_sites(struct ledger_report *r, const struct ledger *l)
{
	const struct ledger_site *s;
	uint64_t most = 0;

	r->sites = calloc(HASH_COUNT(ledger__sites(l)) + 1, sizeof(*r->sites));
	if (!r->sites)
		return -ENOMEM;
	for (s = ledger__sites(l); s; s = s->hh.next) {
		r->sites[r->site_count++] = (struct site_total){
			.site = s->site,
			.via = s->via,
			.obtained = s->account.obtained,
			.returned = s->account.returned,
			.net = (int64_t)(s->account.obtained - s->account.returned),
			.weighted_net = s->weighted_net,
			.calls = s->calls,
			.faults = s->faults,
			.churned = s->churned,
			.churned_bytes = s->churned_bytes,
		};
		if (s->churned_bytes > most) {
			most = s->churned_bytes;
			r->churn_site = s->site;
		}
	}
	qsort(r->sites, r->site_count, sizeof(*r->sites), by_number);
	return 0;
}

static void add_calls(struct via_total *v, const struct ledger_call *c)
{
	v->calls += c->calls;
	v->failed += c->failed;
	v->ns += c->ns;
}

static void add_accounts(struct ledger_report *r, const struct ledger *l, bool touched)
{
	for (int via = 0; via < VIAS; via++) {
		const struct ledger_account *a = ledger__account(l, via);
		struct via_total *v = &r->vias[via];

		v->inherited = a->inherited;
		v->obtained = a->obtained;
		v->returned = a->returned;
		v->net = (int64_t)(a->obtained - a->returned);
		v->faults = ledger__faults(l, via);
		v->resident_known = touched && (via == VIA_BRK || via == VIA_MMAP);
	}
	for (int call = 0; call < CALLS; call++)
		r->calls[call] = *ledger__call(l, call);
	add_calls(&r->vias[VIA_BRK], &r->calls[CALL_BRK]);
	add_calls(&r->vias[VIA_MMAP], &r->calls[CALL_MMAP]);
	add_calls(&r->vias[VIA_MMAP], &r->calls[CALL_MUNMAP]);
	add_calls(&r->vias[VIA_MMAP], &r->calls[CALL_MREMAP]);
}

int ledger_report__make(struct ledger_report *r, const struct ledger *l, const struct touched *t,
			uint64_t now_ns)
{
	uint64_t last_arena = UINT64_MAX;

	*r = (struct ledger_report){
		.now_ns = now_ns, .trend = *ledger__trend(l), .threshold = *ledger__threshold(l)};
	r->start_ns = r->trend.start_ns;
	trend__extend(&r->trend, now_ns);
	memcpy(r->churn, ledger__churn(l), sizeof(r->churn));
	if (add_sites(r, l))
		return -ENOMEM;
	add_accounts(r, l, t);
	for (const struct ledger_interval *i = ledger__from(l, 0); i; i = ledger__from(l, i->end))
		add_interval(r, l, i, t, &last_arena);
	qsort(r->sites, r->site_count, sizeof(*r->sites), by_net);
	return 0;
}

void ledger_report__free(struct ledger_report *r)
{
	free(r->sites);
	r->sites = NULL;
	r->site_count = 0;
}

double via_total__faults_per_mib(const struct via_total *v)
{
	return v->obtained ? (double)v->faults * (1 << 20) / (double)v->obtained : -1;
}

double extent__touched(const struct extent *e)
{
	return e->committed ? (double)e->resident / (double)e->committed : -1;
}
