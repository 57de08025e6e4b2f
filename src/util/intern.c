/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/intern.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	char text[];
};

struct intern {
	struct entry *entries;
};

struct intern *intern__new(void)
{
	return calloc(1, sizeof(struct intern));
}

void intern__free(struct intern *set)
{
	struct entry *e, *next;

	if (!set)
		return;
	HASH_ITER(hh, set->entries, e, next) {
		HASH_DEL(set->entries, e);
		free(e);
	}
	free(set);
}

const char *intern__string(struct intern *set, const char *text)
{
	size_t length = strlen(text);
	struct entry *e;

	HASH_FIND(hh, set->entries, text, length, e);
	if (e)
		return e->text;
	e = malloc(sizeof(*e) + length + 1);
	if (!e)
		return "";
	memcpy(e->text, text, length + 1);
	HASH_ADD(hh, set->entries, text, length, e);
	return e->text;
}
