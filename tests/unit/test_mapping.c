/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings in words, pages by their bits, the layout of a process. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "model/mapping_words.h"
#include "proc/pagemap.h"
#include "proc/process_files.h"
#include "sym/segments.h"
#include "vma.h"

static void flags_are_told_in_words(void **state)
{
	char words[MAPPING_WORDS_SIZE];

	(void)state;
	mapping__words("rd wr mr mw me ac", words);
	assert_string_equal(words, "");
	mapping__words("rd wr mr mw me gd ac lo zz", words);
	assert_string_equal(words, "grows down, locked, zz");
	mapping__words("x", words);
	assert_string_equal(words, "");
}

static void classes_are_those_of_the_kernel_side(void **state)
{
	(void)state;
	assert_int_equal(mapping__class("[heap]", false, "rw-p", ""), CLASS_HEAP);
	assert_int_equal(mapping__class("[stack]", false, "rw-p", "rd gd"), CLASS_STACK);
	assert_int_equal(mapping__class("[vvar_vclock]", false, "r--p", ""), CLASS_VDSO);
	assert_int_equal(mapping__class("", false, "rw-p", ""), CLASS_ANON);
	assert_int_equal(mapping__class("[anon:x]", false, "rw-p", ""), CLASS_ANON);
	assert_int_equal(mapping__class("/bin/x", true, "r-xp", ""), CLASS_TEXT);
	assert_int_equal(mapping__class("/bin/x", true, "rw-p", ""), CLASS_DATA);
	assert_int_equal(mapping__class("/bin/x", true, "rw-s", ""), CLASS_FILE);
	assert_int_equal(mapping__class("/memfd:x (deleted)", true, "rw-s", ""), CLASS_SHMEM);
	assert_int_equal(mapping__class("/anon_hugepage (deleted)", true, "rw-p", "rd ht"), CLASS_HUGETLB);
}

static void a_page_is_its_bits(void **state)
{
	struct page_state p = pagemap__decode(1ull << 63 | 1ull << 56 | 1ull << 55 | 0x1234);

	(void)state;
	assert_true(p.present && p.exclusive && p.soft_dirty && !p.swapped && !p.of_file);
	assert_int_equal(p.frame, 0x1234);
	p = pagemap__decode(1ull << 62 | 77 << 5 | 3);
	assert_true(p.swapped && !p.present);
	assert_int_equal(p.swap_type, 3);
	assert_int_equal(p.swap_offset, 77);
	assert_int_equal(p.frame, 0);
}

static void page_flags_are_told_in_words(void **state)
{
	char words[PAGE_FLAGS_SIZE];

	(void)state;
	kpageflags__words(1ull << 3 | 1ull << 12 | 1ull << 22, words);
	assert_string_equal(words, "uptodate, anonymous, transparent huge page");
	kpageflags__words(UINT64_MAX, words);
	assert_true(strlen(words) < PAGE_FLAGS_SIZE);
	kpageflags__words(0, words);
	assert_string_equal(words, "");
}

static void pages_are_counted_in_cells(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 100 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	struct page_counts cells[10];

	(void)state;
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_true(fd >= 0);
	madvise(at, 100 * page, MADV_NOHUGEPAGE);
	memset(at, 1, 25 * page);
	assert_int_equal(pagemap__count(fd, -1, (uint64_t)(uintptr_t)at, 100, cells, 10), 0);
	assert_int_equal(cells[0].pages, 10);
	assert_int_equal(cells[0].present, 10);
	assert_int_equal(cells[2].present, 5);
	assert_int_equal(cells[3].present, 0);
	assert_int_equal(cells[9].pages, 10);
	close(fd);
	munmap(at, 100 * page);
}

static void the_layout_is_read(void **state)
{
	struct process_layout l;

	(void)state;
	/* Fields are numbered from 1; the name is the second. */
	assert_true(process_layout__parse(
		"1 (x) y) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 "
		"30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52\n",
		&l));
	assert_int_equal(l.code_start, 26);
	assert_int_equal(l.code_end, 27);
	assert_int_equal(l.stack_start, 28);
	assert_int_equal(l.data_start, 45);
	assert_int_equal(l.heap_start, 47);
	assert_int_equal(l.environment_end, 51);
	assert_false(process_layout__parse("1 (x) S 4 5\n", &l));
	assert_false(process_layout__parse("", &l));
}

static void segments_of_this_program(void **state)
{
	char text[1024];

	(void)state;
	assert_int_equal(segments__describe(open("/proc/self/exe", O_RDONLY), 0, 1 << 30, text, sizeof(text)),
			 0);
	assert_non_null(strstr(text, "LOAD r-x"));
	assert_non_null(strstr(text, " .text"));
	assert_int_equal(
		segments__describe(open("/proc/self/exe", O_RDONLY), 1ull << 40, 4096, text, sizeof(text)),
		0);
	assert_string_equal(text, "");
	assert_int_equal(segments__describe(open("/proc/self/stat", O_RDONLY), 0, 1, text, sizeof(text)),
			 -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_told_in_words),
		cmocka_unit_test(classes_are_those_of_the_kernel_side),
		cmocka_unit_test(a_page_is_its_bits),
		cmocka_unit_test(page_flags_are_told_in_words),
		cmocka_unit_test(pages_are_counted_in_cells),
		cmocka_unit_test(the_layout_is_read),
		cmocka_unit_test(segments_of_this_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
