/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/ledger_internal.h"

#define MALLOC_THRESHOLD     (128ULL << 10) /* DEFAULT_MMAP_THRESHOLD of glibc */
#define MALLOC_THRESHOLD_MAX (32ULL << 20)  /* its DEFAULT_MMAP_THRESHOLD_MAX on 64 bits */

struct ledger *ledger__new(void)
{
	return calloc(1, sizeof(struct ledger));
}

void ledger__free(struct ledger *l)
{
	struct ledger_site *s, *next;

	if (!l)
		return;
	HASH_ITER(hh, l->sites, s, next) {
		HASH_DEL(l->sites, s);
		free(s);
	}
	interval_set__clear(&l->set);
	free(l->departed);
	free(l);
}

bool ledger_interval__is_reserved(const struct ledger_interval *i)
{
	return !(i->perms & (VM_READ | VM_WRITE | VM_EXEC));
}

int64_t ledger_account__net(const struct ledger_account *a)
{
	return (int64_t)(a->inherited + a->obtained - a->returned);
}

unsigned ledger__bucket(uint64_t bytes)
{
	unsigned bucket = bytes ? 63 - __builtin_clzll(bytes) : 0;

	return bucket < LEDGER_BUCKETS ? bucket : LEDGER_BUCKETS - 1;
}

/* --- accounts --------------------------------------------------------------------------------------------
 */

static struct ledger_site *get_site(struct ledger *l, uint32_t site)
{
	struct ledger_site *s;

