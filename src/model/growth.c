/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/growth.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 8   /* of the second half, at most; each has two points at least */
#define SLOWER 0.7 /* what it rises at the end, less than so much of what it rose at first */
#define MAY_BE_CHANCE \
	0.2 /* a rise that is less likely without a trend is not called stable, if its floors rise, too */
#define NOISE_SPAN                                                                               \
	6 /* standard deviations from the floors of a few hundred points of noise to their peaks \
	   */
#define CONFIDENCE 1.96 /* standard deviations: 95 % */

/* The second half: x in seconds, y in bytes. */
struct half {
	size_t n;
	double x[SERIES_POINTS], y[SERIES_POINTS], least[SERIES_POINTS];
	double noise; /* of y about the line, as a standard deviation */
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void take_half(const struct series *s, struct half *h)
{
	uint64_t start = s->points[0].ns, middle = start + series__span_ns(s) / 2;

	h->n = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct series_point *p = &s->points[i];

		if (p->ns < middle)
			continue;
		h->x[h->n] = (p->ns - start) / 1e9;
		h->y[h->n] = p->value;
		h->least[h->n] = p->least;
		h->n++;
	}
}

/* --- Mann and Kendall -------------------------------------------------------------------------------------
 */

static int sign(double d)
{
	return (d > 0) - (d < 0);
}

static double kendall_sum(const double *y, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			sum += sign(y[j] - y[i]);
	return sum;
}

/* Of the sum, if there is no trend, with equal values taken into account. */
static double kendall_variance(const double *y, size_t n)
{
	double sorted[SERIES_POINTS], variance = (double)n * (n - 1) * (2 * n + 5);

	memcpy(sorted, y, n * sizeof(*y));
	qsort(sorted, n, sizeof(*sorted), by_value);
	for (size_t i = 0, j; i < n; i = j) {
		double ties;

		for (j = i; j < n && sorted[j] == sorted[i]; j++)
			;
		ties = j - i;
		variance -= ties * (ties - 1) * (2 * ties + 5);
	}
	return variance / 18;
}

/* Ranks; equal values have the mean of theirs. */
static void rank(const double *values, size_t n, double *ranks)
{
	for (size_t i = 0; i < n; i++) {
		size_t below = 0, equal = 0;

		for (size_t j = 0; j < n; j++) {
			below += values[j] < values[i];
			equal += values[j] == values[i];
		}
		ranks[i] = below + (equal + 1) / 2.0;
	}
}

/*
 * By how much the variance is larger because neighbours resemble each other (Hamed and Rao, equation 12):
 * from the autocorrelation of the ranks of what is left without the trend, where it is significant.
 */
static double hamed_rao(const struct half *h, double rate)
{
	double rest[SERIES_POINTS], ranks[SERIES_POINTS], mean = (h->n + 1) / 2.0, square = 0, sum = 0;
	double n = h->n;

	for (size_t i = 0; i < h->n; i++)
		rest[i] = h->y[i] - rate * h->x[i];
	rank(rest, h->n, ranks);
	for (size_t i = 0; i < h->n; i++)
		square += (ranks[i] - mean) * (ranks[i] - mean);
	for (size_t lag = 1; lag + 2 < h->n && square > 0; lag++) {
		double product = 0;

		for (size_t i = 0; i + lag < h->n; i++)
			product += (ranks[i] - mean) * (ranks[i + lag] - mean);
		product /= square;
		if (fabs(product) > CONFIDENCE / sqrt(n))
			sum += (n - lag) * (n - lag - 1) * (n - lag - 2) * product;
	}
	sum = 1 + 2 / (n * (n - 1) * (n - 2)) * sum;
	return sum > 1 ? sum : 1;
}

/* --- the slope --------------------------------------------------------------------------------------------
 */

/* All slopes, in order; the caller frees them. NULL: no memory. */
static double *all_slopes(const struct half *h, size_t *count)
{
	double *slopes = malloc(h->n * (h->n - 1) / 2 * sizeof(*slopes));

	*count = 0;
	for (size_t i = 0; slopes && i < h->n; i++)
		for (size_t j = i + 1; j < h->n; j++)
			if (h->x[j] > h->x[i])
				slopes[(*count)++] = (h->y[j] - h->y[i]) / (h->x[j] - h->x[i]);
	if (slopes)
		qsort(slopes, *count, sizeof(*slopes), by_value);
	return slopes;
}

static double at_rank(const double *sorted, size_t n, double r)
{
	return r <= 0 ? sorted[0] : r >= n - 1 ? sorted[n - 1] : sorted[(size_t)r];
}

