/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From addresses to names, by way of this process and of processes that never were. */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/file.h"
#include "sym/sym.h"

#define NOBODY 4194305u /* beyond the largest pid there can be */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static struct sym *new_sym(void)
{
	struct sym *sym = sym__new();

	assert_non_null(sym);
	return sym;
}

static uint64_t replaced(const struct sym *sym)
{
	struct sym_stats stats;

	sym__stats(sym, &stats);
	return stats.replaced;
}

/* The outermost of the frames at a place of this process: the function itself. */
static const struct frame *frame_at(struct sym *sym, const void *address)
{
	size_t n;
	uint32_t place = sym__place(sym, getpid(), now_ns(), (uintptr_t)address, false);
	const struct frame *frames = sym__frames(sym, place, &n);

	assert_non_null(frames);
	assert_true(n >= 1);
	return &frames[n - 1];
}

__attribute__((noinline)) int findable_function(int n);
int findable_function(int n)
{
	__asm__ volatile("");
	return n + 1;
}

static void own_functions_have_names(void **state)
{
	const char *at = (const char *)(uintptr_t)findable_function;
	struct sym *sym = new_sym();
	const struct frame *frame = frame_at(sym, at + 1);

	(void)state;
	assert_string_equal(frame->symbol, "findable_function");
	assert_int_equal(frame->offset, 1);
	assert_non_null(strstr(frame->module, "test_sym"));
	assert_non_null(frame->build_id);
	assert_non_null(strstr(frame->file, "test_sym.c"));
	assert_true(frame->line > 50);
	assert_false(frame->kernel);
	assert_ptr_equal(frame, frame_at(sym, at + 1));
	sym__free(sym);
}

static void places_are_the_same_for_the_same_code(void **state)
{
	struct sym *sym = new_sym();
	uint64_t at = (uintptr_t)findable_function;
	uint32_t place = sym__place(sym, getpid(), now_ns(), at, false);

	(void)state;
	sym__forked(sym, NOBODY, getpid(), now_ns());
	assert_int_not_equal(place, 0);
	assert_int_equal(sym__place(sym, getpid(), now_ns(), at, false), place);
	assert_int_equal(sym__place(sym, NOBODY, now_ns(), at, false), place);
	assert_int_not_equal(sym__place(sym, getpid(), now_ns(), at, true), place);
	assert_int_not_equal(sym__place(sym, getpid(), now_ns(), at + 1, false), place);
	sym__free(sym);
}

static void nothing_is_known_of_wild_addresses(void **state)
{
	struct sym *sym = new_sym();
	const struct frame *frame = frame_at(sym, (void *)16);
	size_t n;

	(void)state;
	assert_int_equal(frame->ip, 16);
	assert_null(frame->symbol);
	assert_null(frame->module);
	frame = sym__frames(sym, 12345678, &n);
	assert_int_equal(n, 1);
	assert_null(frame->symbol);
	frame = sym__frames(sym, sym__place(sym, NOBODY, 1, 16, true), &n);
	assert_null(frame->symbol);
	sym__free(sym);
}

/* The page of the vdso that holds its code is found by its symbol. */
static void the_vdso_has_names(void **state)
{
	struct sym *sym = new_sym();
	char *maps = file__read("/proc/self/maps", NULL), *line;
	unsigned long start = 0, end = 0;
	bool is_found = false;

	(void)state;
	line = strstr(maps, "[vdso]");
	while (line && line > maps && line[-1] != '\n')
		line--;
	if (!line || sscanf(line, "%lx-%lx", &start, &end) != 2) {
		free(maps);
		sym__free(sym);
		skip();
	}
	for (unsigned long at = start; at < end && !is_found; at += 16) {
		const struct frame *frame = frame_at(sym, (void *)at);

		assert_string_equal(frame->module, "[vdso]");
		is_found = frame->symbol && strstr(frame->symbol, "clock_gettime");
	}
	assert_true(is_found);
	free(maps);
	sym__free(sym);
}

static void the_kernel_has_names(void **state)
{
	struct sym *sym = new_sym();
	char *text = file__read("/proc/kallsyms", NULL), *line = text ? strstr(text, " T vfs_read\n") : NULL;
	const struct frame *frame;
	uint64_t address;
	size_t n;

	(void)state;
	while (line && line > text && line[-1] != '\n')
		line--;
	address = line ? strtoull(line, NULL, 16) : 0;
	frame = sym__frames(sym, sym__kernel_place(sym, address + 5, true), &n);
	assert_int_equal(n, 1);
	assert_true(frame->kernel);
	if (address) { /* they are hidden from who may not see them */
		assert_string_equal(frame->symbol, "vfs_read");
		assert_int_equal(frame->offset, 5);
		assert_string_equal(frame->module, "[kernel]");
	}
	free(text);
	sym__free(sym);
}

