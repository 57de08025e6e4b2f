/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sym/module on the files of tests/fixtures, each built in another way. What is expected is what the code in
 * them says of itself, once it is loaded.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../fixtures/inlined.h"
#include "proc/file.h"
#include "sym/demangle.h"
#include "sym/module.h"
#include "sym/range_table.h"

#define FRAMES 8

/* A fixture, as a module and as code. */
struct loaded {
	struct intern *strings;
	struct module *module;
	void *library;
	uint64_t base; /* of the code, in this process */
};

static struct module *open_fixture(const char *name, struct intern *strings)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", FIXTURES, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return module__open(fd, path, NULL, strings);
}

static struct loaded load(const char *name)
{
	struct loaded l = {.strings = intern__new()};
	struct link_map *map;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", FIXTURES, name);
	l.module = open_fixture(name, l.strings);
	assert_non_null(l.module);
	l.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(l.library);
	assert_int_equal(dlinfo(l.library, RTLD_DI_LINKMAP, &map), 0);
	l.base = map->l_addr;
	return l;
}

static void unload(struct loaded *l)
{
	dlclose(l->library);
	module__free(l->module);
	intern__free(l->strings);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = text ? strlen(text) : 0, its = strlen(end);

	return length >= its && !strcmp(text + length - its, end);
}

static struct here where(const struct loaded *l, uint64_t *outer_address)
{
	void (*function)(struct here *) = (void (*)(struct here *))dlsym(l->library, "outer");
	struct here here;

	assert_non_null(function);
	function(&here);
	*outer_address = (uintptr_t)function - l->base;
	return here;
}

static void expect_inlined(const struct frame *frames, size_t n, const struct here *here)
{
	const int lines[] = {here->inner_line, here->middle_line, here->outer_line};
	static const char *const names[] = {"inner", "middle", "outer"};

	assert_int_equal(n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(frames[i].symbol, names[i]);
		assert_int_equal(frames[i].line, lines[i]);
		assert_true(ends_with(frames[i].file, "inlined.c"));
		assert_int_equal(frames[i].inlined, i < 2);
	}
}

/* The three functions at an address in the innermost, and the symbol of the outermost. */
static void inlining_is_told(const char *name)
{
	struct loaded l = load(name);
	struct frame frames[FRAMES];
	uint64_t outer_address, address;
	struct here here = where(&l, &outer_address);
	size_t n;

	address = (uintptr_t)here.address - l.base;
	n = module__frames(l.module, address, true, frames, FRAMES);
	expect_inlined(frames, n, &here);
	assert_int_equal(frames[2].offset, address - outer_address);
	assert_int_equal(frames[0].offset, 0);
	assert_int_equal(frames[2].module_offset, address);
	assert_true(ends_with(frames[2].module, name));
	assert_string_equal(frames[2].build_id, module__build_id(l.module));
	unload(&l);
}

static void of_gcc(void **state)
{
	(void)state;
	inlining_is_told("gcc.so");
}

/* It writes no .debug_aranges. */
static void of_clang(void **state)
{
	(void)state;
	inlining_is_told("clang.so");
}

static void in_a_separate_file_by_debuglink(void **state)
{
	(void)state;
	inlining_is_told("debuglink.so");
}

static void in_a_dwo_file(void **state)
{
	(void)state;
	inlining_is_told("split.so");
}

static void in_compressed_sections(void **state)
{
	(void)state;
	inlining_is_told("compressed.so");
}

/* What is not exported is known by nobody but the module. */
static void only_symbols(const char *name)
{
	struct loaded l = load(name);
	struct frame frame;
	uint64_t outer_address, address;
	struct here here = where(&l, &outer_address);

	address = (uintptr_t)here.address - l.base;
	assert_int_equal(module__frames(l.module, address, true, &frame, 1), 1);
	assert_string_equal(frame.symbol, "outer");
	assert_int_equal(frame.offset, address - outer_address);
	assert_null(frame.file);
	assert_int_equal(frame.line, 0);
	assert_false(frame.inlined);
	unload(&l);
}

static void from_dynamic_symbols(void **state)
{
	(void)state;
	only_symbols("stripped.so");
}