/* False: no memory, or all at one time. */
static bool find_rate(const struct half *h, struct growth *g)
{
	size_t n;
	double *slopes = all_slopes(h, &n), variance, z, wide;
	double sum = kendall_sum(h->y, h->n);

	if (!slopes || !n) {
		free(slopes);
		return false;
	}
	g->rate = n % 2 ? slopes[n / 2] : (slopes[n / 2 - 1] + slopes[n / 2]) / 2;
	variance = kendall_variance(h->y, h->n) * hamed_rao(h, g->rate);
	wide = CONFIDENCE * sqrt(variance);
	g->rate_low = at_rank(slopes, n, (n - wide) / 2);
	g->rate_high = at_rank(slopes, n, (n + wide) / 2);
	free(slopes);
	/* The sum moves in steps of two: half of one is for continuity. */
	z = variance > 0 && sum != 0 ? (fabs(sum) - 1) / sqrt(variance) : 0;
	g->chance = erfc(z / M_SQRT2);
	return true;
}

/* 1.4826 median absolute deviations are a standard deviation, if it is normal. */
static double noise_about(const struct half *h, double rate)
{
	double rest[SERIES_POINTS], middle;

	for (size_t i = 0; i < h->n; i++)
		rest[i] = h->y[i] - rate * h->x[i];
	middle = median(rest, h->n);
	for (size_t i = 0; i < h->n; i++)
		rest[i] = fabs(h->y[i] - rate * h->x[i] - middle);
	return 1.4826 * median(rest, h->n);
}

/* --- blocks -----------------------------------------------------------------------------------------------
 */

struct blocks {
	size_t n;
	double floors[BLOCKS], middles[BLOCKS]; /* least and median of each */
	double steps[BLOCKS - 1];		/* from median to median */
	double noise; /* a step's standard deviation for the noise of the points alone */
};

static void fill_blocks(const struct half *h, struct blocks *b)
{
	double copy[SERIES_POINTS];

	b->n = h->n / 2 < BLOCKS ? h->n / 2 : BLOCKS;
	for (size_t i = 0; i < b->n; i++) {
		size_t from = h->n * i / b->n, to = h->n * (i + 1) / b->n;

		b->floors[i] = h->least[from];
		for (size_t j = from; j < to; j++)
			b->floors[i] = h->least[j] < b->floors[i] ? h->least[j] : b->floors[i];
		memcpy(copy, h->y + from, (to - from) * sizeof(*copy));
		b->middles[i] = median(copy, to - from);
	}
	for (size_t i = 0; i + 1 < b->n; i++)
		b->steps[i] = b->middles[i + 1] - b->middles[i];
	/* The median of n values has 1.25 / sqrt(n) of their standard deviation; a step has two of them. */
	b->noise = h->noise * 1.25 * M_SQRT2 / sqrt((double)h->n / b->n);
}

/*
 * Is there a step from each block to the next, more or less? Student's t of the mean step, one-sided at 1 %:
 * it is small if all is done by one or two of them; and for a random walk, of which each point is as good a
 * start as any other, it exceeds this in one case of a hundred.
 */
static bool is_even(const double *values, size_t n)
{
	static const double least[] = {
		[3] = 4.54, [4] = 3.75, [5] = 3.36, [6] = 3.14}; /* by degrees of freedom */
	double mean = (values[n - 1] - values[0]) / (n - 1), squares = 0;

	for (size_t i = 0; i + 1 < n; i++)
		squares += (values[i + 1] - values[i] - mean) * (values[i + 1] - values[i] - mean);
	return fabs(mean) * sqrt(n - 1) > least[n - 2] * sqrt(squares / (n - 2));
}

/* Less at the end than at first, by more than noise does. */
static bool slows(const struct blocks *b)
{
	size_t part = (b->n - 1) / 2;
	double first = 0, last = 0;

	for (size_t i = 0; i < part; i++) {
		first += b->steps[i] / part;
		last += b->steps[b->n - 2 - i] / part;
	}
	return last < SLOWER * first && first - last > 2 * M_SQRT2 * b->noise / part;
}

/* As clear a trend of the floors as has a chance of 1 %; of 10 % (Kendall's table, one-sided). */
static bool floors_rise(const struct blocks *b)
{
	static const double least[] = {[5] = 10, [6] = 13, [7] = 15, [8] = 18};

	return kendall_sum(b->floors, b->n) >= least[b->n];
}

static bool floors_may_rise(const struct blocks *b)
{
	static const double least[] = {[5] = 6, [6] = 7, [7] = 9, [8] = 10};

	return kendall_sum(b->floors, b->n) >= least[b->n];
}

/* Has it risen in the last two steps, by more than noise does? */
static bool goes_on(const struct blocks *b)
{
	double middle = b->middles[b->n - 1] - b->middles[b->n - 3],
	       floor = b->floors[b->n - 1] - b->floors[b->n - 3], last = middle > floor ? middle : floor;

	return last > GROWTH_LEAST / 4.0 && last > 2 * b->noise;
}

/* --- the verdict ------------------------------------------------------------------------------------------
 */

/*
 * Is the rise of the second half no more than a tooth of a saw? It fell by half as much before, after the
 * first quarter (until then it may have been the end of a start-up), and has not come out above where it fell
 * from by as much as it fell.
 */