	HASH_FIND(hh, l->sites, &site, sizeof(site), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->site = site;
	HASH_ADD(hh, l->sites, site, sizeof(s->site), s);
	return s;
}

/* The site that is charged for an interval; NULL: none is, no call of it is known. */
static struct ledger_site *site_of(struct ledger *l, const struct ledger_interval *i)
{
	return i->flags & LEDGER_FOUND ? NULL : get_site(l, i->site);
}

void ledger__note_trend(struct ledger *l, uint64_t ns)
{
	const struct ledger_account *heap = &l->accounts[VIA_BRK], *maps = &l->accounts[VIA_MMAP];
	int64_t values[TREND_VALUES] = {(int64_t)(heap->obtained - heap->returned),
					(int64_t)(maps->obtained - maps->returned)};

	trend__note(&l->trend, ns, values);
}

void ledger__obtain(struct change *c, const struct ledger_interval *i)
{
	uint64_t bytes = i->end - i->start;
	struct ledger_site *s = site_of(c->l, i);

	interval_set__insert(&c->l->set, i);
	c->l->accounts[i->via].obtained += bytes;
	c->call->obtained += bytes;
	if (!s)
		return;
	s->via = i->via;
	s->account.obtained += bytes;
	s->weighted_net += (int64_t)(bytes * i->weight);
	s->calls++;
}

static size_t departed_slot(uint64_t chunk)
{
	return chunk * 0x9e3779b97f4a7c15 >> 52;
}

_Static_assert(DEPARTED_MAX == 1 << (64 - 52), "departed_slot()");

static bool same_owner(const struct departed_owner *a, const struct departed_owner *b)
{
	return a->site == b->site && a->via == b->via && a->bucket == b->bucket;
}

/* The owner becomes the latest of its chunk; one that finds no room takes the place of the oldest. */
static void add_owner(struct departed *d, uint64_t chunk, struct departed_owner owner)
{
	size_t at = 0;

	if (d->chunk != chunk)
		*d = (struct departed){.chunk = chunk};
	while (at < DEPARTED_OWNERS - 1 && d->owners[at].bytes && !same_owner(&d->owners[at], &owner))
		at++;
	if (same_owner(&d->owners[at], &owner))
		owner.bytes += d->owners[at].bytes;
	memmove(&d->owners[1], &d->owners[0], at * sizeof(d->owners[0]));
	d->owners[0] = owner;
}

static void note_departed(struct ledger *l, const struct ledger_interval *i, unsigned bucket)
{
	uint64_t first = i->start >> CHUNK_SHIFT, last = (i->end - 1) >> CHUNK_SHIFT;

	if (!l->departed)
		l->departed = calloc(DEPARTED_MAX, sizeof(*l->departed));
	if (!l->departed || ledger_interval__is_reserved(i))
		return;
	for (uint64_t chunk = first; chunk <= last && chunk - first < DEPARTED_MAX; chunk++) {
		uint64_t start = chunk << CHUNK_SHIFT, end = (chunk + 1) << CHUNK_SHIFT;
		struct departed_owner owner = {.site = i->site, .via = i->via, .bucket = bucket};

		owner.bytes = (i->end < end ? i->end : end) - (i->start > start ? i->start : start);
		add_owner(&l->departed[departed_slot(chunk)], chunk, owner);
	}
}

/* A block as malloc frees it to the system: the threshold follows its size. */
static void note_threshold(struct ledger *l, const struct ledger_interval *i, uint64_t now)
{
	uint64_t bytes = i->end - i->start;

	if (bytes <= MALLOC_THRESHOLD || bytes > MALLOC_THRESHOLD_MAX || bytes <= l->threshold.bytes)
		return;
	l->threshold = (struct ledger_threshold){.bytes = bytes, .since_ns = now};
}

/* The bucket in which the end of this mapping counts as churn; LEDGER_BUCKETS: in none. */
static unsigned note_end(struct change *c, const struct ledger_interval *i, struct ledger_site *s)
{
	uint64_t bytes = i->end - i->start, now = c->r->exit_ns;
	bool whole = (i->start > c->start || c->whole_start) && (i->end < c->end || c->whole_end);
	unsigned bucket = ledger__bucket(bytes);
	struct ledger_churn *churn = &c->l->churn[bucket];

	if (c->call != &c->l->calls[CALL_MUNMAP] || i->via != VIA_MMAP || !whole ||
	    ledger_interval__is_reserved(i) || i->flags & LEDGER_FOUND)
		return LEDGER_BUCKETS;
	if (i->kind == LEDGER_ANON && !(i->flags & (LEDGER_STACK | LEDGER_ARENA)))
		note_threshold(c->l, i, now);
	if (now < i->born_ns || now - i->born_ns > LEDGER_SHORT_LIFE_NS)
		return LEDGER_BUCKETS;
	churn->count++;
	churn->bytes += bytes;
	churn->life_ns += now - i->born_ns;
	churn->faults += i->faults;
	if (s) {
		s->churned++;
		s->churned_bytes += bytes;
	}
	return bucket;
}

static void on_release(void *context, struct ledger_interval *i)
{
	struct change *c = context;
	uint64_t bytes = i->end - i->start;
	struct ledger_site *s = site_of(c->l, i);

	c->l->accounts[i->via].returned += bytes;
	c->call->returned += bytes;
	if (s) {
		s->account.returned += bytes;
		s->weighted_net -= (int64_t)(bytes * i->weight);
	}
	note_departed(c->l, i, note_end(c, i, s));
	/* Found while this call was under way: before or after it, nobody can tell. */
	if (i->flags & LEDGER_FOUND && i->born_ns > c->r->enter_ns)
		c->l->inconsistent = true;
}

void ledger__release(struct change *c, uint64_t start, uint64_t end)
{
	c->start = start;
	c->end = end;
	c->whole_start = !interval_set__cut(&c->l->set, start);
	c->whole_end = !interval_set__cut(&c->l->set, end);
	interval_set__remove(&c->l->set, start, end, on_release, c);
}

/* --- seeds -----------------------------------------------------------------------------------------------
 */

static bool is_mapping(const struct ledger_mapping *m)
{
	return m->start < m->end && m->end <= 1ULL << 63 && !((m->start | m->end) & (LEDGER_PAGE - 1)) &&
	       m->kind < LEDGER_KINDS;
}

static struct ledger_interval interval_of(const struct ledger_mapping *m, enum ledger_via via, uint64_t ns)
{
	return (struct ledger_interval){
		.start = m->start,
		.end = m->end,
		.born_ns = ns,
		.flags = LEDGER_FOUND | (m->flags & (LEDGER_STACK | LEDGER_LOCKED)),
		.via = via,
		.kind = m->kind,
		.perms = m->perms & VM_PERMS,
		.huge_shift = m->huge_shift,
	};
}

int ledger__seed(struct ledger *l, const struct ledger_mapping *m, enum ledger_via via, uint64_t time_ns)
{
	struct ledger_interval i = interval_of(m, via, time_ns);

	if (!is_mapping(m) || via >= VIAS || interval_set__overlap(&l->set, m->start, m->end))
		return -EINVAL;
	if (!interval_set__reserve(&l->set, 1))
		return -ENOMEM;
	interval_set__insert(&l->set, &i);
	l->accounts[via].inherited += i.end - i.start;
	if (time_ns > l->as_of_ns)
		l->as_of_ns = time_ns;
	if (!l->trend.start_ns)
		ledger__note_trend(l, time_ns);
	return 0;
}

static void inherit(struct ledger *l, uint64_t time_ns)
{
	struct ledger_interval *i = interval_set__from(&l->set, 0), *next;

	for (; i; i = next) {
		uint64_t bytes = i->end - i->start;
		struct ledger_site *s;

		next = interval_set__from(&l->set, i->end);
		if (i->flags & LEDGER_DONTFORK) {
			interval_set__remove(&l->set, i->start, i->end, NULL, NULL);
			continue;
		}
		/* Locks are not inherited; populated pages are, but those of a file the child faults in
		 * itself. */
		i->flags &=
			~(LEDGER_LOCKED | LEDGER_ONFAULT | (i->kind == LEDGER_ANON ? 0 : LEDGER_POPULATED));
		i->faults = 0;
		if (i->flags & LEDGER_WIPEONFORK) {
			i->discarded_ns = time_ns;
			i->flags &= ~LEDGER_POPULATED;
		}
		l->accounts[i->via].inherited += bytes;
		s = site_of(l, i);
		if (s) {
			s->via = i->via;
			s->account.inherited += bytes;
			s->weighted_net += (int64_t)(bytes * i->weight);
		}
	}
}

struct ledger *ledger__fork(const struct ledger *parent, uint64_t time_ns)
{
	struct ledger *l = ledger__new();

