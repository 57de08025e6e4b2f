/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger of an address space: what one process image has mapped, since when, by which call and from which
 * call stack; and what it obtained and returned on the way.
 *
 * A sorted set of disjoint intervals. It is seeded from /proc/PID/maps and then kept exact by the system
 *calls that returned: every operation costs O(log n) and what it removes or changes. Nothing here is a figure
 *of the kernel's: `obtained` and `returned` are sums of what calls changed, and for each via
 *
 *	inherited + obtained - returned == bytes of its intervals
 *
 * always. Addresses and sizes in bytes, of 4 KiB pages; times in ns of CLOCK_MONOTONIC.
 *
 * How a caller uses it:
 *
 *	attach	ledger__new(), ledger__seed(VIA_BEFORE) with each line of /proc/PID/maps
 *	exec	a new ledger; ledger__reconcile() as soon as /proc can be read: what the kernel made is OTHER
 *	fork	ledger__fork() of the parent's
 *	call	ledger__apply() in the order of exit_ns
 *	now and then, if ledger__is_inconsistent(): ledger__reconcile()
 */
#ifndef MEMTRACE_LEDGER_H
#define MEMTRACE_LEDGER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "alloc.h"
#include "faults.h"
#include "model/trend.h"

#define LEDGER_PAGE 4096ULL

/* Through what an interval came into being. */
enum ledger_via {
	VIA_BEFORE, /* there when tracing began, or when the process was forked from one not traced */
	VIA_BRK,
	VIA_MMAP,  /* and what mremap added */
	VIA_OTHER, /* the kernel at exec, growth of a stack, shmat, what was only found in /proc/PID/maps */
	VIAS,
};

enum ledger_kind {
	LEDGER_ANON,
	LEDGER_FILE,   /* private or shared */
	LEDGER_SHARED, /* shared and without a file: MAP_SHARED|MAP_ANONYMOUS, shmat */
	LEDGER_KINDS,
};

enum ledger_flag {
	LEDGER_LOCKED = 1 << 0,	   /* mlock, mlockall, MAP_LOCKED: resident as soon as it may be accessed */
	LEDGER_ONFAULT = 1 << 1,   /* with LOCKED: locked page by page, when touched (MLOCK_ONFAULT) */
	LEDGER_POPULATED = 1 << 2, /* every page was made resident at since_ns, and not given back since */
	LEDGER_NORESERVE = 1 << 3,
	LEDGER_STACK = 1 << 4, /* MAP_STACK or MAP_GROWSDOWN: the stack of a thread */
	LEDGER_ARENA = 1 << 5, /* part of a reservation as malloc makes one for each of its arenas */
	LEDGER_DONTFORK = 1 << 6,
	LEDGER_WIPEONFORK = 1 << 7,
	LEDGER_SHM = 1 << 8,   /* attached by shmat */
	LEDGER_FOUND = 1 << 9, /* seen in /proc/PID/maps, at born_ns or before: no call of it is known */
};

/* One interval. It ends where anything but the addresses changes; a VMA may be several. */
struct ledger_interval {
	uint64_t start, end;
	uint64_t born_ns;  /* when the call that obtained it returned; LEDGER_FOUND: when it was seen */
	uint64_t since_ns; /* pages touched at or after this are its own: when that call, or the mremap that
			      moved it, began */
	uint64_t discarded_ns; /* its pages were last given back without unmapping; 0: never */
	uint32_t site;	       /* call stack that obtained it; 0: not known */
	uint32_t faults;       /* of ledger__add_faults() */
	uint16_t weight;       /* calls that this stack stands for; 0: no stack */
	uint16_t flags;	       /* enum ledger_flag */
	uint8_t via;	       /* enum ledger_via */
	uint8_t kind;	       /* enum ledger_kind */
	uint8_t perms;	       /* VM_READ | VM_WRITE | VM_EXEC | VM_SHARED (faults.h) */
	uint8_t huge_shift;    /* log2 of its page size if hugetlb, else 0 */
};

/* Reserved: no access is allowed (PROT_NONE). Everything else is committed. */
bool ledger_interval__is_reserved(const struct ledger_interval *i);

