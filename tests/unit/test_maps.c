/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of /proc/PID/maps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proc/file.h"
#include "proc/maps.h"

static struct maps_entry parsed(const char *text)
{
	struct maps_entry entry;

	assert_int_equal(maps__next(&text, &entry), 1);
	assert_int_equal(maps__next(&text, &entry), 0);
	return entry;
}

static void a_line_is_read_whole(void **state)
{
	struct maps_entry e = parsed("7f0a1b2c3000-7ffffffff000 r-xp 0001a000 fe:1f 123456789012     "
				     "            /usr/lib/x86_64-linux-gnu/libc.so.6\n");

	(void)state;
	assert_true(e.start == 0x7f0a1b2c3000 && e.end == 0x7ffffffff000 && e.pgoff == 0x1a000);
	assert_int_equal(e.perms, MAPS_READ | MAPS_EXEC);
	assert_int_equal(e.major, 0xfe);
	assert_int_equal(e.minor, 0x1f);
	assert_true(e.inode == 123456789012);
	assert_string_equal(e.name, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	assert_int_equal(e.name_length, strlen(e.name));
	assert_int_equal(e.bare_length, e.name_length);
	assert_false(e.deleted);
	e = parsed("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]");
	assert_int_equal(e.perms, MAPS_EXEC);
	assert_string_equal(e.name, "[vsyscall]");
	e = parsed("1000-2000 rw-s ffffffff000 00:01 1 /dev/zero");
	assert_int_equal(e.perms, MAPS_READ | MAPS_WRITE | MAPS_SHARED);
	assert_true(e.pgoff == 0xffffffff000);
}

static void a_mapping_may_have_no_name(void **state)
{
	static const char *const lines[] = {
		"1000-2000 rw-p 00000000 00:00 0 \n", "1000-2000 rw-p 00000000 00:00 0\n",
		"1000-2000 rw-p 00000000 00:00 0 ", "1000-2000 rw-p 00000000 00:00 0"};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct maps_entry e = parsed(lines[i]);

		assert_string_equal(e.name, "");
		assert_int_equal(e.name_length, 0);
		assert_int_equal(e.inode, 0);
	}
}

static void names_are_what_they_were(void **state)
{
	struct maps_entry e = parsed("1000-2000 r-xp 0 1:2 3  /a b/c  d \n");

	(void)state;
	assert_string_equal(e.name, "/a b/c  d ");
	e = parsed("1000-2000 r-xp 0 1:2 3  /a\\012b\\134\\01\n");
	assert_string_equal(e.name, "/a\nb\\134\\01");
	e = parsed("1000-2000 r-xp 0 1:2 3  /a (deleted)\n");
	assert_true(e.deleted);
	assert_string_equal(e.name, "/a (deleted)");
	assert_int_equal(e.bare_length, 2);
	e = parsed("1000-2000 r-xp 0 1:2 3  /a (deleted)x\n");
	assert_false(e.deleted);
	e = parsed("1000-2000 r-xp 0 1:2 3  /a (deleted) (deleted)\n");
	assert_true(e.deleted);
	assert_int_equal(e.bare_length, strlen("/a (deleted)"));
}

static void other_lines_are_refused(void **state)
{
	static const char *const lines[] = {
		"\n",
		"1000",
		"1000-2000",
		"1000-2000 r-xp",
		"1000-2000 r-xp 0 1:2",
		"1000-2000 r-xp 0 1:2 ",
		"1000-2000 r-xp 0 1:2 x",
		"1000-2000 r-xp 0 1:2 3x",
		"1000-2000 r-xp 0 1:2 3\t/a",
		"1000-2000 r-xp 0 1-2 3 /a",
		"1000-2000 r-xp x 1:2 3 /a",
		"1000-2000 rwx 0 1:2 3 /a",
		"1000-2000 rxwp 0 1:2 3 /a",
		"1000-2000 r-xq 0 1:2 3 /a",
		"2000-1000 r-xp 0 1:2 3 /a",
		"1000-1000 r-xp 0 1:2 3 /a",
		"-2000 r-xp 0 1:2 3 /a",
		"0x1000-2000 r-xp 0 1:2 3 /a",
		" 1000-2000 r-xp 0 1:2 3 /a",
		"1000-10000000000000000 r-xp 0 1:2 3 /a",
		"1000-2000 r-xp 0 100000000:2 3 /a",
		"1000-2000 r-xp 0 1:2 99999999999999999999 /a",
		"1000-2000\nr-xp 0 1:2 3 /a",
	};
	struct maps_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *text = lines[i];

		assert_int_equal(maps__next(&text, &entry), -EINVAL);
		assert_true(text > lines[i]);
	}
}

static void a_line_that_is_refused_does_not_end_the_text(void **state)
{
	const char *text = "nonsense\n1000-2000 r-xp 0 1:2 3 /a\n";
	struct maps_entry entry;

	(void)state;
	assert_int_equal(maps__next(&text, &entry), -EINVAL);
	assert_int_equal(maps__next(&text, &entry), 1);
	assert_string_equal(entry.name, "/a");
	assert_int_equal(maps__next(&text, &entry), 0);
}

static void a_name_has_its_bound(void **state)
{
	char text[2 * PATH_MAX] = "1000-2000 r-xp 0 1:2 3 ";
	struct maps_entry entry;
	const char *s = text;

	(void)state;
	memset(text + strlen(text), 'a', sizeof(text) - strlen(text) - 1);
	assert_int_equal(maps__next(&s, &entry), -EINVAL);
	assert_string_equal(s, "");
}

static void what_this_kernel_writes_is_understood(void **state)
{
	char *text = file__read("/proc/self/maps", NULL);
	const char *s = text;
	struct maps_entry entry;
	bool has_this = false, has_stack = false;
	uint64_t before = 0;
	int result;

	(void)state;
	while ((result = maps__next(&s, &entry))) {
		assert_int_equal(result, 1);
		assert_true(entry.start >= before);
		before = entry.end;
		has_this |= entry.perms & MAPS_EXEC && strstr(entry.name, "test_maps") &&
			    (uintptr_t)what_this_kernel_writes_is_understood - entry.start <
				    entry.end - entry.start;
		has_stack |= !strcmp(entry.name, "[stack]");
	}
	assert_true(has_this && has_stack);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_read_whole),
		cmocka_unit_test(a_mapping_may_have_no_name),
		cmocka_unit_test(names_are_what_they_were),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(a_line_that_is_refused_does_not_end_the_text),
		cmocka_unit_test(a_name_has_its_bound),
		cmocka_unit_test(what_this_kernel_writes_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
