/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds what, by who obtained it and by who touched it; what went back, and what was touched again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "model/site_growth.h"

#define PAGE LEDGER_PAGE
#define AT   0x7f0000000000ULL
#define S    1000000000ULL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

enum { WHO_LEAKS = 11, WHO_BORROWS, WHO_MAPS };

struct test {
	struct ledger *ledger;
	struct touched *touched;
	struct site_growth *growth;
};

static void call(struct test *t, enum alloc_call call, uint64_t ns, int64_t result, uint64_t a0, uint64_t a1,
		 uint64_t flags, uint32_t site)
{
	struct call_record r = {.call = call,
				.enter_ns = ns - 10,
				.exit_ns = ns,
				.result = result,
				.args = {a0, a1, call == CALL_MADVISE ? flags : RW, flags},
				.stack_weight = 1};

	assert_int_equal(ledger__apply(t->ledger, &r, site), 0);
}

/* Touch pages; sampled: one in so many has a stack. */
static void touch(struct test *t, uint64_t address, size_t pages, uint64_t ns, uint32_t who, uint32_t sampled)
{
	for (size_t i = 0; i < pages; i++, address += PAGE) {
		uint32_t times[TOUCHED_CHUNK_PAGES] = {};
		struct touch_sample sample = {address + 123, ns, who, sampled};

		times[address / TOUCHED_PAGE % TOUCHED_CHUNK_PAGES] = touched__value(ns);
		assert_int_equal(touched__feed(t->touched, address & ~(TOUCHED_CHUNK - 1), times, ns), 0);
		if (sampled && !(i % sampled))
			assert_int_equal(site_growth__touch(t->growth, &sample), 0);
	}
}

static void measure(struct test *t, uint64_t ns)
{
	assert_int_equal(site_growth__measure(t->growth, t->ledger, t->touched, ns), 0);
}

static const struct grown_site *site(const struct test *t, enum site_view view, uint32_t via, uint32_t stack)
{
	struct grown_site_key key = {.view = view, .via = via, .stack = stack};
	struct grown_site *s;

	HASH_FIND(hh, t->growth->sites, &key, sizeof(key), s);
	return s;
}

static uint64_t held(const struct test *t, enum site_view view, uint32_t via, uint32_t stack)
{
	const struct grown_site *s = site(t, view, via, stack);

	return s ? s->held : 0;
}

static struct test begin(void)
{
	return (struct test){ledger__new(), touched__new(), site_growth__new(S)};
}

static void end(struct test *t)
{
	ledger__free(t->ledger);
	touched__free(t->touched);
	site_growth__free(t->growth);
}

static void what_is_touched_is_held_until_it_goes_back(void **state)
{
	struct test t = begin();

	(void)state;
	call(&t, CALL_MMAP, 2 * S, AT, AT, 100 * PAGE, ANON, WHO_MAPS);
	measure(&t, 3 * S);
	assert_int_equal(t.growth->held, 0); /* only address space */
	touch(&t, AT, 40, 4 * S, WHO_LEAKS, 1);
	touch(&t, AT + 40 * PAGE, 20, 4 * S, WHO_BORROWS, 1);
	measure(&t, 5 * S);
	assert_int_equal(t.growth->held, 60 * PAGE);
	assert_int_equal(held(&t, SITE_OBTAINED, VIA_MMAP, WHO_MAPS), 60 * PAGE);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_LEAKS), 40 * PAGE);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_BORROWS), 20 * PAGE);
	call(&t, CALL_MADVISE, 6 * S, 0, AT + 40 * PAGE, 20 * PAGE, MADV_DONTNEED, 0);
	measure(&t, 7 * S);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_BORROWS), 0);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_LEAKS), 40 * PAGE);
	call(&t, CALL_MUNMAP, 8 * S, 0, AT, 100 * PAGE, 0, 0);
	measure(&t, 9 * S);
	assert_int_equal(t.growth->held, 0);
	assert_int_equal(t.growth->count, 0); /* no sample is kept for nothing */
	end(&t);
}

static void a_page_belongs_to_who_touched_it_last(void **state)
{
	struct test t = begin();

	(void)state;
	call(&t, CALL_MMAP, 2 * S, AT, AT, 10 * PAGE, ANON, WHO_MAPS);
	touch(&t, AT, 10, 3 * S, WHO_BORROWS, 1);
	call(&t, CALL_MUNMAP, 4 * S, 0, AT, 10 * PAGE, 0, 0);
	call(&t, CALL_MMAP, 5 * S, AT, AT, 10 * PAGE, ANON, WHO_MAPS); /* the same address again */
	touch(&t, AT, 10, 6 * S, WHO_LEAKS, 1);
	measure(&t, 7 * S);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_BORROWS), 0);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_LEAKS), 10 * PAGE);
	end(&t);
}