/* --- files that change -----------------------------------------------------------------------------------
 */

static char dir[] = "/tmp/memtrace-test-XXXXXX", library[64];

static void copy_file(const char *from, const char *to)
{
	size_t size = 0;
	char *bytes = file__read(from, &size);
	FILE *file = fopen(to, "w");

	assert_non_null(bytes);
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
	free(bytes);
}

/* Not /proc/self/exe, which under valgrind is valgrind. */
static const char *own_path(void)
{
	Dl_info info;

	assert_true(dladdr((void *)(uintptr_t)findable_function, &info));
	return info.dli_fname;
}

/* A library of its own, and the address of a function in it. */
static const char *load(void **handle)
{
	Dl_info info;
	void *at;

	assert_true(dladdr((void *)(uintptr_t)_cmocka_run_group_tests, &info));
	copy_file(info.dli_fname, library);
	*handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(*handle);
	at = dlsym(*handle, "_cmocka_run_group_tests");
	assert_non_null(at);
	return at;
}

static bool may_see_mapped_files(void)
{
	return !geteuid();
}

/* What was mapped counts, and not what is at its path by now; and nothing if only that can be had. */
static void assert_right_or_nothing(struct sym *sym, const char *at)
{
	const struct frame *frame = frame_at(sym, at);

	assert_string_equal(frame->module, library);
	if (may_see_mapped_files())
		assert_string_equal(frame->symbol, "_cmocka_run_group_tests");
	else
		assert_null(frame->symbol);
}

static void a_deleted_file_is_still_read(void **state)
{
	struct sym *sym = new_sym();
	void *handle;
	const char *at = load(&handle);

	(void)state;
	unlink(library);
	assert_right_or_nothing(sym, at);
	assert_int_equal(replaced(sym), 0);
	dlclose(handle);
	sym__free(sym);
}

static void a_replaced_file_is_not_used(void **state)
{
	struct sym *sym = new_sym();
	void *handle;
	const char *at = load(&handle);

	(void)state;
	unlink(library);
	copy_file(own_path(), library);
	assert_right_or_nothing(sym, at);
	assert_int_equal(replaced(sym), !may_see_mapped_files());
	dlclose(handle);
	sym__free(sym);
}

/* Of a process that is gone, only the path is left. */
static const struct frame *frame_of_nobody(struct sym *sym, const struct sym_mapping *mapping)
{
	uint32_t place;
	size_t n;

	sym__execed(sym, NOBODY, 10);
	sym__mapped(sym, NOBODY, 11, mapping);
	sym__exited(sym, NOBODY, 20);
	place = sym__place(sym, NOBODY, 15, mapping->start, false);
	assert_int_not_equal(place, 0);
	return sym__frames(sym, place, &n);
}

/* The mapping of this program's code, somewhere else. */
static struct sym_mapping as_mapped(const char *path)
{
	struct sym_mapping mapping = {.start = 0x10000000, .end = 0x20000000, .name = path};
	Dl_info info;
	struct stat st;

	assert_true(dladdr((void *)(uintptr_t)findable_function, &info));
	mapping.pgoff = (uintptr_t)findable_function - (uintptr_t)info.dli_fbase;
	assert_int_equal(stat(path, &st), 0);
	mapping.device = st.st_dev;
	mapping.inode = st.st_ino;
	return mapping;
}

static void inodes_are_compared(void **state)
{
	struct sym_mapping mapping;
	struct sym *sym = new_sym();

	(void)state;
	copy_file(own_path(), library);
	mapping = as_mapped(library);
	assert_string_equal(frame_of_nobody(sym, &mapping)->symbol, "findable_function");
	assert_int_equal(replaced(sym), 0);
	mapping.inode++;
	assert_null(frame_of_nobody(sym, &mapping)->symbol);
	assert_string_equal(frame_of_nobody(sym, &mapping)->module, library);
	assert_int_equal(replaced(sym), 1);
	sym__free(sym);
}

static void build_ids_are_compared(void **state)
{
	struct sym_mapping mapping;
	struct sym *sym = new_sym();
	const char *id = frame_at(sym, (void *)(uintptr_t)findable_function)->build_id;

	(void)state;
	copy_file(own_path(), library);
	mapping = as_mapped(library);
	mapping.inode = 0;
	mapping.build_id_size = strlen(id) / 2;
	for (size_t i = 0; i < mapping.build_id_size; i++)
		sscanf(id + 2 * i, "%2hhx", &mapping.build_id[i]);
	assert_string_equal(frame_of_nobody(sym, &mapping)->symbol, "findable_function");
	mapping.build_id[0] ^= 1;
	assert_null(frame_of_nobody(sym, &mapping)->symbol);
	assert_int_equal(replaced(sym), 1);
	sym__free(sym);
}

