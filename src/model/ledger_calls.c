/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each system call does to an address space, as mm/mmap.c, mm/mremap.c, mm/mprotect.c, mm/madvise.c and
 * mm/mlock.c of Linux have it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "model/ledger.h"
#include "model/ledger_internal.h"

/* Newer than the C libraries that memtrace is built with; include/uapi/asm-generic/mman-common.h, mman.h. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#define ADVICE_DONTNEED_LOCKED 24  /* MADV_DONTNEED_LOCKED, 5.18 */
#define ADVICE_GUARD_INSTALL   102 /* MADV_GUARD_INSTALL, 6.13 */
#ifndef PROT_GROWSDOWN
#define PROT_GROWSDOWN 0x01000000
#endif
#define SHMAT_RDONLY 010000 /* SHM_RDONLY, SHM_REMAP, SHM_EXEC of linux/shm.h */
#define SHMAT_REMAP  040000
#define SHMAT_EXEC   0100000

#define ADDRESS_MAX	   (1ULL << 62) /* no address space is as large: sums do not overflow */
#define PROT_ALL	   (PROT_READ | PROT_WRITE | PROT_EXEC)
#define VM_LOW		   (VM_READ | VM_WRITE | VM_EXEC)
#define HUGE_SHIFT_DEFAULT 21
#define HUGE_SHIFT_MAX	   34		  /* 16 GiB, the largest of any architecture */
#define ARENA_BYTES	   (64ULL << 20)  /* HEAP_MAX_SIZE of glibc's malloc on 64 bits: an arena's part */
#define HEAP_GROWTH_MMAP   (256ULL << 10) /* the threshold of 128 KiB, and as much of M_TOP_PAD */
/* The most that a call cuts and inserts: remove_range(), twice, at each end of what is expected. */
#define NODES_OF_CALL  (16 + 4 * EXPECTED_MAX)
#define DISCARD_SPLITS (1u << 18) /* intervals: above it, giving pages back makes no new ones */

/* As mmap has the values on every architecture that memtrace runs on. */
_Static_assert(PROT_READ == VM_READ && PROT_WRITE == VM_WRITE && PROT_EXEC == VM_EXEC, "PROT_* are VM_*");

static uint64_t page_down(uint64_t n)
{
	return n & ~(LEDGER_PAGE - 1);
}

/* 0 on overflow, as in the kernel. */
static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

static uint64_t page_up(uint64_t n)
{
	return round_up(n, LEDGER_PAGE);
}

/* [start, start + length) that a call could have meant: aligned, not empty, not around the end. */
static bool is_range(uint64_t start, uint64_t length)
{
	return length && !(start & (LEDGER_PAGE - 1)) && !(length & (LEDGER_PAGE - 1)) &&
	       start <= ADDRESS_MAX && length <= ADDRESS_MAX;
}

static bool has_failed(const struct call_record *r)
{
	return r->result < 0 && r->result >= -4095;
}

/* --- the race of removals and mappings -------------------------------------------------------------------
 */

static void expect_removal(struct ledger *l, uint64_t start, uint64_t end, uint64_t exit_ns)
{
	l->expected[l->expected_next++ % EXPECTED_MAX] = (struct expected_removal){start, end, exit_ns};
}

/* Take the part in [start, end) off what is expected. Of one in the middle only the lower rest is kept. */
static void trim_expected(struct expected_removal *e, uint64_t start, uint64_t end)
{
	if (start > e->start)
		e->end = start;
	else
		e->start = end < e->end ? end : e->end;
}

static struct expected_removal *find_expected(struct change *c, uint64_t start, uint64_t end)
{
	for (int i = 0; i < EXPECTED_MAX; i++) {
		struct expected_removal *e = &c->l->expected[i];

		if (e->start < e->end && e->start < end && e->end > start && c->r->enter_ns < e->exit_ns)
			return e;
	}
	return NULL;
}

/*
 * Remove what this call removed: not what took its place before the call was reported. (A call that maps over
 * what is there uses ledger__release(): nothing but its own mapping is left.)
 */
