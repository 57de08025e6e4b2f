/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mapped where, and when. Files are never looked into: any pointer is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sym/address_space.h"

static struct code_file *const A = (void *)0xa0, *const B = (void *)0xb0, *const NOTHING = NULL;

static void map(struct address_spaces *spaces, uint32_t pid, uint64_t time, uint64_t start, uint64_t end,
		struct code_file *file)
{
	struct mapping mapping = {start, end, 0, time, file};

	address_spaces__mapped(spaces, pid, &mapping);
}

static struct code_file *at(struct address_spaces *spaces, uint32_t pid, uint64_t time, uint64_t address)
{
	const struct address_space *space = address_spaces__find(spaces, pid, time);
	const struct mapping *mapping = space ? address_space__find(space, address, time) : NULL;

	return mapping ? mapping->file : NOTHING;
}

static void setup(struct address_spaces **spaces, size_t keep)
{
	*spaces = address_spaces__new(keep);
	assert_non_null(*spaces);
}

static void the_later_mapping_counts(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 8);
	map(s, 1, 10, 0x1000, 0x3000, A);
	map(s, 1, 20, 0x2000, 0x4000, B);
	assert_ptr_equal(at(s, 1, 25, 0x1fff), A);
	assert_ptr_equal(at(s, 1, 25, 0x2000), B);
	assert_ptr_equal(at(s, 1, 25, 0x3fff), B);
	assert_ptr_equal(at(s, 1, 25, 0x4000), NOTHING);
	assert_ptr_equal(at(s, 1, 25, 0xfff), NOTHING);
	assert_ptr_equal(at(s, 1, 15, 0x2000), A);
	assert_ptr_equal(at(s, 2, 15, 0x2000), NOTHING);
	address_spaces__free(s);
}

static void a_hole_leaves_both_sides(void **state)
{
	const struct mapping *m;
	struct address_spaces *s;
	size_t n;

	(void)state;
	setup(&s, 8);
	map(s, 1, 10, 0x1000, 0x9000, A);
	map(s, 1, 20, 0x4000, 0x5000, B);
	m = address_space__mappings(address_spaces__find(s, 1, 30), &n);
	assert_int_equal(n, 3);
	assert_int_equal(m[0].end, 0x4000);
	assert_int_equal(m[2].start, 0x5000);
	assert_int_equal(m[2].pgoff, 0x4000);
	assert_ptr_equal(at(s, 1, 15, 0x4800), A);
	map(s, 1, 30, 0x1000, 0x9000, B);
	m = address_space__mappings(address_spaces__find(s, 1, 30), &n);
	assert_int_equal(n, 1);
	assert_ptr_equal(at(s, 1, 15, 0x4800), A);
	assert_ptr_equal(at(s, 1, 25, 0x3800), A);
	assert_ptr_equal(at(s, 1, 25, 0x4800), B);
	address_spaces__free(s);
}

/* Code that is made writable and executable again is told of each time. */
static void the_same_again_changes_nothing(void **state)
{
	struct address_spaces *s;
	size_t n;

	(void)state;
	setup(&s, 8);
	for (uint64_t time = 10; time < 1000; time++)
		map(s, 1, time, 0x1000, 0x3000, A);
	address_space__mappings(address_spaces__find(s, 1, 30), &n);
	assert_int_equal(n, 1);
	assert_ptr_equal(at(s, 1, 10, 0x1000), A);
	address_spaces__free(s);
}

static void what_was_learned_late_serves_early_samples(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 8);
	map(s, 1, 10, 0x1000, 0x2000, A);
	assert_ptr_equal(at(s, 1, 5, 0x1000), A);
	address_spaces__free(s);
}

static void children_have_what_their_parent_had(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 8);
	map(s, 1, 10, 0x1000, 0x2000, A);
	address_spaces__forked(s, 2, 1, 20);
	address_spaces__forked(s, 3, 2, 30);
	map(s, 1, 40, 0x1000, 0x2000, B);
	map(s, 3, 40, 0x5000, 0x6000, B);
	assert_ptr_equal(at(s, 1, 50, 0x1000), B);
	assert_ptr_equal(at(s, 2, 50, 0x1000), A);
	assert_ptr_equal(at(s, 3, 50, 0x1000), A);
	assert_ptr_equal(at(s, 2, 50, 0x5000), NOTHING);
	assert_int_equal(address_spaces__find(s, 3, 50)->parent, 2);
	address_spaces__free(s);
}

