/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each call does to the ledger, and who is charged for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>

#include "model/ledger.h"
#include "model/ledger_report.h"

#define PAGE LEDGER_PAGE
#define AT   0x7f0000000000ULL
#define HEAP 0x555500000000ULL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)
#define SITE 7

/* A call of 10 ns that returned at exit_ns. */
static struct call_record record(enum alloc_call call, uint64_t exit_ns, int64_t result, uint64_t a0,
				 uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	return (struct call_record){.call = call,
				    .enter_ns = exit_ns - 10,
				    .exit_ns = exit_ns,
				    .result = result,
				    .args = {a0, a1, a2, a3, a4},
				    .stack_weight = 1};
}

static void do_call(struct ledger *l, struct call_record r, uint32_t site)
{
	assert_int_equal(ledger__apply(l, &r, site), 0);
}

static void do_map(struct ledger *l, uint64_t ns, uint64_t at, uint64_t bytes, int prot, int flags,
		   uint32_t site)
{
	do_call(l, record(CALL_MMAP, ns, (int64_t)at, at, bytes, prot, flags, 0), site);
}

static void do_unmap(struct ledger *l, uint64_t ns, uint64_t at, uint64_t bytes)
{
	do_call(l, record(CALL_MUNMAP, ns, 0, at, bytes, 0, 0, 0), 0);
}

static void do_brk(struct ledger *l, uint64_t ns, uint64_t before, uint64_t asked, uint64_t result)
{
	struct call_record r = record(CALL_BRK, ns, (int64_t)result, asked, 0, 0, 0, 0);

	r.brk_before = before;
	do_call(l, r, SITE);
}

static uint64_t net(const struct ledger *l, enum ledger_via via)
{
	return (uint64_t)ledger_account__net(ledger__account(l, via));
}

static void a_partial_unmap_is_credited_to_who_obtained(void **state)
{
	struct ledger *l = ledger__new();
	const struct ledger_site *s;

	(void)state;
	do_map(l, 100, AT, 10 * PAGE - 1, RW, ANON, SITE);
	do_map(l, 200, AT + 10 * PAGE, 5 * PAGE, PROT_NONE, ANON, SITE + 1);
	do_unmap(l, 300, AT + 2 * PAGE, 3 * PAGE); /* a hole */
	do_unmap(l, 400, AT + 9 * PAGE, 2 * PAGE); /* over both */
	do_unmap(l, 500, AT + 100 * PAGE, PAGE);   /* nothing there: legal */
	assert_int_equal(ledger__count(l), 3);
	s = ledger__site(l, SITE);
	assert_int_equal(s->account.obtained, 10 * PAGE);
	assert_int_equal(s->account.returned, 4 * PAGE);
	assert_int_equal(ledger_account__net(&ledger__site(l, SITE + 1)->account), 4 * PAGE);
	assert_int_equal(net(l, VIA_MMAP), 10 * PAGE);
	assert_int_equal(ledger__call(l, CALL_MUNMAP)->returned, 5 * PAGE);
	assert_int_equal(ledger__call(l, CALL_MMAP)->sizes[ledger__bucket(5 * PAGE)], 1);
	assert_null(ledger__at(l, AT + 2 * PAGE));
	assert_true(ledger_interval__is_reserved(ledger__at(l, AT + 11 * PAGE)));
	assert_false(ledger__is_inconsistent(l));
	ledger__free(l);
}

static void brk_grows_shrinks_refuses_and_answers(void **state)
{
	struct ledger *l = ledger__new();
	const struct ledger_call *c = ledger__call(l, CALL_BRK);
	const struct ledger_failure *f;
	size_t count;

	(void)state;
	do_brk(l, 100, HEAP, 0, HEAP);
	do_brk(l, 200, HEAP, HEAP + PAGE + 1, HEAP + PAGE + 1);
	assert_int_equal(net(l, VIA_BRK), 2 * PAGE);
	do_brk(l, 300, HEAP + PAGE + 1, HEAP + 2 * PAGE, HEAP + 2 * PAGE); /* within the page */
	do_brk(l, 400, HEAP + 2 * PAGE, HEAP + 9 * PAGE, HEAP + 9 * PAGE);
	assert_int_equal(ledger__count(l), 1); /* small steps are one interval */
	do_brk(l, 500, HEAP + 9 * PAGE, HEAP + 3 * PAGE, HEAP + 3 * PAGE);
	assert_int_equal(net(l, VIA_BRK), 3 * PAGE);
	do_brk(l, 600, HEAP + 3 * PAGE, 1ULL << 47, HEAP + 3 * PAGE);
	assert_int_equal(net(l, VIA_BRK), 3 * PAGE);
	assert_int_equal(c->calls, 6);
	assert_int_equal(c->failed, 1);
	assert_int_equal(c->queries, 1);
	f = ledger__failures(l, &count);
	assert_int_equal(count, 1);
	assert_true(f->error == ENOMEM && f->call == CALL_BRK && f->args[0] == 1ULL << 47);
	assert_int_equal(ledger__break(l), HEAP + 3 * PAGE);
	assert_int_equal(ledger__heap_start(l), HEAP);
	ledger__free(l);
}

