/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flushes by process and interval, and what the TLB holds by what processors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/tlb_findings.h"
#include "model/tlb_shape.h"
#include "model/tlb_table.h"

#define MIB (1ull << 20)

static struct process_key key(uint32_t pid)
{
	return (struct process_key){.start_ns = 7, .tgid = pid};
}

static struct tlb_process flushed(enum tlb_reason reason, uint64_t flushes, uint64_t pages)
{
	struct tlb_process p = {.comm = "x", .flags = TLB_COMPLETE};

	p.reasons[reason] = (struct tlb_count){.flushes = flushes, .pages = pages};
	return p;
}

static void set(struct tlb_table *t, uint32_t pid, const struct tlb_process *p)
{
	struct process_key k = key(pid);

	tlb_table__set_process(t, &k, p, false);
}

static void rows_are_of_one_interval(void **state)
{
	struct tlb_table *t = tlb_table__new(10);
	struct tlb_process p = flushed(TLB_SENT, 10, 40);
	struct tlb_thread thread = {.process = key(5), .comm = "new", .voluntary = 110, .involuntary = 7};
	struct tlb_row *rows;
	size_t n;

	(void)state;
	p.voluntary = -100; /* what the thread brought along */
	set(t, 5, &p);
	tlb_table__begin_threads(t);
	tlb_table__add_thread(t, &thread);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].comm, "new");
	assert_true(rows[0].switches_known);
	assert_int_equal(rows[0].voluntary, 10);
	assert_int_equal(rows[0].involuntary, 7);
	assert_int_equal(tlb_row__made(&rows[0]).pages, 40);
	free(rows);

	tlb_table__next_interval(t);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 0); /* nothing new */
	free(rows);

	p.reasons[TLB_SENT].flushes = 13;
	p.reasons[TLB_SENT].full = 1;
	thread.voluntary = 115;
	set(t, 5, &p);
	tlb_table__begin_threads(t);
	tlb_table__add_thread(t, &thread);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].reasons[TLB_SENT].flushes, 3);
	assert_int_equal(rows[0].reasons[TLB_SENT].full, 1);
	assert_int_equal(rows[0].reasons[TLB_SENT].pages, 0);
	assert_int_equal(rows[0].voluntary, 5);
	assert_int_equal(rows[0].involuntary, 0);
	free(rows);
	tlb_table__free(t);
}

static void order(void **state)
{
	struct tlb_table *t = tlb_table__new(10);
	struct tlb_process sender = flushed(TLB_SENT, 5, 5), victim = flushed(TLB_RECEIVED, 9, 9),
			   switcher = flushed(TLB_SWITCH, 100, 0);
	struct tlb_memory memory = {.rss = MIB, .pgtables = 8192, .huge = 0};
	struct tlb_row *rows;
	size_t n;

	(void)state;
	switcher.reasons[TLB_SWITCH].nothing = 98;
	switcher.reasons[TLB_SWITCH].full = 2;
	set(t, 1, &sender);
	set(t, 2, &victim);
	set(t, 3, &switcher);
	tlb_table__set_memory(t, 3, &memory);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 3);
	assert_int_equal(rows[0].key.tgid, 2);
	assert_int_equal(rows[1].key.tgid, 1);
	assert_int_equal(tlb_row__flushes(&rows[2]), 2); /* what flushed nothing does not count */
	assert_int_equal(rows[2].memory.pgtables, 8192);
	assert_true(rows[0].memory.rss == TLB_UNKNOWN);
	free(rows);
	rows = tlb_table__rows(t, TLB_BY_SENT, &n);
	assert_int_equal(rows[0].key.tgid, 1);
	free(rows);
	rows = tlb_table__rows(t, TLB_BY_EMPTY, &n);
	assert_int_equal(rows[0].key.tgid, 3);
	free(rows);
	rows = tlb_table__rows(t, TLB_BY_PGTABLES, &n);
	assert_int_equal(rows[0].key.tgid, 3);
	free(rows);
	tlb_table__free(t);
}

/* The kernel side deletes what has ended and begins anew, if a little more comes. */
static void the_last_flushes_of_a_process_add_up(void **state)
{
	struct tlb_table *t = tlb_table__new(10);
	struct tlb_process p = flushed(TLB_LOCAL_MM, 10, 10), late = flushed(TLB_LOCAL_MM, 2, 3);
	struct process_key k = key(5);
	struct tlb_row *rows;
	size_t n;

	(void)state;
	p.flags |= TLB_EXITED;
	p.voluntary = 4;
	late.flags = TLB_EXITED;
	late.voluntary = -1;
	assert_false(tlb_table__set_process(t, &k, &p, false));
	assert_true(tlb_table__set_process(t, &k, &p, false));
	assert_true(tlb_table__set_process(t, &k, &late, false));
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].reasons[TLB_LOCAL_MM].flushes, 12);
	assert_int_equal(rows[0].reasons[TLB_LOCAL_MM].pages, 13);
	assert_int_equal(rows[0].voluntary, 4);
	assert_true(rows[0].switches_known && rows[0].exited);
	free(rows);
	tlb_table__next_interval(t);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 0);
	free(rows);
	tlb_table__free(t);
}