static void remove_range(struct change *c, uint64_t start, uint64_t end)
{
	struct expected_removal *e;

	while (start < end && (e = find_expected(c, start, end))) {
		uint64_t from = e->start > start ? e->start : start, to = e->end < end ? e->end : end;

		trim_expected(e, from, to);
		/* Recursion ends: there are EXPECTED_MAX of them, and each call uses up a part. */
		remove_range(c, start, from);
		start = to;
	}
	if (start < end)
		ledger__release(c, start, end);
}

/*
 * The kernel chose [start, end) for a mapping: it was free. What is still known there was removed by a call
 * that is yet to be reported, and for which it is accounted now; unless it was found in /proc/PID/maps while
 * this call was under way: then it is this mapping.
 */
static void displace(struct change *c, uint64_t start, uint64_t end)
{
	struct ledger *l = c->l;
	struct change unmap = *c;
	const struct ledger_interval *i = interval_set__overlap(&l->set, start, end);
	bool was_inconsistent = l->inconsistent;

	if (!i)
		return;
	unmap.call = &l->calls[CALL_MUNMAP];
	for (; i && i->start < end; i = interval_set__from(&l->set, i->end)) {
		uint64_t from = i->start > start ? i->start : start, to = i->end < end ? i->end : end;

		if (!(i->flags & LEDGER_FOUND) || i->born_ns < c->r->enter_ns)
			expect_removal(l, from, to, c->r->exit_ns);
	}
	ledger__release(&unmap, start, end);
	l->inconsistent = was_inconsistent;
}

/* --- new intervals ---------------------------------------------------------------------------------------
 */

static struct ledger_interval new_interval(const struct change *c, uint64_t start, uint64_t end,
					   enum ledger_via via)
{
	return (struct ledger_interval){
		.start = start,
		.end = end,
		.born_ns = c->r->exit_ns,
		.since_ns = c->r->enter_ns,
		.site = c->site,
		.weight = c->r->stack_weight,
		.flags = c->l->lock_future,
		.via = via,
		.perms = VM_READ | VM_WRITE,
	};
}

/* --- what spans intervals --------------------------------------------------------------------------------
 */

typedef void change_interval(struct change *c, struct ledger_interval *i, uint64_t arg);

/* Where [start, end) is mapped without a hole from start on, at most end. */
static uint64_t mapped_until(const struct ledger *l, uint64_t start, uint64_t end)
{
	const struct ledger_interval *i;

	while (start < end && (i = interval_set__overlap(&l->set, start, start + 1)))
		start = i->end;
	return start < end ? start : end;
}

static void change_range(struct change *c, uint64_t start, uint64_t end, change_interval *apply, uint64_t arg)
{
	struct interval_set *set = &c->l->set;
	struct ledger_interval *i;

	interval_set__cut(set, start);
	interval_set__cut(set, end);
	for (i = interval_set__overlap(set, start, end); i; i = interval_set__overlap(set, i->end, end)) {
		c->call->changed += i->end - i->start;
		apply(c, i, arg);
	}
	interval_set__join(set, start, end);
}

/*
 * mprotect, mlock: they go from VMA to VMA, and stop with ENOMEM at a hole, with what precedes it done.
 * Another error, or ENOMEM without a hole, may come from any VMA but leaves nothing behind if there is only
 * one.
 */
static void change_until_hole(struct change *c, uint64_t start, uint64_t end, change_interval *apply,
			      uint64_t arg)
{
	uint64_t until = mapped_until(c->l, start, end);
	const struct ledger_interval *first = interval_set__overlap(&c->l->set, start, end);

	if (!has_failed(c->r)) {
		if (until < end)
			c->l->inconsistent = true;
		change_range(c, start, end, apply, arg);
	} else if (until < end && c->r->result == -ENOMEM) {
		change_range(c, start, until, apply, arg);
	} else if (first && first->end < end && c->r->result != -EINVAL) {
		c->l->inconsistent = true;
	}
}

/* --- brk -------------------------------------------------------------------------------------------------
 */

static void grow_heap_at(struct change *c, uint64_t start, uint64_t end)
{
	struct ledger_interval i = new_interval(c, start, end, VIA_BRK);
	const struct ledger_interval *below = start ? ledger__at(c->l, start - 1) : NULL;

	/*
	 * Where nothing has been before, nothing was touched before: it may be as old as its neighbour, and a
	 * heap that grows by small steps from one place is one interval.
	 */
	if (below && below->via == VIA_BRK && start >= c->l->heap_peak && !below->discarded_ns &&
	    below->site == i.site) {
		i.born_ns = below->born_ns;
		i.since_ns = below->since_ns;
	}
	ledger__obtain(c, &i);
	interval_set__join(&c->l->set, start, end);
}