static bool may_be_a_tooth(const struct series *s, double rise, double noise)
{
	uint64_t start = s->points[0].ns, span = series__span_ns(s);
	int64_t peak = s->points[0].value, last = s->points[s->count - 1].value;
	double fall = 0, from = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct series_point *p = &s->points[i];

		/* In the second half the floors tell, but for a fall in its first block. */
		if (p->ns - start > span / 2 + span / 16)
			break;
		if (p->ns - start >= span / 4 && (double)peak - p->least - NOISE_SPAN * noise > fall) {
			fall = (double)peak - p->least - NOISE_SPAN * noise;
			from = peak;
		}
		peak = p->value > peak ? p->value : peak;
	}
	return fall > rise / 2 && last < from + fall;
}

/* Within the second half. */
static bool falls_back(const struct half *h, double rise)
{
	double peak = h->y[0], fall = 0;

	for (size_t i = 1; i < h->n; i++) {
		fall = peak - h->least[i] > fall ? peak - h->least[i] : fall;
		peak = h->y[i] > peak ? h->y[i] : peak;
	}
	return fall - NOISE_SPAN * h->noise > rise / 2;
}

static enum growth_reason shape_of(const struct series *s, const struct half *h, const struct blocks *b,
				   const struct growth *g)
{
	double rise = g->rate * g->seconds;

	if (g->rate < 0)
		return is_even(b->middles, b->n) ? GROWTH_STEADY : GROWTH_STEP;
	if (may_be_a_tooth(s, rise, h->noise))
		return GROWTH_SAW;
	if (!floors_rise(b))
		return falls_back(h, rise) ? GROWTH_SAW : GROWTH_STEP;
	if (slows(b))
		return GROWTH_SLOWS;
	if (is_even(b->middles, b->n) || (b->n == BLOCKS && is_even(b->floors, b->n)))
		return GROWTH_STEADY;
	return GROWTH_STEP;
}

static void decide(const struct series *s, const struct half *h, struct growth *g)
{
	struct blocks b;

	g->verdict = GROWTH_STABLE;
	g->reason = GROWTH_NO_SIGN;
	if (g->chance > MAY_BE_CHANCE || fabs(g->rate) * g->seconds < GROWTH_LEAST)
		return;
	fill_blocks(h, &b);
	if (g->chance > GROWTH_CHANCE) {
		if (g->rate > 0 && floors_may_rise(&b)) {
			g->verdict = GROWTH_UNCLEAR;
			g->reason = GROWTH_MAYBE;
		}
		return;
	}
	g->reason = shape_of(s, h, &b, g);
	if (g->reason == GROWTH_STEADY)
		g->verdict = g->rate > 0 ? GROWTH_GROWING : GROWTH_SHRINKING;
	else if (g->rate > 0 && (floors_may_rise(&b) && goes_on(&b)))
		g->verdict = GROWTH_UNCLEAR;
}

/* Between the highest and the lowest. */
static double range_of(const struct half *h)
{
	double most = h->y[0], least = h->least[0];

	for (size_t i = 0; i < h->n; i++) {
		most = h->y[i] > most ? h->y[i] : most;
		least = h->least[i] < least ? h->least[i] : least;
	}
	return most - least;
}

void growth__judge(const struct series *s, struct growth *g)
{
	struct half h;

	*g = (struct growth){.reason = GROWTH_FEW, .chance = 1};
	if (s->count < 2)
		return;
	take_half(s, &h);
	g->points = h.n;
	if (h.n)
		g->seconds = h.x[h.n - 1] - h.x[0];
	if (h.n < GROWTH_POINTS)
		return;
	if (range_of(&h) < GROWTH_LEAST) {
		/* Of hundreds of processes most are so: no need to compare all pairs. */
		g->verdict = GROWTH_STABLE;
		g->reason = GROWTH_NO_SIGN;
		return;
	}
	if (!find_rate(&h, g))
		return;
	h.noise = noise_about(&h, g->rate);
	decide(s, &h, g);
}

const char *growth_verdict__name(enum growth_verdict verdict)
{
	static const char *const names[GROWTH_VERDICTS] = {
		[GROWTH_UNCLEAR] = "unclear",
		[GROWTH_STABLE] = "stable",
		[GROWTH_GROWING] = "growing",
		[GROWTH_SHRINKING] = "shrinking",
	};

	return verdict < GROWTH_VERDICTS ? names[verdict] : "?";
}

const char *growth_reason__words(enum growth_reason reason)
{
	static const char *const words[GROWTH_REASONS] = {
		[GROWTH_FEW] = "too few samples yet",
		[GROWTH_NO_SIGN] = "no trend",
		[GROWTH_MAYBE] = "by what may be chance",
		[GROWTH_SAW] = "rises and falls back",
		[GROWTH_STEP] = "in steps",
		[GROWTH_SLOWS] = "ever slower",
		[GROWTH_STEADY] = "steadily",
	};

	return reason < GROWTH_REASONS ? words[reason] : "?";
}
