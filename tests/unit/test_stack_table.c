/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks kept once, and faults divided among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/fault_stacks.h"
#include "model/fault_table.h"
#include "model/stack_table.h"

static void equal_stacks_are_one(void **state)
{
	const uint32_t a[] = {3, 2, 1}, b[] = {3, 2}, *places;
	struct stack_table *t = stack_table__new();
	uint32_t first = stack_table__add(t, a, 3, 0), end;
	size_t n;

	(void)state;
	assert_int_not_equal(first, STACK_UNKNOWN);
	assert_int_equal(stack_table__add(t, a, 3, 0), first);
	assert_int_not_equal(stack_table__add(t, b, 2, 0), first);
	assert_int_not_equal(stack_table__add(t, a, 3, 5), first); /* it ends otherwise */
	places = stack_table__get(t, first, &n, &end);
	assert_int_equal(n, 3);
	assert_int_equal(end, 0);
	assert_memory_equal(places, a, sizeof(a));
	stack_table__free(t);
}

static void an_empty_stack_is_unknown(void **state)
{
	struct stack_table *t = stack_table__new();
	uint32_t end;
	size_t n = 1;

	(void)state;
	assert_int_equal(stack_table__add(t, NULL, 0, 3), STACK_UNKNOWN);
	assert_null(stack_table__get(t, STACK_UNKNOWN, &n, &end));
	assert_int_equal(n, 0);
	assert_null(stack_table__get(t, 12345, &n, &end));
	stack_table__free(t);
}

static void the_table_is_bounded(void **state)
{
	struct stack_table *t = stack_table__new();

	(void)state;
	for (uint32_t i = 1; i <= STACKS_MAX; i++)
		assert_int_not_equal(stack_table__add(t, &i, 1, 0), STACK_UNKNOWN);
	assert_int_equal(stack_table__left_out(t), 0);
	assert_int_equal(stack_table__add(t, &(uint32_t){STACKS_MAX + 1}, 1, 0), STACK_UNKNOWN);
	assert_int_equal(stack_table__left_out(t), 1);
	/* What is known stays known. */
	assert_int_not_equal(stack_table__add(t, &(uint32_t){7}, 1, 0), STACK_UNKNOWN);
	stack_table__free(t);
}

/* By weight, and nothing is left over: 10 among 1:1:1 is 4, 3, 3. */
static void a_total_is_divided_without_rest(void **state)
{
	struct stack_count *counts = NULL;
	uint64_t values[3], sum = 0;

	(void)state;
	for (uint32_t stack = 1; stack <= 3; stack++)
		assert_true(stack_counts__add(&counts, stack, 1, 1));
	assert_true(stack_counts__divide(counts, 10, values));
	for (int i = 0; i < 3; i++) {
		assert_in_range(values[i], 3, 4);
		sum += values[i];
	}
	assert_int_equal(sum, 10);
	assert_true(stack_counts__add(&counts, 1, 2, 95)); /* 96 : 1 : 1 */
	assert_true(stack_counts__divide(counts, 98000, values));
	assert_int_equal(values[0], 96000);
	assert_int_equal(values[1], 1000);
	assert_int_equal(values[2], 1000);
	stack_counts__free(&counts);
	assert_null(counts);
}

static void large_totals_do_not_overflow(void **state)
{
	struct stack_count *counts = NULL;
	uint64_t values[2];

	(void)state;
	stack_counts__add(&counts, 1, 1, UINT32_MAX);
	stack_counts__add(&counts, 2, 1, UINT32_MAX);
	assert_true(stack_counts__divide(counts, UINT64_MAX - 1, values));
	assert_int_equal(values[0], UINT64_MAX / 2);
	assert_int_equal(values[1], UINT64_MAX / 2);
	stack_counts__free(&counts);
}

static void nothing_is_divided_without_samples(void **state)
{
	uint64_t value = 1;

	(void)state;
	assert_false(stack_counts__divide(NULL, 5, &value));
}

static struct vma_key key_of(uint32_t tgid, uint64_t anchor)
{
	return (struct vma_key){.process = {.start_ns = 1, .tgid = tgid}, .anchor = anchor};
}

/* The faults of a VMA go to its own stacks; one without a sample says so. */
static void faults_go_to_the_stacks_of_their_vma(void **state)
{
	const struct vma_key sampled = key_of(7, 0x1000), other = key_of(7, 0x9000);
	const struct vma_stats stats = {.start = 0x1000, .end = 0x2000, .faults = 100},
			       few = {.start = 0x9000, .end = 0xa000, .faults = 3};
	struct fault_table *t = fault_table__new(8);
	struct fault_stack *rows;
	size_t n;

	(void)state;
	fault_table__add_stats(t, &sampled, &stats);
	fault_table__add_stats(t, &other, &few);
	fault_table__add_stack(t, &sampled, 5, 3);
	fault_table__add_stack(t, &sampled, 6, 1);
	fault_table__settle(t);
	rows = fault_stacks__list(t, &n);
	assert_int_equal(n, 3);
	assert_int_equal(rows[0].stack, 5);
	assert_int_equal(rows[0].faults, 75);
	assert_int_equal(rows[1].stack, 6);
	assert_int_equal(rows[1].faults, 25);
	assert_int_equal(rows[2].stack, STACK_UNKNOWN);
	assert_int_equal(rows[2].faults, 3);
	assert_int_equal(rows[2].samples, 0);
	free(rows);
	fault_table__next_interval(t);
	fault_table__settle(t);
	rows = fault_stacks__list(t, &n);
	assert_int_equal(n, 0);
	free(rows);
	fault_table__free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_stacks_are_one),
		cmocka_unit_test(an_empty_stack_is_unknown),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(a_total_is_divided_without_rest),
		cmocka_unit_test(large_totals_do_not_overflow),
		cmocka_unit_test(nothing_is_divided_without_samples),
		cmocka_unit_test(faults_go_to_the_stacks_of_their_vma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