/* What is heap already was told by another thread's brk, or found in /proc/PID/maps. */
static void grow_heap(struct change *c, uint64_t start, uint64_t end)
{
	while (start < end && interval_set__reserve(&c->l->set, 4)) {
		const struct ledger_interval *i = interval_set__overlap(&c->l->set, start, end);
		uint64_t until = i ? i->start : end;

		if (i && i->start <= start && (i->via == VIA_BRK || i->flags & LEDGER_FOUND)) {
			start = i->end;
			continue;
		}
		if (i && i->start <= start) {
			until = i->end < end ? i->end : end;
			displace(c, start, until);
		}
		grow_heap_at(c, start, until);
		start = until;
	}
	if (start < end)
		c->l->inconsistent = true;
}

static void note_heap_growth(struct change *c, uint64_t bytes)
{
	struct ledger_threshold *t = &c->l->threshold;

	c->call->sizes[ledger__bucket(bytes)]++;
	if (t->bytes && bytes > HEAP_GROWTH_MMAP) {
		t->heap_grows++;
		t->heap_bytes += bytes;
	}
}

static int apply_brk(struct change *c)
{
	struct ledger *l = c->l;
	uint64_t before = c->r->brk_before ? c->r->brk_before : l->brk, now = (uint64_t)c->r->result;
	uint64_t start = page_up(before), end = page_up(now);

	if (start > ADDRESS_MAX || end > ADDRESS_MAX || (before && !start) || (now && !end))
		return -EINVAL;
	if (c->r->args[0] > before && before)
		note_heap_growth(c, c->r->args[0] - before);
	l->brk = now;
	if (!before) {
		l->inconsistent |= c->r->args[0] == now;
		return 0;
	}
	if (!l->heap_start || start < l->heap_start)
		l->heap_start = start;
	if (l->heap_peak < start)
		l->heap_peak = start;
	if (c->r->exit_ns > l->as_of_ns && c->r->args[0] == now) {
		grow_heap(c, start, end);
		remove_range(c, end, start);
	}
	if (l->heap_peak < end)
		l->heap_peak = end;
	return 0;
}

/* --- mmap ------------------------------------------------------------------------------------------------
 */

/* Of MAP_HUGETLB: its size is in the flags, or the default. Of a file of hugetlbfs: only its VMA tells. */
static unsigned huge_shift(const struct call_record *r)
{
	unsigned shift = r->args[3] >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (!(r->args[3] & MAP_HUGETLB) && r->class != CLASS_HUGETLB)
		return 0;
	if (!(r->args[3] & MAP_HUGETLB) || shift < 12 || shift > HUGE_SHIFT_MAX)
		shift = HUGE_SHIFT_DEFAULT;
	return shift;
}

static bool is_arena(const struct call_record *r)
{
	return !(r->args[2] & PROT_ALL) && r->args[3] & MAP_NORESERVE &&
	       (r->args[1] == ARENA_BYTES || r->args[1] == 2 * ARENA_BYTES);
}

static uint16_t mmap_flags(const struct call_record *r)
{
	uint64_t flags = r->args[3];
	bool accessible = r->args[2] & PROT_ALL;

	return (flags & MAP_LOCKED ? LEDGER_LOCKED : 0) | (flags & MAP_NORESERVE ? LEDGER_NORESERVE : 0) |
	       (flags & (MAP_STACK | MAP_GROWSDOWN) ? LEDGER_STACK : 0) |
	       (flags & MAP_POPULATE && !(flags & MAP_NONBLOCK) && accessible ? LEDGER_POPULATED : 0) |
	       (flags & MAP_ANONYMOUS && is_arena(r) ? LEDGER_ARENA : 0);
}

static struct ledger_interval mmap_interval(const struct change *c, uint64_t start, uint64_t bytes)
{
	const struct call_record *r = c->r;
	struct ledger_interval i = new_interval(c, start, start + bytes, VIA_MMAP);
	bool shared = r->args[3] & MAP_SHARED; /* a bit of MAP_SHARED_VALIDATE too */

