/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols that are told as text: of the kernel, and of just-in-time compilers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proc/file.h"
#include "sym/kallsyms.h"
#include "sym/perf_map.h"

/* --- the kernel ------------------------------------------------------------------------------------------
 */

#define SYMBOLS                                       \
	"ffffffff81000000 T _text\n"                  \
	"ffffffff81000000 T _stext\n"                 \
	"ffffffff81000100 t __do_sys_read\n"          \
	"ffffffff81000200 W ksys_read\n"              \
	"ffffffff81000300 D data_here\n"              \
	"ffffffffc0000000 t nf_hook\t[nf_tables]\n"   \
	"ffffffffc0000010 t nf_unhook\t[nf_tables]\n" \
	"ffffffffc0100000 t bpf_prog_1234_x\t[bpf]\n"

static struct kallsyms *kallsyms_of(const char *text)
{
	struct kallsyms *k;

	assert_int_equal(kallsyms__parse(text, &k), 0);
	return k;
}

static void expect_kernel(const struct kallsyms *k, uint64_t address, const char *name, uint64_t offset,
			  const char *module)
{
	const char *found_module;
	uint64_t found_offset;
	const char *found = kallsyms__find(k, address, &found_offset, &found_module);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_string_equal(found_module, module);
	assert_int_equal(found_offset, offset);
}

static void kernel_functions_are_found(void **state)
{
	struct kallsyms *k = kallsyms_of(SYMBOLS);

	(void)state;
	expect_kernel(k, 0xffffffff810000ff, "_text", 0xff, "[kernel]");
	expect_kernel(k, 0xffffffff81000100, "__do_sys_read", 0, "[kernel]");
	expect_kernel(k, 0xffffffff810002ff, "ksys_read", 0xff, "[kernel]");
	expect_kernel(k, 0xffffffffc000000f, "nf_hook", 0xf, "[nf_tables]");
	expect_kernel(k, 0xffffffffc0000010, "nf_unhook", 0, "[nf_tables]");
	expect_kernel(k, 0xffffffffc0100001, "bpf_prog_1234_x", 1, "[bpf]");
	kallsyms__free(k);
}

/* Before the first, in data, and so far behind the last of a region that it cannot be the same function. */
static void what_is_no_kernel_function_is_not_found(void **state)
{
	struct kallsyms *k = kallsyms_of(SYMBOLS);

	(void)state;
	expect_kernel(k, 0, NULL, 0, NULL);
	expect_kernel(k, 0xffffffff80ffffff, NULL, 0, NULL);
	expect_kernel(k, 0xffffffff81000300, NULL, 0, NULL);
	expect_kernel(k, 0xffffffffbfffffff, NULL, 0, NULL);
	expect_kernel(k, 0xffffffffffffffff, NULL, 0, NULL);
	kallsyms__free(k);
}

static void order_and_aliases_do_not_matter(void **state)
{
	struct kallsyms *k = kallsyms_of("ffffffff81000200 t second\n"
					 "ffffffff81000100 t __pfx_first\n"
					 "ffffffff81000100 D at_first\n"
					 "ffffffff81000100 T first\n"
					 "ffffffff81000110 t $x.7\n"
					 "ffffffff81000120 t .Llabel\n");

	(void)state;
	expect_kernel(k, 0xffffffff81000130, "first", 0x30, "[kernel]");
	expect_kernel(k, 0xffffffff81000200, "second", 0, "[kernel]");
	kallsyms__free(k);
}

static void hidden_addresses_are_told(void **state)
{
	struct kallsyms *k = (void *)1;

	(void)state;
	assert_int_equal(kallsyms__parse("0000000000000000 T _text\n0000000000000000 t foo\t[bar]\n", &k),
			 -EPERM);
	assert_null(k);
	assert_int_equal(kallsyms__parse("", &k), -ENODATA);
	assert_int_equal(kallsyms__parse("ffffffff81000000 D data\n", &k), -ENODATA);
	assert_null(k);
	kallsyms__free(NULL);
}

static void lines_that_are_none_are_left_out(void **state)
{
	struct kallsyms *k = kallsyms_of("\n"
					 "ffffffff81000000\n"
					 "ffffffff81000001 T\n"
					 "ffffffff81000002 T \n"
					 "ffffffff81000003 Tx name\n"
					 "fffffffff81000004 T too_long\n"
					 "0xffffffff8100000 T prefixed\n"
					 " ffffffff81000005 T indented\n"
					 "ffffffff81000006 T good");

	(void)state;
	expect_kernel(k, 0xffffffff81000005, NULL, 0, NULL);
	expect_kernel(k, 0xffffffff81000006, "good", 0, "[kernel]");
	kallsyms__free(k);
}

