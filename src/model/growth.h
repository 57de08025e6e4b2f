/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a series grow? Judged by its second half, so that what a start-up takes is no growth, by statistics
 * that ask nothing of the distribution:
 *
 *   rate	 the median of the slopes between all pairs of points (Theil 1950; Sen, "Estimates of the
 *regression coefficient based on Kendall's tau", JASA 63, 1968), with Sen's interval of confidence chance
 *the test of Mann and Kendall (Mann 1945; Kendall, "Rank Correlation Methods", 1975), whose variance is
 *corrected for what neighbouring points have in common (Hamed and Rao, "A modified Mann-Kendall trend test
 *for autocorrelated data", Journal of Hydrology 204, 1998)
 *
 * What is significant so far is a trend, and may still be a step, a cache that fills, or one tooth of a saw.
 * It is called growing only if it goes on through all of that half, does not slow down, and what was lowest
 *in each of its parts rises too: what falls back to where it was has come back.
 */
#ifndef MEMTRACE_GROWTH_H
#define MEMTRACE_GROWTH_H

#include <stddef.h>
#include <stdint.h>

#include "model/series.h"

enum growth_verdict { GROWTH_UNCLEAR, GROWTH_STABLE, GROWTH_GROWING, GROWTH_SHRINKING, GROWTH_VERDICTS };

/* What decided. */
enum growth_reason {
	GROWTH_FEW,	/* too few samples in the second half: unclear */
	GROWTH_NO_SIGN, /* no trend that could not be chance, or of less than GROWTH_LEAST */
	GROWTH_MAYBE,	/* a rise that may be chance: unclear */
	GROWTH_SAW,	/* it rises, and falls back as far */
	GROWTH_STEP,	/* it rose in one part only */
	GROWTH_SLOWS,	/* it rises ever slower, as a cache that fills */
	GROWTH_STEADY,	/* a trend from end to end */
	GROWTH_REASONS,
};

#define GROWTH_POINTS 10	  /* in the second half, at least */
#define GROWTH_LEAST  (32 * 1024) /* bytes in the second half: eight pages */
#define GROWTH_CHANCE 0.01	  /* a trend that is as likely as this without one is none */

struct growth {
	enum growth_verdict verdict;
	enum growth_reason reason;
	size_t points;	 /* in the second half */
	double seconds;	 /* that it covers */
	double rate;	 /* bytes a second in it */
	double rate_low; /* 95 % confidence */
	double rate_high;
	double chance; /* of so clear a trend where there is none; 1 if not known */
};

/* If all values of the half are within GROWTH_LEAST, the rate is 0. It is valid unless the reason is
 * GROWTH_FEW. */
void growth__judge(const struct series *s, struct growth *g);

/* "growing", "stable", ... as in JSON; why, in words. */
const char *growth_verdict__name(enum growth_verdict verdict);
const char *growth_reason__words(enum growth_reason reason);

#endif
