/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger beside the kernel: a child changes its address space at random and tells each call; what the
 * ledger makes of them must be what /proc/PID/maps has.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "model/ledger.h"
#include "proc/file.h"
#include "proc/maps.h"

#define PAGE	     4096UL
#define AREA	     (32UL << 20)
#define BATCH	     100
#define BATCHES	     150
#define THREADS	     4
#define THREAD_CALLS 3000

/* Shared by the test and its child, which must not allocate: that would change its address space untold. */
struct shared {
	struct call_record records[THREADS * THREAD_CALLS];
	size_t count;
};

/* --- the child: calls, each with its record --------------------------------------------------------------
 */

struct child {
	struct shared *shared;
	uint64_t random;
	char *area; /* fixed mappings go here */
	char *lowest_brk;
	int file, shm;
	struct {
		char *at;
		size_t bytes;
	} maps[64]; /* what mmap and mremap chose */
	char *attached;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 33) % below;
}

static uint32_t any(struct child *c, uint32_t below)
{
	return draw(&c->random, below);
}

static const int numbers[CALLS] = {
	[CALL_BRK] = SYS_brk,	    [CALL_MMAP] = SYS_mmap,	    [CALL_MUNMAP] = SYS_munmap,
	[CALL_MREMAP] = SYS_mremap, [CALL_MPROTECT] = SYS_mprotect, [CALL_MADVISE] = SYS_madvise,
	[CALL_MLOCK] = SYS_mlock,   [CALL_MUNLOCK] = SYS_munlock,   [CALL_MLOCKALL] = SYS_mlockall,
	[CALL_SHMAT] = SYS_shmat,   [CALL_SHMDT] = SYS_shmdt,
};

/* Not syscall(2): it turns the error into errno. */
static long raw(long number, const __u64 a[6])
{
	errno = 0;
	long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return result == -1 && errno ? -errno : result;
}

static long record_call(struct call_record *r, enum alloc_call call, const __u64 args[6])
{
	*r = (struct call_record){.header = {RECORD_CALL, sizeof(*r)}, .call = call};
	memcpy(r->args, args, sizeof(r->args));
	if (call == CALL_BRK)
		r->brk_before = (uint64_t)syscall(SYS_brk, 0);
	r->enter_ns = now();
	r->result = raw(numbers[call], args);
	r->exit_ns = now();
	return r->result;
}

static long call6(struct child *c, enum alloc_call call, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
		  uint64_t a4, uint64_t a5)
{
	const __u64 args[6] = {a0, a1, a2, a3, a4, a5};

	return record_call(&c->shared->records[c->shared->count++], call, args);
}

static size_t some_bytes(struct child *c)
{
	size_t bytes = (1 + any(c, any(c, 4) ? 8 : 300)) * PAGE;

	return any(c, 3) ? bytes : bytes - any(c, PAGE);
}

/* In the area, or in something that was mapped and perhaps unmapped again: never in what the child needs. */
static char *some_place(struct child *c, size_t *bytes)
{
	size_t i = any(c, 64), pages;

	*bytes = some_bytes(c);
	if (any(c, 3) == 0 && c->maps[i].at) {
		pages = c->maps[i].bytes / PAGE;
		*bytes = *bytes < c->maps[i].bytes ? *bytes : c->maps[i].bytes;
		pages -= (*bytes + PAGE - 1) / PAGE;
		return c->maps[i].at + any(c, (uint32_t)pages + 1) * PAGE;
	}
	return c->area + any(c, (AREA - (2UL << 20)) / PAGE) * PAGE;
}

static int some_prot(struct child *c)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
				    PROT_READ | PROT_EXEC};

	return prots[any(c, 5)];
}

static void forget(struct child *c, const char *at, size_t bytes)
{
	for (int i = 0; i < 64; i++)
		if (c->maps[i].at < at + bytes && at < c->maps[i].at + c->maps[i].bytes)
			c->maps[i].at = NULL;
}

static void remember(struct child *c, long at, size_t bytes)
{
	char *place = (char *)at;

	if (at > -4096 && at < 0)
		return;
	bytes = (bytes + PAGE - 1) & ~(PAGE - 1);
	if (place >= c->area && place < c->area + AREA)
		return;
	c->maps[any(c, 64)] = (typeof(c->maps[0])){place, bytes};
}

