/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts on synthetic series: what grows is found at its rate, and what only looks like it is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/growth.h"
#include "out/plot.h"

#define MIB  (1024 * 1024.0)
#define STEP 100000000ull /* a tenth of a second */

/* xorshift64 (Marsaglia 2003): the same series on every machine. */
static uint64_t random_state;

static double uniform(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) / 9007199254740992.0;
}

/* Box and Muller. */
static double normal(void)
{
	double r = sqrt(-2 * log(uniform() + 1e-300));

	return r * cos(2 * M_PI * uniform());
}

/* Value i of n; what a series has of its own is drawn when i is 0. */
typedef double shape(size_t i, size_t n);

static struct growth judged(shape *value, size_t n, uint64_t seed)
{
	struct series s = {};
	struct growth g;

	random_state = 0x9e3779b97f4a7c15ull * (seed + 1);
	for (int i = 0; i < 8; i++)
		uniform();
	for (size_t i = 0; i < n; i++)
		series__add(&s, 1000000000ull + i * STEP, llround(value(i, n)));
	growth__judge(&s, &g);
	return g;
}

/* Of `series` random series, how many have that verdict. */
static unsigned count(shape *value, size_t n, unsigned series, enum growth_verdict verdict)
{
	unsigned found = 0;

	for (unsigned seed = 0; seed < series; seed++)
		found += judged(value, n, seed).verdict == verdict;
	return found;
}

/* --- what grows -------------------------------------------------------------------------------------------
 */

static double leak(size_t i, size_t n)
{
	(void)n;
	return 50 * MIB + i * 0.125 * MIB; /* 1.25 MiB a second */
}

static double textbook(size_t i, size_t n)
{
	(void)n;
	return 2 * MIB + floor(i / 10.0) * 12288; /* three pages each second */
}

static double leak_in_noise(size_t i, size_t n)
{
	return 50 * MIB + MIB * normal() + i * 24 * MIB / n;
}

static double leak_under_a_saw(size_t i, size_t n)
{
	(void)n;
	return 50 * MIB + i * 0.2 * MIB + 5 * MIB * (i % 9) / 9;
}

static double leak_after_a_start(size_t i, size_t n)
{
	return (i < n / 8 ? 200 * i / (n / 8.0) : 200) * MIB + i * 0.05 * MIB;
}

static void a_leak_grows_at_its_rate(void **state)
{
	static const size_t lengths[] = {24, 60, 250, 3000};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct growth g = judged(leak, lengths[i], 0);

		assert_int_equal(g.verdict, GROWTH_GROWING);
		assert_int_equal(g.reason, GROWTH_STEADY);
		assert_true(fabs(g.rate - 1.25 * MIB) < 100);
		assert_true(g.rate_low <= g.rate && g.rate <= g.rate_high);
		assert_true(g.chance < GROWTH_CHANCE);
	}
}

static void the_textbook_grows(void **state)
{
	struct growth g = judged(textbook, 300, 0);

	(void)state;
	assert_int_equal(g.verdict, GROWTH_GROWING);
	assert_true(fabs(g.rate - 12288) < 300);
	assert_true(g.rate_low <= 12288 && 12288 <= g.rate_high);
}

static void a_slow_leak_under_noise(void **state)
{
	unsigned within = 0;

	(void)state;
	assert_true(count(leak_in_noise, 250, 200, GROWTH_GROWING) >= 180);
	for (unsigned seed = 0; seed < 200; seed++) {
		struct growth g = judged(leak_in_noise, 250, seed);
		double rate = 24 * MIB / 25;

		within += g.rate_low <= rate && rate <= g.rate_high;
	}
	assert_true(within >= 180); /* 95 % are due */
}

static void a_leak_under_a_saw_and_after_a_start(void **state)
{
	(void)state;
	assert_int_equal(judged(leak_under_a_saw, 250, 0).verdict, GROWTH_GROWING);
	assert_int_equal(judged(leak_after_a_start, 250, 0).verdict, GROWTH_GROWING);
}

