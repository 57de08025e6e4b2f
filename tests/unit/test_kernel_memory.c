/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own account of its memory, from lines as kernels write them, and beside what was traced. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/kernel_count.h"
#include "proc/kernel_memory.h"

static void slabinfo(void **state)
{
	const char text[] =
		"slabinfo - version: 2.1\n"
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables\n"
		"filp                8105   8190    192   21    1 : tunables    0    0    0 : slabdata    390    390      0\n"
		"kmalloc-1k           414    416   1024   16    4 : tunables    0    0    0 : slabdata     26     26      0\n"
		"broken line\n"
		"kmalloc-8              7";
	const struct kernel_memory *found;
	struct kernel_memory *list;
	size_t n;

	(void)state;
	assert_int_equal(slabinfo__parse(text, &list, &n), 0);
	assert_int_equal(n, 2);
	found = kernel_memory__find(list, n, "filp");
	assert_non_null(found);
	assert_int_equal(found->count, 8105);
	assert_int_equal(found->bytes, 8105 * 192);
	assert_null(kernel_memory__find(list, n, "kmalloc-8"));
	free(list);
	assert_int_equal(slabinfo__parse("slabinfo - version: 2.1\n", &list, &n), -ENODATA);
	assert_null(list);
	assert_null(kernel_memory__find(NULL, 0, "filp"));
}

static void vmallocinfo(void **state)
{
	const char text[] =
		"0x0000000017ba5a9d-0x00000000e8caa249   20480 irq_init_percpu_irqstack+0xca/0x100 vmap\n"
		"0xffffc90000012000-0xffffc90000017000   20480 copy_process+0xe41/0x1c30 pages=4 vmalloc N0=4\n"
		"0xffffc90000019000-0xffffc9000001e000   20480 copy_process+0xe41/0x1c30 pages=4 vmalloc N0=4\n"
		"0xffffc900001a0000-0xffffc900001a2000    8192 unpurged vm_area\n"
		"0xffffc900001a4000-0xffffc900001a6000    8192\n"
		"no area at all\n";
	const struct kernel_memory *found;
	struct kernel_memory *list;
	size_t n;

	(void)state;
	assert_int_equal(vmallocinfo__parse(text, &list, &n), 0);
	assert_int_equal(n, 3);
	found = kernel_memory__find(list, n, "copy_process+0xe41/0x1c30");
	assert_non_null(found);
	assert_int_equal(found->count, 2);
	assert_int_equal(found->bytes, 40960);
	assert_int_equal(kernel_memory__find(list, n, "-")->bytes, 16384);
	free(list);
}

static void allocinfo(void **state)
{
	const char text[] = "allocinfo - version: 1.0\n"
			    "#     <size>  <calls> <tag info>\n"
			    "        4096        1 init/main.c:1270 func:do_initcalls\n"
			    "     1048576      256 mm/slub.c:2345 func:alloc_slab_page \n"
			    "           0        0 \n"
			    "       12288        3 drivers/a.c:1 [a] func:f\n";
	struct kernel_memory *list;
	size_t n;

	(void)state;
	assert_int_equal(allocinfo__parse(text, &list, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(kernel_memory__find(list, n, "drivers/a.c:1 [a] func:f")->count, 3);
	assert_int_equal(kernel_memory__find(list, n, "init/main.c:1270 func:do_initcalls")->bytes, 4096);
	free(list);
}

static void kmalloc_names(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *name;
	} sizes[] = {{8, "kmalloc-8"},	   {96, "kmalloc-96"},	 {512, "kmalloc-512"},
		     {1024, "kmalloc-1k"}, {8192, "kmalloc-8k"}, {2097152, "kmalloc-2M"}};
	char name[KERNEL_COUNT_NAME];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		kernel_count__kmalloc_name(sizes[i].bytes, name);
		assert_string_equal(name, sizes[i].name);
	}
}

/* The caches of kmalloc are one by size; what did not change is left out; what is told again replaces. */
static void beside_traced(void **state)
{
	struct kernel_counts *c = kernel_counts__new();
	struct kernel_count *rows;
	size_t n;

	(void)state;
	for (int now = 0; now < 2; now++) {
		kernel_counts__told(c, "slabinfo", "kmalloc-96", 100 + 10 * now, 9600 + 960 * now, now);
		kernel_counts__told(c, "slabinfo", "kmalloc-cg-96", 50 + now, 4800 + 96 * now, now);
		kernel_counts__told(c, "slabinfo", "dentry", 1000, 192000, now);
	}
	for (int again = 0; again < 2; again++) {
		kernel_counts__begin(c);
		kernel_counts__told(c, "slabinfo", "kmalloc-96", 110, 10560, true);
		kernel_counts__told(c, "slabinfo", "kmalloc-cg-96", 51, 4896, true);
		kernel_counts__told(c, "slabinfo", "dentry", 1000, 192000, true);
		kernel_counts__traced(c, "slabinfo", "kmalloc-96", 12, 1152);
		kernel_counts__traced(c, "slabinfo", "unlisted", 1, 64);
	}
	kernel_counts__is_traced(c, "slabinfo");
	rows = kernel_counts__rows(c, &n);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].name, "kmalloc-96");
	assert_int_equal(rows[0].before_count, 150);
	assert_int_equal(rows[0].now_count, 161);
	assert_int_equal(rows[0].traced_count, 12);
	assert_true(rows[0].is_known && rows[0].is_traced);
	assert_string_equal(rows[1].name, "unlisted");
	assert_false(rows[1].is_known);
	free(rows);
	kernel_counts__free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slabinfo),	 cmocka_unit_test(vmallocinfo),	  cmocka_unit_test(allocinfo),
		cmocka_unit_test(kmalloc_names), cmocka_unit_test(beside_traced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