static void from_embedded_symbols(void **state)
{
	struct intern *strings = intern__new();
	struct module *embedded = open_fixture("embedded.so", strings),
		      *gcc = open_fixture("gcc.so", strings);
	struct frame frame, whole[FRAMES];
	bool found = false;

	(void)state;
	only_symbols("embedded.so");
	for (uint64_t address = 0; address < 0x4000; address++) {
		size_t n = module__frames(gcc, address, false, whole, FRAMES);

		assert_int_equal(module__frames(embedded, address, false, &frame, 1), 1);
		if (whole[n - 1].symbol && !strcmp(whole[n - 1].symbol, "return_address")) {
			assert_string_equal(frame.symbol, "return_address");
			assert_int_equal(frame.offset, whole[n - 1].offset);
			found = true;
		}
	}
	assert_true(found);
	module__free(embedded);
	module__free(gcc);
	intern__free(strings);
}

/* A checksum that differs is another build: its symbols would be wrong. */
static void a_debug_file_of_another_build_is_not_used(void **state)
{
	(void)state;
	only_symbols("mislinked.so");
}

static void at_fixed_addresses(void **state)
{
	struct intern *strings = intern__new();
	struct module *module = open_fixture("static", strings);
	struct frame frames[FRAMES];
	uint64_t start, address, found;
	struct here here = {0};
	FILE *output = popen(FIXTURES "/static", "r");
	size_t n;

	(void)state;
	assert_non_null(output);
	assert_int_equal(fscanf(output, "0x%" SCNx64 " 0x%" SCNx64 " %d %d %d", &start, &address,
				&here.inner_line, &here.middle_line, &here.outer_line),
			 5);
	pclose(output);
	n = module__frames(module, address, true, frames, FRAMES);
	expect_inlined(frames, n, &here);
	assert_int_equal(frames[2].offset, address - start);
	/* Linkers put the image at 0x400000, and its file at 0. */
	assert_true(module__address(module, address - 0x400000, &found));
	assert_int_equal(found, address);
	assert_false(module__address(module, UINT64_MAX, &found));
	module__free(module);
	intern__free(strings);
}

static void cxx_names_are_readable(void **state)
{
	struct loaded l = load("names.so");
	const void *(*address_of)(int) = (const void *(*)(int))dlsym(l.library, "address_of");
	static const char *const names[] = {"space::box<int>::twice(int)",
					    "space::half(double, char const*)"};
	struct frame frame;

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t address = (uintptr_t)address_of(i) - l.base;

		assert_int_equal(module__frames(l.module, address, false, &frame, 1), 1);
		assert_string_equal(frame.symbol, names[i]);
		assert_int_equal(frame.offset, 0);
		assert_true(ends_with(frame.file, "names.cc"));
	}
	unload(&l);
}

/* The first byte of a function is not where the call before it returns to. */
static void a_return_address_belongs_to_the_call(void **state)
{
	struct loaded l = load("gcc.so");
	struct frame frames[FRAMES];
	uint64_t outer_address;
	size_t n;

	(void)state;
	where(&l, &outer_address);
	n = module__frames(l.module, outer_address, false, frames, FRAMES);
	assert_string_equal(frames[n - 1].symbol, "outer");
	n = module__frames(l.module, outer_address, true, frames, FRAMES);
	assert_true(!frames[n - 1].symbol || strcmp(frames[n - 1].symbol, "outer"));
	module__frames(l.module, 0, true, frames, FRAMES);
	assert_null(frames[0].symbol);
	unload(&l);
}

static void there_is_room_for_as_many_as_are_asked_for(void **state)
{
	struct loaded l = load("gcc.so");
	struct frame frames[2] = {{.line = 1}, {.line = 12345}};
	uint64_t outer_address;
	struct here here = where(&l, &outer_address);

	(void)state;
	assert_int_equal(module__frames(l.module, (uintptr_t)here.address - l.base, true, frames, 1), 1);
	assert_string_equal(frames[0].symbol, "inner");
	assert_int_equal(frames[1].line, 12345);
	unload(&l);
}

static void stacks_can_be_unwound(void **state)
{
	static const char *const names[] = {"gcc.so", "clang.so", "stripped.so", "debug-frame.so"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct loaded l = load(names[i]);
		uint64_t outer_address, bias;
		Dwarf_Frame *frame = NULL;
		Dwarf_CFI *cfi = module__cfi(l.module, &bias);

		where(&l, &outer_address);
		assert_non_null(cfi);
		assert_ptr_equal(cfi, module__cfi(l.module, &bias));
		assert_int_equal(dwarf_cfi_addrframe(cfi, outer_address + bias, &frame), 0);
		free(frame);
		unload(&l);
	}
}