/* munmap returns after the mmap that got its addresses, and is told after it. */
static void a_late_unmap_spares_the_new_mapping(void **state)
{
	struct ledger *l = ledger__new();

	(void)state;
	do_map(l, 100, AT, 4 * PAGE, RW, ANON, SITE);
	do_call(l, record(CALL_MMAP, 1005, AT + PAGE, 0, PAGE, RW, ANON, 0), SITE + 1); /* enters at 995 */
	assert_int_equal(net(l, VIA_MMAP), 4 * PAGE);
	do_unmap(l, 1010, AT, 4 * PAGE); /* enters at 1000 */
	assert_int_equal(net(l, VIA_MMAP), PAGE);
	assert_int_equal(ledger__at(l, AT + PAGE)->site, SITE + 1);
	/* Its own end comes later, and counts. */
	do_unmap(l, 2000, AT + PAGE, PAGE);
	assert_int_equal(net(l, VIA_MMAP), 0);
	assert_false(ledger__is_inconsistent(l));
	ledger__free(l);
}

static void an_unmap_after_the_new_mapping_is_its_end(void **state)
{
	struct ledger *l = ledger__new();

	(void)state;
	do_map(l, 100, AT, PAGE, RW, ANON, SITE);
	do_call(l, record(CALL_MMAP, 1005, AT, 0, PAGE, RW, ANON, 0), SITE);
	do_unmap(l, 1100, AT, PAGE); /* by who got it */
	assert_int_equal(net(l, VIA_MMAP), 0);
	do_unmap(l, 1101 - 100, AT, PAGE); /* and the one that was late */
	assert_int_equal(net(l, VIA_MMAP), 0);
	ledger__free(l);
}

static void mremap_keeps_who_obtained(void **state)
{
	struct ledger *l = ledger__new();
	uint64_t to = AT + 1000 * PAGE;

	(void)state;
	do_map(l, 100, AT, 4 * PAGE, RW, ANON, SITE);
	do_call(l, record(CALL_MREMAP, 200, (int64_t)to, AT, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, 0),
		SITE + 1);
	assert_null(ledger__at(l, AT));
	assert_int_equal(ledger__at(l, to)->site, SITE);
	assert_int_equal(ledger__at(l, to)->born_ns, 100);
	assert_int_equal(ledger__at(l, to)->since_ns, 190);
	assert_int_equal(ledger__at(l, to + 4 * PAGE)->site, SITE + 1);
	do_call(l, record(CALL_MREMAP, 300, (int64_t)to, to, 6 * PAGE, PAGE, 0, 0), 0);
	assert_int_equal(net(l, VIA_MMAP), PAGE);
	/* The pages go, the mapping stays. */
	do_call(l,
		record(CALL_MREMAP, 400, (int64_t)AT, to, PAGE, PAGE,
		       MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, AT),
		SITE);
	assert_int_equal(net(l, VIA_MMAP), 2 * PAGE);
	assert_int_equal(ledger__at(l, to)->discarded_ns, 400);
	ledger__free(l);
}

static void protection_and_advice_change_the_state(void **state)
{
	struct ledger *l = ledger__new();

	(void)state;
	do_map(l, 100, AT, 8 * PAGE, PROT_NONE, ANON | MAP_NORESERVE, SITE);
	do_call(l, record(CALL_MPROTECT, 200, 0, AT, 2 * PAGE, RW, 0, 0), 0);
	assert_false(ledger_interval__is_reserved(ledger__at(l, AT)));
	assert_true(ledger_interval__is_reserved(ledger__at(l, AT + 2 * PAGE)));
	do_call(l, record(CALL_MADVISE, 300, 0, AT + PAGE, PAGE, MADV_DONTNEED, 0, 0), 0);
	assert_int_equal(ledger__at(l, AT)->discarded_ns, 0);
	assert_int_equal(ledger__at(l, AT + PAGE)->discarded_ns, 300);
	do_call(l, record(CALL_MLOCK, 400, 0, AT + 1, PAGE, 0, 0, 0), 0);
	assert_true(ledger__at(l, AT + PAGE)->flags & LEDGER_LOCKED);
	/* mprotect stops at the hole, with ENOMEM. */
	do_call(l, record(CALL_MPROTECT, 500, -ENOMEM, AT + 7 * PAGE, 2 * PAGE, RW, 0, 0), 0);
	assert_false(ledger_interval__is_reserved(ledger__at(l, AT + 7 * PAGE)));
	assert_false(ledger__is_inconsistent(l));
	do_call(l, record(CALL_MPROTECT, 600, 0, AT + 7 * PAGE, 2 * PAGE, RW, 0, 0), 0);
	assert_true(ledger__is_inconsistent(l));
	ledger__free(l);
}

