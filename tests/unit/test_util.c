/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util/: numbers read strictly, hostile text made safe, strings kept once. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "util/buffer.h"
#include "util/intern.h"
#include "util/number.h"
#include "util/text.h"

static void number_accepts_digits_in_range(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(number__parse("0", 0, 10, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(number__parse("18446744073709551615", 0, UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(number__parse("007", 1, 7, &n), 0);
	assert_int_equal(n, 7);
}

static void number_refuses_the_rest(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1k", "1.0"};
	uint64_t n = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number__parse(bad[i], 0, 100, &n), -EINVAL);
	assert_int_equal(number__parse("18446744073709551616", 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(number__parse("99999999999999999999999", 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(number__parse("3", 4, 10, &n), -ERANGE);
	assert_int_equal(number__parse("11", 4, 10, &n), -ERANGE);
	assert_int_equal(n, 42);
}

static void seconds_may_have_a_fraction(void **state)
{
	uint64_t ns;

	(void)state;
	assert_int_equal(number__parse_seconds("2", &ns), 0);
	assert_int_equal(ns, 2000000000);
	assert_int_equal(number__parse_seconds("0.25", &ns), 0);
	assert_int_equal(ns, 250000000);
	assert_int_equal(number__parse_seconds(".5", &ns), 0);
	assert_int_equal(ns, 500000000);
	assert_int_equal(number__parse_seconds("1.0000000019", &ns), 0);
	assert_int_equal(ns, 1000000001);
	assert_int_equal(number__parse_seconds("0", &ns), -ERANGE);
	assert_int_equal(number__parse_seconds("99999999999999999999", &ns), -ERANGE);
	assert_int_equal(number__parse_seconds("", &ns), -EINVAL);
	assert_int_equal(number__parse_seconds(".", &ns), -EINVAL);
	assert_int_equal(number__parse_seconds("1e3", &ns), -EINVAL);
	assert_int_equal(number__parse_seconds("-1", &ns), -EINVAL);
}

static void assert_printable(const char *text, const char *expected)
{
	char buf[128];

	text__to_printable(text, buf, sizeof(buf));
	assert_string_equal(buf, expected);
}

static void assert_decimal(uint64_t n, unsigned decimals, const char *expected)
{
	char text[NUMBER_SIZE];

	assert_int_equal(number__fixed(n, decimals, text), strlen(expected));
	assert_string_equal(text, expected);
}

static void numbers_are_written_as_printf_does(void **state)
{
	const uint64_t some[] = {0, 1, 9, 10, 15, 16, 255, 4096, 1234567890123, UINT64_MAX};
	char text[NUMBER_SIZE], expected[NUMBER_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		snprintf(expected, sizeof(expected), "%" PRIu64, some[i]);
		assert_int_equal(number__decimal(some[i], text), strlen(expected));
		assert_string_equal(text, expected);
		snprintf(expected, sizeof(expected), "0x%" PRIx64, some[i]);
		assert_int_equal(number__hex(some[i], text), strlen(expected));
		assert_string_equal(text, expected);
	}
	assert_decimal(0, 6, "0.000000");
	assert_decimal(1000001, 6, "1.000001");
	assert_decimal(123, 1, "12.3");
	assert_decimal(UINT64_MAX, 9, "18446744073.709551615");
}

static void buffer_holds_what_was_added(void **state)
{
	struct buffer b = {};
	size_t length = 0;

	(void)state;
	buffer__add(&b, NULL, 0);
	assert_int_equal(b.length, 0);
	for (size_t i = 0; i < 1000; i++, length += 6) {
		buffer__add_text(&b, "abc");
		buffer__add_spaces(&b, 3);
	}
	assert_int_equal(b.length, length);
	assert_memory_equal(b.data + 5994, "abc   ", 6);
	assert_false(b.failed);
	buffer__clear(&b);
	assert_int_equal(b.length, 0);
	buffer__free(&b);
	assert_null(b.data);
}

static void text_escapes_controls(void **state)
{
	(void)state;
	assert_printable("plain", "plain");
	assert_printable("\033[31mred\n\t\x7f", "\\x1b[31mred\\x0a\\x09\\x7f");
	assert_printable("\xc2\x9b"
			 "31m",
			 "\\x9b31m"); /* C1: CSI in eight bits */
	assert_printable("h\xc3\xa9", "h\xc3\xa9");
}

static void text_replaces_malformed_utf8(void **state)
{
	(void)state;
	assert_printable("a\xff"
			 "b",
			 "a\xef\xbf\xbd"
			 "b");
	assert_printable("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");		  /* overlong */
	assert_printable("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* surrogate */
	assert_printable("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");		  /* cut short */
	assert_printable("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_printable("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
}

static void text_is_cut_at_a_character(void **state)
{
	char buf[5];

	(void)state;
	text__to_utf8("ab\xc3\xa9\xc3\xa9", buf, sizeof(buf));
	assert_string_equal(buf, "ab\xc3\xa9");
	text__to_printable("ab\ncd", buf, sizeof(buf));
	assert_string_equal(buf, "ab");
}

static void assert_shortened(const char *text, size_t columns, bool tail, const char *expected)
{
	char *shown = text__shortened(text, columns, tail);

	assert_string_equal(shown, expected);
	free(shown);
}

static void text_is_shortened_by_columns(void **state)
{
	(void)state;
	assert_shortened("abcdef", 6, false, "abcdef");
	assert_shortened("abcdef", 4, false, "abc\xe2\x80\xa6");
	assert_shortened("abcdef", 4, true,
			 "\xe2\x80\xa6"
			 "def");
	assert_shortened("\xc3\xa9\xc3\xa9\xc3\xa9", 2, true, "\xe2\x80\xa6\xc3\xa9");
	assert_shortened("ab", 1, false, "\xe2\x80\xa6");
}

static void intern_keeps_each_string_once(void **state)
{
	struct intern *set = intern__new();
	char key[] = "libc.so.6";
	const char *a = intern__string(set, key);

	(void)state;
	key[0] = 'X';
	assert_string_equal(a, "libc.so.6");
	assert_ptr_equal(intern__string(set, "libc.so.6"), a);
	assert_ptr_not_equal(intern__string(set, key), a);
	assert_string_equal(intern__string(set, ""), "");
	intern__free(set);
	intern__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(number_accepts_digits_in_range),
		cmocka_unit_test(number_refuses_the_rest),
		cmocka_unit_test(seconds_may_have_a_fraction),
		cmocka_unit_test(numbers_are_written_as_printf_does),
		cmocka_unit_test(buffer_holds_what_was_added),
		cmocka_unit_test(text_escapes_controls),
		cmocka_unit_test(text_replaces_malformed_utf8),
		cmocka_unit_test(text_is_cut_at_a_character),
		cmocka_unit_test(text_is_shortened_by_columns),
		cmocka_unit_test(intern_keeps_each_string_once),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
