/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/folded.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "out/stack_list.h"

static const char *const suffixes[] = {
	[FRAME_USER] = "",
	[FRAME_INLINED] = "_[i]",
	[FRAME_KERNEL] = "_[k]",
};
#define SUFFIX_LENGTH 4

static void name_frame(char *name, size_t size, enum frame_kind kind)
{
	size_t length;

	/* Control characters are gone already. Blanks may stay: the value is what follows the last one. */
	for (char *s = name; *s; s++)
		if (*s == ';')
			*s = ':';
	length = strlen(name);
	/* A symbol may not pass itself off as another kind. */
	if (length >= SUFFIX_LENGTH && (!strcmp(name + length - SUFFIX_LENGTH, suffixes[FRAME_INLINED]) ||
					!strcmp(name + length - SUFFIX_LENGTH, suffixes[FRAME_KERNEL])))
		name[length - 1] = ')';
	if (length > size - SUFFIX_LENGTH - 1) { /* cut where a character starts */
		length = size - SUFFIX_LENGTH - 1;
		while (length && (name[length] & 0xc0) == 0x80)
			length--;
	}
	strcpy(name + length, suffixes[kind]);
}

int folded__write(FILE *file, const struct profile *profile)
{
	struct stack_list *list = stack_list__new(profile, name_frame);
	int err = 0;

	if (!list)
		return -ENOMEM;
	errno = 0;
	for (size_t i = 0; i < list->count && !err; i++) {
		const struct stack *s = &list->stacks[i];

		for (size_t j = 0; j < s->depth; j++)
			fprintf(file, "%s%s", j ? ";" : "", list->labels[s->labels[j]].name);
		fprintf(file, " %" PRIu64 "\n", s->value);
		if (ferror(file))
			err = errno ? -errno : -EIO;
	}
	if (fflush(file) == EOF && !err)
		err = errno ? -errno : -EIO;
	stack_list__free(list);
	return err;
}