	if (!l)
		return NULL;
	if (!interval_set__copy(&l->set, &parent->set)) {
		free(l);
		return NULL;
	}
	l->as_of_ns = time_ns;
	l->brk = parent->brk;
	l->heap_start = parent->heap_start;
	memcpy(l->attached, parent->attached, sizeof(l->attached));
	l->attached_next = parent->attached_next;
	l->heap_peak = parent->heap_peak;
	l->inconsistent = parent->inconsistent;
	inherit(l, time_ns);
	ledger__note_trend(l, time_ns);
	return l;
}

/* --- reconciling -----------------------------------------------------------------------------------------
 */

struct reconciling {
	struct ledger *l;
	uint64_t time_ns;
	struct ledger_difference difference;
};

static void on_gone(void *context, struct ledger_interval *i)
{
	struct reconciling *r = context;
	uint64_t bytes = i->end - i->start;
	struct ledger_site *s = site_of(r->l, i);

	r->difference.gone += bytes;
	r->l->accounts[i->via].returned += bytes;
	if (s) {
		s->account.returned += bytes;
		s->weighted_net -= (int64_t)(bytes * i->weight);
	}
}

/* The kernel has nothing in [start, end). */
static bool reconcile_hole(struct reconciling *r, uint64_t start, uint64_t end)
{
	if (start >= end || !interval_set__overlap(&r->l->set, start, end))
		return true;
	if (!interval_set__reserve(&r->l->set, 2))
		return false;
	interval_set__cut(&r->l->set, start);
	interval_set__cut(&r->l->set, end);
	interval_set__remove(&r->l->set, start, end, on_gone, r);
	return true;
}

static void add_unseen(struct reconciling *r, const struct ledger_mapping *m, uint64_t start, uint64_t end)
{
	struct ledger_interval i = interval_of(m, VIA_OTHER, r->time_ns);

	i.start = start;
	i.end = end;
	interval_set__insert(&r->l->set, &i);
	r->difference.unseen += end - start;
	r->l->accounts[VIA_OTHER].obtained += end - start;
}

/* The kernel has m. */
static bool reconcile_mapping(struct reconciling *r, const struct ledger_mapping *m)
{
	struct interval_set *set = &r->l->set;
	uint64_t at = m->start;

	if (!interval_set__reserve(set, 2))
		return false;
	interval_set__cut(set, m->start);
	interval_set__cut(set, m->end);
	while (at < m->end) {
		struct ledger_interval *i = interval_set__overlap(set, at, m->end);
		uint64_t hole_end = i ? i->start : m->end;

		if (hole_end > at) {
			if (!interval_set__reserve(set, 1))
				return false;
			add_unseen(r, m, at, hole_end);
			at = hole_end;
			continue;
		}
		if (i->perms != (m->perms & VM_PERMS)) {
			r->difference.changed += i->end - i->start;
			i->perms = m->perms & VM_PERMS;
		}
		at = i->end;
	}
	interval_set__join(set, m->start, m->end);
	return true;
}

int ledger__reconcile(struct ledger *l, const struct ledger_mapping *maps, size_t count, uint64_t time_ns,
		      struct ledger_difference *diff)
{
	struct reconciling r = {.l = l, .time_ns = time_ns};
	uint64_t at = 0;
	bool done = true;

