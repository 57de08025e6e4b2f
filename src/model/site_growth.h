/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which call sites hold the memory that a process has taken since tracing began, and how that changes over
 * time: seen from those who obtained the address space (brk, mmap), and from those who touched its pages
 * first.
 *
 * A page is held while it is mapped where it was touched, and was not given back. Of who obtained it all is
 * known; of who touched it a sample of the faults, each for its weight of pages: what is known to be held is
 * divided by them.
 */
#ifndef MEMTRACE_SITE_GROWTH_H
#define MEMTRACE_SITE_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "model/growth.h"
#include "model/ledger.h"
#include "model/series.h"
#include "model/touched.h"

enum site_view { SITE_TOUCHED, SITE_OBTAINED, SITE_VIEWS };

struct grown_site {
	struct grown_site_key {
		uint32_t view; /* enum site_view */
		uint32_t via;  /* enum ledger_via; SITE_TOUCHED: 0 */
		uint32_t stack;
		uint32_t pad;
	} key;
	uint64_t held;	       /* bytes, at the last measuring */
	uint64_t samples;      /* SITE_TOUCHED: faults that stand for them */
	struct series *series; /* NULL: it never held SITE_LEAST */
	double rate;	       /* bytes a second in the second half of the run; may be negative */
	struct growth growth;
	UT_hash_handle hh;
};

#define SITE_LEAST   (32 * 1024)
#define SITES_MOST   1024  /* that are followed over time */
#define SAMPLES_MOST 65536 /* of faults; beyond, each second one is dropped, and the others count twice */

struct touch_sample {
	uint64_t address, ns;
	uint32_t stack, weight;
};

struct site_growth {
	struct grown_site *sites; /* hash by key */
	size_t followed;
	struct touch_sample *samples;
	size_t count, room;
	uint64_t began_ns, measured_ns;
	uint64_t held;	 /* bytes, in all */
	uint32_t random; /* state */
};

/* NULL: no memory. */
struct site_growth *site_growth__new(uint64_t now_ns);
void site_growth__free(struct site_growth *g);

/* A page was touched. 0 or -ENOMEM. */
int site_growth__touch(struct site_growth *g, const struct touch_sample *sample);

/* What each site holds now. 0 or -ENOMEM. */
int site_growth__measure(struct site_growth *g, const struct ledger *l, const struct touched *t,
			 uint64_t now_ns);

/*
 * How each has grown between the middle of [began_ns, now_ns] and its end; those that grew most first: of one
 * view and then of the other.
 */
void site_growth__judge(struct site_growth *g, uint64_t began_ns, uint64_t now_ns);

#endif
