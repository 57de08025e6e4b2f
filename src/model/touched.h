/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of an address space were touched, and when last: an estimate of what is resident, from page
 * faults. Fed with what the kernel side keeps for each chunk of 256 KiB: 64 times of the last fault, in units
 * of 2^14 ns (16 us) of CLOCK_MONOTONIC, 31 bits wide (they wrap after 9.8 h), and a bit for a huge page.
 */
#ifndef MEMTRACE_TOUCHED_H
#define MEMTRACE_TOUCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOUCHED_PAGE	    4096ULL
#define TOUCHED_CHUNK_PAGES 64
#define TOUCHED_CHUNK	    (TOUCHED_CHUNK_PAGES * TOUCHED_PAGE)
#define TOUCHED_UNIT_SHIFT  14
#define TOUCHED_HUGE	    0x80000000U /* the fault was of a huge page: 512 pages, of which this is one */
#define TOUCHED_HUGE_PAGES  512

/* The value that stands for a fault at ns; never 0, which is "not touched". For the kernel side and tests. */
static inline uint32_t touched__value(uint64_t ns)
{
	uint32_t value = ns >> TOUCHED_UNIT_SHIFT & ~TOUCHED_HUGE;

	return value ? value : 1;
}

struct touched;

/* NULL: no memory. copy: for a child, at fork. */
struct touched *touched__new(void);
struct touched *touched__copy(const struct touched *t);
void touched__free(struct touched *t);

/*
 * The times of the chunk at `address` (aligned), as they are at now_ns: what would lie after it is of before
 * the wrap. Telling the same again changes nothing. 0, -EINVAL, -ENOMEM.
 */
int touched__feed(struct touched *t, uint64_t address, const uint32_t times[TOUCHED_CHUNK_PAGES],
		  uint64_t now_ns);

/*
 * mremap moved [from, from + bytes) at ns: pages touched since since_ns are touched at `to` as of ns. To be
 * called after the chunks of that range were fed once more.
 */
int touched__move(struct touched *t, uint64_t from, uint64_t to, uint64_t bytes, uint64_t since_ns,
		  uint64_t ns);

/* Pages of [start, end) touched at or after since_ns, to the unit; huge: how many of them by a huge page. */
uint64_t touched__pages(const struct touched *t, uint64_t start, uint64_t end, uint64_t since_ns,
			uint64_t *huge);

/* Chunks kept; each takes about 330 bytes. */
size_t touched__chunks(const struct touched *t);

#endif