/* --- what does not ----------------------------------------------------------------------------------------
 */

static double constant(size_t i, size_t n)
{
	(void)i;
	(void)n;
	return 30 * MIB;
}

static double noise(size_t i, size_t n)
{
	(void)i;
	(void)n;
	return 100 * MIB + MIB * normal();
}

static double last;

/* What neighbours have in common: 0.9 and 0.99 of what the one before was off by. */
static double red_noise(size_t i, size_t n)
{
	(void)n;
	last = i ? 0.9 * last + normal() : normal();
	return 100 * MIB + MIB * last;
}

static double redder_noise(size_t i, size_t n)
{
	(void)n;
	last = i ? 0.99 * last + normal() : normal();
	return 100 * MIB + MIB * last;
}

static double walk(size_t i, size_t n)
{
	(void)n;
	last = i ? last + normal() : 0;
	return 1000 * MIB + MIB * last;
}

static double at, length;

/* Teeth of a twentieth to a half of the run. */
static double saw(size_t i, size_t n)
{
	if (!i) {
		length = n * (0.05 + 0.4 * uniform());
		at = uniform() * length;
	}
	return 50 * MIB + 40 * MIB * fmod(i + at, length) / length + 0.2 * MIB * normal();
}

/* Full at a fifth to a half of the run. */
static double filling_cache(size_t i, size_t n)
{
	if (!i)
		length = n * (0.2 + 0.3 * uniform());
	return 50 * MIB + 100 * MIB * (i < length ? i / length : 1) + 0.1 * MIB * normal();
}

/* Each time constant a third of what was missing is there: of a tenth to a third of the run. */
static double saturating_cache(size_t i, size_t n)
{
	if (!i)
		length = n * (0.1 + 0.2 * uniform());
	return 50 * MIB + 100 * MIB * (1 - exp(-(double)i / length)) + 0.1 * MIB * normal();
}

static double one_step(size_t i, size_t n)
{
	if (!i)
		at = n * uniform();
	return 50 * MIB + (i < at ? 0 : 20 * MIB) + 0.1 * MIB * normal();
}

static double start_up(size_t i, size_t n)
{
	return 10 * MIB + (i < n / 3 ? i : n / 3) * MIB;
}

/* In how many of 300 series each is called growing, at most; at three lengths. */
static void what_looks_like_growth_is_not_called_so(void **state)
{
	static const struct {
		shape *value;
		unsigned most;
	} shapes[] = {
		{constant, 0}, {noise, 1},	   {red_noise, 3},	  {redder_noise, 9}, {walk, 12},
		{saw, 1},      {filling_cache, 1}, {saturating_cache, 3}, {one_step, 2},
	};
	static const size_t lengths[] = {24, 100, 250};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (size_t j = 0; j < 3; j++)
			assert_in_range(count(shapes[i].value, lengths[j], 300, GROWTH_GROWING), 0,
					shapes[i].most);
}

static void what_does_not_change_is_stable(void **state)
{
	(void)state;
	assert_int_equal(judged(constant, 100, 0).verdict, GROWTH_STABLE);
	assert_true(count(noise, 250, 200, GROWTH_STABLE) >= 185);
	assert_true(count(saw, 250, 200, GROWTH_STABLE) >= 150);
	assert_int_equal(judged(start_up, 250, 0).verdict, GROWTH_STABLE);
}

static double falling(size_t i, size_t n)
{
	return 100 * MIB - i * 30 * MIB / n;
}

static void what_falls_shrinks(void **state)
{
	struct growth g = judged(falling, 250, 0);

	(void)state;
	assert_int_equal(g.verdict, GROWTH_SHRINKING);
	assert_true(g.rate < 0);
}

static double ramp_to_the_end(size_t i, size_t n)
{
	return 50 * MIB + 100 * MIB * sqrt((double)i / n) / 10;
}

