/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/touched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define WRAP_UNITS (1ULL << 31)

/*
 * Times are kept in 32 bits, as units after `base`: that lasts for 19.5 h. Then the base is moved on, and
 * what is older than it is of the base: over nine hours old, which nobody needs to tell apart.
 */
struct chunk {
	uint64_t address;
	uint64_t huge;			     /* a bit for each page */
	uint32_t times[TOUCHED_CHUNK_PAGES]; /* 0: never */
	UT_hash_handle hh;
};

struct touched {
	struct chunk *chunks; /* hash by address */
	uint64_t base;	      /* units; valid once has_base */
	bool has_base;
};

struct touched *touched__new(void)
{
	return calloc(1, sizeof(struct touched));
}

void touched__free(struct touched *t)
{
	struct chunk *c, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->chunks, c, next) {
		HASH_DEL(t->chunks, c);
		free(c);
	}
	free(t);
}

static struct chunk *find_chunk(const struct touched *t, uint64_t address)
{
	struct chunk *c;

	HASH_FIND(hh, t->chunks, &address, sizeof(address), c);
	return c;
}

static struct chunk *get_chunk(struct touched *t, uint64_t address)
{
	struct chunk *c = find_chunk(t, address);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->address = address;
	HASH_ADD(hh, t->chunks, address, sizeof(c->address), c);
	return c;
}

struct touched *touched__copy(const struct touched *t)
{
	struct touched *copy = touched__new();

	if (!copy)
		return NULL;
	copy->base = t->base;
	copy->has_base = t->has_base;
	for (const struct chunk *c = t->chunks; c; c = c->hh.next) {
		struct chunk *to = get_chunk(copy, c->address);

		if (!to) {
			touched__free(copy);
			return NULL;
		}
		to->huge = c->huge;
		memcpy(to->times, c->times, sizeof(to->times));
	}
	return copy;
}

/* --- times -----------------------------------------------------------------------------------------------
 */

static void move_base(struct touched *t, uint64_t units)
{
	uint64_t by = units - WRAP_UNITS - t->base;

	for (struct chunk *c = t->chunks; c; c = c->hh.next)
		for (int i = 0; i < TOUCHED_CHUNK_PAGES; i++)
			if (c->times[i])
				c->times[i] = c->times[i] > by ? c->times[i] - (uint32_t)by : 1;
	t->base += by;
}

/* now: the base is such that it and what is at most a wrap older can be told. */
static void set_base(struct touched *t, uint64_t now)
{
	if (!t->has_base) {
		t->base = now > WRAP_UNITS ? now - WRAP_UNITS : 0;
		t->has_base = true;
	} else if (now > t->base && now - t->base >= UINT32_MAX) {
		move_base(t, now);
	}
}

static uint32_t relative(const struct touched *t, uint64_t units)
{
	if (units <= t->base)
		return 1;
	return units - t->base < UINT32_MAX ? (uint32_t)(units - t->base) : UINT32_MAX;
}

/* The latest time at or before now that has this value. */
static uint64_t unwrapped(uint32_t value, uint64_t now)
{
	uint64_t units = (now & ~(WRAP_UNITS - 1)) | (value & ~TOUCHED_HUGE);

	/* A fault of after `now` was read is not of nine hours ago: a second is allowed for that. */
	if (units > now + (1000000000 >> TOUCHED_UNIT_SHIFT))
		units = units >= WRAP_UNITS ? units - WRAP_UNITS : 0;
	return units;
}

static void touch(struct chunk *c, unsigned page, uint32_t time, bool huge)
{
	if (time < c->times[page] || (time == c->times[page] && !huge))
		return;
	c->times[page] = time;
	c->huge = (c->huge & ~(1ULL << page)) | (uint64_t)huge << page;
}

static int touch_huge(struct touched *t, uint64_t page_address, uint32_t time)
{
	uint64_t size = TOUCHED_HUGE_PAGES * TOUCHED_PAGE, start = page_address & ~(size - 1);

	for (uint64_t i = 0; i < size / TOUCHED_CHUNK; i++) {
		struct chunk *c = get_chunk(t, start + i * TOUCHED_CHUNK);

		if (!c)
			return -ENOMEM;
		for (unsigned page = 0; page < TOUCHED_CHUNK_PAGES; page++)
			touch(c, page, time, true);
	}
	return 0;
}

