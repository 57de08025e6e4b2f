/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/: the fault table, the names of VMAs, histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/fault_table.h"
#include "model/histogram.h"
#include "model/vma_name.h"

static const struct process_key process = {.start_ns = 1000, .tgid = 42, .image = 7};

static struct vma_key key_at(uint64_t anchor, uint64_t file)
{
	return (struct vma_key){.process = process, .anchor = anchor, .file = file};
}

static size_t record_size(const struct vma_record *r)
{
	return offsetof(struct vma_record, name) + r->name_size;
}

static void see(struct fault_table *t, struct vma_key key, uint64_t start, uint64_t end, uint8_t class)
{
	struct vma_record r = {
		.key = key, .start = start, .end = end, .class = class, .flags = VM_READ | VM_WRITE};

	strcpy(r.comm, "prog");
	fault_table__vma_seen(t, &r, record_size(&r));
}

static void count(struct fault_table *t, struct vma_key key, uint64_t start, uint64_t end, uint32_t faults)
{
	struct vma_stats s = {.start = start, .end = end, .faults = faults, .class = CLASS_ANON};

	s.kinds[KIND_ANON_WRITE] = faults;
	fault_table__add_stats(t, &key, &s);
}

static void set_components(struct vma_record *r, const char *components, size_t size)
{
	r->name_kind = NAME_PATH;
	r->name_size = size;
	memcpy(r->name, components, size);
}

static void names_are_put_in_order(void **state)
{
	struct vma_record r = {.class = CLASS_TEXT};
	char name[VMA_NAME_SIZE];

	(void)state;
	set_components(&r, "libc.so.6\0lib\0usr", 18);
	vma_name__build(&r, name, sizeof(name));
	assert_string_equal(name, "/usr/lib/libc.so.6");
	r.name_flags = NAME_DELETED | NAME_TRUNCATED;
	vma_name__build(&r, name, sizeof(name));
	assert_string_equal(name, ".../usr/lib/libc.so.6 (deleted)");
}

static void names_that_are_malformed_do_no_harm(void **state)
{
	struct vma_record r = {.class = CLASS_FILE};
	char name[16];

	(void)state;
	set_components(&r, "unterminated", 5);
	vma_name__build(&r, name, sizeof(name));
	assert_string_equal(name, "?");
	set_components(&r, "a-long-component\0another-one", 29);
	vma_name__build(&r, name, sizeof(name));
	assert_int_equal(strlen(name), sizeof(name) - 1);
	r.name_size = sizeof(r.name) + 1;
	vma_name__build(&r, name, sizeof(name));
	assert_string_equal(name, "");
}

static void names_without_a_file(void **state)
{
	struct vma_record r = {.class = CLASS_HEAP, .end = 1};
	char name[VMA_NAME_SIZE];

	(void)state;
	vma_name__build(&r, name, sizeof(name));
	assert_string_equal(name, "[heap]");
	r.class = CLASS_ANON;
	vma_name__build(&r, name, sizeof(name));
	assert_string_equal(name, "[anon]");
	r.name_kind = NAME_ANON;
	r.name_size = 6;
	strcpy(r.name, "arena");
	vma_name__build(&r, name, sizeof(name));
	assert_string_equal(name, "[anon:arena]");
}

static void a_record_shorter_than_its_name_is_ignored(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct vma_record r = {.key = key_at(0x1000, 0), .name_size = 100};

	(void)state;
	fault_table__vma_seen(t, &r, offsetof(struct vma_record, name) + 50);
	fault_table__vma_seen(t, &r, 4);
	assert_null(fault_table__vma(t, &r.key));
	fault_table__free(t);
}

static void counts_of_all_cpus_add_up(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct vma_stats s = {.start = 0x1000, .end = 0x3000, .faults = 5, .class = CLASS_ANON};
	struct vma_key key = key_at(0x1000, 0);
	const struct fault_counts *total;

	(void)state;
	see(t, key, 0x1000, 0x3000, CLASS_ANON);
	s.kinds[KIND_ANON_WRITE] = 5;
	fault_table__add_stats(t, &key, &s);
	/* On another CPU it turned out that two of them were swap-ins. */
	s = (struct vma_stats){.major = 2, .max_ns = 200};
	s.latency[7] = 2;
	s.kinds[KIND_ANON_WRITE] = -2;
	s.kinds[KIND_SWAPIN] = 2;
	fault_table__add_stats(t, &key, &s);
	fault_table__settle(t);
	total = fault_table__total(t);
	assert_int_equal(total->faults, 5);
	assert_int_equal(total->major, 2);
	assert_int_equal(fault_counts__minor(total), 3);
	assert_int_equal(total->kinds[KIND_ANON_WRITE], 3);
	assert_int_equal(total->kinds[KIND_SWAPIN], 2);
	assert_int_equal(histogram__percentile(fault_table__vma(t, &key)->latency, 100), 200);
	assert_int_equal(fault_table__seen(t), 5);
	fault_table__free(t);
}

