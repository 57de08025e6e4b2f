// SPDX-License-Identifier: GPL-2.0-or-later
/* model/reclaim_table and model/cgroup_path: pure data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/cgroup_path.h"
#include "model/reclaim_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct reclaim_key key_of(uint32_t pid, uint32_t work, uint64_t cgroup)
{
	return (struct reclaim_key){
		.process = {.start_ns = pid * 10, .tgid = pid}, .work = work, .cgroup = cgroup};
}

static struct reclaim_stats stats_of(const char *comm, uint64_t count, uint64_t ns)
{
	struct reclaim_stats s = {.count = count,
				  .ns = ns,
				  .max_ns = ns,
				  .wanted = count,
				  .got = 32 * count,
				  .tally = {.scanned = {10, 20}, .reclaimed = {5, 15}, .writes = 3},
				  .gfp = 0xcc0};

	memcpy(s.comm, comm, strnlen(comm, sizeof(s.comm)));
	s.buckets[10] = count;
	return s;
}

static void add(struct reclaim_table *t, struct reclaim_key key, struct reclaim_stats stats)
{
	assert_true(reclaim_table__add(t, &key, &stats));
}

static void test_rows_add_up(void **state)
{
	struct reclaim_table *t = reclaim_table__new(10);
	struct reclaim_row **rows;
	size_t n;

	(void)state;
	add(t, key_of(1, WORK_DIRECT, 7), stats_of("one", 1, 100));
	add(t, key_of(1, WORK_DIRECT, 7), stats_of("one", 2, 300));
	add(t, key_of(1, WORK_MEMCG, 7), stats_of("one", 5, 50));
	add(t, key_of(2, WORK_DIRECT, 8), stats_of("two", 1, 1000));
	rows = reclaim_table__rows(t, 1u << WORK_DIRECT, &n);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0]->comm, "two");
	assert_int_equal(rows[1]->count, 3);
	assert_int_equal(rows[1]->ns, 400);
	assert_int_equal(rows[1]->got, 96);
	assert_int_equal(rows[1]->latency.max_ns, 300);
	assert_int_equal(rows[1]->latency.buckets[10], 3);
	assert_int_equal(reclaim_tally__scanned(&rows[1]->tally), 60);
	assert_int_equal(reclaim_tally__reclaimed(&rows[1]->tally), 40);
	assert_int_equal(rows[1]->processes, 1);
	free(rows);
	assert_int_equal(reclaim_table__sum(t, WORKS_STALL).count, 9);
	reclaim_table__next_interval(t);
	assert_int_equal(reclaim_table__sum(t, WORKS_STALL).count, 0);
	reclaim_table__free(t);
}

static void test_a_full_comm_is_terminated(void **state)
{
	struct reclaim_table *t = reclaim_table__new(10);
	struct reclaim_row **rows;
	size_t n;

	(void)state;
	add(t, key_of(1, WORK_DIRECT, 0), stats_of("0123456789abcdef", 1, 1));
	rows = reclaim_table__rows(t, WORKS_STALL, &n);
	assert_string_equal(rows[0]->comm, "0123456789abcdef");
	free(rows);
	reclaim_table__free(t);
}

static bool is_odd(const struct process_key *p)
{
	return p->tgid % 2;
}

/* 100 of one name, 100 of another; the odd ones are gone. The least of those are put together. */
static void test_those_that_are_gone_are_folded(void **state)
{
	struct reclaim_table *t = reclaim_table__new(10);
	struct reclaim_row **rows;
	size_t n, apart = 0, folded = 0, processes = 0;

	(void)state;
	for (uint32_t pid = 1; pid <= 200; pid++) {
		struct reclaim_key key = key_of(pid, WORK_MEMCG, 7);

		add(t, key, stats_of(pid <= 100 ? "low" : "high", 1, pid));
		assert_true(reclaim_table__add_stack(t, &key, 1 + pid % 3, 2, pid));
	}
	reclaim_table__fold(t, is_odd);
	rows = reclaim_table__rows(t, WORKS_STALL, &n);
	assert_int_equal(n, 100 + 10 + 2);
	for (size_t i = 0; i < n; i++) {
		if (rows[i]->key.process.tgid) {
			apart += rows[i]->key.process.tgid % 2;
			continue;
		}
		folded++;
		processes += rows[i]->processes;
		assert_int_equal(rows[i]->count, rows[i]->processes);
		assert_int_equal(HASH_COUNT(rows[i]->stacks), 3);
	}
	free(rows);
	assert_int_equal(apart, 10);
	assert_int_equal(folded, 2);
	assert_int_equal(processes, 90);
	assert_int_equal(reclaim_table__sum(t, WORKS_STALL).ns, 200 * 201 / 2);
	reclaim_table__fold(t, is_odd);
	assert_int_equal(reclaim_table__sum(t, WORKS_STALL).count, 200);
	reclaim_table__free(t);
}

static void test_cgroups(void **state)
{
	struct reclaim_table *t = reclaim_table__new(10);
	struct reclaim_cgroup_row *rows;
	struct reclaim_stats swapped = {.count = 5, .got = 5};
	size_t n;

	(void)state;
	add(t, key_of(1, WORK_MEMCG, 7), stats_of("one", 1, 100));
	add(t, key_of(2, WORK_MEMCG, 7), stats_of("two", 1, 50));
	add(t, key_of(3, WORK_DIRECT, 8), stats_of("three", 1, 200));
	add(t, key_of(3, WORK_SWAPOUT, 8), swapped);
	add(t, key_of(4, WORK_KSWAPD, 0), stats_of("kswapd0", 1, 9999));
	add(t, key_of(5, WORK_WAKEUP, 9), stats_of("five", 1, 0));
	rows = reclaim_table__cgroups(t, &n);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].cgroup, 8);
	assert_int_equal(rows[0].stalls.ns, 200);
	assert_int_equal(rows[0].swapped_out, 5);
	assert_int_equal(rows[1].cgroup, 7);
	assert_int_equal(rows[1].stalls.ns, 150);
	assert_int_equal(rows[1].stalls.count, 2);
	free(rows);
	reclaim_table__free(t);
}

static void test_cgroup_paths(void **state)
{
	static const struct {
		const char *names;
		size_t size;
		bool is_cut;
		unsigned from;
		const char *path;
	} cases[] = {
		{"c\0b\0a\0\0", 7, false, 0, "/a/b/c"},
		{"c\0b\0a\0\0", 7, false, 1, "/a/b"},
		{"\0", 1, false, 0, "/"},
		{"/\0", 2, false, 0, "/"},
		{"c\0b\0", 4, true, 0, ".../b/c"},
		{"", 0, false, 0, ""},
		{"no end", 6, false, 0, ""},
		{"c\0b\0a\0\0", 7, false, 9, "/"},
	};
	char buf[64], small[5];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cgroup_path__build(cases[i].names, cases[i].size, cases[i].is_cut, cases[i].from, buf,
				   sizeof(buf));
		assert_string_equal(buf, cases[i].path);
	}
	cgroup_path__build("cdef\0b\0a\0\0", 10, false, 0, small, sizeof(small));
	assert_string_equal(small, "/a/b");
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(reclaim_work__name(WORK_COMPACTION), "compaction");
	assert_string_equal(reclaim_work__name(WORKS), "?");
	assert_string_equal(reclaim_throttle__name(THROTTLE_NO_PROGRESS), "no_progress");
	assert_string_equal(reclaim_throttle__name(THROTTLES), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_add_up),
		cmocka_unit_test(test_a_full_comm_is_terminated),
		cmocka_unit_test(test_those_that_are_gone_are_folded),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_cgroup_paths),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
