/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest records of call stacks, in little room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/recent_stacks.h"

#define HEAD offsetof(struct stack_record, data)

static struct stack_record record;

static void add(struct recent_stacks *r, uint64_t number, size_t data)
{
	record.time_ns = number;
	record.copy_size = data;
	memset(record.data, (int)number, data);
	recent_stacks__add(r, &record, HEAD + data);
}

/* Those kept are the last ones, without a gap and as they came. How many. */
static unsigned check(struct recent_stacks *r, uint64_t last)
{
	const struct stack_record *s = NULL;
	uint64_t number = 0;
	unsigned n = 0;
	size_t size;

	while ((s = recent_stacks__next(r, s, &size))) {
		if (n++)
			assert_int_equal(s->time_ns, number + 1);
		number = s->time_ns;
		assert_int_equal(size, HEAD + s->copy_size);
		for (size_t i = 0; i < s->copy_size; i++)
			assert_int_equal(s->data[i], (uint8_t)number);
	}
	if (n)
		assert_int_equal(number, last);
	return n;
}

static void none(void **state)
{
	struct recent_stacks *r = recent_stacks__new(4096);
	size_t size;

	(void)state;
	assert_null(recent_stacks__next(r, NULL, &size));
	add(r, 1, 5000); /* larger than all the room */
	assert_int_equal(check(r, 0), 0);
	recent_stacks__free(r);
	recent_stacks__free(NULL);
}

static void the_newest_are_kept(void **state)
{
	struct recent_stacks *r = recent_stacks__new(16384);

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		add(r, i, 100);
	assert_int_equal(check(r, 3), 3);
	for (uint64_t i = 4; i < 5000; i++) {
		add(r, i, rand() % 3000);
		assert_in_range(check(r, i), 3, 50);
	}
	recent_stacks__free(r);
}

/* Records that fill the room to the last byte, so that the first and the next are at the same place. */
static void to_the_last_byte(void **state)
{
	size_t each = 8 + ((HEAD + 7) & ~7ull);
	struct recent_stacks *r = recent_stacks__new(4 * each);

	(void)state;
	for (uint64_t i = 1; i < 40; i++) {
		add(r, i, 0);
		assert_int_equal(check(r, i), i < 4 ? i : 4);
	}
	add(r, 40, 2 * each);
	assert_in_range(check(r, 40), 1, 2);
	recent_stacks__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(the_newest_are_kept),
		cmocka_unit_test(to_the_last_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
