/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each finding: what provokes it, and what comes near and must stay quiet. And errors in words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "model/errno_words.h"
#include "model/findings.h"

#define MIB    (1ULL << 20)
#define SECOND 1000000000ULL

static struct ledger_report ten_seconds(void)
{
	return (struct ledger_report){.start_ns = SECOND, .now_ns = 11 * SECOND};
}

/* The text of the one finding; NULL: there is none. */
static const char *only(const struct ledger_report *r, enum finding_code code)
{
	static struct finding found[FINDINGS];
	size_t count = findings__make(r, found);

	if (!count)
		return NULL;
	assert_int_equal(count, 1);
	assert_int_equal(found[0].code, code);
	assert_non_null(found[0].knob);
	assert_true(strlen(found[0].text) < sizeof(found[0].text) - 1);
	return found[0].text;
}

static void nothing_is_found_in_nothing(void **state)
{
	struct ledger_report r = {};
	struct finding found[FINDINGS];

	(void)state;
	assert_int_equal(findings__make(&r, found), 0);
}

static void churn(void **state)
{
	struct ledger_report r = ten_seconds();

	(void)state;
	r.churn[20] = (struct ledger_churn){1000, 1000 * MIB, 2000000000, 256000};
	assert_string_equal(
		only(&r, FINDING_MMAP_CHURN),
		"1000 mappings of 1024 KiB on average lived 2.0 ms on average and were unmapped (100 a "
		"second); each paid 256.0 page faults");
	r.churn[20].count = 99; /* as many as a start-up may need */
	assert_null(only(&r, FINDING_MMAP_CHURN));
	r.churn[20].count = 1000;
	r.now_ns = 200 * SECOND; /* five a second */
	assert_null(only(&r, FINDING_MMAP_CHURN));
}

static void pinned_heap(void **state)
{
	struct ledger_report r = ten_seconds();

	(void)state;
	r.heap = 100 * MIB;
	r.heap_given_back = 90 * MIB;
	r.heap_top_resident = 8192;
	assert_string_equal(
		only(&r, FINDING_HEAP_PINNED),
		"of a heap of 100 MiB, 90 MiB were given back by madvise and not used since, but the "
		"break stays: 8 KiB at its top are in use");
	r.heap_top_resident = 0;
	assert_null(only(&r, FINDING_HEAP_PINNED));
	r.heap_top_resident = 8192;
	r.heap_given_back = 49 * MIB;
	assert_null(only(&r, FINDING_HEAP_PINNED));
}

static void dynamic_threshold(void **state)
{
	struct ledger_report r = ten_seconds();

	(void)state;
	r.threshold = (struct ledger_threshold){.bytes = 4 * MIB, .heap_grows = 3, .heap_bytes = 9 * MIB};
	assert_non_null(strstr(only(&r, FINDING_DYNAMIC_THRESHOLD), "4096 KiB"));
	r.threshold.mmaps = 1;
	assert_null(only(&r, FINDING_DYNAMIC_THRESHOLD));
	r.threshold.mmaps = 0;
	r.threshold.heap_grows = 2;
	assert_null(only(&r, FINDING_DYNAMIC_THRESHOLD));
}

static void arenas(void **state)
{
	struct ledger_report r = ten_seconds();

	(void)state;
	r.arena_count = 8;
	r.arenas = (struct extent){.reserved = 500 * MIB, .committed = 12 * MIB, .resident = 3 * MIB};
	assert_string_equal(only(&r, FINDING_ARENAS),
			    "8 parts of malloc arenas, 64 MiB each: 500 MiB reserved, 12 "
			    "MiB committed, 3 MiB resident");
	r.arena_count = 7;
	assert_null(only(&r, FINDING_ARENAS));
}

static void never_touched(void **state)
{
	struct ledger_report r = ten_seconds();

	(void)state;
	r.vias[VIA_MMAP].resident_known = true;
	r.untouched = (struct extent){.committed = 1000 * MIB, .resident = 100 * MIB};
	assert_non_null(strstr(only(&r, FINDING_NEVER_TOUCHED), "900 MiB (90 %)"));
	r.untouched.resident = 300 * MIB;
	assert_null(only(&r, FINDING_NEVER_TOUCHED));
	r.untouched = (struct extent){.committed = 63 * MIB};
	assert_null(only(&r, FINDING_NEVER_TOUCHED));
	r.untouched = (struct extent){.committed = 1000 * MIB};
	r.vias[VIA_MMAP].resident_known = false;
	assert_null(only(&r, FINDING_NEVER_TOUCHED));
}

static void note_growth(struct ledger_report *r, uint64_t point, uint64_t bytes)
{
	const int64_t values[TREND_VALUES] = {(int64_t)bytes, 0};

	trend__note(&r->trend, SECOND + point * SECOND / 10, values);
}