static void those_that_ended_become_one(void **state)
{
	struct tlb_table *t = tlb_table__new(2);
	struct tlb_total total = {.count = {.flushes = 17}, .other = {.flushes = 7}};
	struct tlb_row *rows;
	size_t n;

	(void)state;
	for (uint32_t pid = 1; pid <= 4; pid++) {
		struct tlb_process p = flushed(TLB_LOCAL, pid, pid);
		struct process_key k = key(pid);

		p.flags |= TLB_EXITED;
		p.voluntary = 1;
		tlb_table__set_process(t, &k, &p, true);
	}
	assert_int_equal(tlb_table__fold(t), 0);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 3);
	assert_int_equal(rows[0].key.tgid, 4);
	assert_int_equal(rows[1].key.tgid, 3);
	assert_true(rows[2].is_other && rows[2].switches_known);
	assert_int_equal(rows[2].processes, 2);
	assert_int_equal(rows[2].reasons[TLB_LOCAL].flushes, 3);
	assert_int_equal(rows[2].voluntary, 2);
	free(rows);

	/* What found no room in the kernel is there, too, and its switches are not known. */
	tlb_table__set_total(t, TLB_LOCAL, &total);
	assert_int_equal(tlb_table__seen(t), 17);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(rows[2].reasons[TLB_LOCAL].flushes, 10);
	assert_false(rows[2].switches_known);
	free(rows);
	tlb_table__next_interval(t);
	rows = tlb_table__rows(t, TLB_BY_FLUSHES, &n);
	assert_int_equal(n, 0);
	assert_int_equal(tlb_table__total(t, TLB_LOCAL).count.flushes, 0);
	free(rows);
	tlb_table__free(t);
}

static void buckets(void **state)
{
	char name[32];

	(void)state;
	tlb_bucket__name(0, name, sizeof(name));
	assert_string_equal(name, "0");
	tlb_bucket__name(1, name, sizeof(name));
	assert_string_equal(name, "1");
	tlb_bucket__name(3, name, sizeof(name));
	assert_string_equal(name, "4-7");
	tlb_bucket__name(TLB_BUCKETS - 1, name, sizeof(name));
	assert_string_equal(name, "16384+");
}

static void findings(void **state)
{
	struct tlb_row rows[] = {
		{.key = key(1), .comm = "quiet", .memory = {200 * MIB, 15 * MIB, 0}},
		{.key = key(2), .comm = "storm", .memory = {TLB_UNKNOWN, TLB_UNKNOWN, TLB_UNKNOWN}},
		{.key = key(3), .comm = "large", .memory = {1024 * MIB, 2 * MIB, 0}},
		{.key = key(4), .comm = "thp", .memory = {2048 * MIB, 4 * MIB, 1024 * MIB}},
		{.key = key(5), .comm = "sparse", .memory = {100 * MIB, 20 * MIB, 0}},
		{.is_other = true},
	};
	struct tlb_finding found[TLB_FINDINGS];

	(void)state;
	rows[0].reasons[TLB_SENT].flushes = 1999;
	rows[5].reasons[TLB_SENT].flushes = 100000;
	assert_int_equal(tlb_findings__make(rows, 1, 2, found), 0);
	assert_int_equal(tlb_findings__make(rows, 1, 0, found), 0);
	rows[1].reasons[TLB_SENT].flushes = 20000;
	assert_int_equal(tlb_findings__make(rows, 6, 2, found), 3);
	assert_string_equal(tlb_finding__name(found[0].code), "shootdowns");
	assert_int_equal(found[0].pid, 2);
	assert_non_null(strstr(found[0].text, "storm (2) makes other CPUs flush 10000 times a second"));
	assert_string_equal(tlb_finding__name(found[1].code), "small_pages");
	assert_int_equal(found[1].pid, 3);
	assert_non_null(strstr(found[1].text, "262144 translations"));
	assert_string_equal(tlb_finding__name(found[2].code), "scattered");
	assert_int_equal(found[2].pid, 5);
}

/* --- what processors say ----------------------------------------------------------------------------------
 */

struct leaf {
	uint32_t leaf, subleaf;
	struct cpuid_words words;
};

static struct cpuid_words told(void *context, uint32_t leaf, uint32_t subleaf)
{
	for (const struct leaf *l = context; l->leaf != UINT32_MAX; l++)
		if (l->leaf == leaf && l->subleaf == subleaf)
			return l->words;
	return (struct cpuid_words){};
}

#define GENUINE_INTEL(max)                                      \
	{                                                       \
		0, 0,                                           \
		{                                               \
			max, 0x756e6547, 0x6c65746e, 0x49656e69 \
		}                                               \
	}