	for (size_t i = 0; i < count; i++) {
		if (!is_mapping(&maps[i]) || maps[i].start < at)
			return -EINVAL;
		at = maps[i].end;
	}
	at = 0;
	for (size_t i = 0; i < count && done; i++) {
		done = reconcile_hole(&r, at, maps[i].start) && reconcile_mapping(&r, &maps[i]);
		at = maps[i].end;
	}
	done = done && reconcile_hole(&r, at, UINT64_MAX & ~(LEDGER_PAGE - 1));
	if (time_ns > l->as_of_ns)
		l->as_of_ns = time_ns;
	memset(l->expected, 0, sizeof(l->expected));
	l->inconsistent = !done;
	ledger__note_trend(l, time_ns);
	if (diff)
		*diff = r.difference;
	return done ? 0 : -ENOMEM;
}

/* --- faults ----------------------------------------------------------------------------------------------
 */

static uint64_t committed_overlap(const struct ledger_interval *i, uint64_t start, uint64_t end)
{
	uint64_t from = i->start > start ? i->start : start, to = i->end < end ? i->end : end;

	return ledger_interval__is_reserved(i) || from >= to ? 0 : to - from;
}

static struct departed *departed_of(struct ledger *l, uint64_t start)
{
	uint64_t chunk = start >> CHUNK_SHIFT;
	struct departed *d = l->departed ? &l->departed[departed_slot(chunk)] : NULL;