static void growth(void **state)
{
	struct ledger_report steady = ten_seconds(), levels_off = ten_seconds(), swings = ten_seconds(),
			     brief = ten_seconds();

	(void)state;
	for (uint64_t i = 0; i <= 100; i++) {
		note_growth(&steady, i, i * MIB);
		note_growth(&levels_off, i, (i < 60 ? i : 60) * MIB); /* a cache that is full */
		note_growth(&swings, i, i % 20 * MIB);		      /* it takes, and gives all back */
		if (i < 90)
			note_growth(&brief, i, i * MIB);
	}
	assert_string_equal(
		only(&steady, FINDING_GROWTH),
		"brk and mmap grew by 99.0 MiB in 10 s, and steadily in the last 5 s: by 10.00 MiB a second "
		"(9.93 to 10.07)");
	assert_null(only(&levels_off, FINDING_GROWTH));
	assert_null(only(&swings, FINDING_GROWTH));
	assert_null(only(&brief, FINDING_GROWTH));
}

static void files(void **state)
{
	struct ledger_report r = ten_seconds();

	(void)state;
	r.kinds[LEDGER_FILE].committed = 900 * MIB;
	r.kinds[LEDGER_ANON].committed = 100 * MIB;
	assert_non_null(strstr(only(&r, FINDING_FILES), "900 MiB of the 1000 MiB"));
	r.kinds[LEDGER_ANON].committed = 700 * MIB;
	assert_null(only(&r, FINDING_FILES));
	r.kinds[LEDGER_FILE].committed = 200 * MIB;
	r.kinds[LEDGER_ANON].committed = 0;
	assert_null(only(&r, FINDING_FILES));
}

static void a_trend_keeps_its_memory(void **state)
{
	struct trend t = {};

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		trend__note(&t, SECOND + i * TREND_FIRST_STEP_NS, (int64_t[TREND_VALUES]){(int64_t)i, 0});
	assert_true(t.count <= TREND_POINTS && t.count > TREND_POINTS / 2 - 1);
	assert_true(t.step_ns * t.count >= 1000 * TREND_FIRST_STEP_NS);
	assert_int_equal(t.points[t.count - 1].values[0], 999);
	for (size_t i = 1; i < t.count; i++)
		assert_true(t.points[i].values[0] > t.points[i - 1].values[0]);
	trend__extend(&t, UINT64_MAX);
	assert_int_equal(t.points[t.count - 1].values[0], 999);
}

static void expect_words(const struct ledger_failure *f, const struct memory_limits *l, const char *words)
{
	char buf[256];

	errno_words__explain(f, l, buf, sizeof(buf));
	if (!strstr(buf, words))
		fail_msg("%s: not %s", buf, words);
}

static void an_error_names_its_limit(void **state)
{
	struct ledger_failure f = {.call = CALL_MMAP,
				   .error = ENOMEM,
				   .args = {0, 1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}};
	struct memory_limits l = memory_limits__unknown();

	(void)state;
	expect_words(&f, &l, "RLIMIT_AS, RLIMIT_DATA, vm.max_map_count or overcommit");
	l.overcommit = 0;
	l.memory = 1 << 20;
	expect_words(&f, &l, "RLIMIT_AS, RLIMIT_DATA, vm.max_map_count or overcommit");
	l.swap = 0;
	expect_words(&f, &l, "vm.overcommit_memory is 0");
	l.data = 100 << 20;
	l.used_data = 50 << 20;
	expect_words(&f, &l, "RLIMIT_DATA is 100.0 MiB, 50.0 MiB were in use and 1024.0 MiB more");
	l.address_space = 100 << 20;
	l.used_address_space = 0;
	expect_words(&f, &l, "RLIMIT_AS is 100.0 MiB");
	l.max_map_count = l.maps = 65530;
	expect_words(&f, &l, "vm.max_map_count allows 65530");
	f = (struct ledger_failure){.call = CALL_MLOCK, .error = ENOMEM, .args = {0x1000, 1 << 20}};
	l.locked = 65536;
	l.used_locked = 0;
	expect_words(&f, &l, "RLIMIT_MEMLOCK is 0.1 MiB");
	f = (struct ledger_failure){.call = CALL_MMAP, .error = EINVAL};
	expect_words(&f, &l, "EINVAL: the length is 0");
	f = (struct ledger_failure){.call = CALL_MPROTECT, .error = EACCES};
	expect_words(&f, &l, "EACCES: the file is not open for such an access");
	f = (struct ledger_failure){.call = CALL_MMAP, .error = EAGAIN, .args = {0, 1 << 20}};
	expect_words(&f, &l, "EAGAIN: RLIMIT_MEMLOCK");
	f.error = 4000;
	expect_words(&f, &l, "error 4000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_found_in_nothing),
		cmocka_unit_test(churn),
		cmocka_unit_test(pinned_heap),
		cmocka_unit_test(dynamic_threshold),
		cmocka_unit_test(arenas),
		cmocka_unit_test(never_touched),
		cmocka_unit_test(growth),
		cmocka_unit_test(files),
		cmocka_unit_test(a_trend_keeps_its_memory),
		cmocka_unit_test(an_error_names_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
