/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where allocators are probed, how samples are chosen and scaled back, and what is outstanding. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/heap_table.h"
#include "sym/allocator.h"
#include "sym/elf_file.h"
#include "trace/loader_list.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define MS	      1000000ull

/* --- where to probe ---------------------------------------------------------------------------------------
 */

#define PLACE(...)                                                            \
	({                                                                    \
		const uint8_t code[] = {__VA_ARGS__};                         \
		uint8_t *copy = malloc(sizeof(code)); /* for the sanitizer */ \
		int place;                                                    \
		memcpy(copy, code, sizeof(code));                             \
		place = allocator__probe_place(copy, sizeof(code));           \
		free(copy);                                                   \
		place;                                                        \
	})

static void places(void **state)
{
	(void)state;
	assert_int_equal(PLACE(0x55, 0x48, 0x89, 0xe5), 0);			 /* push rbp */
	assert_int_equal(PLACE(0x41, 0x54, 0x55), 0);				 /* push r12 */
	assert_int_equal(PLACE(0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x57), 4);		 /* endbr64; push r15 */
	assert_int_equal(PLACE(0x48, 0x85, 0xff, 0x0f, 0x84, 0xbf, 0, 0, 0), 3); /* test rdi,rdi; je */
	assert_int_equal(PLACE(0x80, 0x3d, 1, 2, 3, 4, 0, 0x74, 7), 7);		 /* cmpb 0, rip; je */
	assert_int_equal(PLACE(0x48, 0x8b, 0x05, 1, 2, 3, 4, 0x53), 7);		 /* mov rip, rax; push */
	assert_int_equal(PLACE(0x48, 0x89, 0xf8, 0x41, 0x54), 3);		 /* mov rdi, rax; push */
	assert_int_equal(PLACE(0x31, 0xc0, 0xe9, 1, 2, 3, 4), 2);		 /* xor eax; jmp */
	/* What changes an argument or the stack pointer, or is not known, is not passed over. */
	assert_int_equal(PLACE(0x48, 0x89, 0xf7, 0x55), -1);		 /* mov rsi, rdi */
	assert_int_equal(PLACE(0x31, 0xf6, 0x55), -1);			 /* xor esi */
	assert_int_equal(PLACE(0x48, 0x83, 0xec, 0x28, 0x55), -1);	 /* sub 0x28, rsp */
	assert_int_equal(PLACE(0x48, 0x8b, 0x3d, 1, 2, 3, 4, 0x55), -1); /* mov rip, rdi */
	assert_int_equal(PLACE(0xc5, 0xf8, 0x77, 0x55), -1);		 /* vzeroupper */
	assert_int_equal(PLACE(0x48, 0x85), -1);
	assert_int_equal(allocator__probe_place(NULL, 0), -1);
	/* test rdi,rdi; je; dec edi; jmp to the je: it is run twice. */
	assert_int_equal(PLACE(0x48, 0x85, 0xff, 0x74, 4, 0xff, 0xcf, 0xeb, 0xfa), -1);
}

static const struct allocator_probe *probe_of(const struct allocator *a, const char *name)
{
	for (size_t i = 0; i < a->count; i++)
		if (!strcmp(a->probes[i].name, name))
			return &a->probes[i];
	return NULL;
}

/* A program that is linked statically has malloc in its table of symbols only. */
static void static_program(void **state)
{
	struct allocator a;

	(void)state;
	assert_int_equal(allocator__find(elf_file__open_regular(FIXTURES "/static"), NULL, &a), 0);
	assert_non_null(probe_of(&a, "malloc"));
	assert_int_equal(probe_of(&a, "free")->function, HEAP_FREE);
	assert_true(probe_of(&a, "malloc")->offset > 0);
	allocator__free(&a);
	assert_int_equal(allocator__find(elf_file__open_regular(FIXTURES "/static"), "je_", &a), 0);
	assert_int_equal(a.count, 0);
	allocator__free(&a);
	assert_int_equal(allocator__find(elf_file__open_regular(FIXTURES "/gcc.so"), NULL, &a), 0);
	assert_int_equal(a.count, 0);
	allocator__free(&a);
}