static void what_the_kernel_has_is_reconciled(void **state)
{
	struct ledger *l = ledger__new();
	struct ledger_difference d;
	struct ledger_mapping maps[] = {{.start = HEAP, .end = HEAP + PAGE, .perms = 3},
					{.start = AT + PAGE, .end = AT + 3 * PAGE, .perms = 1}};

	(void)state;
	do_map(l, 100, AT, 2 * PAGE, RW, ANON, SITE);
	assert_int_equal(ledger__reconcile(l, maps, 2, 200, &d), 0);
	assert_true(d.unseen == 2 * PAGE && d.gone == PAGE && d.changed == PAGE);
	assert_int_equal(net(l, VIA_OTHER), 2 * PAGE);
	assert_int_equal(net(l, VIA_MMAP), PAGE);
	do_unmap(l, 150, AT + PAGE, PAGE); /* told late: /proc knew it */
	assert_int_equal(net(l, VIA_MMAP), PAGE);
	maps[1].start = HEAP;
	assert_int_equal(ledger__reconcile(l, maps, 2, 300, &d), -EINVAL);
	assert_int_equal(ledger__seed(l, &maps[0], VIA_BEFORE, 400), -EINVAL);
	ledger__free(l);
}

static void a_child_inherits(void **state)
{
	struct ledger *l = ledger__new(), *child;

	(void)state;
	do_map(l, 100, AT, 2 * PAGE, RW, ANON | MAP_LOCKED, SITE);
	do_map(l, 200, AT + 2 * PAGE, PAGE, RW, ANON, SITE);
	do_call(l, record(CALL_MADVISE, 300, 0, AT + 2 * PAGE, PAGE, MADV_DONTFORK, 0, 0), 0);
	child = ledger__fork(l, 400);
	assert_int_equal(ledger__account(child, VIA_MMAP)->inherited, 2 * PAGE);
	assert_int_equal(ledger__account(child, VIA_MMAP)->obtained, 0);
	assert_int_equal(ledger__at(child, AT)->flags & LEDGER_LOCKED, 0);
	ledger__free(l);
	do_unmap(child, 500, AT, 2 * PAGE);
	assert_int_equal(ledger__count(child), 0);
	ledger__free(child);
}

static void faults_find_who_had_the_address(void **state)
{
	struct ledger *l = ledger__new();

	(void)state;
	do_map(l, 100, AT, 64 * PAGE, RW, ANON, SITE);
	do_map(l, 100, AT + 64 * PAGE, 64 * PAGE, PROT_NONE, ANON, SITE);
	ledger__add_faults(l, AT, AT + 128 * PAGE, 10);
	assert_int_equal(ledger__at(l, AT)->faults, 10);
	do_unmap(l, 200, AT, 64 * PAGE);
	ledger__add_faults(l, AT, AT + 64 * PAGE, 5);
	assert_int_equal(ledger__faults(l, VIA_MMAP), 15);
	assert_int_equal(ledger__site(l, SITE)->faults, 15);
	assert_int_equal(ledger__churn(l)[18].count, 1);
	assert_int_equal(ledger__churn(l)[18].faults, 15);
	ledger__free(l);
}

static void a_report_adds_up(void **state)
{
	struct ledger *l = ledger__new();
	struct touched *t = touched__new();
	uint32_t times[TOUCHED_CHUNK_PAGES] = {touched__value(5000000), touched__value(5000000)};
	struct ledger_report r;

	(void)state;
	do_map(l, 1000000, AT, 64 * PAGE, RW, ANON, SITE);
	do_map(l, 1000000, AT + (1ULL << 30), 64ULL << 20, PROT_NONE, ANON | MAP_NORESERVE, SITE + 1);
	do_call(l, record(CALL_MPROTECT, 2000000, 0, AT + (1ULL << 30), 33 * PAGE, RW, 0, 0), 0);
	do_brk(l, 3000000, HEAP, HEAP + PAGE, HEAP + PAGE);
	assert_int_equal(touched__feed(t, AT, times, 6000000), 0);
	assert_int_equal(ledger_report__make(&r, l, t, 5000000000), 0);
	assert_int_equal(r.vias[VIA_MMAP].now.committed, 97 * PAGE);
	assert_int_equal(r.vias[VIA_MMAP].now.reserved, (64ULL << 20) - 33 * PAGE);
	assert_int_equal(r.vias[VIA_MMAP].now.resident, 2 * PAGE);
	assert_int_equal(r.vias[VIA_BRK].net, PAGE);
	assert_int_equal(r.arena_count, 1);
	assert_int_equal(r.untouched.committed, 65 * PAGE);
	assert_int_equal(r.site_count, 2);
	assert_int_equal(r.sites[0].site, SITE + 1);
	assert_int_equal(r.sites[1].now.resident, 2 * PAGE);
	ledger_report__free(&r);
	touched__free(t);
	ledger__free(l);
}

