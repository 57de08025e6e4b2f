/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc tells of the machine: texts of kernels 5.10 to 7.2, of a NUMA machine, and of one with highmem.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/machine_memory.h"
#include "model/zone.h"
#include "proc/file.h"
#include "proc/memory_files.h"
#include "proc/zones.h"

#define KIB 1024ull

static const char *const kernels[] = {"5.10", "6.1", "6.12", "7.2"};

static char *read_text(const char *file, const char *variant)
{
	char path[128], *text;

	snprintf(path, sizeof(path), "tests/fixtures/proc/%s-%s", file, variant);
	text = file__read(path, NULL);
	if (!text)
		fail_msg("cannot read %s: run it from the top of the tree", path);
	return text;
}

/* The zones of a text, with their blocks. */
static size_t read_zones(const char *variant, struct zone *zones, size_t max)
{
	char *zoneinfo = read_text("zoneinfo", variant), *buddyinfo = read_text("buddyinfo", variant);
	const char *at = zoneinfo;
	size_t n = 0;
	int result;

	while ((result = zoneinfo__next(&at, &zones[n])) == 1 && n + 1 < max)
		n++;
	assert_int_equal(result, 0);
	assert_int_equal(buddyinfo__read(buddyinfo, zones, n), 0);
	free(zoneinfo);
	free(buddyinfo);
	return n;
}

static uint64_t pages_in_blocks(const struct zone *zone)
{
	uint64_t sum = 0;

	for (unsigned order = 0; order < zone->orders; order++)
		sum += zone->blocks[order] << order;
	return sum;
}

static void zones_of_every_kernel_are_read(void **state)
{
	struct zone zones[16];

	(void)state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		size_t n = read_zones(kernels[i], zones, 16);

		assert_int_equal(n, 5);
		assert_string_equal(zones[0].name, "DMA");
		assert_string_equal(zones[1].name, "DMA32");
		assert_int_equal(zones[1].orders, 11);
		assert_true(zones[1].min > 0 && zones[1].min < zones[1].low && zones[1].low < zones[1].high);
		assert_int_equal(zone__state(&zones[1]), ZONE_AT_EASE);
		assert_int_equal(zone__state(&zones[2]), ZONE_EMPTY);
		/* The two files were read one after the other. */
		assert_in_range(pages_in_blocks(&zones[1]), zones[1].free - 2000, zones[1].free + 2000);
	}
	assert_int_equal(zones[1].free, 213611);
	assert_int_equal(zones[1].managed, 242679);
}

static void nodes_are_kept_apart(void **state)
{
	struct zone zones[16];
	size_t n = read_zones("numa", zones, 16);

	(void)state;
	assert_int_equal(n, 10);
	assert_int_equal(zones[1].node, 0);
	assert_int_equal(zones[1].free, 95172);
	assert_int_equal(zones[1].blocks[10], 91);
	assert_int_equal(zones[6].node, 1);
	assert_string_equal(zones[6].name, "DMA32");
	assert_int_equal(zones[6].free, 124570);
	assert_int_equal(zones[6].blocks[10], 119);
	assert_int_equal(zones[5].orders, 0); /* empty, and not in buddyinfo */
	assert_true(zone__unusable(&zones[5], 0) < 0);
}

static void highmem_is_a_zone_like_others(void **state)
{
	struct zone zones[8];

	(void)state;
	assert_int_equal(read_zones("highmem", zones, 8), 3);
	assert_string_equal(zones[2].name, "HighMem");
	assert_int_equal(zones[1].in_cpu_lists, 185);
	assert_int_equal(zones[1].high, 5250); /* not that of a CPU's list */
	assert_int_equal(zone__state(&zones[1]), ZONE_BELOW_MIN);
	assert_int_equal(zone__state(&zones[2]), ZONE_AT_EASE);
	/* 200 + 202 + 208 + 240 + 160 + 32 pages; 432 of them in blocks of 8 and more. */
	assert_true(zone__unusable(&zones[1], 0) == 0);
	assert_true(zone__unusable(&zones[1], 3) > 0.585 && zone__unusable(&zones[1], 3) < 0.586);
	assert_true(zone__unusable(&zones[1], 6) == 1);
}

static void half_a_zone_is_none(void **state)
{
	const char *const bad[] = {
		"Node 0, zone      DMA\n",
		"Node 0, zone      DMA\n  pages free     1\n        min      1\n        low      1\n        high     1\n",
		"Node x, zone      DMA\n",
		"garbage\n",
		"Node 0, zone      DMA\n  pages free     99999999999999999999\n",
	};
	const char *const bad_blocks[] = {"Node 0, zone      DMA\n", "Node 0, zone DMA 1 2 x\n", "garbage\n"};
	struct zone zone = {.name = "DMA"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *at = bad[i];

		assert_int_equal(zoneinfo__next(&at, &zone), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(bad_blocks) / sizeof(bad_blocks[0]); i++)
		assert_int_equal(buddyinfo__read(bad_blocks[i], &zone, 1), -EINVAL);
}

static int64_t part_of(const struct memory_part *parts, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(parts[i].name, name))
			return parts[i].bytes;
	return INT64_MIN;
}

static void parts_make_up_the_whole(void **state)
{
	struct memory_part parts[MACHINE_PARTS];
	struct machine_memory m;

	(void)state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		char *text = read_text("meminfo", kernels[i]);
		int64_t sum = 0, rest;
		unsigned n;

		assert_true(meminfo__parse(text, &m));
		n = machine_memory__parts(&m, parts);
		assert_in_range(n, 14, MACHINE_PARTS);
		for (unsigned j = 0; j < n; j++)
			sum += parts[j].bytes;
		assert_int_equal(sum, m.total);
		rest = part_of(parts, n, "unaccounted");
		assert_true(rest > -(int64_t)(m.total / 50) && rest < (int64_t)(m.total / 20));
		free(text);
	}
}