static void exec_starts_afresh(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 8);
	map(s, 1, 10, 0x1000, 0x2000, A);
	address_spaces__forked(s, 2, 1, 20);
	address_spaces__execed(s, 2, 30);
	map(s, 2, 31, 0x8000, 0x9000, B);
	assert_ptr_equal(at(s, 2, 25, 0x1000), A);
	assert_ptr_equal(at(s, 2, 35, 0x1000), NOTHING);
	assert_ptr_equal(at(s, 2, 35, 0x8000), B);
	assert_ptr_equal(at(s, 1, 35, 0x1000), A);
	assert_int_equal(address_spaces__find(s, 2, 35)->parent, 1);
	assert_false(address_spaces__find(s, 2, 25)->complete);
	assert_true(address_spaces__find(s, 2, 35)->complete);
	address_spaces__free(s);
}

static void a_pid_is_used_again(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 8);
	map(s, 1, 1, 0x7000, 0x8000, B);
	map(s, 2, 10, 0x1000, 0x2000, A);
	address_spaces__exited(s, 2, 20);
	assert_ptr_equal(at(s, 2, 21, 0x1000), A); /* a thread that takes its time */
	address_spaces__forked(s, 2, 1, 30);
	assert_ptr_equal(at(s, 2, 15, 0x1000), A);
	assert_ptr_equal(at(s, 2, 35, 0x1000), NOTHING);
	assert_ptr_equal(at(s, 2, 35, 0x7000), B);
	address_spaces__forked(s, 2, 1, 40); /* its end was lost */
	assert_ptr_equal(at(s, 2, 15, 0x1000), A);
	address_spaces__free(s);
}

static void the_ended_are_bounded(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 100);
	map(s, 1, 1, 0x1000, 0x2000, A);
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t pid = 2 + i % 3000;

		address_spaces__forked(s, pid, 1, 10 * i);
		address_spaces__execed(s, pid, 10 * i + 1);
		map(s, pid, 10 * i + 2, 0x1000, 0x2000, B);
		address_spaces__exited(s, pid, 10 * i + 3);
	}
	assert_in_range(address_spaces__count(s), 1, 101);
	assert_ptr_equal(at(s, 1, 2000000, 0x1000), A);
	address_spaces__free(s);
}

static void none_are_kept_if_so_wished(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 0);
	map(s, 1, 1, 0x1000, 0x2000, A);
	address_spaces__execed(s, 1, 2);
	address_spaces__execed(s, 1, 3);
	address_spaces__forked(s, 1, 1, 4);
	address_spaces__exited(s, 1, 5);
	assert_int_equal(address_spaces__count(s), 0);
	assert_null(address_spaces__find(s, 1, 6));
	address_spaces__free(s);
}

static void the_mappings_are_bounded(void **state)
{
	struct address_spaces *s;
	size_t n;

	(void)state;
	setup(&s, 8);
	for (uint64_t i = 1; i < 10000; i++)
		map(s, 1, i, i << 20, (i << 20) + 0x1000, A);
	address_space__mappings(address_spaces__find(s, 1, 30), &n);
	assert_in_range(n, 1000, 5000);
	assert_ptr_equal(at(s, 1, 10000, 9999ull << 20), A);
	assert_ptr_equal(at(s, 1, 10000, 1ull << 20), NOTHING);
	address_spaces__free(s);
}

static void nonsense_is_passed_over(void **state)
{
	struct address_spaces *s;

	(void)state;
	setup(&s, 8);
	map(s, 1, 1, 0x2000, 0x1000, A);
	map(s, 1, 1, 0x2000, 0x2000, A);
	address_spaces__exited(s, 7, 1);
	address_spaces__completed(s, 7);
	assert_int_equal(address_spaces__count(s), 0);
	map(s, 1, 1, 0, UINT64_MAX, A);
	assert_ptr_equal(at(s, 1, 1, 0), A);
	assert_ptr_equal(at(s, 1, 1, UINT64_MAX), NOTHING);
	address_spaces__free(s);
	address_spaces__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_later_mapping_counts),
		cmocka_unit_test(a_hole_leaves_both_sides),
		cmocka_unit_test(the_same_again_changes_nothing),
		cmocka_unit_test(what_was_learned_late_serves_early_samples),
		cmocka_unit_test(children_have_what_their_parent_had),
		cmocka_unit_test(exec_starts_afresh),
		cmocka_unit_test(a_pid_is_used_again),
		cmocka_unit_test(the_ended_are_bounded),
		cmocka_unit_test(none_are_kept_if_so_wished),
		cmocka_unit_test(the_mappings_are_bounded),
		cmocka_unit_test(nonsense_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