static void do_mmap(struct child *c)
{
	static const int sorts[] = {MAP_PRIVATE | MAP_ANONYMOUS,
				    MAP_PRIVATE | MAP_ANONYMOUS,
				    MAP_SHARED | MAP_ANONYMOUS,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
				    MAP_PRIVATE,
				    MAP_SHARED};
	int flags = sorts[any(c, 8)], prot = some_prot(c);
	bool file = !(flags & MAP_ANONYMOUS);
	size_t bytes;
	char *at = some_place(c, &bytes);
	long result;

	if (file)
		prot &= ~PROT_WRITE;
	switch (any(c, 5)) {
	case 0:
	case 1:
		flags |= MAP_FIXED;
		break;
	case 2:
		flags |= MAP_FIXED_NOREPLACE;
		break;
	default:
		at = NULL;
		bytes = some_bytes(c);
	}
	result = call6(c, CALL_MMAP, (uintptr_t)at, bytes, prot, flags, file ? c->file : -1, 0);
	remember(c, result, bytes);
}

static void do_munmap(struct child *c)
{
	size_t bytes, i = any(c, 64);
	char *at = some_place(c, &bytes);

	if (any(c, 2) && c->maps[i].at) {
		at = c->maps[i].at;
		bytes = c->maps[i].bytes;
	}
	if (!call6(c, CALL_MUNMAP, (uintptr_t)at, bytes, 0, 0, 0, 0))
		forget(c, at, 0);
	if (c->maps[i].at == at)
		c->maps[i].at = NULL;
}

static void do_mremap(struct child *c)
{
	size_t bytes;
	char *at = some_place(c, &bytes), *to = c->area + any(c, (AREA - (2UL << 20)) / PAGE) * PAGE;
	size_t new_bytes = any(c, 3) ? some_bytes(c) : bytes;
	int flags = any(c, 4) ? MREMAP_MAYMOVE : 0;
	long result;

	if (flags && any(c, 3) == 0)
		flags |= MREMAP_FIXED;
	if (flags && any(c, 6) == 0) {
		flags |= MREMAP_DONTUNMAP;
		new_bytes = bytes;
	}
	if (flags && any(c, 10) == 0)
		bytes = 0;
	result = call6(c, CALL_MREMAP, (uintptr_t)at, bytes, new_bytes, flags, (uintptr_t)to, 0);
	remember(c, result, new_bytes);
}

static void do_madvise(struct child *c)
{
	static const int advices[] = {MADV_DONTNEED, MADV_FREE,	  MADV_REMOVE,	  MADV_NORMAL,
				      MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK};
	size_t bytes;
	char *at = some_place(c, &bytes);

	call6(c, CALL_MADVISE, (uintptr_t)at, bytes, advices[any(c, 7)], 0, 0, 0);
}

static void do_brk(struct child *c)
{
	char *top = (char *)syscall(SYS_brk, 0);
	long by = (long)any(c, 1 << 20) - (1 << 19);

	if (any(c, 10) == 0)
		top = NULL;
	else if (any(c, 20) == 0)
		top += 1UL << 46;
	else if (top + by < c->lowest_brk)
		top = c->lowest_brk;
	else
		top += any(c, 3) ? by : (long)any(c, 5000);
	call6(c, CALL_BRK, (uintptr_t)top, 0, 0, 0, 0, 0);
}

static void do_shm(struct child *c)
{
	if (c->attached) {
		call6(c, CALL_SHMDT, (uintptr_t)c->attached, 0, 0, 0, 0, 0);
		c->attached = NULL;
	} else if (c->shm >= 0) {
		struct call_record *r = &c->shared->records[c->shared->count];
		long at = call6(c, CALL_SHMAT, c->shm, 0, any(c, 2) ? SHM_RDONLY : 0, 0, 0, 0);

		if (at > 0) {
			c->attached = (char *)at;
			r->start = (uint64_t)at; /* as the kernel side looks it up */
			r->end = (uint64_t)at + 5 * PAGE;
		}
	}
}

static void do_something(struct child *c)
{
	size_t bytes;
	char *at = some_place(c, &bytes);

	switch (any(c, 16)) {
	case 0 ... 3:
		do_mmap(c);
		break;
	case 4 ... 5:
		do_munmap(c);
		break;
	case 6 ... 8:
		do_mremap(c);
		break;
	case 9 ... 11:
		call6(c, CALL_MPROTECT, (uintptr_t)at, bytes, some_prot(c), 0, 0, 0);
		break;
	case 12:
		do_madvise(c);
		break;
	case 13:
		do_brk(c);
		break;
	case 14:
		call6(c, any(c, 2) ? CALL_MLOCK : CALL_MUNLOCK, (uintptr_t)at + any(c, PAGE), bytes / 16, 0,
		      0, 0, 0);
		break;
	default:
		do_shm(c);
	}
}

