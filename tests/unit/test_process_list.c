/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes sorted, summed up and grouped; the files they are read from. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/process_list.h"
#include "proc/process_files.h"
#include "proc/smaps.h"

#define KIB 1024ull

static struct process_memory row(uint32_t pid, uint64_t pss, const char *user)
{
	struct process_memory p = process_memory__none();

	p.pid = pid;
	p.processes = 1;
	p.user = user;
	p.values[VALUE_PSS] = pss;
	p.values[VALUE_RSS] = 10;
	p.without_pss = pss == PROCESS_VALUE_UNKNOWN;
	return p;
}

static void the_largest_come_first_and_the_unknown_last(void **state)
{
	struct process_memory rows[] = {row(4, 5, "a"), row(3, PROCESS_VALUE_UNKNOWN, "a"), row(2, 9, "b"),
					row(1, 5, "b")};
	const uint32_t expected[] = {2, 1, 4, 3};

	(void)state;
	process_list__sort(rows, 4, VALUE_PSS);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rows[i].pid, expected[i]);
	process_list__sort(NULL, 0, VALUE_PSS);
}

static void sums_are_of_what_is_known(void **state)
{
	struct process_memory rows[] = {row(1, 5, "a"), row(2, PROCESS_VALUE_UNKNOWN, "a"), row(3, 7, "a")};
	struct process_memory sum = process_memory__none();

	(void)state;
	assert_true(sum.values[VALUE_PSS] == PROCESS_VALUE_UNKNOWN);
	for (int i = 0; i < 3; i++)
		process_memory__add(&sum, &rows[i]);
	assert_int_equal(sum.values[VALUE_PSS], 12);
	assert_int_equal(sum.values[VALUE_RSS], 30);
	assert_true(sum.values[VALUE_USS] == PROCESS_VALUE_UNKNOWN);
	assert_int_equal(sum.processes, 3);
	assert_int_equal(sum.without_pss, 1);
}

static void rows_of_a_name_become_one(void **state)
{
	struct process_memory rows[] = {row(1, 5, "b"), row(2, 6, "a"), row(3, 7, "b")}, *groups;
	const char *names[] = {"b", "a", "b"};

	(void)state;
	assert_int_equal(process_list__group(rows, names, 3, &groups), 2);
	assert_string_equal(groups[0].name, "a");
	assert_int_equal(groups[0].values[VALUE_PSS], 6);
	assert_string_equal(groups[1].name, "b");
	assert_int_equal(groups[1].values[VALUE_PSS], 12);
	assert_int_equal(groups[1].processes, 2);
	free(groups);
	assert_int_equal(process_list__group(rows, names, 0, &groups), 0);
	free(groups);
}

static void a_pid_used_again_is_another_process(void **state)
{
	struct process_memory rows[] = {row(2, 1, "a"), row(1, 2, "a")};

	(void)state;
	rows[0].start = 100;
	rows[1].start = 50;
	process_list__index(rows, 2);
	assert_int_equal(process_list__find(rows, 2, 2, 100)->values[VALUE_PSS], 1);
	assert_null(process_list__find(rows, 2, 2, 101));
	assert_null(process_list__find(rows, 2, 3, 100));
	assert_null(process_list__find(rows, 0, 2, 100));
}

static void stat_is_read_whatever_the_name(void **state)
{
	struct process_stat s;

	(void)state;
	assert_true(process_stat__parse(
		"77 (a) R 1 (b)) S 1 77 77 0 -1 4194560 123 45 6 7 8 9 10 11 20 0 1 0 4711 "
		"1 2 3\n",
		&s));
	assert_string_equal(s.comm, "a) R 1 (b)");
	assert_int_equal(s.minor, 123);
	assert_int_equal(s.major, 6);
	assert_int_equal(s.start_ticks, 4711);
	assert_false(process_stat__parse("77 (a) S 1 77", &s));
	assert_false(process_stat__parse("", &s));
	assert_false(process_stat__parse(") (", &s));
}

static void smaps_is_read_mapping_by_mapping(void **state)
{
	static const char text[] =
		"55d000000000-55d000002000 r-xp 00001000 fe:00 42                         /usr/bin/a b\n"
		"Size:                  8 kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
		"Rss:                   8 kB\nPss:                   3 kB\nShared_Clean:          8 kB\n"
		"Shared_Dirty:          0 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:         0 kB\n"
		"Swap:                  4 kB\nSwapPss:               2 kB\nLocked:                3 kB\n"
		"THPeligible:           0\nProtectionKey:         2\nVmFlags: rd ex mr mw me \n"
		"7f0000000000-7f0000200000 rw-s 00000000 00:0f 7                          /anon_hugepage (deleted)\n"
		"Rss:                   0 kB\nShared_Hugetlb:     1024 kB\nPrivate_Hugetlb:    1024 kB\n"
		"VmFlags: rd wr ht\n"
		"7f0000200000-7f0000201000 rw-p 00000000 00:00 0\n";
	static struct smaps_entry e;
	const char *at = text;

	(void)state;
	assert_int_equal(smaps__next(&at, &e), 1);
	assert_string_equal(e.map.name, "/usr/bin/a b");
	assert_int_equal(e.rss, 8 * KIB);
	assert_int_equal(e.pss, 3 * KIB);
	assert_int_equal(e.shared_clean, 8 * KIB);
	assert_int_equal(e.swap_pss, 2 * KIB);
	assert_int_equal(e.locked, 3 * KIB);
	assert_int_equal(e.kernel_page_size, 4 * KIB);
	assert_int_equal(e.protection_key, 2);
	assert_string_equal(e.flags, "rd ex mr mw me");
	assert_int_equal(smaps__next(&at, &e), 1);
	assert_int_equal(e.hugetlb, 2048 * KIB);
	assert_int_equal(e.private_hugetlb, 1024 * KIB);
	assert_string_equal(e.flags, "rd wr ht");
	assert_int_equal(smaps__next(&at, &e), 1);
	assert_int_equal(e.hugetlb, 0); /* nothing is left of the one before */
	assert_string_equal(e.flags, "");
	assert_int_equal(smaps__next(&at, &e), 0);
	at = "Rss: 1 kB\n";
	assert_int_equal(smaps__next(&at, &e), -EINVAL);
	at = "55d000000000-55d000002000 r-xp 00001000 fe:00 42 /x\nRss 1 kB\n";
	assert_int_equal(smaps__next(&at, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_come_first_and_the_unknown_last),
		cmocka_unit_test(sums_are_of_what_is_known),
		cmocka_unit_test(rows_of_a_name_become_one),
		cmocka_unit_test(a_pid_used_again_is_another_process),
		cmocka_unit_test(stat_is_read_whatever_the_name),
		cmocka_unit_test(smaps_is_read_mapping_by_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