static void parts_do_not_overlap(void **state)
{
	static const char text[] =
		"MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 10 kB\nCached: 300 kB\n"
		"SwapCached: 50 kB\nActive: 500 kB\nInactive: 180 kB\nUnevictable: 20 kB\n"
		"AnonPages: 360 kB\nShmem: 40 kB\nSReclaimable: 30 kB\nSUnreclaim: 20 kB\n"
		"KReclaimable: 35 kB\nKernelStack: 8 kB\nPageTables: 6 kB\nVmallocUsed: 28 kB\n";
	struct memory_part parts[MACHINE_PARTS];
	struct machine_memory m;
	struct memory_sum sum;
	unsigned n;

	(void)state;
	assert_true(meminfo__parse(text, &m));
	assert_true(m.available == MACHINE_UNKNOWN);
	n = machine_memory__parts(&m, parts);
	assert_int_equal(part_of(parts, n, "file_cache"), 260 * KIB);
	assert_int_equal(part_of(parts, n, "swap_cache"), 30 * KIB); /* 700 - 360 - 300 - 10 */
	assert_int_equal(part_of(parts, n, "vmalloc"), 20 * KIB);
	assert_int_equal(part_of(parts, n, "kernel_cache"), 5 * KIB);
	assert_int_equal(part_of(parts, n, "percpu"), INT64_MIN); /* not told: no part */
	assert_int_equal(part_of(parts, n, "unaccounted"),
			 1000 * KIB - (100 + 360 + 40 + 260 + 10 + 30 + 30 + 20 + 5 + 6 + 8 + 20) * KIB);
	sum = machine_memory__sum(&m);
	assert_int_equal(sum.cache, 330 * KIB);
	assert_int_equal(sum.used + sum.buffers + sum.cache + sum.free, m.total);
	assert_false(meminfo__parse("MemFree: 1 kB\n", &m));
}

static void counters_are_found_by_their_whole_name(void **state)
{
	static const char text[] =
		"pgscan_direct 5\npgscan_direct_throttle 7\nallocstall_dma 1\nallocstall_normal 20\n"
		"big 18446744073709551615\nbad x\n";
	uint64_t n;

	(void)state;
	assert_true(counter__find(text, "pgscan_direct", &n));
	assert_int_equal(n, 5);
	assert_true(counter__find(text, "big", &n));
	assert_true(n == UINT64_MAX);
	assert_false(counter__find(text, "pgscan", &n));
	assert_false(counter__find(text, "bad", &n));
	assert_true(counter__sum(text, "allocstall_", &n));
	assert_int_equal(n, 21);
	assert_false(counter__sum(text, "nothing_", &n));
}

static void rates_exist_on_every_kernel(void **state)
{
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		char *text = read_text("vmstat", kernels[i]);

		assert_true(counter__find(text, "pgfault", &n) && n > 1000);
		assert_true(counter__find(text, "pgsteal_kswapd", &n));
		assert_true(counter__find(text, "oom_kill", &n));
		assert_true(counter__find(text, "workingset_refault_file", &n));
		assert_true(counter__sum(text, "allocstall_", &n));
		free(text);
	}
}

static void swap_areas_are_read(void **state)
{
	const char *text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
			   "/dev/zram0                              partition\t1048572\t\t2048\t\t100\n"
			   "/my\\040swap\\134x                           file\t\t512\t\t0\t\t-2\n",
		   *at = text, *bad = "Filename\nnonsense\n";
	struct swap_area area;

	(void)state;
	assert_int_equal(swaps__next(&at, &area), 1);
	assert_string_equal(area.name, "/dev/zram0");
	assert_string_equal(area.type, "partition");
	assert_int_equal(area.size, 1048572 * KIB);
	assert_int_equal(area.used, 2048 * KIB);
	assert_int_equal(area.priority, 100);
	assert_int_equal(swaps__next(&at, &area), 1);
	assert_string_equal(area.name, "/my swap\\x");
	assert_int_equal(area.priority, -2);
	assert_int_equal(swaps__next(&at, &area), 0);
	assert_int_equal(swaps__next(&bad, &area), -EINVAL);
}

static void pressure_is_a_share(void **state)
{
	static const char text[] = "some avg10=12.50 avg60=0.04 avg300=0.20 total=16495754\n"
				   "full avg10=0.00 avg60=100.00 avg300=0.02 total=3438518\n";
	struct pressure_line p;

	(void)state;
	assert_true(pressure__find(text, "some", &p));
	assert_true(p.average[0] == 0.125);
	assert_int_equal(p.total_us, 16495754);
	assert_true(pressure__find(text, "full", &p));
	assert_true(p.average[1] == 1);
	assert_false(pressure__find("some avg10=x\n", "some", &p));
	assert_false(pressure__find(text, "none", &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zones_of_every_kernel_are_read),
		cmocka_unit_test(nodes_are_kept_apart),
		cmocka_unit_test(highmem_is_a_zone_like_others),
		cmocka_unit_test(half_a_zone_is_none),
		cmocka_unit_test(parts_make_up_the_whole),
		cmocka_unit_test(parts_do_not_overlap),
		cmocka_unit_test(counters_are_found_by_their_whole_name),
		cmocka_unit_test(rates_exist_on_every_kernel),
		cmocka_unit_test(swap_areas_are_read),
		cmocka_unit_test(pressure_is_a_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