	return d && d->chunk && d->chunk == chunk ? d : NULL;
}

static void give_to_departed(struct ledger *l, const struct departed_owner *o, uint64_t faults)
{
	struct ledger_site *s = NULL;

	l->faults[o->via] += faults;
	if (o->bucket < LEDGER_BUCKETS)
		l->churn[o->bucket].faults += faults;
	HASH_FIND(hh, l->sites, &o->site, sizeof(o->site), s);
	if (s)
		s->faults += faults;
}

static void give_to_interval(struct ledger *l, struct ledger_interval *i, uint64_t faults)
{
	struct ledger_site *s = site_of(l, i);

	i->faults += faults;
	l->faults[i->via] += faults;
	if (s)
		s->faults += faults;
}

/* A part of what is left, by bytes of what is left, so that the shares add up. */
static uint64_t take_share(uint64_t *faults, uint64_t *total, uint64_t bytes)
{
	uint64_t share = bytes == *total ? *faults : (double)*faults * bytes / *total;

	if (share > *faults)
		share = *faults;
	*faults -= share;
	*total -= bytes;
	return share;
}

void ledger__add_faults(struct ledger *l, uint64_t start, uint64_t end, uint64_t faults)
{
	struct departed *d = departed_of(l, start);
	struct ledger_interval *i;
	uint64_t total = 0;

	for (int n = 0; d && n < DEPARTED_OWNERS; n++)
		total += d->owners[n].bytes;
	for (i = interval_set__from(&l->set, start); i && i->start < end;
	     i = interval_set__from(&l->set, i->end))
		total += committed_overlap(i, start, end);
	if (!total && d)
		give_to_departed(l, &d->owners[0], faults);
	for (int n = 0; d && n < DEPARTED_OWNERS && total; n++) {
		give_to_departed(l, &d->owners[n], take_share(&faults, &total, d->owners[n].bytes));
		d->owners[n].bytes = 0;
	}
	for (i = interval_set__from(&l->set, start); i && i->start < end && total;
	     i = interval_set__from(&l->set, i->end))
		give_to_interval(l, i, take_share(&faults, &total, committed_overlap(i, start, end)));
}

/* --- what it knows ---------------------------------------------------------------------------------------
 */

bool ledger__is_inconsistent(const struct ledger *l)
{
	return l->inconsistent;
}

const struct ledger_interval *ledger__from(const struct ledger *l, uint64_t address)
{
	return interval_set__from(&l->set, address);
}

const struct ledger_interval *ledger__at(const struct ledger *l, uint64_t address)
{
	const struct ledger_interval *i = interval_set__from(&l->set, address);

	return i && i->start <= address ? i : NULL;
}

size_t ledger__count(const struct ledger *l)
{
	return l->set.count;
}

bool ledger__range(const struct ledger *l, uint64_t from, struct ledger_range *range)
{
	const struct ledger_interval *i = interval_set__from(&l->set, from);

	if (i && i->start < from)
		i = interval_set__from(&l->set, i->end);
	if (!i)
		return false;
	*range = (struct ledger_range){i->start, i->end, i->perms};
	while ((i = interval_set__from(&l->set, range->end)) && i->start == range->end &&
	       i->perms == range->perms)
		range->end = i->end;
	return true;
}

const struct ledger_account *ledger__account(const struct ledger *l, enum ledger_via via)
{
	return &l->accounts[via];
}

uint64_t ledger__faults(const struct ledger *l, enum ledger_via via)
{
	return l->faults[via];
}

const struct ledger_call *ledger__call(const struct ledger *l, enum alloc_call call)
{
	return &l->calls[call];
}

const struct ledger_failure *ledger__failures(const struct ledger *l, size_t *count)
{
	*count = l->failure_count;
	return l->failures;
}

const struct ledger_churn *ledger__churn(const struct ledger *l)
{
	return l->churn;
}

const struct ledger_threshold *ledger__threshold(const struct ledger *l)
{
	return &l->threshold;
}

const struct trend *ledger__trend(const struct ledger *l)
{
	return &l->trend;
}

const struct ledger_site *ledger__sites(const struct ledger *l)
{
	return l->sites;
}

const struct ledger_site *ledger__site(const struct ledger *l, uint32_t site)
{
	struct ledger_site *s;

	HASH_FIND(hh, l->sites, &site, sizeof(site), s);
	return s;
}

uint64_t ledger__break(const struct ledger *l)
{
	return l->brk;
}

uint64_t ledger__heap_start(const struct ledger *l)
{
	return l->heap_start;
}

const char *ledger_via__name(unsigned via)
{
	static const char *const names[VIAS] = {
		[VIA_BEFORE] = "before", [VIA_BRK] = "brk", [VIA_MMAP] = "mmap", [VIA_OTHER] = "other"};

	return via < VIAS ? names[via] : "?";
}

const char *alloc_call__name(unsigned call)
{
	static const char *const names[CALLS] = {
		[CALL_BRK] = "brk",	  [CALL_MMAP] = "mmap",		[CALL_MUNMAP] = "munmap",
		[CALL_MREMAP] = "mremap", [CALL_MPROTECT] = "mprotect", [CALL_MADVISE] = "madvise",
		[CALL_MLOCK] = "mlock",	  [CALL_MUNLOCK] = "munlock",	[CALL_MLOCKALL] = "mlockall",
		[CALL_SHMAT] = "shmat",	  [CALL_SHMDT] = "shmdt"};

	return call < CALLS ? names[call] : "?";
}
