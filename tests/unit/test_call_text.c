/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/call_text: system calls in words, callers in short; what calls obtain by their arguments. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "model/call_text.h"

static struct call_text made(const struct call_record *r, const char *file)
{
	struct call_text text;

	call_text__make(r, file, &text);
	return text;
}

static void tells_mmap(void **state)
{
	struct call_record r = {
		.call = CALL_MMAP,
		.args = {0, 132 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS},
		.result = 0x7f0000000000,
	};
	struct call_text text = made(&r, NULL);

	(void)state;
	assert_string_equal(text.call, "mmap");
	assert_string_equal(text.what, "132 KiB anon rw-p");
	assert_string_equal(text.result, "0x7f0000000000");
	assert_int_equal(text.size, 132 << 10);
	assert_int_equal(call_record__obtained(&r), 132 << 10);
	r.args[3] = MAP_SHARED | MAP_FIXED;
	text = made(&r, "/usr/lib/libc.so.6");
	assert_string_equal(text.what, "132 KiB rw-s fixed libc.so.6");
	r.result = -ENOMEM;
	text = made(&r, NULL);
	assert_string_equal(text.result, "ENOMEM");
	assert_int_equal(text.error, ENOMEM);
	assert_int_equal(call_record__obtained(&r), 0);
}

static void tells_brk(void **state)
{
	struct call_record r = {
		.call = CALL_BRK, .args = {0x621000}, .brk_before = 0x600000, .result = 0x621000};

	(void)state;
	assert_string_equal(made(&r, NULL).what, "+132 KiB");
	assert_int_equal(call_record__obtained(&r), 0x21000);
	r.args[0] = r.result = 0x5ff000;
	assert_string_equal(made(&r, NULL).what, "-4 KiB");
	assert_int_equal(call_record__returned(&r), 0x1000);
	r.result = 0x600000; /* not moved */
	assert_int_equal(made(&r, NULL).error, ENOMEM);
	assert_int_equal(call_record__returned(&r), 0);
	r.args[0] = 0;
	assert_string_equal(made(&r, NULL).what, "(query)");
	assert_int_equal(made(&r, NULL).error, 0);
}

static void tells_the_others(void **state)
{
	struct call_record r = {.call = CALL_MREMAP, .args = {0x1000, 4096, 1536 << 10}, .result = 0x9000};

	(void)state;
	assert_string_equal(made(&r, NULL).what, "4 KiB to 1.5 MiB moved");
	r = (struct call_record){.call = CALL_MADVISE, .args = {0x1000, 8192, MADV_DONTNEED}};
	assert_string_equal(made(&r, NULL).what, "8 KiB DONTNEED");
	r.args[2] = 12345;
	assert_string_equal(made(&r, NULL).what, "8 KiB advice 12345");
	r = (struct call_record){.call = CALL_MPROTECT, .args = {0x1000, 8192, PROT_NONE}};
	assert_string_equal(made(&r, NULL).what, "8 KiB ---");
	r = (struct call_record){.call = CALL_MLOCKALL};
	assert_string_equal(made(&r, NULL).call, "munlockall");
	r.call = 200; /* hostile */
	assert_non_null(made(&r, NULL).call);
}

static void names_callers(void **state)
{
	const struct frame frames[] = {
		{.symbol = "__mmap64"},	     {.symbol = "mmap64"},
		{.symbol = "sysmalloc"},     {.symbol = "malloc"},
		{.module = "/usr/lib/x.so"}, {.symbol = "load"},
		{.symbol = "main"},	     {.symbol = "__libc_start_main"},
		{.symbol = "_start"},
	};
	char buf[64];

	(void)state;
	call_text__callers(frames, 9, buf, sizeof(buf));
	assert_string_equal(buf, "main→load→x.so→malloc");
	call_text__callers(frames, 2, buf, sizeof(buf));
	assert_string_equal(buf, "mmap64");
	call_text__callers(NULL, 0, buf, sizeof(buf));
	assert_string_equal(buf, "");
	call_text__callers(frames, 9, buf, 8);
	assert_int_equal(strlen(buf), 7);
	assert_int_equal(call_text__first_frame(frames, 9), 3);
	assert_int_equal(call_text__first_frame(&frames[5], 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_mmap),
		cmocka_unit_test(tells_brk),
		cmocka_unit_test(tells_the_others),
		cmocka_unit_test(names_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
