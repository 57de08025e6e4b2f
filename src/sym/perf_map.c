/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/perf_map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the lines, and later in that of their starts. */
struct entry {
	uint64_t start, end;
	uint32_t line;
	const char *name; /* into text */
};

/* Addresses that one entry counts for. */
struct piece {
	uint64_t start, end;
	uint32_t entry;
};

struct perf_map {
	char *text;
	struct entry *entries;
	struct piece *pieces; /* sorted, without overlap */
	size_t n, n_pieces;
};

/* Hexadecimal, with 0x or without, up to a space, which is skipped. */
static bool hex(char **at, uint64_t *value)
{
	char *s = *at, *digits;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	*value = 0;
	for (digits = s; *s && *s != ' '; s++) {
		unsigned digit = *s >= '0' && *s <= '9'	  ? (unsigned)(*s - '0')
				 : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
				 : *s >= 'A' && *s <= 'F' ? (unsigned)(*s - 'A') + 10
							  : 16;

		if (digit == 16 || *value >> 60)
			return false;
		*value = *value << 4 | digit;
	}
	if (s == digits || *s != ' ')
		return false;
	*at = s + 1;
	return true;
}

static bool parse_line(char *s, struct entry *entry)
{
	uint64_t size;

	if (!hex(&s, &entry->start) || !hex(&s, &size) || !size || !*s)
		return false;
	entry->name = s;
	return !__builtin_add_overflow(entry->start, size, &entry->end);
}

static int parse(struct perf_map *map)
{
	char *rest = map->text, *line;
	size_t capacity = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (map->n == capacity) {
			struct entry *grown;

			capacity = capacity ? capacity * 2 : 256;
			grown = capacity < UINT32_MAX / 2 ? realloc(map->entries, capacity * sizeof(*grown))
							  : NULL;
			if (!grown)
				return -ENOMEM;
			map->entries = grown;
		}
		map->entries[map->n].line = map->n;
		if (parse_line(line, &map->entries[map->n]))
			map->n++;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->line < y->line ? -1 : 1;
}

/* A heap of entries (by index), that of the last line on top. */
struct heap {
	const struct entry *entries;
	uint32_t *items;
	size_t n;
};

static bool above(const struct heap *heap, size_t a, size_t b)
{
	return heap->entries[heap->items[a]].line > heap->entries[heap->items[b]].line;
}

static void swap(struct heap *heap, size_t a, size_t b)
{
	uint32_t item = heap->items[a];

	heap->items[a] = heap->items[b];
	heap->items[b] = item;
}

static void heap_push(struct heap *heap, uint32_t entry)
{
	size_t i = heap->n++;

	heap->items[i] = entry;
	for (; i && above(heap, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(heap, i, (i - 1) / 2);
}

static void heap_pop(struct heap *heap)
{
	size_t i = 0;

	swap(heap, 0, --heap->n);
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < heap->n && above(heap, child + 1, child))
			child++;
		if (child >= heap->n || !above(heap, child, i))
			return;
		swap(heap, i, child);
		i = child;
	}
}

/* The addresses from `at` on belong to the entry on top of the heap, until it ends or another one starts. */
static uint64_t put_piece(struct perf_map *map, const struct heap *heap, uint64_t at, uint64_t next_start)
{
	uint32_t entry = heap->items[0];
	uint64_t end = map->entries[entry].end < next_start ? map->entries[entry].end : next_start;
	struct piece *last = map->n_pieces ? &map->pieces[map->n_pieces - 1] : NULL;

	if (last && last->entry == entry && last->end == at)
		last->end = end;
	else if (at < end)
		map->pieces[map->n_pieces++] = (struct piece){at, end, entry};
	return end;
}

/* One pass in the order of addresses. Each start and each end begins at most one piece. */
static int cut(struct perf_map *map)
{
	struct heap heap = {.entries = map->entries, .items = malloc((map->n + 1) * sizeof(*heap.items))};
	uint64_t at = 0;
	size_t i = 0;

	map->pieces = malloc((2 * map->n + 1) * sizeof(*map->pieces));
	if (!heap.items || !map->pieces) {
		free(heap.items);
		return -ENOMEM;
	}
	while (i < map->n || heap.n) {
		if (!heap.n)
			at = map->entries[i].start;
		while (i < map->n && map->entries[i].start <= at)
			heap_push(&heap, i++);
		while (heap.n && map->entries[heap.items[0]].end <= at)
			heap_pop(&heap);
		if (heap.n)
			at = put_piece(map, &heap, at, i < map->n ? map->entries[i].start : UINT64_MAX);
	}
	free(heap.items);
	return 0;
}

struct perf_map *perf_map__parse(const char *text, size_t size)
{
	struct perf_map *map = calloc(1, sizeof(*map));
	int err = -ENOMEM;

	if (map)
		map->text = malloc(size + 1);
	if (map && map->text) {
		memcpy(map->text, text, size);
		map->text[size] = '\0';
		for (char *s = map->text; (s = memchr(s, '\0', map->text + size - s));)
			*s = '?';
		err = parse(map);
	}
	if (!err && map->n)
		qsort(map->entries, map->n, sizeof(*map->entries), compare);
	if (!err)
		err = cut(map);
	if (err) {
		perf_map__free(map);
		return NULL;
	}
	return map;
}

void perf_map__free(struct perf_map *map)
{
	if (!map)
		return;
	free(map->text);
	free(map->entries);
	free(map->pieces);
	free(map);
}

const char *perf_map__find(const struct perf_map *map, uint64_t address, uint64_t *offset)
{
	size_t low = 0, high = map->n_pieces;
	const struct piece *piece;

	while (low < high) { /* to the first beyond the address */
		size_t middle = low + (high - low) / 2;

		if (map->pieces[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	piece = &map->pieces[low - 1];
	if (address >= piece->end)
		return NULL;
	*offset = address - map->entries[piece->entry].start;
	return map->entries[piece->entry].name;
}
