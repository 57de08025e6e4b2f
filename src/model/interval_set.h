/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intervals of a ledger: sorted, disjoint, never empty. A treap (a search tree by address that is a heap
 * by random priorities): O(log n) whatever the order of the calls, and cutting a range out of it and putting
 * one back are a split and a merge.
 */
#ifndef MEMTRACE_INTERVAL_SET_H
#define MEMTRACE_INTERVAL_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ledger.h"

struct interval_node;

/* All zero: empty. */
struct interval_set {
	struct interval_node *root;
	struct interval_node *spare; /* a list by ->right */
	size_t spares, count;
	uint64_t random; /* of the priorities */
};

void interval_set__clear(struct interval_set *s);

/* false: no memory, and `to` is empty. */
bool interval_set__copy(struct interval_set *to, const struct interval_set *from);

/*
 * Make sure that n nodes are at hand, so that as many inserts and cuts cannot fail: nothing is left half done
 * for want of memory.
 */
bool interval_set__reserve(struct interval_set *s, size_t n);

/* The first that ends after address; NULL: none. Its addresses must not be changed. */
struct ledger_interval *interval_set__from(const struct interval_set *s, uint64_t address);

/* The first that overlaps [start, end). */
struct ledger_interval *interval_set__overlap(const struct interval_set *s, uint64_t start, uint64_t end);

/* It must not overlap another. Takes a node. */
void interval_set__insert(struct interval_set *s, const struct ledger_interval *i);

/* No interval shall cross `at`: true if one did. Its faults are divided by size. May take a node. */
bool interval_set__cut(struct interval_set *s, uint64_t at);

/* Remove what lies in [start, end), where nothing may cross either end; `each` is told of it before. */
typedef void interval_visitor(void *context, struct ledger_interval *i);
void interval_set__remove(struct interval_set *s, uint64_t start, uint64_t end, interval_visitor *each,
			  void *context);

/* Move what lies in [start, end) by `delta` bytes (modulo 2^64) to where nothing is, and tell `each` of it.
 */
void interval_set__move(struct interval_set *s, uint64_t start, uint64_t end, uint64_t delta,
			interval_visitor *each, void *context);

/* Neighbours in and around [start, end) that differ in nothing become one. */
void interval_set__join(struct interval_set *s, uint64_t start, uint64_t end);

#endif