	/* Its VMA knows better: READ_IMPLIES_EXEC (personality(2)) adds a permission. */
	i.perms = (r->start <= start && start < r->end ? r->vm_flags : r->args[2]) & VM_LOW;
	if (shared)
		i.perms |= VM_SHARED;
	i.flags |= mmap_flags(r);
	i.kind = !(r->args[3] & MAP_ANONYMOUS) ? LEDGER_FILE : shared ? LEDGER_SHARED : LEDGER_ANON;
	i.huge_shift = huge_shift(r);
	return i;
}

/* A block as malloc obtains one, of a size for which it should no longer do so. */
static void note_block(struct ledger *l, const struct call_record *r, const struct ledger_interval *i)
{
	uint64_t bytes = i->end - i->start;

	if (l->threshold.bytes && i->kind == LEDGER_ANON && !r->args[0] && !(i->flags & LEDGER_STACK) &&
	    !ledger_interval__is_reserved(i) && bytes > 128 << 10 && bytes <= l->threshold.bytes)
		l->threshold.mmaps++;
}

static int apply_mmap(struct change *c)
{
	const struct call_record *r = c->r;
	uint64_t start = (uint64_t)r->result, shift = huge_shift(r);
	uint64_t bytes = round_up(r->args[1], shift ? 1ULL << shift : LEDGER_PAGE);
	struct ledger_interval i;

	if (!is_range(start, bytes))
		return -EINVAL;
	i = mmap_interval(c, start, bytes);
	note_block(c->l, r, &i);
	if (r->exit_ns <= c->l->as_of_ns)
		return 0;
	if (r->args[3] & MAP_FIXED && !(r->args[3] & MAP_FIXED_NOREPLACE))
		ledger__release(c, i.start, i.end);
	else
		displace(c, i.start, i.end);
	ledger__obtain(c, &i);
	return 0;
}

/* MAP_FIXED unmaps what is there before the kernel knows that it cannot map (until 6.12). */
static void fail_mmap(struct change *c)
{
	uint64_t start = c->r->args[0], bytes = page_up(c->r->args[1]);

	if (c->r->result == -ENOMEM && c->r->args[3] & MAP_FIXED && !(c->r->args[3] & MAP_FIXED_NOREPLACE) &&
	    is_range(start, bytes) && interval_set__overlap(&c->l->set, start, start + bytes))
		c->l->inconsistent = true;
}

/* --- munmap ----------------------------------------------------------------------------------------------
 */

static int apply_munmap(struct change *c)
{
	uint64_t start = c->r->args[0], bytes = page_up(c->r->args[1]);

	if (!is_range(start, bytes))
		return -EINVAL;
	if (c->r->exit_ns > c->l->as_of_ns)
		remove_range(c, start, start + bytes);
	return 0;
}

/* --- mremap ----------------------------------------------------------------------------------------------
 */

static void set_moved(void *context, struct ledger_interval *i)
{
	struct change *c = context;

	i->since_ns = c->r->enter_ns;
	c->call->changed += i->end - i->start;
}

static void discard_interval(struct change *c, struct ledger_interval *i, uint64_t arg)
{
	(void)arg;
	i->discarded_ns = c->r->exit_ns;
	i->flags &= ~LEDGER_POPULATED;
}

/* MREMAP_DONTUNMAP: the pages move, the mapping stays, without its lock. */
static void leave_behind(struct change *c, struct ledger_interval *i, uint64_t arg)
{
	discard_interval(c, i, arg);
	i->flags &= ~(LEDGER_LOCKED | LEDGER_ONFAULT);
}

/* More of the mapping `of`, through this call. */
static void add_like(struct change *c, const struct ledger_interval *of, uint64_t start, uint64_t end)
{
	struct ledger_interval i = new_interval(c, start, end, VIA_MMAP);

	if (start >= end)
		return;
	i.perms = of->perms;
	i.kind = of->kind;
	i.flags = of->flags & ~(LEDGER_FOUND | LEDGER_ARENA | LEDGER_POPULATED);
	i.huge_shift = of->huge_shift;
	ledger__obtain(c, &i);
}

struct remap {
	uint64_t old, old_bytes, new, new_bytes;
	bool fixed, dont_unmap;
};