/* A note as sys/sdt.h makes it, and ones that end too early. */
static void usdt_notes(void **state)
{
	static const uint8_t note[] = "\x08\0\0\0\x30\0\0\0\x03\0\0\0stapsdt\0"
				      "AAAAAAAABBBBBBBBCCCCCCCCotel_memory\0free\0008@%rdi\0";
	uint8_t two[2 * (sizeof(note) - 1)];

	(void)state;
	assert_int_equal(sizeof(note) - 1, 20 + 0x30);
	assert_true(allocator__has_usdt(note, sizeof(note) - 1, "otel_memory", "free"));
	assert_false(allocator__has_usdt(note, sizeof(note) - 1, "otel_memory", "alloc"));
	assert_false(allocator__has_usdt(note, sizeof(note) - 1, "otel", "free"));
	for (size_t size = 0; size < sizeof(note) - 1; size++)
		assert_false(allocator__has_usdt(note, size, "otel_memory", "free"));
	memcpy(two, note, sizeof(two) / 2);
	memcpy(two + sizeof(two) / 2, note, sizeof(two) / 2);
	memcpy(two + 20 + 24, "some_other_", 11);
	assert_true(allocator__has_usdt(two, sizeof(two), "otel_memory", "free"));
}

static void loader_lines(void **state)
{
	char lib[] = "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2c)\n";
	char loader[] = "\t/lib64/ld-linux-x86-64.so.2 (0x00007f2c)\n";
	char vdso[] = "\tlinux-vdso.so.1 (0x00007ffd)\n", missing[] = "\tlibx.so => not found\n",
	     empty[] = "";
	char odd[] = "\tliba b.so => /odd (dir)/liba b.so (0x1)\n";

	(void)state;
	assert_string_equal(loader_list__path(lib), "/lib/x86_64-linux-gnu/libc.so.6");
	assert_string_equal(loader_list__path(loader), "/lib64/ld-linux-x86-64.so.2");
	assert_string_equal(loader_list__path(odd), "/odd (dir)/liba b.so");
	assert_null(loader_list__path(vdso));
	assert_null(loader_list__path(missing));
	assert_null(loader_list__path(empty));
}

/* --- samples ----------------------------------------------------------------------------------------------
 */

static uint32_t logarithms[HEAP_LOG_ENTRIES];

static int make_logarithms(void **state)
{
	(void)state;
	for (int i = 0; i < HEAP_LOG_ENTRIES; i++)
		logarithms[i] = llround(log2(1 + i / 256.0) * (1 << HEAP_LOG_BITS));
	return 0;
}

static uint64_t scale(uint64_t mean)
{
	return llround(16 * M_LN2 * mean);
}

/* The inverse of the distribution function, against the C library's. */
static void distances(void **state)
{
	const uint64_t means[] = {256, 4096, 524288, 1u << 30};

	(void)state;
	for (size_t m = 0; m < LENGTH(means); m++)
		for (uint64_t r = 0; r <= UINT32_MAX; r += 1 + r / 8 + (r > UINT32_MAX / 2 ? 99999 : 0)) {
			double want = -log((r + 1) / 4294967296.0) * means[m];
			double got = heap_distance(r, logarithms, scale(means[m]));

			assert_true(fabs(got - 1 - want) <= 1.001 + want * 0.0002 + means[m] * 1e-5);
		}
	assert_int_equal(heap_distance(UINT32_MAX, logarithms, scale(4096)), 1);
}

/* xorshift64: the same numbers each time (G. Marsaglia, Xorshift RNGs, 2003). */
static uint32_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> 32;
}