/* A mapping as /proc/PID/maps has it. */
struct ledger_mapping {
	uint64_t start, end;
	uint8_t perms;	    /* as in an interval; enum maps_perms has the same values */
	uint8_t kind;	    /* enum ledger_kind: LEDGER_FILE if it has an inode */
	uint8_t huge_shift; /* 0: not hugetlb, or not known */
	uint16_t flags;	    /* LEDGER_STACK, LEDGER_LOCKED where known; others are ignored */
};

struct ledger_account {
	uint64_t inherited; /* seeded, or of the parent */
	uint64_t obtained, returned;
};

/* May be below 0 for a site only: never for a via. */
int64_t ledger_account__net(const struct ledger_account *a);

/* log2 of request sizes: bucket i holds [2^i, 2^(i+1)) bytes; 0 also holds 0; the last is open. */
#define LEDGER_BUCKETS 48
unsigned ledger__bucket(uint64_t bytes);

/* What the calls of one kind did. */
struct ledger_call {
	uint64_t calls;	  /* all, with failed ones and queries */
	uint64_t queries; /* brk(0) and the like: they ask for no change */
	uint64_t failed;
	uint64_t ns; /* between entry and exit */
	/*
	 * Bytes of address space that they added and removed, whoever had them before; `changed`: bytes whose
	 * state they changed and left mapped (mprotect, mlock, madvise that gives back; what mremap moved).
	 */
	uint64_t obtained, returned, changed;
	uint64_t sizes[LEDGER_BUCKETS]; /* bytes asked for: growth for brk and mremap; failed ones too */
};

/* Calls that failed with the same error, and the last of them as an example. */
#define LEDGER_FAILURES 32 /* kept apart; others only count in ledger_call.failed */
struct ledger_failure {
	uint8_t call;
	int error; /* positive; of brk ENOMEM, which it does not say */
	uint64_t count;
	uint64_t args[6];
	uint64_t brk_before;
	uint64_t time_ns;
	uint32_t site;
};

/*
 * Mappings by mmap that munmap removed whole, LEDGER_SHORT_LIFE_NS after their birth at most, by size.
 * faults: their part of those told by ledger__add_faults().
 */
#define LEDGER_SHORT_LIFE_NS 1000000000ULL
struct ledger_churn {
	uint64_t count, bytes, life_ns, faults;
};

/*
 * malloc (glibc) serves a request from mmap if it is at least as large as its threshold, 128 KiB at first;
 * when such a block is freed, the threshold becomes its size, up to 32 MiB. What can be seen of that from
 * outside:
 */
struct ledger_threshold {
	uint64_t bytes;	     /* the largest block in that range that was unmapped; 0: none */
	uint64_t since_ns;   /* pages touched at or after this are its own: when that call, or the mremap that
				moved it, began */
	uint64_t mmaps;	     /* blocks of 128 KiB up to `bytes` that came from mmap since: should be none */
	uint64_t heap_grows; /* brk grew by more than 256 KiB at once since: a block for which mmap was due */
	uint64_t heap_bytes; /* by how much in all */
};

/* Per call stack; site 0: calls without one. */
struct ledger_site {
	uint32_t site;
	uint8_t via; /* of the last that it obtained */
	struct ledger_account account;
	int64_t weighted_net; /* net, each byte times the calls that its stack stands for: an estimate for all
			       */
	uint64_t calls;	      /* that obtained something */
	uint64_t churned;     /* as in struct ledger_churn, for this site */
	uint64_t churned_bytes;
	uint64_t faults;
	UT_hash_handle hh;
};

struct ledger;

/* NULL: no memory. */
struct ledger *ledger__new(void);
void ledger__free(struct ledger *l);

/*
 * The address space of a child, as fork copies it at time_ns: same intervals with their via and site, all of
 * it inherited; no calls. NULL: no memory.
 */
struct ledger *ledger__fork(const struct ledger *parent, uint64_t time_ns);

/*
 * A mapping that is there, as found at time_ns. Calls that had returned by then change no intervals when they
 * are applied later, they only count; one that was under way is recognised by its mapping. 0, -EINVAL (empty,
 * not aligned to pages, or overlapping another), -ENOMEM.
 */