/* The kernel tells one by its inode and one by its build id: the same file for all that. */
static void a_file_known_by_both_is_one(void **state)
{
	struct sym_mapping mapping;
	struct sym *sym = new_sym();
	const char *id;
	uint32_t place;

	(void)state;
	copy_file(own_path(), library);
	mapping = as_mapped(library);
	id = frame_of_nobody(sym, &mapping)->build_id;
	place = sym__place(sym, NOBODY, 15, mapping.start, false);
	mapping.build_id_size = strlen(id) / 2;
	for (size_t i = 0; i < mapping.build_id_size; i++)
		sscanf(id + 2 * i, "%2hhx", &mapping.build_id[i]);
	sym__mapped(sym, NOBODY + 1, 11, &mapping);
	assert_int_equal(sym__place(sym, NOBODY + 1, 15, mapping.start, false), place);
	assert_int_equal(sym__file_place(sym, NOBODY + 1, library, mapping.pgoff, false), place);
	assert_int_equal(sym__file_place(sym, NOBODY + 2, library, mapping.pgoff, false), place);
	sym__free(sym);
}

static void what_is_no_elf_file_has_no_symbols(void **state)
{
	struct sym *sym = new_sym();
	struct sym_mapping mapping = {.start = 0x1000, .end = 0x2000, .name = "/etc/passwd"};
	struct sym_mapping device = {.start = 0x1000, .end = 0x2000, .name = "/dev/zero"};

	(void)state;
	assert_string_equal(frame_of_nobody(sym, &mapping)->module, "[jit]");
	assert_null(frame_of_nobody(sym, &mapping)->symbol);
	assert_null(frame_of_nobody(sym, &device)->symbol);
	sym__free(sym);
}

/* --- code that was compiled while it ran -----------------------------------------------------------------
 */

static void write_perf_map(const char *path, const void *at, const char *name)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	fprintf(file, "%lx 20 %s\n", (unsigned long)(uintptr_t)at, name);
	fclose(file);
}

static void compiled_code_is_named_by_its_map(void **state)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), path[64];
	struct sym *sym = new_sym();
	const struct frame *frame;

	(void)state;
	assert_ptr_not_equal(code, MAP_FAILED);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	write_perf_map(path, code, "LazyCompile:*f file.js:1");
	frame = frame_at(sym, code + 4);
	unlink(path);
	assert_string_equal(frame->module, "[jit]");
	assert_string_equal(frame->symbol, "LazyCompile:*f file.js:1");
	assert_int_equal(frame->offset, 4);
	assert_null(frame_at(sym, code + 0x20)->symbol);
	munmap(code, 4096);
	sym__free(sym);
}

/* --- times ------------------------------------------------------------------------------------------------
 */

static void a_lost_event_makes_it_look_again(void **state)
{
	struct sym *sym = new_sym();
	const char *at = (const char *)(uintptr_t)findable_function;
	struct sym_stats stats;

	(void)state;
	sym__execed(sym, getpid(), 1); /* and its mappings are never told */
	assert_null(frame_at(sym, at)->symbol);
	sym__lost(sym, 3);
	assert_string_equal(frame_at(sym, at)->symbol, "findable_function");
	sym__stats(sym, &stats);
	assert_int_equal(stats.mapping_events_lost, 3);
	sym__free(sym);
}

static void all_processes_are_read(void **state)
{
	struct sym *sym = new_sym();

	(void)state;
	sym__read_maps(sym, 0);
	assert_string_equal(frame_at(sym, (void *)(uintptr_t)findable_function)->symbol, "findable_function");
	sym__free(sym);
	sym__free(NULL);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(library, sizeof(library), "%s/library.so", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(library);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_functions_have_names),
		cmocka_unit_test(places_are_the_same_for_the_same_code),
		cmocka_unit_test(nothing_is_known_of_wild_addresses),
		cmocka_unit_test(the_vdso_has_names),
		cmocka_unit_test(the_kernel_has_names),
		cmocka_unit_test(a_deleted_file_is_still_read),
		cmocka_unit_test(a_replaced_file_is_not_used),
		cmocka_unit_test(inodes_are_compared),
		cmocka_unit_test(build_ids_are_compared),
		cmocka_unit_test(a_file_known_by_both_is_one),
		cmocka_unit_test(what_is_no_elf_file_has_no_symbols),
		cmocka_unit_test(compiled_code_is_named_by_its_map),
		cmocka_unit_test(a_lost_event_makes_it_look_again),
		cmocka_unit_test(all_processes_are_read),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
