/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/interval_set.h"

#include <stdlib.h>
#include <string.h>

#define SPARES_KEPT 256

struct interval_node {
	struct ledger_interval interval;
	struct interval_node *left, *right;
	uint32_t priority;
};

/* --- nodes -----------------------------------------------------------------------------------------------
 */

/* splitmix64 (Steele, Lea, Flood 2014): who is traced cannot choose the shape of the tree. */
static uint32_t next_priority(struct interval_set *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z >> 32;
}

static void spare_node(struct interval_set *s, struct interval_node *n)
{
	n->right = s->spare;
	s->spare = n;
	s->spares++;
}

bool interval_set__reserve(struct interval_set *s, size_t n)
{
	while (s->spares < n) {
		struct interval_node *node = malloc(sizeof(*node));

		if (!node)
			return false;
		spare_node(s, node);
	}
	return true;
}

static struct interval_node *take_spare(struct interval_set *s, const struct ledger_interval *i)
{
	struct interval_node *n = s->spare;

	s->spare = n->right;
	s->spares--;
	s->count++;
	n->interval = *i;
	n->left = n->right = NULL;
	n->priority = next_priority(s);
	return n;
}

/* Recursion is as deep as the tree: O(log n). */
static void free_tree(struct interval_node *n)
{
	if (!n)
		return;
	free_tree(n->left);
	free_tree(n->right);
	free(n);
}

void interval_set__clear(struct interval_set *s)
{
	struct interval_node *n;

	free_tree(s->root);
	while ((n = s->spare)) {
		s->spare = n->right;
		free(n);
	}
	*s = (struct interval_set){.random = s->random};
}

static bool copy_tree(struct interval_node **to, const struct interval_node *from)
{
	if (!from)
		return true;
	*to = malloc(sizeof(**to));
	if (!*to)
		return false;
	**to = *from;
	(*to)->left = (*to)->right = NULL;
	return copy_tree(&(*to)->left, from->left) && copy_tree(&(*to)->right, from->right);
}

bool interval_set__copy(struct interval_set *to, const struct interval_set *from)
{
	*to = (struct interval_set){.count = from->count, .random = from->random};
	if (copy_tree(&to->root, from->root))
		return true;
	interval_set__clear(to);
	return false;
}

/* --- the tree --------------------------------------------------------------------------------------------
 */

/* What starts below `at` goes to *left, the rest to *right. */
static void split(struct interval_node *n, uint64_t at, struct interval_node **left,
		  struct interval_node **right)
{
	while (n) {
		if (n->interval.start < at) {
			*left = n;
			left = &n->right;
			n = n->right;
		} else {
			*right = n;
			right = &n->left;
			n = n->left;
		}
	}
	*left = *right = NULL;
}

/* All of a is below all of b. */
static struct interval_node *merge(struct interval_node *a, struct interval_node *b)
{
	struct interval_node *root, **at = &root;

	while (a && b) {
		if (a->priority > b->priority) {
			*at = a;
			at = &a->right;
			a = a->right;
		} else {
			*at = b;
			at = &b->left;
			b = b->left;
		}
	}
	*at = a ? a : b;
	return root;
}

struct ledger_interval *interval_set__from(const struct interval_set *s, uint64_t address)
{
	struct ledger_interval *found = NULL;

	for (struct interval_node *n = s->root; n;) {
		if (n->interval.end > address) {
			found = &n->interval;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

struct ledger_interval *interval_set__overlap(const struct interval_set *s, uint64_t start, uint64_t end)
{
	struct ledger_interval *i = interval_set__from(s, start);

	return i && start < end && i->start < end ? i : NULL;
}

static void put(struct interval_set *s, struct interval_node *tree, uint64_t start)
{
	struct interval_node *left, *right;

	split(s->root, start, &left, &right);
	s->root = merge(merge(left, tree), right);
}

void interval_set__insert(struct interval_set *s, const struct ledger_interval *i)
{
	put(s, take_spare(s, i), i->start);
}

bool interval_set__cut(struct interval_set *s, uint64_t at)
{
	struct ledger_interval *i = interval_set__from(s, at), upper;

	if (!i || i->start >= at)
		return false;
	upper = *i;
	upper.start = at;
	upper.faults = (double)i->faults * (i->end - at) / (i->end - i->start);
	i->faults -= upper.faults;
	i->end = at;
	interval_set__insert(s, &upper);
	return true;
}

static struct interval_node *take(struct interval_set *s, uint64_t start, uint64_t end)
{
	struct interval_node *left, *middle, *right;

	split(s->root, start, &left, &middle);
	split(middle, end, &middle, &right);
	s->root = merge(left, right);
	return middle;
}

static void drop_tree(struct interval_set *s, struct interval_node *n, interval_visitor *each, void *context)
{
	struct interval_node *right;

	if (!n)
		return;
	right = n->right;
	drop_tree(s, n->left, each, context);
	if (each)
		each(context, &n->interval);
	s->count--;
	/* A few are kept for the calls to come; after a large unmap the memory is the system's. */
	if (s->spares < SPARES_KEPT)
		spare_node(s, n);
	else
		free(n);
	drop_tree(s, right, each, context);
}

void interval_set__remove(struct interval_set *s, uint64_t start, uint64_t end, interval_visitor *each,
			  void *context)
{
	drop_tree(s, take(s, start, end), each, context);
}

static void shift_tree(struct interval_node *n, uint64_t delta, interval_visitor *each, void *context)
{
	if (!n)
		return;
	shift_tree(n->left, delta, each, context);
	n->interval.start += delta;
	n->interval.end += delta;
	each(context, &n->interval);
	shift_tree(n->right, delta, each, context);
}

void interval_set__move(struct interval_set *s, uint64_t start, uint64_t end, uint64_t delta,
			interval_visitor *each, void *context)
{
	struct interval_node *tree = take(s, start, end);

	shift_tree(tree, delta, each, context);
	put(s, tree, start + delta);
}

/* --- joining ---------------------------------------------------------------------------------------------
 */

static bool is_continued(const struct ledger_interval *a, const struct ledger_interval *b)
{
	return a->end == b->start && a->born_ns == b->born_ns && a->since_ns == b->since_ns &&
	       a->discarded_ns == b->discarded_ns && a->site == b->site && a->weight == b->weight &&
	       a->flags == b->flags && a->via == b->via && a->kind == b->kind && a->perms == b->perms &&
	       a->huge_shift == b->huge_shift;
}

void interval_set__join(struct interval_set *s, uint64_t start, uint64_t end)
{
	struct ledger_interval *i = interval_set__from(s, start ? start - 1 : 0), *next;

	while (i && i->end <= end && (next = interval_set__from(s, i->end))) {
		uint64_t until = next->end;
		uint32_t faults = next->faults;

		if (!is_continued(i, next)) {
			i = next;
			continue;
		}
		interval_set__remove(s, next->start, until, NULL, NULL);
		i->end = until;
		i->faults += faults;
	}
}