#define AUTHENTIC_AMD                                            \
	{                                                        \
		0, 0,                                            \
		{                                                \
			0x10, 0x68747541, 0x444d4163, 0x69746e65 \
		}                                                \
	}
#define END                    \
	{                      \
		UINT32_MAX, 0, \
		{              \
		}              \
	}

/* Code of 4 KiB, 8 ways x 8; loads of 4 KiB, 4 x 16; second level of both sizes, 8 x 128 and 1 GiB apart. */
static void leaf_18(void **state)
{
	struct leaf intel[] = {
		GENUINE_INTEL(0x20),
		{2, 0, {0x00feff01, 0xf0, 0, 0}},
		{0x18, 0, {4, 0, 0, 0}},
		{0x18, 1, {0, 0x00080001, 8, 0x22}},
		{0x18, 2, {0, 0x00040001, 16, 0x24}},
		{0x18, 3, {0, 0x00080003, 128, 0x43}},
		{0x18, 4, {0, 0x00080008, 128, 0x43}},
		END,
	};
	struct tlb_shape shape;

	(void)state;
	assert_true(tlb_shape__read(&shape, told, intel));
	assert_int_equal(shape.either, 1024);
	assert_int_equal(shape.small + shape.large, 0);
}

/* Haswell: 0x63, 0xb5 (code), 0x76 (code), 0xc1: both sizes, 1,024; Nehalem: 0x5a, 0xca: 4 KiB, 512. */
static void leaf_2(void **state)
{
	struct leaf haswell[] = {GENUINE_INTEL(0xd), {2, 0, {0x76036301, 0x00f0b5ff, 0, 0x00c10000}}, END};
	struct leaf nehalem[] = {GENUINE_INTEL(0xb), {2, 0, {0x55035a01, 0x00f0b2e4, 0, 0x09ca212c}}, END};
	struct leaf hidden[] = {GENUINE_INTEL(0xb), {2, 0, {0x00000001, 0x80c1c1c1, 0, 0}}, END};
	struct tlb_shape shape;

	(void)state;
	assert_true(tlb_shape__read(&shape, told, haswell));
	assert_int_equal(shape.either, 1024);
	assert_true(tlb_shape__read(&shape, told, nehalem));
	assert_int_equal(shape.small, 512);
	assert_int_equal(shape.large, 32);
	assert_int_equal(shape.either, 0);
	assert_false(tlb_shape__read(&shape, told, hidden));
}

/* Zen 2: 64 at the first level; at the second 2,048 of either size. A machine that says nothing. */
static void amd_and_none(void **state)
{
	struct leaf amd[] = {
		AUTHENTIC_AMD,
		{0x80000000, 0, {0x80000020, 0, 0, 0}},
		{0x80000005, 0, {0xff40ff40, 0xff40ff40, 0, 0}},
		{0x80000006, 0, {0x48006400, 0x68006400, 0, 0}},
		END,
	};
	struct leaf vm[] = {GENUINE_INTEL(0x24), {2, 0, {0x00feff01, 0xf0, 0, 0}}, END};
	struct leaf nobody[] = {END};
	struct tlb_shape shape;

	(void)state;
	assert_true(tlb_shape__read(&shape, told, amd));
	assert_int_equal(shape.small, 2048);
	assert_int_equal(shape.large, 2048);
	assert_false(tlb_shape__read(&shape, told, vm));
	assert_false(tlb_shape__read(&shape, told, nobody));
}

static void reach(void **state)
{
	const struct tlb_shape both = {.either = 1024}, apart = {.small = 512, .large = 32};

	(void)state;
	assert_int_equal(tlb_shape__entries(4 * MIB, 0), 1024);
	assert_int_equal(tlb_shape__entries(4 * MIB + 1, 4 * MIB), 3);
	assert_int_equal(tlb_shape__entries(MIB, 2 * MIB), 1); /* read at different moments */
	assert_int_equal(tlb_shape__reach(&both, 4 * MIB, 0), 4 * MIB);
	assert_int_equal(tlb_shape__reach(&both, 100 * MIB, 0), 4 * MIB);
	/* 512 entries for a gigabyte, and as many for 2 MiB of the rest */
	assert_int_equal(tlb_shape__reach(&both, 1124 * MIB, 1024 * MIB), 1024 * MIB + 2 * MIB);
	assert_int_equal(tlb_shape__reach(&both, 8192 * MIB, 8192 * MIB), 2048 * MIB);
	assert_int_equal(tlb_shape__reach(&apart, 300 * MIB, 100 * MIB), 66 * MIB);
	assert_int_equal(tlb_shape__reach(&apart, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_of_one_interval),
		cmocka_unit_test(order),
		cmocka_unit_test(the_last_flushes_of_a_process_add_up),
		cmocka_unit_test(those_that_ended_become_one),
		cmocka_unit_test(buckets),
		cmocka_unit_test(findings),
		cmocka_unit_test(leaf_18),
		cmocka_unit_test(leaf_2),
		cmocka_unit_test(amd_and_none),
		cmocka_unit_test(reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
