/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages touched, and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/ledger.h"
#include "model/ledger_report.h"
#include "model/touched.h"

#define UNIT (1ULL << TOUCHED_UNIT_SHIFT)
#define WRAP (UNIT << 31)
#define AT   0x7f0000000000ULL

static void feed_page(struct touched *t, uint64_t address, uint64_t ns, uint64_t now, uint32_t flag)
{
	uint32_t times[TOUCHED_CHUNK_PAGES] = {};

	times[address / TOUCHED_PAGE % TOUCHED_CHUNK_PAGES] = touched__value(ns) | flag;
	assert_int_equal(touched__feed(t, address & ~(TOUCHED_CHUNK - 1), times, now), 0);
}

static void pages_count_from_their_time_on(void **state)
{
	struct touched *t = touched__new();

	(void)state;
	feed_page(t, AT, 10 * UNIT, 100 * UNIT, 0);
	feed_page(t, AT + TOUCHED_PAGE, 20 * UNIT, 100 * UNIT, 0);
	feed_page(t, AT + TOUCHED_CHUNK, 30 * UNIT, 100 * UNIT, 0);
	assert_int_equal(touched__pages(t, AT, AT + 2 * TOUCHED_CHUNK, 0, NULL), 3);
	assert_int_equal(touched__pages(t, AT, AT + 2 * TOUCHED_CHUNK, 20 * UNIT, NULL), 2);
	assert_int_equal(touched__pages(t, AT, AT + 2 * TOUCHED_CHUNK, 21 * UNIT, NULL), 1);
	assert_int_equal(touched__pages(t, AT + TOUCHED_PAGE, AT + TOUCHED_CHUNK, 0, NULL), 1);
	assert_int_equal(touched__pages(t, 0, UINT64_MAX & ~0xfffULL, 0, NULL), 3);
	assert_int_equal(touched__pages(t, AT, AT, 0, NULL), 0);
	/* The same again, and an older one, change nothing. */
	feed_page(t, AT + TOUCHED_PAGE, 5 * UNIT, 100 * UNIT, 0);
	assert_int_equal(touched__pages(t, AT, AT + 2 * TOUCHED_CHUNK, 20 * UNIT, NULL), 2);
	assert_int_equal(touched__feed(t, AT + 1, (uint32_t[TOUCHED_CHUNK_PAGES]){}, 0), -EINVAL);
	touched__free(t);
}

static void times_wrap(void **state)
{
	struct touched *t = touched__new();
	uint64_t now = 5 * WRAP + 100 * UNIT;

	(void)state;
	feed_page(t, AT, now - 50 * UNIT, now, 0);
	feed_page(t, AT + TOUCHED_PAGE, now - 200 * UNIT, now, 0); /* its value is larger than now's */
	assert_int_equal(touched__pages(t, AT, AT + TOUCHED_CHUNK, now - 100 * UNIT, NULL), 1);
	assert_int_equal(touched__pages(t, AT, AT + TOUCHED_CHUNK, now - 200 * UNIT, NULL), 2);
	assert_int_equal(touched__pages(t, AT, AT + TOUCHED_CHUNK, now - 199 * UNIT, NULL), 1);
	/* Days later both are old, and still touched. */
	now += 7 * WRAP;
	feed_page(t, AT + 2 * TOUCHED_PAGE, now, now, 0);
	assert_int_equal(touched__pages(t, AT, AT + TOUCHED_CHUNK, now - WRAP / 2, NULL), 1);
	assert_int_equal(touched__pages(t, AT, AT + TOUCHED_CHUNK, 0, NULL), 3);
	touched__free(t);
}

static void a_huge_page_is_512(void **state)
{
	struct touched *t = touched__new();
	uint64_t huge;

	(void)state;
	feed_page(t, AT + 300 * TOUCHED_PAGE, 10 * UNIT, 20 * UNIT, TOUCHED_HUGE);
	assert_int_equal(touched__pages(t, AT, AT + (4 << 20), 10 * UNIT, &huge), 512);
	assert_int_equal(huge, 512);
	assert_int_equal(touched__pages(t, AT + TOUCHED_PAGE, AT + 4 * TOUCHED_PAGE, 0, &huge), 3);
	feed_page(t, AT, 15 * UNIT, 20 * UNIT, 0); /* split, and one page anew */
	assert_int_equal(touched__pages(t, AT, AT + (4 << 20), 10 * UNIT, &huge), 512);
	assert_int_equal(huge, 511);
	touched__free(t);
}

static void pages_move_with_mremap(void **state)
{
	struct touched *t = touched__new(), *copy;
	uint64_t to = AT + (1ULL << 30) + 3 * TOUCHED_PAGE;

	(void)state;
	feed_page(t, AT, 10 * UNIT, 100 * UNIT, 0);
	feed_page(t, AT + 100 * TOUCHED_PAGE, 20 * UNIT, 100 * UNIT, 0);
	assert_int_equal(touched__move(t, AT, to, 512 * TOUCHED_PAGE, 15 * UNIT, 50 * UNIT), 0);
	assert_int_equal(touched__pages(t, to, to + 512 * TOUCHED_PAGE, 50 * UNIT, NULL), 1);
	assert_int_equal(touched__pages(t, to + 100 * TOUCHED_PAGE, to + 101 * TOUCHED_PAGE, 50 * UNIT, NULL),
			 1);
	copy = touched__copy(t);
	assert_int_equal(touched__chunks(copy), touched__chunks(t));
	touched__free(t);
	assert_int_equal(touched__pages(copy, to, to + 512 * TOUCHED_PAGE, 50 * UNIT, NULL), 1);
	touched__free(copy);
}

static void residence_follows_what_was_done_to_the_interval(void **state)
{
	struct touched *t = touched__new();
	struct ledger_interval i = {.start = AT,
				    .end = AT + 16 * TOUCHED_PAGE,
				    .perms = VM_READ | VM_WRITE,
				    .since_ns = 10 * UNIT};
	uint64_t huge;

	(void)state;
	feed_page(t, AT, 5 * UNIT, 100 * UNIT, 0); /* of an earlier mapping */
	feed_page(t, AT + TOUCHED_PAGE, 20 * UNIT, 100 * UNIT, 0);
	assert_int_equal(ledger_interval__resident(&i, t, &huge), TOUCHED_PAGE);
	i.discarded_ns = 30 * UNIT;
	assert_int_equal(ledger_interval__resident(&i, t, &huge), 0);
	i.flags = LEDGER_LOCKED;
	assert_int_equal(ledger_interval__resident(&i, t, &huge), 16 * TOUCHED_PAGE);
	i.flags = LEDGER_LOCKED | LEDGER_ONFAULT;
	assert_int_equal(ledger_interval__resident(&i, t, &huge), 0);
	i.flags = LEDGER_POPULATED;
	assert_int_equal(ledger_interval__resident(&i, t, &huge), 16 * TOUCHED_PAGE);
	i.perms = 0;
	assert_int_equal(ledger_interval__resident(&i, t, &huge), 0);
	i = (struct ledger_interval){.start = AT, .end = AT + (4 << 20), .perms = VM_READ, .huge_shift = 21};
	assert_int_equal(ledger_interval__resident(&i, t, &huge), 2 << 20);
	assert_int_equal(huge, 2 << 20);
	touched__free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_count_from_their_time_on),
		cmocka_unit_test(times_wrap),
		cmocka_unit_test(a_huge_page_is_512),
		cmocka_unit_test(pages_move_with_mremap),
		cmocka_unit_test(residence_follows_what_was_done_to_the_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
