/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/kernel_count.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
	char key[KERNEL_COUNT_NAME + 16];
	struct kernel_count count;
	UT_hash_handle hh;
};

struct kernel_counts {
	struct entry *entries; /* hash by key */
};

struct kernel_counts *kernel_counts__new(void)
{
	return calloc(1, sizeof(struct kernel_counts));
}

void kernel_counts__free(struct kernel_counts *c)
{
	struct entry *e, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->entries, e, next) {
		HASH_DEL(c->entries, e);
		free(e);
	}
	free(c);
}

/* mm/slab_common.c: kmalloc_info. */
void kernel_count__kmalloc_name(uint64_t bytes, char name[KERNEL_COUNT_NAME])
{
	if (bytes >= 1 << 20 && bytes % (1 << 20) == 0)
		snprintf(name, KERNEL_COUNT_NAME, "kmalloc-%" PRIu64 "M", bytes >> 20);
	else if (bytes >= 1 << 10 && bytes % (1 << 10) == 0)
		snprintf(name, KERNEL_COUNT_NAME, "kmalloc-%" PRIu64 "k", bytes >> 10);
	else
		snprintf(name, KERNEL_COUNT_NAME, "kmalloc-%" PRIu64, bytes);
}

static void fold(const char *name, char folded[KERNEL_COUNT_NAME])
{
	const char *size = strncmp(name, "kmalloc-", 8) ? NULL : strrchr(name, '-');

	snprintf(folded, KERNEL_COUNT_NAME, "%s%s", size ? "kmalloc" : name, size ? size : "");
}

static struct kernel_count *count_of(struct kernel_counts *c, const char *source, const char *name)
{
	char key[sizeof(((struct entry *)NULL)->key)], folded[KERNEL_COUNT_NAME];
	struct entry *e;

	fold(name, folded);
	snprintf(key, sizeof(key), "%s %s", source, folded);
	HASH_FIND_STR(c->entries, key, e);
	if (e)
		return &e->count;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	memcpy(e->key, key, sizeof(e->key));
	e->count.source = source;
	memcpy(e->count.name, folded, sizeof(folded));
	HASH_ADD_STR(c->entries, key, e);
	return &e->count;
}

int kernel_counts__told(struct kernel_counts *c, const char *source, const char *name, uint64_t count,
			uint64_t bytes, bool now)
{
	struct kernel_count *k = count_of(c, source, name);

	if (!k)
		return -ENOMEM;
	k->is_known = true;
	*(now ? &k->now_count : &k->before_count) += count;
	*(now ? &k->now_bytes : &k->before_bytes) += bytes;
	return 0;
}

int kernel_counts__traced(struct kernel_counts *c, const char *source, const char *name, int64_t count,
			  int64_t bytes)
{
	struct kernel_count *k = count_of(c, source, name);

	if (!k)
		return -ENOMEM;
	k->traced_count += count;
	k->traced_bytes += bytes;
	return 0;
}

void kernel_counts__begin(struct kernel_counts *c)
{
	for (struct entry *e = c->entries; e; e = e->hh.next) {
		e->count.now_count = e->count.now_bytes = 0;
		e->count.traced_count = e->count.traced_bytes = 0;
	}
}

void kernel_counts__is_traced(struct kernel_counts *c, const char *source)
{
	for (struct entry *e = c->entries; e; e = e->hh.next)
		if (!strcmp(e->count.source, source))
			e->count.is_traced = true;
}

static int64_t magnitude(const struct kernel_count *k)
{
	int64_t told = llabs((int64_t)(k->now_bytes - k->before_bytes)), traced = llabs(k->traced_bytes);

	return told > traced ? told : traced;
}

static int by_magnitude(const void *a, const void *b)
{
	int64_t p = magnitude(a), q = magnitude(b);

	if (p != q)
		return p > q ? -1 : 1;
	return strcmp(((const struct kernel_count *)a)->name, ((const struct kernel_count *)b)->name);
}

struct kernel_count *kernel_counts__rows(const struct kernel_counts *c, size_t *n)
{
	struct kernel_count *rows = calloc(HASH_COUNT(c->entries) + 1, sizeof(*rows));

	*n = 0;
	for (const struct entry *e = c->entries; e && rows; e = e->hh.next)
		if (magnitude(&e->count))
			rows[(*n)++] = e->count;
	if (rows)
		qsort(rows, *n, sizeof(*rows), by_magnitude);
	return rows;
}