/* One in 4 faults of one site is sampled, each of the other; and some faults have no stack at all. */
static void samples_are_scaled_to_what_is_known(void **state)
{
	struct test t = begin();

	(void)state;
	call(&t, CALL_MMAP, 2 * S, AT, AT, 1000 * PAGE, ANON, WHO_MAPS);
	touch(&t, AT, 400, 3 * S, WHO_LEAKS, 4);
	touch(&t, AT + 400 * PAGE, 100, 3 * S, WHO_BORROWS, 1);
	touch(&t, AT + 500 * PAGE, 500, 3 * S, 0, 0);
	measure(&t, 4 * S);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_LEAKS), 800 * PAGE);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_BORROWS), 200 * PAGE);
	assert_int_equal(site(&t, SITE_TOUCHED, 0, WHO_LEAKS)->samples, 100);
	end(&t);
}

static void files_are_of_no_interest(void **state)
{
	struct test t = begin();
	struct ledger_mapping m = {.start = AT, .end = AT + 10 * PAGE, .perms = VM_READ, .kind = LEDGER_FILE};

	(void)state;
	assert_int_equal(ledger__seed(t.ledger, &m, VIA_BEFORE, S), 0);
	m = (struct ledger_mapping){
		.start = AT + 10 * PAGE, .end = AT + 20 * PAGE, .perms = VM_READ | VM_WRITE};
	assert_int_equal(ledger__seed(t.ledger, &m, VIA_BEFORE, S), 0);
	touch(&t, AT, 20, 3 * S, WHO_LEAKS, 1);
	measure(&t, 4 * S);
	assert_int_equal(t.growth->held, 10 * PAGE);
	assert_int_equal(held(&t, SITE_OBTAINED, VIA_BEFORE, 0), 10 * PAGE);
	assert_int_equal(held(&t, SITE_TOUCHED, 0, WHO_LEAKS), 10 * PAGE);
	end(&t);
}

/* 100 pages at the start, and 10 more each second; what is borrowed goes back each second. */
static void the_rate_is_of_the_second_half(void **state)
{
	struct test t = begin();
	uint64_t page = 0;

	(void)state;
	call(&t, CALL_MMAP, 2 * S, AT, AT, 10000 * PAGE, ANON, WHO_MAPS);
	touch(&t, AT + 5000 * PAGE, 100, 3 * S, WHO_BORROWS, 1);
	for (uint64_t s = 4; s <= 44; s++) {
		touch(&t, AT + page * PAGE, 10, s * S + S / 2, WHO_LEAKS, 1);
		page += 10;
		measure(&t, (s + 1) * S);
	}
	site_growth__judge(t.growth, 5 * S, 45 * S);
	assert_float_equal(site(&t, SITE_TOUCHED, 0, WHO_LEAKS)->rate, 10.0 * PAGE, 1);
	assert_int_equal(site(&t, SITE_TOUCHED, 0, WHO_LEAKS)->growth.verdict, GROWTH_GROWING);
	assert_float_equal(site(&t, SITE_OBTAINED, VIA_MMAP, WHO_MAPS)->rate, 10.0 * PAGE, 1);
	assert_float_equal(site(&t, SITE_TOUCHED, 0, WHO_BORROWS)->rate, 0, 1);
	assert_int_equal(site(&t, SITE_TOUCHED, 0, WHO_BORROWS)->growth.verdict, GROWTH_STABLE);
	/* What grows most is first. */
	assert_int_equal(t.growth->sites->key.stack, WHO_LEAKS);
	end(&t);
}

/* Beyond SAMPLES_MOST each second one is dropped, and the sum of their weights stays about the same. */
static void samples_are_bounded(void **state)
{
	struct test t = begin();
	double weight = 0;
	size_t n = 3 * SAMPLES_MOST;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct touch_sample sample = {AT + i * PAGE, 2 * S, WHO_LEAKS, 1};

		assert_int_equal(site_growth__touch(t.growth, &sample), 0);
	}
	assert_in_range(t.growth->count, 1, SAMPLES_MOST);
	for (size_t i = 0; i < t.growth->count; i++)
		weight += t.growth->samples[i].weight;
	assert_true(weight > n * 0.97 && weight < n * 1.03);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_touched_is_held_until_it_goes_back),
		cmocka_unit_test(a_page_belongs_to_who_touched_it_last),
		cmocka_unit_test(samples_are_scaled_to_what_is_known),
		cmocka_unit_test(files_are_of_no_interest),
		cmocka_unit_test(the_rate_is_of_the_second_half),
		cmocka_unit_test(samples_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
