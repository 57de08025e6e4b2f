/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outstanding blocks by process and call stack: how many, how old, how fast they become more; and, if only a
 * sample of them is known, an estimate of all.
 *
 * The kernel side knows stacks by numbers of its own, and several of them may be one stack.
 */
#ifndef MEMTRACE_HEAP_TABLE_H
#define MEMTRACE_HEAP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "heap.h"

/*
 * A sum over blocks. Of a sample, each block stands for 1 / p blocks, p being the probability with which it
 * was chosen; *_variance are those of the estimates (D. G. Horvitz, D. J. Thompson, A Generalization of
 * Sampling Without Replacement From a Finite Universe, 1952, for independent choices: the sum of y^2 (1 - p)
 * / p^2). Without sampling they are 0.
 */
struct heap_sum {
	double count, bytes;
	double count_variance, bytes_variance;
	uint64_t blocks;    /* that the sum is made of */
	uint64_t oldest_ns; /* when the oldest of them was allocated; 0: there is none */
};

/* Add one block. mean: the mean distance of samples in bytes; 0: all blocks are known. */
void heap_sum__add(struct heap_sum *sum, const struct heap_block *block, uint64_t mean);

/* A process, from exec (or fork) to exec (or its end). */
struct heap_image {
	struct heap_process process;
	char comm[COMM_SIZE];
	uint64_t began_ns; /* when it came to be known; CLOCK_MONOTONIC, as all times */
	uint64_t ended_ns; /* 0: it is there still */
	bool is_probed;
	bool has_mapped;  /* code, since that was looked at */
	bool is_swept;	  /* its blocks are not in the kernel's table any more */
	bool is_replaced; /* it was another program then: the memory is gone, and was no leak */
	struct heap_sum sum;
	UT_hash_handle hh;
};

#define HEAP_POINTS	   32
#define HEAP_FIRST_STEP_NS 100000000ull

struct heap_table;

/* sample_mean: as for heap_sum__add(). NULL: no memory. */
struct heap_table *heap_table__new(uint64_t sample_mean, uint64_t now_ns);
void heap_table__free(struct heap_table *t);

/* The image; made if it is not known. NULL: no memory. */
struct heap_image *heap_table__image(struct heap_table *t, struct heap_process process);
struct heap_image *heap_table__find(const struct heap_table *t, struct heap_process process);
struct heap_image *heap_table__images(const struct heap_table *t); /* a list, by hh.next */

/* What the kernel side calls `number` is this stack (model/stack_table.h). 0 or -ENOMEM. */
int heap_table__name(struct heap_table *t, struct heap_process process, uint64_t number, uint32_t stack);

/* Has it been told what this number is? */
bool heap_table__knows(const struct heap_table *t, struct heap_process process, uint64_t number);

/* A word for the row of this number's stack; of several the first one stays. */
#define HEAP_LABEL 32
void heap_table__label(struct heap_table *t, struct heap_process process, uint64_t number, const char *label);

/* What was counted at a site so far. 0 or -ENOMEM. */
int heap_table__count(struct heap_table *t, const struct heap_site_key *key, const struct heap_site *site);

/* Is it time to note how much is outstanding? */
bool heap_table__wants_point(const struct heap_table *t, uint64_t now_ns);

/*
 * Note it: heap_table__begin(), heap_table__block() for each block if there is a sample only,
 * heap_table__note(). For a report: heap_table__begin(), heap_table__block() for each, heap_table__rows().
 */
void heap_table__begin(struct heap_table *t);
int heap_table__block(struct heap_table *t, const struct heap_block_key *key, const struct heap_block *block);
void heap_table__note(struct heap_table *t, uint64_t now_ns);

/* A block of an image that has ended: it counts in all reports from now on. 0 or -ENOMEM. */
int heap_table__keep(struct heap_table *t, const struct heap_block_key *key, const struct heap_block *block);

struct heap_row {
	const struct heap_image *image;
	uint32_t stack;	   /* STACK_UNKNOWN: not known */
	const char *label; /* "": none */
	struct heap_site counted;
	struct heap_sum sum;
	bool has_growth;
	double bytes_per_s; /* in the second half of the image's time */
};

/* What is outstanding, most bytes first; the caller frees it. NULL: *n is 0, or no memory. Images get their
 * sums. */
struct heap_row *heap_table__rows(struct heap_table *t, uint64_t now_ns, size_t *n);

/* All that was counted in an image, at the last heap_table__rows(). */
void heap_table__counted(const struct heap_table *t, struct heap_process process, struct heap_site *total);

#endif