/* A batch for each byte read; another tells that it is done. */
__attribute__((noreturn)) static void be_child(struct child *c, int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1) {
		c->shared->count = 0;
		for (int i = 0; i < BATCH; i++)
			do_something(c);
		if (write(out, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

/* --- the test: the ledger, and what it is compared with ---------------------------------------------------
 */

static struct ledger_mapping *read_maps(pid_t pid, size_t *count)
{
	static struct ledger_mapping maps[65536];
	struct maps_entry e;
	char path[64], *text;
	const char *rest;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	rest = text = file__read(path, NULL);
	assert_non_null(text);
	*count = 0;
	while (maps__next(&rest, &e) == 1)
		if (strcmp(e.name, "[vsyscall]") != 0)
			maps[(*count)++] =
				(struct ledger_mapping){.start = e.start,
							.end = e.end,
							.perms = e.perms,
							.kind = e.inode ? LEDGER_FILE : LEDGER_ANON};
	free(text);
	return maps;
}

/* The line of /proc/PID/maps from which on the ledger differs. */
static void assert_same(const struct ledger *l, const struct ledger_mapping *maps, size_t count)
{
	struct ledger_range range = {};

	for (size_t i = 0; i < count;) {
		struct ledger_mapping m = maps[i++];

		while (i < count && maps[i].start == m.end && maps[i].perms == m.perms)
			m.end = maps[i++].end;
		if (!ledger__range(l, range.end, &range))
			fail_msg("%#lx-%#lx is not in the ledger", m.start, m.end);
		if (range.start != m.start || range.end != m.end || range.perms != m.perms)
			fail_msg("kernel %#lx-%#lx %x, ledger %#lx-%#lx %x", m.start, m.end, m.perms,
				 range.start, range.end, range.perms);
	}
	assert_false(ledger__range(l, range.end, &range));
}

static void assert_accounts_add_up(const struct ledger *l)
{
	int64_t bytes[VIAS] = {};

	for (const struct ledger_interval *i = ledger__from(l, 0); i; i = ledger__from(l, i->end))
		bytes[i->via] += i->end - i->start;
	for (int via = 0; via < VIAS; via++)
		assert_int_equal(bytes[via], ledger_account__net(ledger__account(l, via)));
}

static struct shared *share(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	assert_true(s != MAP_FAILED);
	return s;
}

static struct ledger *seeded(pid_t pid)
{
	struct ledger *l = ledger__new();
	size_t count;
	const struct ledger_mapping *maps = read_maps(pid, &count);

	assert_non_null(l);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(ledger__seed(l, &maps[i], VIA_BEFORE, now()), 0);
	assert_same(l, maps, count);
	return l;
}

static uint64_t some_seed(void)
{
	const char *text = getenv("LEDGER_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : now() | 1;

	print_message("LEDGER_SEED=%lu\n", seed);
	return seed;
}

static void run_batch(struct ledger *l, const struct child *c, pid_t pid, size_t *reconciled)
{
	size_t count;
	const struct ledger_mapping *maps;

	for (size_t i = 0; i < c->shared->count; i++) {
		const struct call_record *r = &c->shared->records[i];

		assert_int_equal(ledger__apply(l, r, 1 + r->call), 0);
	}
	maps = read_maps(pid, &count);
	/* What a call that failed has left behind is not always known; that it is not, is. */
	if (ledger__is_inconsistent(l)) {
		++*reconciled;
		assert_int_equal(ledger__reconcile(l, maps, count, now(), NULL), 0);
		assert_false(ledger__is_inconsistent(l));
	}
	assert_same(l, maps, count);
	assert_accounts_add_up(l);
}

static void agrees_with_the_kernel_after_random_calls(void **state)
{
	struct child c = {.shared = share(), .random = some_seed()};
	int to[2], from[2];
	size_t reconciled = 0;
	struct ledger *l;
	char byte = 0;
	pid_t pid;

	(void)state;
	c.file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	c.shm = shmget(IPC_PRIVATE, 5 * PAGE, IPC_CREAT | 0600);
	c.area = mmap(NULL, AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	c.lowest_brk = sbrk(0);
	assert_true(c.file >= 0 && c.area != MAP_FAILED && !pipe(to) && !pipe(from));
	pid = fork();
	if (!pid) {
		close(to[1]); /* or it would never read its end */
		be_child(&c, to[0], from[1]);
	}
	assert_true(pid > 0);
	l = seeded(pid);
	for (int i = 0; i < BATCHES; i++) {
		assert_int_equal(write(to[1], &byte, 1), 1);
		assert_int_equal(read(from[0], &byte, 1), 1);
		run_batch(l, &c, pid, &reconciled);
	}
	print_message("%d calls, %zu intervals, %zu times reconciled\n", BATCH * BATCHES, ledger__count(l),
		      reconciled);
	close(to[1]);
	waitpid(pid, NULL, 0);
	close(to[0]);
	close(from[0]);
	close(from[1]);
	close(c.file);
	munmap(c.area, AREA);
	munmap(c.shared, sizeof(*c.shared));
	if (c.shm >= 0)
		shmctl(c.shm, IPC_RMID, NULL);
	ledger__free(l);
}

/* --- threads that race -----------------------------------------------------------------------------------
 */

struct thread {
	struct call_record *records;
	uint64_t random;
	pthread_barrier_t *barrier;
};

/* Each takes and gives back mappings of few sizes: what one has unmapped is what another gets. */
static void *map_and_unmap(void *arg)
{
	struct thread *t = arg;
	__u64 held[8][2] = {};

	pthread_barrier_wait(t->barrier); /* the seed is taken */
	pthread_barrier_wait(t->barrier);
	for (int i = 0; i < THREAD_CALLS; i++) {
		unsigned slot = draw(&t->random, 8);
		size_t bytes = (1 + draw(&t->random, 3)) * PAGE;
		const __u64 map[6] = {0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
		const __u64 unmap[6] = {held[slot][0], held[slot][1]};

		if (held[slot][0]) {
			record_call(&t->records[i], CALL_MUNMAP, unmap);
			held[slot][0] = 0;
		} else {
			held[slot][0] = record_call(&t->records[i], CALL_MMAP, map);
			held[slot][1] = bytes;
		}
	}
	return NULL;
}

static int by_exit(const void *a, const void *b)
{
	const struct call_record *p = a, *q = b;

	return p->exit_ns < q->exit_ns ? -1 : p->exit_ns > q->exit_ns;
}

static void threads_may_be_told_in_another_order(void **state)
{
	struct shared *s = share();
	struct thread threads[THREADS];
	pthread_t ids[THREADS];
	pthread_barrier_t barrier;
	uint64_t random = some_seed();
	struct ledger *l;
	size_t count, displaced = 0;

	(void)state;
	free(malloc(1 << 20));
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){&s->records[i * THREAD_CALLS], random + i, &barrier};
		assert_int_equal(pthread_create(&ids[i], NULL, map_and_unmap, &threads[i]), 0);
	}
	pthread_barrier_wait(&barrier);
	l = seeded(getpid());
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	qsort(s->records, THREADS * THREAD_CALLS, sizeof(s->records[0]), by_exit);
	for (int i = 0; i < THREADS * THREAD_CALLS; i++) {
		const struct call_record *r = &s->records[i];

		if (r->call == CALL_MMAP && ledger__at(l, r->result))
			displaced++;
		assert_int_equal(ledger__apply(l, r, 0), 0);
		assert_false(ledger__is_inconsistent(l));
	}
	print_message("%zu mappings told before the unmapping that made room\n", displaced);
	assert_accounts_add_up(l);
	/* What this process did itself meanwhile is not told: only what the threads hold is compared. */
	read_maps(getpid(), &count);
	for (const struct ledger_interval *i = ledger__from(l, 0); i; i = ledger__from(l, i->end)) {
		unsigned char present[1];

		if (i->via == VIA_MMAP)
			for (uint64_t at = i->start; at < i->end; at += PAGE)
				assert_int_equal(mincore((void *)at, 1, present), 0);
	}
	pthread_barrier_destroy(&barrier);
	ledger__free(l);
	munmap(s, sizeof(*s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_kernel_after_random_calls),
		cmocka_unit_test(threads_may_be_told_in_another_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