/* As the kernel side does it. The sums come out right, and err as often as their error says. */
static void estimates(void **state)
{
	uint64_t seed = 42;
	int beyond = 0;

	(void)state;
	for (int run = 0; run < 200; run++) {
		int64_t distance = heap_distance(draw(&seed), logarithms, scale(4096));
		double bytes = 0, count = 0, error;
		struct heap_sum sum = {};

		for (int i = 0; i < 20000; i++) {
			struct heap_block block = {.size = 16 << i % 10, .time_ns = 1 + i};

			bytes += block.size;
			count++;
			distance -= block.size;
			if (distance > 0)
				continue;
			distance = heap_distance(draw(&seed), logarithms, scale(4096));
			heap_sum__add(&sum, &block, 4096);
		}
		error = sqrt(sum.bytes_variance);
		assert_true(error > 0 && error < bytes * 0.03);
		assert_true(fabs(sum.bytes - bytes) < 5 * error);
		assert_true(fabs(sum.count - count) < 5 * sqrt(sum.count_variance));
		beyond += fabs(sum.bytes - bytes) > error;
	}
	/* Of a normal distribution 31.7 %: 63 of 200, +- 7. */
	assert_in_range(beyond, 35, 91);
}

static void sums(void **state)
{
	const struct heap_block small = {.size = 100, .time_ns = 7}, large = {.size = 1 << 20, .time_ns = 5},
				empty = {.time_ns = 3};
	struct heap_sum sum = {};

	(void)state;
	heap_sum__add(&sum, &small, 0);
	heap_sum__add(&sum, &empty, 0);
	assert_true(sum.bytes == 100 && sum.count == 2 && sum.bytes_variance == 0 && sum.oldest_ns == 3);
	sum = (struct heap_sum){};
	heap_sum__add(&sum, &empty, 1000); /* it cannot be chosen */
	assert_int_equal(sum.blocks, 0);
	heap_sum__add(&sum, &large, 1000); /* it cannot but be chosen */
	assert_true(fabs(sum.count - 1) < 1e-9 && sum.bytes_variance < 1e-9);
	heap_sum__add(&sum, &small, 1000);
	assert_true(fabs(sum.count - 1 - 1 / (1 - exp(-0.1))) < 1e-9);
	assert_int_equal(sum.oldest_ns, 5);
}

/* --- the table --------------------------------------------------------------------------------------------
 */

static const struct heap_process process = {.tgid = 10, .image = 3};

static void count_site(struct heap_table *t, uint64_t number, uint64_t allocated, uint64_t freed)
{
	const struct heap_site_key key = {.stack = number, .process = process};
	const struct heap_site site = {allocated / 100, allocated, freed / 100, freed, 1};

	assert_int_equal(heap_table__count(t, &key, &site), 0);
}

static void add_block(struct heap_table *t, uint64_t number, uint64_t address, uint64_t time_ns)
{
	const struct heap_block_key key = {.address = address, .process = process};
	const struct heap_block block = {.size = 100, .time_ns = time_ns, .stack = number};

	assert_int_equal(heap_table__block(t, &key, &block), 0);
}

/* Two numbers of the kernel side that are one stack are one row; what has no name is STACK_UNKNOWN. */
static void numbers_of_a_stack(void **state)
{
	struct heap_table *t = heap_table__new(0, 0);
	struct heap_row *rows;
	size_t n;

	(void)state;
	heap_table__image(t, process);
	heap_table__name(t, process, 111, 5);
	heap_table__name(t, process, 222, 5);
	count_site(t, 111, 300, 100);
	count_site(t, 222, 400, 0);
	count_site(t, 333, 100, 0);
	heap_table__begin(t);
	add_block(t, 111, 0x1000, 9);
	add_block(t, 111, 0x2000, 8);
	for (int i = 0; i < 4; i++)
		add_block(t, 222, 0x3000 + i, 10 + i);
	add_block(t, 333, 0x4000, 20);
	rows = heap_table__rows(t, 1000 * MS, &n);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].stack, 5);
	assert_true(rows[0].sum.bytes == 600 && rows[0].sum.count == 6);
	assert_int_equal(rows[0].counted.allocations, 7);
	assert_int_equal(rows[0].counted.frees, 1);
	assert_int_equal(rows[0].sum.oldest_ns, 8);
	assert_int_equal(rows[1].stack, 0);
	assert_true(rows[0].image->sum.bytes == 700);
	free(rows);
	heap_table__free(t);
}

