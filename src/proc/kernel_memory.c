/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/kernel_memory.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX (1u << 20)

struct list {
	struct kernel_memory *items;
	size_t n, room;
};

static int add(struct list *list, const char *name, size_t length, uint64_t count, uint64_t bytes)
{
	struct kernel_memory *item;

	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		struct kernel_memory *grown =
			room > LIST_MAX ? NULL : reallocarray(list->items, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->room = room;
	}
	item = &list->items[list->n++];
	*item = (struct kernel_memory){.count = count, .bytes = bytes};
	if (length >= sizeof(item->name))
		length = sizeof(item->name) - 1;
	memcpy(item->name, name, length);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kernel_memory *)a)->name, ((const struct kernel_memory *)b)->name);
}

/* Ordered; what has one name becomes one. */
static int finish(struct list *list, int err, struct kernel_memory **result, size_t *n)
{
	size_t kept = 0;

	*result = NULL;
	*n = 0;
	if (!err && !list->n)
		err = -ENODATA;
	if (err) {
		free(list->items);
		return err;
	}
	qsort(list->items, list->n, sizeof(*list->items), by_name);
	for (size_t i = 0; i < list->n; i++) {
		struct kernel_memory *last = kept ? &list->items[kept - 1] : NULL;

		if (last && !strcmp(last->name, list->items[i].name)) {
			last->count += list->items[i].count;
			last->bytes += list->items[i].bytes;
		} else {
			list->items[kept++] = list->items[i];
		}
	}
	*result = list->items;
	*n = kept;
	return 0;
}

/* A number at *text, which moves behind it and the blanks that follow. */
static bool number(const char **text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	if (errno)
		return false;
	*text = end + strspn(end, " \t");
	return true;
}

static const char *next_line(const char *line)
{
	const char *end = strchrnul(line, '\n');

	return *end ? end + 1 : end;
}

/* "name <active_objs> <num_objs> <objsize> ..." */
int slabinfo__parse(const char *text, struct kernel_memory **list, size_t *n)
{
	struct list found = {};
	int err = 0;

	for (const char *line = text; *line && !err; line = next_line(line)) {
		size_t length = strcspn(line, " \t\n");
		const char *rest = line + length;
		uint64_t active, all, size;

		rest += strspn(rest, " \t");
		if (!length || *line == '#' || !number(&rest, &active) || !number(&rest, &all) ||
		    !number(&rest, &size))
			continue;
		err = add(&found, line, length, active, active * size);
	}
	return finish(&found, err, list, n);
}

/* "0x...-0x...   12288 caller+0x1/0x2 pages=2 vmalloc N0=2" */
int vmallocinfo__parse(const char *text, struct kernel_memory **list, size_t *n)
{
	struct list found = {};
	int err = 0;

	for (const char *line = text; *line && !err; line = next_line(line)) {
		const char *rest = line + strcspn(line, " \t\n");
		uint64_t bytes;
		size_t length;

		if (strncmp(line, "0x", 2))
			continue;
		rest += strspn(rest, " \t");
		if (!number(&rest, &bytes))
			continue;
		length = strcspn(rest, " \t\n");
		/* Some have no caller, but flags at once: "vmap", "unpurged", "pages=". */
		if (!memchr(rest, '+', length))
			err = add(&found, "-", 1, 1, bytes);
		else
			err = add(&found, rest, length, 1, bytes);
	}
	return finish(&found, err, list, n);
}

/* "       12345       67 mm/slub.c:1234 [module] func:name" */
int allocinfo__parse(const char *text, struct kernel_memory **list, size_t *n)
{
	struct list found = {};
	int err = 0;

	for (const char *line = text; *line && !err; line = next_line(line)) {
		const char *rest = line + strspn(line, " \t");
		uint64_t bytes, count;

		if (!number(&rest, &bytes) || !number(&rest, &count) || !*rest || *rest == '\n')
			continue;
		err = add(&found, rest, strcspn(rest, "\n"), count, bytes);
	}
	return finish(&found, err, list, n);
}

const struct kernel_memory *kernel_memory__find(const struct kernel_memory *list, size_t n, const char *name)
{
	struct kernel_memory key = {};

	snprintf(key.name, sizeof(key.name), "%s", name);
	return list ? bsearch(&key, list, n, sizeof(*list), by_name) : NULL;
}
