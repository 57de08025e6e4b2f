/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/place.h"

#include <stdlib.h>
#include <string.h>

/* About 300 MB with their frames. Programs have fewer: a compiler of themselves may run on for days. */
#define PLACES_MAX (1u << 20)

struct place_table {
	struct place *hash, **places;
	uint32_t n, capacity;
};

struct place_table *place_table__new(void)
{
	struct place_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	place_table__get(table, PLACE_UNKNOWN, 0, 0, false);
	if (!table->n) {
		place_table__free(table);
		return NULL;
	}
	return table;
}

void place_table__free(struct place_table *table)
{
	if (!table)
		return;
	HASH_CLEAR(hh, table->hash);
	for (uint32_t i = 0; i < table->n; i++) {
		free(table->places[i]->frames);
		free(table->places[i]);
	}
	free(table->places);
	free(table);
}

static struct place *add(struct place_table *table)
{
	if (table->n >= PLACES_MAX)
		return NULL;
	if (table->n == table->capacity) {
		uint32_t capacity = table->capacity ? table->capacity * 2 : 256;
		struct place **grown = reallocarray(table->places, capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		table->places = grown;
		table->capacity = capacity;
	}
	table->places[table->n] = calloc(1, sizeof(struct place));
	return table->places[table->n];
}

uint32_t place_table__get(struct place_table *table, enum place_kind kind, uint64_t where, uint64_t what,
			  bool is_return)
{
	struct place *place, wanted = {.key = {where, what, kind, is_return}};

	HASH_FIND(hh, table->hash, &wanted.key, sizeof(wanted.key), place);
	if (place)
		return place->number;
	place = add(table);
	if (!place)
		return 0;
	place->key = wanted.key;
	place->number = table->n++;
	HASH_ADD(hh, table->hash, key, sizeof(place->key), place);
	return place->number;
}

struct place *place_table__at(const struct place_table *table, uint32_t number)
{
	return table->places[number < table->n ? number : 0];
}