static void a_vma_that_grew_is_one_row(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct vma_ref *rows;
	size_t n;

	(void)state;
	/* mmap after mmap, each joined below the last: the start moves down. */
	for (uint64_t start = 0x30000; start >= 0x10000; start -= 0x10000) {
		see(t, key_at(start, 0), start, 0x40000, CLASS_ANON);
		count(t, key_at(start, 0), start, 0x40000, 16);
	}
	see(t, key_at(0x50000, 0), 0x50000, 0x60000, CLASS_ANON); /* apart */
	count(t, key_at(0x50000, 0), 0x50000, 0x60000, 1);
	fault_table__settle(t);
	rows = fault_table__vmas(t, &n);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].vma->counts.faults, 48);
	assert_int_equal(rows[0].vma->start, 0x10000);
	assert_int_equal(rows[0].vma->end, 0x40000);
	free(rows);
	fault_table__free(t);
}

static void other_memory_at_the_same_place_is_another_row(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct vma_ref *rows;
	size_t n;

	(void)state;
	see(t, key_at(0x1000, 0), 0x1000, 0x2000, CLASS_ANON);
	count(t, key_at(0x1000, 0), 0x1000, 0x2000, 1);
	see(t, key_at(0x1000, 0xffff8880), 0x1000, 0x2000, CLASS_FILE);
	count(t, key_at(0x1000, 0xffff8880), 0x1000, 0x2000, 2);
	fault_table__settle(t);
	rows = fault_table__vmas(t, &n);
	assert_int_equal(n, 2);
	free(rows);
	fault_table__free(t);
}

static struct process_row *only_process(struct fault_table *t)
{
	size_t n;
	struct process_row **rows, *p;

	fault_table__settle(t);
	rows = fault_table__processes(t, &n);
	assert_int_equal(n, 1);
	p = rows[0];
	free(rows);
	return p;
}

static void the_kernels_counters_are_taken_by_interval(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct process_stats stats = {.comm = "prog", .minor = -100, .major = -3, .flags = PROCESS_COMPLETE};
	struct thread_counters thread = {.process = process, .comm = "prog", .minor = 150, .major = 3};
	struct process_row *p;

	(void)state;
	count(t, key_at(0x1000, 0), 0x1000, 0x2000, 40);
	assert_false(fault_table__set_process(t, &process, &stats, false));
	fault_table__begin_threads(t);
	fault_table__add_thread(t, &thread);
	p = only_process(t);
	assert_true(p->counters_known);
	assert_int_equal(p->minor, 50);
	assert_int_equal(p->major, 0);

	fault_table__next_interval(t);
	count(t, key_at(0x1000, 0), 0x1000, 0x2000, 5);
	fault_table__begin_threads(t);
	thread.minor = 157;
	fault_table__add_thread(t, &thread);
	p = only_process(t);
	assert_int_equal(p->minor, 7);
	assert_int_equal(p->counts.faults, 5);
	fault_table__free(t);
}

static void without_the_kernels_counters_what_was_seen_counts(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct process_row *p;

	(void)state;
	count(t, key_at(0x1000, 0), 0x1000, 0x2000, 40);
	p = only_process(t);
	assert_false(p->counters_known);
	assert_int_equal(p->minor, 40);
	fault_table__free(t);
}

static void what_found_no_room_counts_for_its_process(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct process_stats stats = {.comm = "prog", .other_faults = 9, .other_major = 1};
	struct process_row *p;

	(void)state;
	stats.other_kinds[KIND_COW] = 9;
	count(t, key_at(0x1000, 0), 0x1000, 0x2000, 1);
	fault_table__set_process(t, &process, &stats, false);
	fault_table__set_process(t, &process, &stats, false); /* cumulative, not a difference */
	p = only_process(t);
	assert_int_equal(p->counts.faults, 10);
	assert_int_equal(p->other.faults, 9);
	assert_int_equal(fault_table__total(t)->kinds[KIND_COW], 9);
	assert_int_equal(fault_table__seen(t), 10);
	fault_table__free(t);
}

static void an_exited_process_is_done_with_at_the_second_look(void **state)
{
	struct fault_table *t = fault_table__new(8);
	struct process_stats stats = {.comm = "prog", .flags = PROCESS_COMPLETE | PROCESS_EXITED, .minor = 3};

	(void)state;
	assert_false(fault_table__set_process(t, &process, &stats, false));
	assert_true(fault_table__set_process(t, &process, &stats, false));
	fault_table__free(t);
}