/* 100 bytes each 10 ms, for as long as each of these: the rate is found, in a bounded number of points. */
static void growth(void **state)
{
	const uint64_t lengths[] = {400 * MS, 1000 * MS, 10000 * MS, 3600000 * MS};

	(void)state;
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		struct heap_table *t = heap_table__new(0, 1);
		struct heap_row *rows;
		size_t n;

		heap_table__image(t, process)->began_ns = 1;
		heap_table__name(t, process, 1, 1);
		for (uint64_t now = 10 * MS; now <= lengths[i]; now += 10 * MS) {
			count_site(t, 1, now / (10 * MS) * 100, 0);
			if (!heap_table__wants_point(t, now + 1))
				continue;
			heap_table__begin(t);
			heap_table__note(t, now + 1);
		}
		heap_table__begin(t);
		add_block(t, 1, 0x1000, 1);
		rows = heap_table__rows(t, lengths[i] + 1, &n);
		assert_int_equal(n, 1);
		assert_true(rows[0].has_growth);
		assert_true(fabs(rows[0].bytes_per_s - 10000) < 1);
		free(rows);
		heap_table__free(t);
	}
}

/* What grew at first and not since does not grow; a run that was too short for a point says nothing. */
static void no_growth(void **state)
{
	struct heap_table *t = heap_table__new(0, 1);
	struct heap_row *rows;
	size_t n;

	(void)state;
	heap_table__image(t, process)->began_ns = 1;
	count_site(t, 1, 100000, 0);
	heap_table__begin(t);
	add_block(t, 1, 0x1000, 1);
	rows = heap_table__rows(t, 50 * MS, &n);
	assert_false(rows[0].has_growth);
	free(rows);
	for (uint64_t now = 100 * MS + 1; now <= 2000 * MS; now += 100 * MS) {
		heap_table__begin(t);
		heap_table__note(t, now);
	}
	heap_table__begin(t);
	add_block(t, 1, 0x1000, 1);
	rows = heap_table__rows(t, 2000 * MS, &n);
	assert_true(rows[0].has_growth && rows[0].bytes_per_s == 0);
	free(rows);
	heap_table__free(t);
}

/* What an image leaves behind when it ends stays; what it was before an exec does not. */
static void images(void **state)
{
	const struct heap_block_key key = {.address = 0x1000, .process = process};
	const struct heap_block block = {.size = 100, .time_ns = 5, .stack = 1};
	struct heap_table *t = heap_table__new(0, 1);
	struct heap_row *rows;
	size_t n;

	(void)state;
	heap_table__image(t, process)->ended_ns = 1000;
	assert_int_equal(heap_table__keep(t, &key, &block), 0);
	for (int i = 0; i < 2; i++) {
		heap_table__begin(t);
		rows = heap_table__rows(t, 2000, &n);
		assert_int_equal(n, 1);
		assert_true(rows[0].sum.bytes == 100);
		free(rows);
	}
	heap_table__find(t, process)->is_replaced = true;
	heap_table__begin(t);
	rows = heap_table__rows(t, 2000, &n);
	assert_int_equal(n, 0);
	free(rows);
	heap_table__free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),     cmocka_unit_test(static_program),
		cmocka_unit_test(usdt_notes), cmocka_unit_test(loader_lines),
		cmocka_unit_test(distances),  cmocka_unit_test(estimates),
		cmocka_unit_test(sums),	      cmocka_unit_test(numbers_of_a_stack),
		cmocka_unit_test(growth),     cmocka_unit_test(no_growth),
		cmocka_unit_test(images),
	};

	return cmocka_run_group_tests(tests, make_logarithms, NULL);
}