static bool is_remap(const struct remap *m)
{
	bool apart = m->new + m->new_bytes <= m->old || m->old + m->old_bytes <= m->new;

	return is_range(m->new, m->new_bytes) && (m->old_bytes ? is_range(m->old, m->old_bytes) : true) &&
	       !(m->old & (LEDGER_PAGE - 1)) && (apart || m->new == m->old);
}

/* Old pages, new place: where they were, a mapping without them may stay. */
static void move_range(struct change *c, uint64_t old, uint64_t bytes, uint64_t new, bool dont_unmap)
{
	const struct ledger_interval *i = ledger__at(c->l, old);
	struct ledger_interval of;

	if (dont_unmap && i) {
		of = *i;
		change_range(c, old, old + bytes, leave_behind, 0);
		add_like(c, &of, new, new + bytes);
		return;
	}
	interval_set__cut(&c->l->set, old);
	interval_set__cut(&c->l->set, old + bytes);
	interval_set__move(&c->l->set, old, old + bytes, new - old, set_moved, c);
}

/*
 * A range moved as it is may hold several mappings and holes between them (from 6.17): each
 * mapping takes the place of what was there, and where holes come to lie nothing is changed.
 */
static void move_pieces(struct change *c, const struct remap *m)
{
	uint64_t at = m->old, end = m->old + m->old_bytes;
	const struct ledger_interval *i;

	while (interval_set__reserve(&c->l->set, NODES_OF_CALL) &&
	       (i = interval_set__overlap(&c->l->set, at, end))) {
		uint64_t start = i->start > at ? i->start : at, until = i->end < end ? i->end : end;
		uint64_t to = m->new + (start - m->old);

		if (m->fixed)
			ledger__release(c, to, to + (until - start));
		else
			displace(c, to, to + (until - start));
		move_range(c, start, until - start, to, m->dont_unmap);
		at = until;
	}
}

/* The mapping is somewhere else now, or there twice. */
static void remap_away(struct change *c, const struct remap *m, const struct ledger_interval *of)
{
	uint64_t moved = m->old_bytes < m->new_bytes ? m->old_bytes : m->new_bytes;

	if ((m->fixed || m->dont_unmap) && m->old_bytes == m->new_bytes) {
		move_pieces(c, m);
		return;
	}
	if (m->fixed)
		ledger__release(c, m->new, m->new + m->new_bytes);
	else
		displace(c, m->new, m->new + m->new_bytes);
	if (moved)
		move_range(c, m->old, moved, m->new, m->dont_unmap);
	remove_range(c, m->old + moved, m->old + m->old_bytes);
	add_like(c, of, m->new + moved, m->new + m->new_bytes);
}

static int apply_mremap(struct change *c)
{
	const __u64 *args = c->r->args;
	struct remap m = {.old = args[0],
			  .old_bytes = page_up(args[1]),
			  .new = (uint64_t)c->r->result,
			  .new_bytes = page_up(args[2]),
			  .fixed = args[3] & MREMAP_FIXED,
			  .dont_unmap = args[3] & MREMAP_DONTUNMAP};
	const struct ledger_interval *i;
	struct ledger_interval of;

	if (!is_remap(&m))
		return -EINVAL;
	if (c->r->exit_ns <= c->l->as_of_ns)
		return 0;
	i = ledger__at(c->l, m.old);
	/* Only growth needs all of it to be there: the rest may hold holes. */
	if (!i || (m.new_bytes > m.old_bytes &&
		   mapped_until(c->l, m.old, m.old + m.old_bytes) < m.old + m.old_bytes))
		c->l->inconsistent = true;
	/* Not known: as if private and writable, until it is reconciled. */
	of = i ? *i : new_interval(c, m.old, m.old + LEDGER_PAGE, VIA_MMAP);
	if (m.new != m.old) {
		remap_away(c, &m, &of);
	} else if (m.new_bytes > m.old_bytes) {
		displace(c, m.old + m.old_bytes, m.old + m.new_bytes);
		add_like(c, &of, m.old + m.old_bytes, m.old + m.new_bytes);
	} else {
		remove_range(c, m.old + m.new_bytes, m.old + m.old_bytes);
	}
	return 0;
}

/*
 * MREMAP_FIXED may have unmapped the destination, a shrinking one its tail, and one of several mappings moved
 * some of them, before something else failed.
 */