/* The program of an FDE names register 2^26, which libdw would make room for. */
static void unwind_information_that_asks_for_all_memory_is_not_used(void **state)
{
	struct intern *strings = intern__new();
	struct module *module = open_fixture("hostile-cfi.so", strings);
	uint64_t bias;

	(void)state;
	assert_non_null(module);
	assert_null(module__cfi(module, &bias));
	module__free(module);
	intern__free(strings);
}

static void the_vdso_is_an_image(void **state)
{
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct intern *strings = intern__new();
	const char *name = NULL;
	struct module *module;
	struct frame frame;
	uint64_t bias;

	(void)state;
	if (!vdso)
		skip();
	module = module__open_image(vdso, 4096, "[vdso]", strings);
	module__free(module); /* half of it: whatever is made of it */
	module = module__open_image(vdso, 8192, "[vdso]", strings);
	assert_non_null(module);
	assert_non_null(module__build_id(module));
	assert_non_null(module__cfi(module, &bias));
	for (uint64_t address = 0; address < 8192 && !name; address++) {
		assert_int_equal(module__frames(module, address, false, &frame, 1), 1);
		assert_string_equal(frame.module, "[vdso]");
		if (frame.symbol && strstr(frame.symbol, "clock_gettime"))
			name = frame.symbol;
	}
	assert_non_null(name);
	module__free(module);
	intern__free(strings);
}

/* A file that somebody else can change is copied, and so as good as it was when it was opened. */
static void a_file_may_be_cut_while_it_is_read(void **state)
{
	char path[] = "/tmp/memtrace-test-XXXXXX";
	struct intern *strings = intern__new();
	struct frame frames[FRAMES];
	struct module *module;
	size_t size;
	char *image = file__read(FIXTURES "/gcc.so", &size);
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, image, size), size);
	assert_int_equal(fchmod(fd, 0666), 0);
	module = module__open(open(path, O_RDONLY | O_CLOEXEC), path, NULL, strings);
	assert_non_null(module);
	assert_int_equal(ftruncate(fd, 0), 0);
	for (uint64_t address = 0; address < 0x2000; address += 0x10)
		assert_true(module__frames(module, address, false, frames, FRAMES) >= 1);
	module__free(module);
	intern__free(strings);
	free(image);
	close(fd);
	unlink(path);
}

/* As in a container, whose root the debug file is below. */
static void a_debug_file_is_found_by_build_id_in_the_root_of_the_process(void **state)
{
	char root[] = "/tmp/memtrace-test-XXXXXX", path[512], command[8192];
	struct intern *strings = intern__new();
	struct loaded l = load("stripped.so");
	uint64_t outer_address;
	struct here here = where(&l, &outer_address);
	const char *build_id = module__build_id(l.module);
	struct frame frames[FRAMES];
	struct module *module;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/usr/lib/debug/.build-id/%.2s", root, build_id);
	snprintf(command, sizeof(command), "mkdir -p %s && cp %s/debuglink.debug %s/%s.debug", path, FIXTURES,
		 path, build_id + 2);
	assert_int_equal(system(command), 0);
	module = module__open(open(FIXTURES "/stripped.so", O_RDONLY | O_CLOEXEC), "/lib/stripped.so", root,
			      strings);
	n = module__frames(module, (uintptr_t)here.address - l.base, true, frames, FRAMES);
	expect_inlined(frames, n, &here);
	assert_string_equal(frames[0].module, "/lib/stripped.so");
	module__free(module);
	intern__free(strings);
	unload(&l);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

/* Opened like a file, a FIFO waits for somebody to write. */
static void a_debug_file_that_is_a_fifo_is_not_waited_for(void **state)
{
	char dir[] = "/tmp/memtrace-test-XXXXXX", path[64], fifo[64];
	struct intern *strings = intern__new();
	struct module *module;
	struct frame frame;
	size_t size;
	char *image = file__read(FIXTURES "/debuglink.so", &size);
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/debuglink.so", dir);
	snprintf(fifo, sizeof(fifo), "%s/debuglink.debug", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, image, size), size);
	module = module__open(fd, path, NULL, strings);
	alarm(10);
	assert_int_equal(module__frames(module, 0x1100, false, &frame, 1), 1);
	alarm(0);
	module__free(module);
	intern__free(strings);
	free(image);
	unlink(path);
	unlink(fifo);
	rmdir(dir);
}