int touched__feed(struct touched *t, uint64_t address, const uint32_t times[TOUCHED_CHUNK_PAGES],
		  uint64_t now_ns)
{
	uint64_t now = now_ns >> TOUCHED_UNIT_SHIFT;
	struct chunk *c;
	int err = 0;

	if (address & (TOUCHED_CHUNK - 1))
		return -EINVAL;
	set_base(t, now);
	c = get_chunk(t, address);
	if (!c)
		return -ENOMEM;
	for (unsigned i = 0; i < TOUCHED_CHUNK_PAGES; i++) {
		uint32_t time = relative(t, unwrapped(times[i], now));

		if (!times[i])
			continue;
		if (times[i] & TOUCHED_HUGE)
			err = touch_huge(t, address + i * TOUCHED_PAGE, time) ? -ENOMEM : err;
		else
			touch(c, i, time, false);
	}
	return err;
}

/* --- ranges ----------------------------------------------------------------------------------------------
 */

int touched__move(struct touched *t, uint64_t from, uint64_t to, uint64_t bytes, uint64_t since_ns,
		  uint64_t ns)
{
	uint32_t since, time;

	if ((from | to | bytes) & (TOUCHED_PAGE - 1))
		return -EINVAL;
	set_base(t, ns >> TOUCHED_UNIT_SHIFT);
	since = relative(t, since_ns >> TOUCHED_UNIT_SHIFT);
	time = relative(t, ns >> TOUCHED_UNIT_SHIFT);
	for (uint64_t at = 0; at < bytes; at += TOUCHED_PAGE) {
		uint64_t old = from + at, new = to + at;
		const struct chunk *c = find_chunk(t, old & ~(TOUCHED_CHUNK - 1));
		unsigned page = old / TOUCHED_PAGE % TOUCHED_CHUNK_PAGES;
		struct chunk *into;

		if (!c) { /* nothing up to the end of this chunk */
			at += (TOUCHED_CHUNK - TOUCHED_PAGE) - page * TOUCHED_PAGE;
			continue;
		}
		if (!c->times[page] || c->times[page] < since)
			continue;
		into = get_chunk(t, new & ~(TOUCHED_CHUNK - 1));
		if (!into)
			return -ENOMEM;
		touch(into, new / TOUCHED_PAGE % TOUCHED_CHUNK_PAGES, time, c->huge >> page & 1);
	}
	return 0;
}

static uint64_t count_chunk(const struct chunk *c, uint64_t start, uint64_t end, uint32_t since,
			    uint64_t *huge)
{
	unsigned first = start > c->address ? (start - c->address) / TOUCHED_PAGE : 0;
	unsigned last = end - c->address < TOUCHED_CHUNK
				? (end - c->address + TOUCHED_PAGE - 1) / TOUCHED_PAGE
				: TOUCHED_CHUNK_PAGES;
	uint64_t pages = 0;

	for (unsigned i = first; i < last; i++) {
		bool counts = c->times[i] && c->times[i] >= since;

		pages += counts;
		*huge += counts && (c->huge >> i & 1);
	}
	return pages;
}

uint64_t touched__pages(const struct touched *t, uint64_t start, uint64_t end, uint64_t since_ns,
			uint64_t *huge)
{
	uint32_t since = relative(t, since_ns >> TOUCHED_UNIT_SHIFT);
	uint64_t pages = 0, by_huge = 0, first = start & ~(TOUCHED_CHUNK - 1);

	if (start >= end)
		first = end;
	/* A reservation of terabytes has more chunks than were ever touched. */
	if ((end - first) / TOUCHED_CHUNK > HASH_COUNT(t->chunks)) {
		for (const struct chunk *c = t->chunks; c; c = c->hh.next)
			if (c->address >= first && c->address < end)
				pages += count_chunk(c, start, end, since, &by_huge);
	} else {
		for (uint64_t at = first; at < end; at += TOUCHED_CHUNK) {
			const struct chunk *c = find_chunk(t, at);

			if (c)
				pages += count_chunk(c, start, end, since, &by_huge);
			if (end - at <= TOUCHED_CHUNK)
				break;
		}
	}
	if (huge)
		*huge = by_huge;
	return pages;
}

size_t touched__chunks(const struct touched *t)
{
	return HASH_COUNT(t->chunks);
}