static void fail_mremap(struct change *c)
{
	const __u64 *args = c->r->args;
	uint64_t old_bytes = page_up(args[1]), new_bytes = page_up(args[2]);
	const struct ledger_interval *i = ledger__at(c->l, args[0]);

	if (!i || !(args[3] & MREMAP_FIXED) || !is_range(args[4], new_bytes) || !is_range(args[0], old_bytes))
		return;
	if (new_bytes < old_bytes || interval_set__overlap(&c->l->set, args[4], args[4] + new_bytes) ||
	    interval_set__overlap(&c->l->set, i->end, args[0] + old_bytes))
		c->l->inconsistent = true;
}

/* --- what changes mappings and leaves them mapped --------------------------------------------------------
 */

static void protect_interval(struct change *c, struct ledger_interval *i, uint64_t prot)
{
	(void)c;
	i->perms = (i->perms & VM_SHARED) | (prot & VM_LOW);
}

static int apply_mprotect(struct change *c)
{
	uint64_t start = c->r->args[0], bytes = page_up(c->r->args[1]), end = start + bytes;
	const struct ledger_interval *i;

	if (!c->r->args[1])
		return 0;
	if (!is_range(start, bytes))
		return -EINVAL;
	if (c->r->exit_ns <= c->l->as_of_ns)
		return 0;
	/* The range begins where the stack does. */
	if (c->r->args[2] & PROT_GROWSDOWN)
		while ((i = ledger__at(c->l, start)) && i->start < start)
			start = i->start;
	change_until_hole(c, start, end, protect_interval, c->r->args[2]);
	return 0;
}

static void flag_interval(struct change *c, struct ledger_interval *i, uint64_t flags)
{
	(void)c;
	i->flags = (i->flags & ~(flags >> 16)) | (flags & 0xffff);
}

/* The argument of flag_interval(). */
static uint64_t set_and_clear(uint16_t set, uint16_t clear)
{
	return (uint64_t)clear << 16 | set;
}

static void populate_interval(struct change *c, struct ledger_interval *i, uint64_t arg)
{
	(void)arg;
	i->flags |= LEDGER_POPULATED;
	i->discarded_ns = 0;
	(void)c;
}

/* Pages given back one by one would make an interval of each: there is a limit to it. */
static void discard(struct change *c, uint64_t start, uint64_t end)
{
	const struct ledger_interval *first, *last;

	if (c->l->set.count > DISCARD_SPLITS) {
		first = ledger__at(c->l, start);
		last = ledger__at(c->l, end);
		if (first && first->start < start)
			start = first->end;
		if (last && last->start < end)
			end = last->start;
		if (start >= end)
			return;
	}
	change_range(c, start, end, discard_interval, 0);
}

static void advise(struct change *c, uint64_t start, uint64_t end)
{
	switch (c->r->args[2]) {
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_PAGEOUT:
	case ADVICE_DONTNEED_LOCKED:
	case ADVICE_GUARD_INSTALL:
		discard(c, start, end);
		break;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		if (!has_failed(c->r))
			change_range(c, start, end, populate_interval, 0);
		break;
	case MADV_DONTFORK:
		change_range(c, start, end, flag_interval, set_and_clear(LEDGER_DONTFORK, 0));
		break;
	case MADV_DOFORK:
		change_range(c, start, end, flag_interval, set_and_clear(0, LEDGER_DONTFORK));
		break;
	case MADV_WIPEONFORK:
		change_range(c, start, end, flag_interval, set_and_clear(LEDGER_WIPEONFORK, 0));
		break;
	case MADV_KEEPONFORK:
		change_range(c, start, end, flag_interval, set_and_clear(0, LEDGER_WIPEONFORK));
		break;
	}
}

/* Over holes it goes on, and says ENOMEM when all is done. */
static int apply_madvise(struct change *c)
{
	uint64_t start = c->r->args[0], bytes = page_up(c->r->args[1]);

	if (!c->r->args[1] || (has_failed(c->r) && c->r->result != -ENOMEM))
		return 0;
	if (!is_range(start, bytes))
		return has_failed(c->r) ? 0 : -EINVAL;
	if (c->r->exit_ns <= c->l->as_of_ns)
		return 0;
	if (!has_failed(c->r) && mapped_until(c->l, start, start + bytes) < start + bytes)
		c->l->inconsistent = true;
	advise(c, start, start + bytes);
	return 0;
}