/* A block of malloc's is freed; from then on such blocks come from the heap. */
static void the_threshold_of_malloc_is_followed(void **state)
{
	struct ledger *l = ledger__new();
	const struct ledger_threshold *t = ledger__threshold(l);

	(void)state;
	do_brk(l, 50, HEAP, HEAP + (1 << 20), HEAP + (1 << 20)); /* before: not counted */
	do_call(l, record(CALL_MMAP, 100, AT, 0, 1 << 20, RW, ANON, 0), SITE);
	assert_int_equal(t->bytes, 0);
	do_unmap(l, 200, AT, 1 << 20);
	assert_int_equal(t->bytes, 1 << 20);
	do_brk(l, 300, HEAP + (1 << 20), HEAP + (2 << 20), HEAP + (2 << 20));
	do_brk(l, 400, HEAP + (2 << 20), HEAP + (2 << 20) + 135168,
	       HEAP + (2 << 20) + 135168); /* a usual step */
	assert_int_equal(t->heap_grows, 1);
	assert_int_equal(t->mmaps, 0);
	do_call(l, record(CALL_MMAP, 500, AT, 0, 512 << 10, RW, ANON, 0), SITE);
	do_call(l, record(CALL_MMAP, 600, AT + (1 << 30), 0, 4 << 20, RW, ANON, 0), SITE); /* above it: due */
	assert_int_equal(t->mmaps, 1);
	ledger__free(l);
}

/* As many as an address space may have: no call looks at them all. */
static void many_intervals_are_no_matter(void **state)
{
	struct ledger *l = ledger__new();
	struct timespec a, b;
	const int n = 60000, calls = 200000;
	double ns;

	(void)state;
	for (int i = 0; i < n; i++)
		do_map(l, 100 + i, AT + 2 * i * PAGE, PAGE, RW, ANON, SITE + i % 100);
	assert_int_equal(ledger__count(l), n);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < calls; i++) {
		uint64_t at = AT + 2 * (i * 7919ULL % n) * PAGE;

		do_unmap(l, 1000000 + i, at, PAGE);
		do_map(l, 1000000 + i, at, PAGE, RW, ANON, SITE);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (2.0 * calls);
	print_message("%.0f ns a call with %d intervals\n", ns, n);
	assert_int_equal(ledger__count(l), n);
	ledger__free(l);
}

/* Mappings that followed one another at one address share its faults by what they had of it. */
static void faults_are_shared_by_those_that_came_and_went(void **state)
{
	struct ledger *l = ledger__new();

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		do_map(l, 100 + i * 100, AT, 4 * PAGE, RW, ANON, i ? SITE : SITE + 1);
		do_unmap(l, 150 + i * 100, AT, 4 * PAGE);
	}
	ledger__add_faults(l, AT, AT + (256 << 10), 400);
	assert_int_equal(ledger__site(l, SITE)->faults, 300);
	assert_int_equal(ledger__site(l, SITE + 1)->faults, 100);
	/* Told later, with nobody new: they are of the last one. */
	ledger__add_faults(l, AT, AT + (256 << 10), 5);
	assert_int_equal(ledger__site(l, SITE)->faults, 305);
	ledger__free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_partial_unmap_is_credited_to_who_obtained),
		cmocka_unit_test(brk_grows_shrinks_refuses_and_answers),
		cmocka_unit_test(a_late_unmap_spares_the_new_mapping),
		cmocka_unit_test(an_unmap_after_the_new_mapping_is_its_end),
		cmocka_unit_test(mremap_keeps_who_obtained),
		cmocka_unit_test(protection_and_advice_change_the_state),
		cmocka_unit_test(what_the_kernel_has_is_reconciled),
		cmocka_unit_test(a_child_inherits),
		cmocka_unit_test(faults_find_who_had_the_address),
		cmocka_unit_test(faults_are_shared_by_those_that_came_and_went),
		cmocka_unit_test(a_report_adds_up),
		cmocka_unit_test(the_threshold_of_malloc_is_followed),
		cmocka_unit_test(many_intervals_are_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
