/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/frame_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "util/intern.h"
#include "util/text.h"

const char *frame_name__base(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

static bool is_known(const char *text)
{
	return text && *text;
}

void frame_name__format(const struct frame *frame, char *buf, size_t size)
{
	char module[256];

	if (is_known(frame->symbol)) {
		text__to_printable(frame->symbol, buf, size);
	} else if (is_known(frame->module)) {
		text__to_printable(frame_name__base(frame->module), module, sizeof(module));
		snprintf(buf, size, "%s+0x%" PRIx64, module, frame->module_offset);
	} else if (frame->ip) {
		snprintf(buf, size, "0x%" PRIx64, frame->ip);
	} else {
		snprintf(buf, size, "[unknown]");
	}
}

/* --- each name once ---------------------------------------------------------------------------------------
 */

/* What a name depends on. Strings by address: frames of one source share them, and a miss costs only time. */
struct name_key {
	const char *symbol, *module;
	uint64_t address;
};

struct name_entry {
	struct name_key key;
	const char *name;
	UT_hash_handle hh;
};

struct frame_names {
	struct name_entry *entries;
	struct intern *strings;
};

struct frame_names *frame_names__new(void)
{
	struct frame_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->strings = intern__new();
	if (!names->strings) {
		free(names);
		return NULL;
	}
	return names;
}

void frame_names__free(struct frame_names *names)
{
	struct name_entry *e, *next;

	if (!names)
		return;
	HASH_ITER(hh, names->entries, e, next) {
		HASH_DEL(names->entries, e);
		free(e);
	}
	intern__free(names->strings);
	free(names);
}

static struct name_key key_of(const struct frame *frame)
{
	struct name_key key = {0};

	if (is_known(frame->symbol)) {
		key.symbol = frame->symbol;
	} else if (is_known(frame->module)) {
		key.module = frame->module;
		key.address = frame->module_offset;
	} else {
		key.address = frame->ip;
	}
	return key;
}

const char *frame_names__get(struct frame_names *names, const struct frame *frame)
{
	struct name_key key = key_of(frame);
	char text[FRAME_NAME_MAX];
	struct name_entry *e;

	HASH_FIND(hh, names->entries, &key, sizeof(key), e);
	if (e)
		return e->name;
	frame_name__format(frame, text, sizeof(text));
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = key;
	e->name = intern__string(names->strings, text);
	if (!*e->name) { /* a name is never empty: there was no memory */
		free(e);
		return NULL;
	}
	HASH_ADD(hh, names->entries, key, sizeof(e->key), e);
	return e->name;
}