static int apply_mlock(struct change *c)
{
	uint64_t start = page_down(c->r->args[0]);
	uint64_t bytes = page_up(c->r->args[1] + (c->r->args[0] - start));
	bool unlock = c->r->call == CALL_MUNLOCK, onfault = !unlock && c->r->args[2] & MLOCK_ONFAULT;
	uint64_t flags = unlock	   ? set_and_clear(0, LEDGER_LOCKED | LEDGER_ONFAULT)
			 : onfault ? set_and_clear(LEDGER_LOCKED | LEDGER_ONFAULT, 0)
				   : set_and_clear(LEDGER_LOCKED, LEDGER_ONFAULT);

	if (!c->r->args[1])
		return 0;
	if (!is_range(start, bytes))
		return has_failed(c->r) ? 0 : -EINVAL;
	/* Beyond RLIMIT_MEMLOCK it does nothing; and a lock that fails midway is only a matter of residence.
	 */
	if (c->r->exit_ns > c->l->as_of_ns &&
	    (!has_failed(c->r) || mapped_until(c->l, start, start + bytes) < start + bytes))
		change_until_hole(c, start, start + bytes, flag_interval, flags);
	return 0;
}

static int apply_mlockall(struct change *c)
{
	uint64_t flags = c->r->args[0];
	uint16_t lock = LEDGER_LOCKED | (flags & MCL_ONFAULT ? LEDGER_ONFAULT : 0);

	c->l->lock_future = flags & MCL_FUTURE ? lock : 0;
	if (c->r->exit_ns <= c->l->as_of_ns)
		return 0;
	if (!flags)
		change_range(c, 0, page_down(UINT64_MAX), flag_interval,
			     set_and_clear(0, LEDGER_LOCKED | LEDGER_ONFAULT));
	else if (flags & MCL_CURRENT)
		change_range(c, 0, page_down(UINT64_MAX), flag_interval,
			     set_and_clear(lock, LEDGER_LOCKED | LEDGER_ONFAULT));
	return 0;
}

/* --- System V shared memory ------------------------------------------------------------------------------
 */

static struct attachment *find_attachment(struct ledger *l, uint64_t start)
{
	for (int i = 0; i < ATTACHED_MAX; i++)
		if (l->attached[i].end && l->attached[i].start == start)
			return &l->attached[i];
	return NULL;
}

static int apply_shmat(struct change *c)
{
	const struct call_record *r = c->r;
	uint64_t start = (uint64_t)r->result, bytes = r->end - start;
	struct ledger_interval i;
	struct attachment *a;

	if (r->exit_ns <= c->l->as_of_ns)
		return 0;
	if (r->start > start || r->end <= start) {
		c->l->inconsistent = true; /* its size is not known */
		return 0;
	}
	if (!is_range(start, bytes))
		return -EINVAL;
	i = new_interval(c, start, r->end, VIA_OTHER);
	i.kind = LEDGER_SHARED;
	i.flags |= LEDGER_SHM;
	i.perms = VM_SHARED | VM_READ | (r->args[2] & SHMAT_RDONLY ? 0 : VM_WRITE) |
		  (r->args[2] & SHMAT_EXEC ? VM_EXEC : 0);
	if (r->args[2] & SHMAT_REMAP)
		ledger__release(c, start, r->end);
	else
		displace(c, start, r->end);
	ledger__obtain(c, &i);
	a = find_attachment(c->l, start);
	if (!a)
		a = &c->l->attached[c->l->attached_next++ % ATTACHED_MAX];
	*a = (struct attachment){start, r->end, r->exit_ns};
	return 0;
}

static int apply_shmdt(struct change *c)
{
	uint64_t start = c->r->args[0];
	struct attachment *a = find_attachment(c->l, start);
	const struct ledger_interval *i;

	if (start & (LEDGER_PAGE - 1))
		return -EINVAL;
	if (c->r->exit_ns <= c->l->as_of_ns)
		return 0;
	if (!a) {
		c->l->inconsistent = true; /* attached before, so where it ends is not known */
		return 0;
	}
	while (start < a->end && (i = interval_set__overlap(&c->l->set, start, a->end))) {
		uint64_t from = i->start > start ? i->start : start;

		start = i->end < a->end ? i->end : a->end;
		if (i->flags & LEDGER_SHM && i->born_ns == a->born_ns &&
		    interval_set__reserve(&c->l->set, NODES_OF_CALL))
			remove_range(c, from, start);
	}
	a->end = 0;
	return 0;
}