static void few_samples_and_slowing_growth_are_unclear(void **state)
{
	struct growth g = judged(leak, 2 * GROWTH_POINTS - 4, 0);
	struct series s = {};

	(void)state;
	assert_int_equal(g.verdict, GROWTH_UNCLEAR);
	assert_int_equal(g.reason, GROWTH_FEW);
	growth__judge(&s, &g);
	assert_int_equal(g.reason, GROWTH_FEW);
	series__add(&s, 1, 1);
	growth__judge(&s, &g);
	assert_int_equal(g.reason, GROWTH_FEW);
	g = judged(saturating_cache, 250, 3);
	assert_int_not_equal(g.verdict, GROWTH_GROWING);
	assert_int_equal(judged(ramp_to_the_end, 250, 0).verdict,
			 GROWTH_GROWING); /* it has not slowed by a third */
}

/* Samples that all have one time, or one value: nothing divides by zero. */
static void degenerate_series(void **state)
{
	struct series s = {};
	struct growth g;

	(void)state;
	for (int i = 0; i < 50; i++)
		series__add(&s, 1000, i * 1000000);
	growth__judge(&s, &g);
	assert_int_equal(g.verdict, GROWTH_UNCLEAR);
	memset(&s, 0, sizeof(s));
	for (int i = 0; i < 50; i++)
		series__add(&s, 1000 + i, i % 2 ? INT64_MAX / 2 : 0);
	growth__judge(&s, &g);
	assert_false(isnan(g.rate) || isnan(g.chance));
}

/* --- series -----------------------------------------------------------------------------------------------
 */

static void a_series_stays_bounded_and_even(void **state)
{
	struct series s = {};
	uint64_t gap;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++)
		series__add(&s, i * STEP, i % 1000 == 500 ? -1 : (int64_t)i);
	assert_int_equal(s.samples, 100000);
	assert_in_range(s.count, SERIES_POINTS / 2, SERIES_POINTS);
	assert_int_equal(s.points[s.count - 1].ns, 99999 * STEP);
	assert_int_equal(s.points[s.count - 1].value, 99999);
	gap = series__span_ns(&s) / (s.count - 1);
	for (size_t i = 1; i + 1 < s.count; i++)
		assert_in_range(s.points[i].ns - s.points[i - 1].ns, gap / 2, gap * 2);
	/* A point stands for hundreds of samples, and their least is not passed over. */
	for (size_t i = 3; i < s.count - 1; i += 3)
		assert_true(s.points[i - 2].least == -1 || s.points[i - 1].least == -1 ||
			    s.points[i].least == -1);
}

static void a_plot_shows_peaks(void **state)
{
	char plot[PLOT_SIZE(8)];
	int64_t values[] = {0, 1, 4, 8}, many[80] = {[41] = 8};

	(void)state;
	plot__line(values, 4, 8, 0, 8, plot);
	assert_string_equal(plot, " ▁▄█");
	plot__line(many, 80, 8, 0, 8, plot);
	assert_string_equal(plot, "    █   ");
	plot__line(values, 4, 8, 5, 5, plot);
	assert_string_equal(plot, "    ");
	plot__line(values, 0, 8, 0, 8, plot);
	assert_string_equal(plot, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leak_grows_at_its_rate),
		cmocka_unit_test(the_textbook_grows),
		cmocka_unit_test(a_slow_leak_under_noise),
		cmocka_unit_test(a_leak_under_a_saw_and_after_a_start),
		cmocka_unit_test(what_looks_like_growth_is_not_called_so),
		cmocka_unit_test(what_does_not_change_is_stable),
		cmocka_unit_test(what_falls_shrinks),
		cmocka_unit_test(few_samples_and_slowing_growth_are_unclear),
		cmocka_unit_test(degenerate_series),
		cmocka_unit_test(a_series_stays_bounded_and_even),
		cmocka_unit_test(a_plot_shows_peaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