int ledger__seed(struct ledger *l, const struct ledger_mapping *m, enum ledger_via via, uint64_t time_ns);

/*
 * A call has returned; site is the number of its stack, 0 if none was taken. Arguments that a call does not
 * have are 0 (args[2] of mlock; of mlock2 it is its flags). CALL_MLOCKALL with flags 0 is munlockall. A
 * failed call changes nothing but what Linux leaves done (mprotect and mlock up to a hole). 0; -EINVAL: not a
 * record; -ENOMEM: not applied, and inconsistent from now on.
 *
 * Threads race: calls are reported as they return, which need not be the order in which the kernel did them.
 * A mapping put by the kernel where another is still known means that a call which removes the latter has yet
 * to be reported: that call then spares the new one.
 */
int ledger__apply(struct ledger *l, const struct call_record *r, uint32_t site);

/* Something was told that cannot be: calls were missed. The accounts stand; the intervals need reconciling.
 */
bool ledger__is_inconsistent(const struct ledger *l);

/* What reconciling found, in bytes. */
struct ledger_difference {
	uint64_t unseen;  /* mapped, and not known: OTHER now */
	uint64_t gone;	  /* known, and not mapped any more: returned */
	uint64_t changed; /* with other permissions */
};

/*
 * Make the intervals those of /proc/PID/maps (sorted, as the kernel writes them), read at time_ns; accounts
 * go on. 0; -EINVAL: not sorted or not aligned, nothing is changed; -ENOMEM. diff may be NULL. [vsyscall] is
 * no mapping of the process: leave it out.
 */
int ledger__reconcile(struct ledger *l, const struct ledger_mapping *maps, size_t count, uint64_t time_ns,
		      struct ledger_difference *diff);

/*
 * Page faults counted since last told, in [start, end) (a chunk, as the kernel side counts them). Shared out,
 * by what they have or had of it, among the committed intervals there and those that have gone since; if
 * there are none, they go to whoever had it last, if that is still known.
 */
void ledger__add_faults(struct ledger *l, uint64_t start, uint64_t end, uint64_t faults);

/* --- what it knows -------------------------------------------------------------------------------------- */

/* Intervals by address: the first that ends after `address`, NULL if none does. Valid until the next change.
 */
const struct ledger_interval *ledger__from(const struct ledger *l, uint64_t address);
/* The one that holds address. */
const struct ledger_interval *ledger__at(const struct ledger *l, uint64_t address);
size_t ledger__count(const struct ledger *l);

/* Neighbours with the same permissions as one, to be compared with /proc/PID/maps: the first at or after
 * `from`. */
struct ledger_range {
	uint64_t start, end;
	uint8_t perms;
};
bool ledger__range(const struct ledger *l, uint64_t from, struct ledger_range *range);

const struct ledger_account *ledger__account(const struct ledger *l, enum ledger_via via);
uint64_t ledger__faults(const struct ledger *l, enum ledger_via via);
const struct ledger_call *ledger__call(const struct ledger *l, enum alloc_call call);
const struct ledger_failure *ledger__failures(const struct ledger *l, size_t *count);
const struct ledger_churn *ledger__churn(const struct ledger *l); /* [LEDGER_BUCKETS] */
const struct ledger_threshold *ledger__threshold(const struct ledger *l);
const struct trend *ledger__trend(const struct ledger *l); /* net bytes by brk and by mmap */
/* Iterate with ->hh.next. The ledger's own. */
const struct ledger_site *ledger__sites(const struct ledger *l);
const struct ledger_site *ledger__site(const struct ledger *l, uint32_t site);

/* The break, as it is known; 0: not known. And the lowest that was seen: where the heap begins, at most. */
uint64_t ledger__break(const struct ledger *l);
uint64_t ledger__heap_start(const struct ledger *l);

/* "before", "brk", "mmap", "other", as in JSON; "brk", "mmap", "munmap", ... of enum alloc_call; "?" beyond.
 */
const char *ledger_via__name(unsigned via);
const char *alloc_call__name(unsigned call);

#endif
