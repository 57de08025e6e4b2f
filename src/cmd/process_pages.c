/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of an address space is resident: process_ledgers.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/process_ledgers.h"
#include "proc/file.h"
#include "proc/maps.h"
#include "trace/session.h"

#define HUGE_PAGE (TOUCHED_HUGE_PAGES * TOUCHED_PAGE)

_Static_assert(TOUCHED_PAGES == TOUCHED_CHUNK_PAGES && 1ull << TOUCHED_SHIFT == TOUCHED_CHUNK, "one unit");
_Static_assert(TOUCHED_TIME_SHIFT == TOUCHED_UNIT_SHIFT, "one unit");

/* Faults of a chunk that have been told to the ledger. */
struct chunk_faults {
	uint64_t chunk; /* address >> TOUCHED_SHIFT */
	uint32_t faults;
	UT_hash_handle hh;
};

void process_ledger__free_pages(struct process_ledger *s)
{
	struct chunk_faults *c, *next;

	HASH_ITER(hh, s->chunks, c, next) {
		HASH_DEL(s->chunks, c);
		free(c);
	}
	touched__free(s->touched);
	free(s->kernel);
}

static struct chunk_faults *find_chunk(const struct process_ledger *s, uint64_t chunk)
{
	struct chunk_faults *c;

	HASH_FIND(hh, s->chunks, &chunk, sizeof(chunk), c);
	return c;
}

bool process_ledger__set_pages(struct process_ledger *s, const struct touched_key *key,
			       const struct touched_value *value)
{
	uint64_t start = key->chunk << TOUCHED_SHIFT;
	struct chunk_faults *c = find_chunk(s, key->chunk);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return s->ended;
		c->chunk = key->chunk;
		HASH_ADD(hh, s->chunks, chunk, sizeof(c->chunk), c);
	}
	if (s->touched && value->faults != c->faults) {
		touched__feed(s->touched, start, value->time, session__now());
		ledger__add_faults(s->ledger, start, start + TOUCHED_CHUNK, value->faults - c->faults);
		c->faults = value->faults;
	}
	return s->ended;
}

/* --- huge pages ------------------------------------------------------------------------------------------
 */

#define PAGEMAP_PRESENT (1ull << 63) /* Documentation/admin-guide/mm/pagemap.rst */

static bool is_present(int pagemap, uint64_t address)
{
	uint64_t entry = 0;

	return pread(pagemap, &entry, sizeof(entry), address / TOUCHED_PAGE * sizeof(entry)) ==
		       sizeof(entry) &&
	       (entry & PAGEMAP_PRESENT);
}

/* Is it the first one in its huge page of which anything is known? So that each is looked at once. */
static bool is_first_in_huge_page(const struct process_ledger *s, uint64_t chunk)
{
	for (uint64_t at = chunk & ~(HUGE_PAGE / TOUCHED_CHUNK - 1); at < chunk; at++)
		if (find_chunk(s, at))
			return false;
	return true;
}

/* Is part of it touched, and what is not? *probe: the first page that is not. */
static bool may_be_huge(const struct touched *t, uint64_t start, uint64_t since_ns, uint64_t *probe)
{
	uint64_t huge, pages = touched__pages(t, start, start + HUGE_PAGE, since_ns, &huge);

	if (!pages || pages >= TOUCHED_HUGE_PAGES)
		return false;
	for (*probe = start; *probe < start + HUGE_PAGE; *probe += TOUCHED_PAGE)
		if (!touched__pages(t, *probe, *probe + TOUCHED_PAGE, since_ns, NULL))
			return true;
	return false;
}