/* As many bytes of it as there are, in any number, and it is a file without symbols or none. */
static void a_file_may_end_anywhere(void **state)
{
	struct intern *strings = intern__new();
	struct frame frames[FRAMES];
	size_t size;
	char *image = file__read(FIXTURES "/gcc.so", &size);

	(void)state;
	assert_null(module__open_image("no ELF", 6, "x", strings));
	assert_null(module__open_image("", 0, "x", strings));
	for (size_t cut = 0; cut < size; cut += 97) {
		struct module *module = module__open_image(image, cut, "x", strings);
		uint64_t bias;

		if (module) {
			module__cfi(module, &bias);
			assert_true(module__frames(module, 0x1100, true, frames, FRAMES) >= 1);
		}
		module__free(module);
	}
	free(image);
	intern__free(strings);
}

static void names_that_would_fill_memory_stay_as_they_are(void **state)
{
	char *text = demangle("_ZN5space3boxIiE5twiceEi"), *huge = malloc(8192), doubling[1024] = "_Z1f";
	size_t n = strlen(doubling);

	(void)state;
	assert_string_equal(text, "space::box<int>::twice(int)");
	free(text);
	text = demangle("_RNvCs1234_7mycrate3foo");
	assert_string_equal(text, "mycrate::foo");
	free(text);
	text = demangle("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE");
	assert_string_equal(text, "core::fmt::Formatter::pad");
	free(text);
	assert_null(demangle("main"));
	assert_null(demangle(""));
	assert_null(demangle("_Z"));
	/* a<int, int>, a<a<int, int>, a<int, int>>, ...: each twice as long as the one before. */
	n += sprintf(doubling + n, "1aIiiE");
	for (const char *digit = "0123456789ABCDEFGHIJKLMNOPQRSTUV"; *digit; digit++) {
		n += sprintf(doubling + n, "S_IS%c_S%c_E", *digit, *digit);
		text = *digit < '4' ? demangle(doubling) : NULL;
		assert_true(!text == (*digit >= '4'));
		free(text);
	}
	assert_null(demangle(doubling));
	memset(huge, 'P', 8191);
	huge[8191] = '\0';
	memcpy(huge, "_Z1f", 4);
	assert_null(demangle(huge));
	free(huge);
}

static void the_innermost_range_is_found(void **state)
{
	struct range_table table = {0};
	const uint64_t ranges[][2] = {{10, 100}, {20, 90}, {20, 30},   {40, 50},
				      {45, 60},	 {95, 99}, {200, 201}, {5, 5}};
	const size_t n = sizeof(ranges) / sizeof(ranges[0]);

	(void)state;
	assert_null(range_table__find(&table, 0));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(range_table__add(&table, ranges[i][0], ranges[i][1], i), 0);
	range_table__sort(&table);
	for (uint64_t address = 0; address < 300; address++) {
		const struct range *found = range_table__find(&table, address);
		size_t best = n;

		for (size_t i = 0; i < n; i++)
			if (ranges[i][0] <= address && address < ranges[i][1] &&
			    (best == n || ranges[i][0] > ranges[best][0] ||
			     (ranges[i][0] == ranges[best][0] && ranges[i][1] < ranges[best][1])))
				best = i;
		assert_true(best == n ? !found : found && found->value == best);
	}
	range_table__clear(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_gcc),
		cmocka_unit_test(of_clang),
		cmocka_unit_test(in_a_separate_file_by_debuglink),
		cmocka_unit_test(in_a_dwo_file),
		cmocka_unit_test(in_compressed_sections),
		cmocka_unit_test(from_dynamic_symbols),
		cmocka_unit_test(from_embedded_symbols),
		cmocka_unit_test(a_debug_file_of_another_build_is_not_used),
		cmocka_unit_test(at_fixed_addresses),
		cmocka_unit_test(cxx_names_are_readable),
		cmocka_unit_test(a_return_address_belongs_to_the_call),
		cmocka_unit_test(there_is_room_for_as_many_as_are_asked_for),
		cmocka_unit_test(stacks_can_be_unwound),
		cmocka_unit_test(unwind_information_that_asks_for_all_memory_is_not_used),
		cmocka_unit_test(the_vdso_is_an_image),
		cmocka_unit_test(a_file_may_be_cut_while_it_is_read),
		cmocka_unit_test(a_debug_file_is_found_by_build_id_in_the_root_of_the_process),
		cmocka_unit_test(a_debug_file_that_is_a_fifo_is_not_waited_for),
		cmocka_unit_test(a_file_may_end_anywhere),
		cmocka_unit_test(names_that_would_fill_memory_stay_as_they_are),
		cmocka_unit_test(the_innermost_range_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
