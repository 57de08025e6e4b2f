/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out/: the same calls make a table and JSON Lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "out/out.h"

static const struct out_column columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT},
	{.key = "rare", .heading = "RARE", .flags = OUT_IF_ANY},
	{.key = "share", .heading = "SHARE"},
	{.key = "name", .heading = "NAME", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
	{.key = "vma.start", .flags = OUT_JSON_ONLY},
	{.key = "vma.end", .flags = OUT_JSON_ONLY},
	{.key = "kinds", .flags = OUT_DETAIL},
};
static const struct out_table table = {"row", "Rows", columns, sizeof(columns) / sizeof(columns[0])};

static void put_row(struct out *out, uint64_t pid, const char *comm, uint64_t rare, const char *name)
{
	const struct out_part kinds[] = {{"cow", 3}, {"none", 0}, {"shmem", 1}};

	out__row(out);
	if (pid)
		out__count(out, "pid", pid);
	else
		out__unknown(out, "pid");
	out__text(out, "comm", comm);
	out__count(out, "rare", rare);
	out__share(out, "share", 0.25);
	out__text(out, "name", name);
	out__address(out, "vma.start", 0x1000);
	out__address(out, "vma.end", UINT64_MAX);
	out__parts(out, "kinds", kinds, 3);
	out__row_end(out);
}

/* What one row looks like; the caller frees it. */
static char *render(enum out_format format, unsigned width, uint64_t pid, const char *comm, uint64_t rare,
		    const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	struct out *out = out__new(file, format, width);

	out__begin(out, &table);
	put_row(out, pid, comm, rare, name);
	out__end(out, 2);
	assert_int_equal(out__flush(out), 0);
	out__free(out);
	fclose(file);
	return text;
}

static void a_table_aligns_and_tells_what_it_left_out(void **state)
{
	char *text = render(OUT_TABLE, 80, 7, "cat", 0, "/bin/cat");

	(void)state;
	assert_string_equal(text, "\nRows\n"
				  "PID COMM SHARE NAME\n"
				  "  7 cat  25.0% /bin/cat\n"
				  "        cow 3, shmem 1\n"
				  "(2 more; -n 3 shows all)\n");
	free(text);
}

static void a_table_says_what_is_unknown_and_shows_rare_columns_when_they_count(void **state)
{
	char *text = render(OUT_TABLE, 80, 0, "cat", 5, "x");

	(void)state;
	assert_non_null(strstr(text, "PID COMM RARE SHARE NAME\n  - cat     5 25.0% x\n"));
	free(text);
}

static void a_table_fits_its_width(void **state)
{
	char *text = render(OUT_TABLE, 40, 7, "\033\033\033\033\033\033\033", 0,
			    "/a/very/long/path/that/does/not/fit/lib.so");

	(void)state;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		size_t n = 0;

		for (char *s = line; *s; s++)
			n += (*s & 0xc0) != 0x80;
		assert_true(n <= 40);
		assert_null(strchr(line, '\033'));
	}
	free(text);
}

static void json_nests_and_leaves_out_what_is_unknown(void **state)
{
	char *text = render(OUT_JSON, 80, 0, "a\"\x7f\033\xff", 0, "x");
	json_t *row = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(row);
	assert_null(strchr(text, 0x7f));
	assert_null(json_object_get(row, "pid"));
	assert_string_equal(json_string_value(json_object_get(row, "comm")), "a\"\x7f\033\xef\xbf\xbd");
	assert_string_equal(json_string_value(json_object_get(json_object_get(row, "vma"), "end")),
			    "0xffffffffffffffff");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "kinds"), "cow")), 3);
	assert_null(json_object_get(json_object_get(row, "kinds"), "none"));
	json_decref(row);
	free(text);
}

static const struct out_column item_columns[] = {{.key = "size"}, {.key = "note"}};
static const struct out_table item_table = {"item", NULL, item_columns, 2};
static const struct out_column list_columns[] = {
	{.key = "before", .flags = OUT_JSON_ONLY},
	{.key = "items", .flags = OUT_JSON_ONLY},
	{.key = "after", .flags = OUT_JSON_ONLY},
};
static const struct out_table list_table = {"list", NULL, list_columns, 3};

static void json_has_lists_of_rows(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	struct out *out = out__new(file, OUT_JSON, 0);

	(void)state;
	out__line(out, &list_table);
	out__integer(out, "before", -1);
	out__list(out, "items", &item_table);
	for (int i = 1; i <= 2; i++) {
		out__row(out);
		out__bytes(out, "size", i);
		out__unknown(out, "note");
		out__row_end(out);
	}
	out__list_end(out);
	out__count(out, "after", 3);
	out__row_end(out);
	out__free(out);
	fclose(file);
	assert_string_equal(
		text,
		"{\"type\":\"list\",\"before\":-1,\"items\":[{\"size\":1},{\"size\":2}],\"after\":3}\n");
	free(text);
}

static void prose_is_wrapped_and_escaped(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	struct out *out = out__new(file, OUT_TABLE, 44);

	(void)state;
	out__say(out, "%s", "one two three four five six seven eight nine\033 ten");
	out__free(out);
	fclose(file);
	assert_string_equal(text, "one two three four five six seven eight\n  nine\\x1b ten\n");
	free(text);
}

static void a_write_error_is_remembered(void **state)
{
	FILE *file = fopen("/dev/full", "w");
	struct out *out = out__new(file, OUT_JSON, 80);

	(void)state;
	out__begin(out, &table);
	put_row(out, 1, "x", 0, "y");
	assert_int_equal(out__flush(out), -ENOSPC);
	out__free(out);
	fclose(file);
}

static void assert_ns(uint64_t ns, const char *expected)
{
	char text[32];

	out__format_ns(ns, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void units_have_three_digits(void **state)
{
	char text[32];

	(void)state;
	assert_ns(0, "0 ns");
	assert_ns(999, "999 ns");
	assert_ns(1234, "1.23 us");
	assert_ns(45600000, "45.6 ms");
	assert_ns(7000000000, "7.00 s");
	assert_ns(9994, "9.99 us");
	assert_ns(9996, "10.0 us");
	assert_ns(99960, "100 us");
	assert_ns(999600, "1000 us");
	assert_ns(UINT64_MAX, "18446744074 s");
	out__format_bytes(1ull << 20, text, sizeof(text));
	assert_string_equal(text, "1.00 MiB");
	out__format_bytes(1536, text, 5);
	assert_string_equal(text, "1.50");
	out__format_bytes(1023, text, sizeof(text));
	assert_string_equal(text, "1023 B");
	out__format_bytes(1536, text, sizeof(text));
	assert_string_equal(text, "1.50 KiB");
	out__format_bytes(UINT64_MAX, text, sizeof(text));
	assert_string_equal(text, "16.0 EiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_aligns_and_tells_what_it_left_out),
		cmocka_unit_test(a_table_says_what_is_unknown_and_shows_rare_columns_when_they_count),
		cmocka_unit_test(a_table_fits_its_width),
		cmocka_unit_test(json_nests_and_leaves_out_what_is_unknown),
		cmocka_unit_test(json_has_lists_of_rows),
		cmocka_unit_test(prose_is_wrapped_and_escaped),
		cmocka_unit_test(a_write_error_is_remembered),
		cmocka_unit_test(units_have_three_digits),
	};

	return cmocka_run_group_tests_name("out", tests, NULL, NULL);
}