/* One fault brings a huge page: of the pages beside the one touched, is one there that nobody has touched? */
void process_ledger__find_huge(struct process_ledger *s)
{
	char path[64];
	int pagemap = -1;

	snprintf(path, sizeof(path), "/proc/%u/pagemap", s->key.tgid);
	for (struct chunk_faults *c = s->chunks; c && s->touched; c = c->hh.next) {
		uint64_t start = c->chunk << TOUCHED_SHIFT & ~(HUGE_PAGE - 1), probe, since;
		const struct ledger_interval *i = ledger__at(s->ledger, start);
		uint32_t times[TOUCHED_CHUNK_PAGES] = {};

		if (!i || i->end < start + HUGE_PAGE || i->kind != LEDGER_ANON ||
		    ledger_interval__is_reserved(i) || !is_first_in_huge_page(s, c->chunk))
			continue;
		since = i->since_ns > i->discarded_ns ? i->since_ns : i->discarded_ns;
		if (!may_be_huge(s->touched, start, since, &probe))
			continue;
		if (pagemap < 0 && (pagemap = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			return;
		times[0] = touched__value(since) | TOUCHED_HUGE;
		if (is_present(pagemap, probe))
			touched__feed(s->touched, start, times, session__now());
	}
	if (pagemap >= 0)
		close(pagemap);
}

/* --- /proc/PID/smaps -------------------------------------------------------------------------------------
 */

void process_ledger__read_smaps(struct process_ledger *s)
{
	struct maps_entry *entry = malloc(sizeof(*entry));
	struct kernel_extent *grown;
	char path[64], *text;
	const char *at, *line;
	size_t room = 0;

	snprintf(path, sizeof(path), "/proc/%u/smaps", s->key.tgid);
	text = file__read(path, NULL);
	free(s->kernel);
	s->kernel = NULL;
	s->kernel_count = 0;
	for (at = line = text; entry && at && *at; line = at) {
		unsigned long long kib;

		if (maps__next(&at, entry) > 0) {
			if (s->kernel_count == room) {
				room = room ? room * 2 : 64;
				grown = reallocarray(s->kernel, room, sizeof(*grown));
				if (!grown)
					break;
				s->kernel = grown;
			}
			s->kernel[s->kernel_count++] =
				(struct kernel_extent){.start = entry->start, .end = entry->end};
		} else if (s->kernel_count && sscanf(line, "Rss: %llu kB", &kib) == 1) {
			s->kernel[s->kernel_count - 1].rss = kib * 1024;
		}
	}
	free(text);
	free(entry);
}

static uint64_t touched_bytes(const struct process_ledger *s, const struct ledger_interval *i)
{
	uint64_t huge;

	return ledger_interval__resident(i, s->touched, &huge);
}

/*
 * By the kernel, of each VMA. Where one VMA is several intervals, what is resident of it is theirs in
 * proportion to what was touched of each, or to their sizes if nothing is known to be.
 */
static uint64_t kernel_bytes(const struct process_ledger *s, const struct ledger_interval *i)
{
	uint64_t bytes = 0, own = touched_bytes(s, i);

	for (size_t n = 0; n < s->kernel_count; n++) {
		const struct kernel_extent *e = &s->kernel[n];
		uint64_t from = e->start > i->start ? e->start : i->start,
			 to = e->end < i->end ? e->end : i->end, touched = 0;

		if (from >= to)
			continue;
		for (const struct ledger_interval *j = ledger__from(s->ledger, e->start);
		     j && j->start < e->end; j = ledger__from(s->ledger, j->end))
			touched += touched_bytes(s, j);
		if (from == e->start && to == e->end)
			bytes += e->rss;
		else if (touched)
			bytes += (double)e->rss * own / touched;
		else
			bytes += (double)e->rss * (to - from) / (e->end - e->start);
	}
	return bytes;
}

/* --- the report ------------------------------------------------------------------------------------------
 */

bool process_ledger__resident(const struct process_ledger *s, const struct ledger_interval *i,
			      uint64_t *bytes)
{
	*bytes = s->kernel ? kernel_bytes(s, i) : touched_bytes(s, i);
	return s->kernel || i->via != VIA_BEFORE || ledger_interval__is_reserved(i);
}

static struct site_total *find_site(struct ledger_report *r, const struct ledger_interval *i)
{
	for (size_t n = 0; n < r->site_count && !(i->flags & LEDGER_FOUND); n++)
		if (r->sites[n].site == i->site)
			return &r->sites[n];
	return NULL;
}

/* In the place of what the faults tell, what the kernel does. */
static void correct_by_smaps(struct ledger_report *r, const struct process_ledger *s)
{
	const struct ledger_interval *i = ledger__from(s->ledger, 0);
	struct site_total *site;
	uint64_t bytes;

	for (enum ledger_via via = 0; via < VIAS; via++) {
		r->vias[via].now.resident = 0;
		r->vias[via].resident_known = true;
	}
	for (size_t n = 0; n < r->site_count; n++)
		r->sites[n].now.resident = 0;
	for (; i; i = ledger__from(s->ledger, i->end)) {
		bytes = kernel_bytes(s, i);
		r->vias[i->via].now.resident += bytes;
		site = find_site(r, i);
		if (site)
			site->now.resident += bytes;
	}
}

int process_ledger__report(const struct process_ledger *s, struct ledger_report *r)
{
	int err = ledger_report__make(r, s->ledger, s->touched, s->ended ? s->ended_ns : session__now());

	if (!err && s->kernel)
		correct_by_smaps(r, s);
	return err;
}