/* --- applying --------------------------------------------------------------------------------------------
 */

static int (*const appliers[CALLS])(struct change *) = {
	[CALL_BRK] = apply_brk,	      [CALL_MMAP] = apply_mmap,		[CALL_MUNMAP] = apply_munmap,
	[CALL_MREMAP] = apply_mremap, [CALL_MPROTECT] = apply_mprotect, [CALL_MADVISE] = apply_madvise,
	[CALL_MLOCK] = apply_mlock,   [CALL_MUNLOCK] = apply_mlock,	[CALL_MLOCKALL] = apply_mlockall,
	[CALL_SHMAT] = apply_shmat,   [CALL_SHMDT] = apply_shmdt,
};

/* The old break returned may be what was asked for, a failure, or the answer to a question. */
static bool is_refused(const struct call_record *r)
{
	return r->args[0] > (uint64_t)r->result;
}

static bool is_query(const struct call_record *r)
{
	return r->call == CALL_BRK && !is_refused(r) &&
	       (r->args[0] != (uint64_t)r->result || r->args[0] == r->brk_before);
}

static int error_of(const struct call_record *r)
{
	if (r->call == CALL_BRK)
		return is_refused(r) ? ENOMEM : 0;
	return has_failed(r) ? (int)-r->result : 0;
}

static uint64_t bytes_asked(const struct call_record *r)
{
	switch (r->call) {
	case CALL_MREMAP:
		return r->args[2] > r->args[1] ? r->args[2] - r->args[1] : 0;
	case CALL_MMAP:
	case CALL_MUNMAP:
	case CALL_MPROTECT:
	case CALL_MADVISE:
	case CALL_MLOCK:
	case CALL_MUNLOCK:
		return r->args[1];
	default:
		return 0; /* brk: where it is known what it was before */
	}
}

static void note_failure(struct ledger *l, const struct call_record *r, int error, uint32_t site)
{
	struct ledger_failure *f = l->failures, *end = f + l->failure_count;

	while (f < end && (f->call != r->call || f->error != error))
		f++;
	if (f == l->failures + LEDGER_FAILURES)
		return;
	if (f == end) {
		l->failure_count++;
		f->call = r->call;
		f->error = error;
	}
	f->count++;
	memcpy(f->args, r->args, sizeof(f->args));
	f->brk_before = r->brk_before;
	f->time_ns = r->exit_ns;
	f->site = site;
}

static void count_call(struct change *c, int error)
{
	const struct call_record *r = c->r;
	uint64_t asked = bytes_asked(r);

	c->call->calls++;
	c->call->ns += r->exit_ns > r->enter_ns ? r->exit_ns - r->enter_ns : 0;
	c->call->queries += is_query(r);
	if (asked)
		c->call->sizes[ledger__bucket(asked)]++;
	if (error) {
		c->call->failed++;
		note_failure(c->l, r, error, c->site);
	}
}

static int apply_failed(struct change *c)
{
	switch (c->r->call) {
	case CALL_BRK: /* says where the break is */
	case CALL_MPROTECT:
	case CALL_MADVISE:
	case CALL_MLOCK:
	case CALL_MUNLOCK: /* may have done a part */
		appliers[c->r->call](c);
		break;
	case CALL_MMAP:
		fail_mmap(c);
		break;
	case CALL_MREMAP:
		fail_mremap(c);
		break;
	}
	return 0;
}

int ledger__apply(struct ledger *l, const struct call_record *r, uint32_t site)
{
	struct change c = {.l = l, .r = r, .site = site};
	int error, result;

	if (r->call >= CALLS)
		return -EINVAL;
	c.call = &l->calls[r->call];
	error = error_of(r);
	count_call(&c, error);
	if (!interval_set__reserve(&l->set, NODES_OF_CALL)) {
		l->inconsistent = true;
		return -ENOMEM;
	}
	result = error ? apply_failed(&c) : appliers[r->call](&c);
	ledger__note_trend(l, r->exit_ns);
	return result;
}