static void exit_process(struct fault_table *t, uint32_t pid, const char *comm, uint32_t faults)
{
	struct process_key key = {.start_ns = pid, .tgid = pid};
	struct vma_key vma = {.process = key, .anchor = 0x1000 | VM_READ};
	struct process_stats stats = {.flags = PROCESS_COMPLETE | PROCESS_EXITED, .minor = faults};

	snprintf(stats.comm, sizeof(stats.comm), "%s", comm);
	see(t, vma, 0x1000, 0x2000, CLASS_ANON);
	count(t, vma, 0x1000, 0x2000, faults);
	fault_table__set_process(t, &key, &stats, true);
}

static void many_exited_processes_are_folded_by_name(void **state)
{
	struct fault_table *t = fault_table__new(10);
	struct process_row **rows;
	struct vma_ref *vmas;
	size_t n;

	(void)state;
	for (uint32_t pid = 1; pid <= 1000; pid++) {
		exit_process(t, pid, "true", 3);
		if (pid % 10 == 0)
			fault_table__fold(t);
	}
	exit_process(t, 2000, "gcc", 500);
	fault_table__settle(t);
	rows = fault_table__processes(t, &n);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0]->comm, "true");
	assert_int_equal(rows[0]->key.tgid, 0);
	assert_int_equal(rows[0]->processes, 1000);
	assert_int_equal(rows[0]->minor, 3000);
	assert_int_equal(rows[0]->counts.faults, 3000);
	assert_int_equal(rows[1]->key.tgid, 2000);
	free(rows);
	vmas = fault_table__vmas(t, &n);
	assert_int_equal(n, 2);
	assert_int_equal(vmas[0].vma->counts.faults, 3000);
	assert_string_equal(vmas[0].vma->name, "[anon]");
	free(vmas);
	fault_table__free(t);
}

static void an_event_finds_its_vma(void **state)
{
	struct event_batch batch = {.process = process, .tid = 7, .comm = "x"};
	struct fault_event *e = batch.events;
	struct fault_table *t = fault_table__new(8);
	struct vma_key key = key_at(0x1000, 0);
	struct vma_stats stats = {.start = 0x1000, .end = 0x2000, .faults = 1, .class = CLASS_ANON};
	struct fault_record r;

	(void)state;
	e->anchor = key.anchor;
	e->vma_size = 0x1000;
	e->flags = FAULT_MAJOR | FAULT_TIMED | FAULT_OWN_STACK;
	e->latency_ns = 700;
	r = fault_record__of(&batch, e);
	assert_true(r.major && r.timed && !r.kernel_mode);
	assert_int_equal(r.start, 0x1000);
	assert_int_equal(r.end, 0x2000);
	assert_null(fault_table__vma_of_event(t, &r));
	fault_table__add_stats(t, &key, &stats);
	assert_null(fault_table__vma_of_event(t, &r)); /* it has no name yet */
	see(t, key, 0x1000, 0x2000, CLASS_ANON);
	assert_int_equal(fault_table__vma_of_event(t, &r)->stack_tid, 7);
	fault_table__settle(t);
	assert_int_equal(fault_table__total(t)->faults, 1); /* the kernel counts, not the events */
	fault_table__free(t);
}

static void percentiles_lie_in_their_bucket(void **state)
{
	struct histogram h = {};

	(void)state;
	assert_int_equal(histogram__percentile(&h, 50), 0);
	for (int i = 0; i < 99; i++)
		histogram__record(&h, 1000);
	histogram__record(&h, 1000000);
	assert_int_equal(histogram__count(&h), 100);
	assert_int_equal(histogram__percentile(&h, 50), 1024);
	assert_in_range(histogram__percentile(&h, 99), 512, 1024);
	assert_int_equal(histogram__percentile(&h, 100), 1000000);
	histogram__record(&h, 0);
	histogram__record(&h, UINT64_MAX);
	assert_int_equal(h.buckets[0], 1);
	assert_int_equal(h.buckets[LATENCY_BUCKETS - 1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_put_in_order),
		cmocka_unit_test(names_that_are_malformed_do_no_harm),
		cmocka_unit_test(names_without_a_file),
		cmocka_unit_test(a_record_shorter_than_its_name_is_ignored),
		cmocka_unit_test(counts_of_all_cpus_add_up),
		cmocka_unit_test(a_vma_that_grew_is_one_row),
		cmocka_unit_test(other_memory_at_the_same_place_is_another_row),
		cmocka_unit_test(the_kernels_counters_are_taken_by_interval),
		cmocka_unit_test(without_the_kernels_counters_what_was_seen_counts),
		cmocka_unit_test(what_found_no_room_counts_for_its_process),
		cmocka_unit_test(an_exited_process_is_done_with_at_the_second_look),
		cmocka_unit_test(many_exited_processes_are_folded_by_name),
		cmocka_unit_test(an_event_finds_its_vma),
		cmocka_unit_test(percentiles_lie_in_their_bucket),
	};

	return cmocka_run_group_tests_name("fault_table", tests, NULL, NULL);
}