static void what_this_kernel_tells_is_understood(void **state)
{
	char *text = file__read("/proc/kallsyms", NULL);
	struct kallsyms *k;
	unsigned long long address;
	char name[256], *line;
	int err = text ? kallsyms__parse(text, &k) : -ENOENT;

	(void)state;
	line = text ? strstr(text, " T schedule\n") : NULL;
	if (!err && line) {
		while (line > text && line[-1] != '\n')
			line--;
		assert_int_equal(sscanf(line, "%llx T %255s", &address, name), 2);
		expect_kernel(k, address + 5, "schedule", 5, "[kernel]");
		kallsyms__free(k);
	} else {
		assert_true(err == -EPERM || err == -ENODATA || err == -ENOENT);
	}
	free(text);
}

/* --- just-in-time compilers ------------------------------------------------------------------------------
 */

static struct perf_map *perf_map_of(const char *text)
{
	struct perf_map *map = perf_map__parse(text, strlen(text));

	assert_non_null(map);
	return map;
}

static void expect_jit(const struct perf_map *map, uint64_t address, const char *name, uint64_t offset)
{
	uint64_t found_offset;
	const char *found = perf_map__find(map, address, &found_offset);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(found_offset, offset);
}

static void compiled_functions_are_found(void **state)
{
	struct perf_map *map = perf_map_of("2000 10 LazyCompile:~foo bar.js:1\n"
					   "0x1000 0x20 with prefix\n"
					   "3000 ABC upper\n");

	(void)state;
	expect_jit(map, 0xfff, NULL, 0);
	expect_jit(map, 0x1000, "with prefix", 0);
	expect_jit(map, 0x101f, "with prefix", 0x1f);
	expect_jit(map, 0x1020, NULL, 0);
	expect_jit(map, 0x200f, "LazyCompile:~foo bar.js:1", 0xf);
	expect_jit(map, 0x3abb, "upper", 0xabb);
	expect_jit(map, 0x3abc, NULL, 0);
	perf_map__free(map);
	map = perf_map_of("");
	expect_jit(map, 0, NULL, 0);
	perf_map__free(map);
	perf_map__free(NULL);
}

static void memory_that_is_used_again_is_what_it_is_now(void **state)
{
	struct perf_map *map = perf_map_of("1000 100 old\n"
					   "1040 20 inside\n"
					   "1f00 200 before\n"
					   "2000 100 behind\n"
					   "1000 100 old\n"
					   "1080 10 newest\n");

	(void)state;
	expect_jit(map, 0x1040, "old", 0x40);
	expect_jit(map, 0x107f, "old", 0x7f);
	expect_jit(map, 0x1080, "newest", 0);
	expect_jit(map, 0x1090, "old", 0x90);
	expect_jit(map, 0x1fff, "before", 0xff);
	expect_jit(map, 0x2000, "behind", 0);
	expect_jit(map, 0x20ff, "behind", 0xff);
	perf_map__free(map);
}

/* Whatever overlaps whatever: the last line that holds the address, as found by looking at all of them. */
static void the_last_line_counts(void **state)
{
	enum { LINES = 60 };
	unsigned starts[LINES], sizes[LINES];
	char text[LINES * 32], name[16];

	(void)state;
	srandom(1);
	for (int turn = 0; turn < 50; turn++) {
		size_t n = 0;
		struct perf_map *map;

		for (int i = 0; i < LINES; i++) {
			starts[i] = 1 + random() % 200;
			sizes[i] = 1 + random() % (turn + 1);
			n += sprintf(text + n, "%x %x %d\n", starts[i], sizes[i], i);
		}
		map = perf_map_of(text);
		for (unsigned address = 0; address < 300; address++) {
			int last = LINES - 1;

			while (last >= 0 && (address < starts[last] || address >= starts[last] + sizes[last]))
				last--;
			sprintf(name, "%d", last);
			expect_jit(map, address, last < 0 ? NULL : name,
				   last < 0 ? 0 : address - starts[last]);
		}
		perf_map__free(map);
	}
}

static void malformed_lines_are_left_out(void **state)
{
	static const char text[] = "\n1000\n1000 \n1000 10\n1000 10 \n1000 0 empty\n-1000 10 sign\nx 10 x\n"
				   "ffffffffffffffff 10 wraps\n10000000000000000 10 long\n1000  10 spaces\n"
				   "2000 10 a\0b\n3000 10 last";
	struct perf_map *map = perf_map__parse(text, sizeof(text) - 1);

	(void)state;
	expect_jit(map, 0x1000, NULL, 0);
	expect_jit(map, UINT64_MAX, NULL, 0);
	expect_jit(map, 0x2000, "a?b", 0);
	expect_jit(map, 0x3000, "last", 0);
	perf_map__free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_functions_are_found),
		cmocka_unit_test(what_is_no_kernel_function_is_not_found),
		cmocka_unit_test(order_and_aliases_do_not_matter),
		cmocka_unit_test(hidden_addresses_are_told),
		cmocka_unit_test(lines_that_are_none_are_left_out),
		cmocka_unit_test(what_this_kernel_tells_is_understood),
		cmocka_unit_test(compiled_functions_are_found),
		cmocka_unit_test(memory_that_is_used_again_is_what_it_is_now),
		cmocka_unit_test(the_last_line_counts),
		cmocka_unit_test(malformed_lines_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
