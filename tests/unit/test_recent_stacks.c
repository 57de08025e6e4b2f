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

static uint32_t gone; /* the process whose stacks are of no use */

static bool is_gone(void *context, const struct stack_record *r)
{
	(void)context;
	return r->key.process.tgid == gone;
}

/* Those kept came after since(), or are of another process; what is in them, and how many there are. */
static unsigned check(const struct recent_stacks *r, uint64_t last)
{
	const struct stack_record *s = NULL;
	uint64_t number = 0;
	unsigned n = 0;
	size_t size;

	while ((s = recent_stacks__next(r, s, &size))) {
		assert_true(s->time_ns > number);
		assert_true(s->time_ns > recent_stacks__since(r));
		number = s->time_ns;
		n++;
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
	struct recent_stacks *r = recent_stacks__new(4096, 0, is_gone, NULL);
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
	struct recent_stacks *r = recent_stacks__new(16384, 0, is_gone, NULL);

	(void)state;
	gone = UINT32_MAX;
	for (uint64_t i = 1; i <= 3; i++)
		add(r, i, 100);
	assert_int_equal(check(r, 3), 3);
	assert_int_equal(recent_stacks__since(r), 0);
	for (uint64_t i = 4; i < 5000; i++) {
		unsigned n;

		add(r, i, rand() % 3000);
		n = check(r, i);
		assert_in_range(n, 3, 50);
		assert_int_equal(n, i - recent_stacks__since(r)); /* without a gap */
	}
	recent_stacks__free(r);
}

/* Others come and go in great numbers: the stacks of one that lives stay. */
static void the_useless_give_way(void **state)
{
	struct recent_stacks *r = recent_stacks__new(16384, 0, is_gone, NULL);
	const struct stack_record *s = NULL;
	unsigned kept = 0;
	size_t size;

	(void)state;
	gone = 7;
	for (uint64_t i = 1; i < 1000; i++) {
		record.key.process.tgid = i % 100 ? 7 : 8;
		add(r, i, 10);
	}
	record.key.process.tgid = 0;
	while ((s = recent_stacks__next(r, s, &size)))
		kept += s->key.process.tgid == 8;
	assert_int_equal(kept, 9);
	assert_int_equal(recent_stacks__since(r), 0);
	recent_stacks__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(the_newest_are_kept),
		cmocka_unit_test(the_useless_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
