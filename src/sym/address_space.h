/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which code was mapped where, in each process and at each time. Pure data: whoever learns of a mapping puts
 * it here, and addresses are looked up for as long as they may be asked for.
 *
 * A pid has one address space after another: exec begins a new one, and so does a fork that uses the pid
 * again. Those that have ended are kept for samples that arrive late, the last few thousand of them.
 */
#ifndef MEMTRACE_ADDRESS_SPACE_H
#define MEMTRACE_ADDRESS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_file;
struct map_set;

struct mapping {
	uint64_t start, end, pgoff; /* bytes; pgoff is the offset into the file */
	uint64_t since_ns;
	struct code_file *file; /* never looked into here */
};

/* Of a process, from an exec or a fork to the next exec or the end. */
struct address_space {
	uint32_t pid, parent; /* parent: 0 if not known */
	uint64_t since_ns;
	uint64_t until_ns; /* UINT64_MAX: still there */
	bool complete;	   /* every mapping is known, for it was watched from the start, or read from /proc */
	struct map_set *maps;
	struct address_space *prev, *next;	     /* of the same pid, the newest first */
	struct address_space *dead_prev, *dead_next; /* of all that have ended, the oldest first */
};

struct address_spaces;

/* keep: how many that have ended are remembered. NULL: no memory. */
struct address_spaces *address_spaces__new(size_t keep);
void address_spaces__free(struct address_spaces *spaces);

/*
 * What happened. Where there is no memory to remember it, it is forgotten, which shows in code that is in no
 * mapping.
 */
void address_spaces__forked(struct address_spaces *spaces, uint32_t pid, uint32_t parent, uint64_t time_ns);
void address_spaces__execed(struct address_spaces *spaces, uint32_t pid, uint64_t time_ns);
void address_spaces__exited(struct address_spaces *spaces, uint32_t pid, uint64_t time_ns);
void address_spaces__mapped(struct address_spaces *spaces, uint32_t pid, const struct mapping *mapping);

/* All of a process's mappings have been given by address_spaces__mapped(). */
void address_spaces__completed(struct address_spaces *spaces, uint32_t pid);

/* Events were lost: no address space is known completely any more. */
void address_spaces__doubt(struct address_spaces *spaces);

/* The one that the process had then. NULL: nothing is known of it. Valid until something happens. */
struct address_space *address_spaces__find(const struct address_spaces *spaces, uint32_t pid,
					   uint64_t time_ns);

/* What was mapped then. NULL: nothing that is known. Valid until something happens. */
const struct mapping *address_space__find(const struct address_space *space, uint64_t address,
					  uint64_t time_ns);

/* Mappings of now, sorted by address. */
const struct mapping *address_space__mappings(const struct address_space *space, size_t *n);

/* How many address spaces are kept, those that have ended among them. */
size_t address_spaces__count(const struct address_spaces *spaces);

#endif
