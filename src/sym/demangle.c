/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* libiberty recurses with the length of a name, and what a name stands for can grow exponentially with it. */
#define MANGLED_MAX   4096
#define DEMANGLED_MAX 16384

struct output {
	jmp_buf too_long;
	size_t size;
	char text[DEMANGLED_MAX];
};

/* The only way to make libiberty stop; it has allocated nothing that matters when it calls. */
static void append(const char *text, size_t size, void *opaque)
{
	struct output *output = opaque;

	if (size >= sizeof(output->text) - output->size)
		longjmp(output->too_long, 1);
	memcpy(output->text + output->size, text, size);
	output->size += size;
}

/* A Rust name of before 2021 is a C++ name, too, with a hash at its end. */
static bool run(const char *name, struct output *output)
{
	if (setjmp(output->too_long))
		return false;
	if (rust_demangle_callback(name, DMGL_PARAMS | DMGL_ANSI, append, output))
		return true;
	output->size = 0;
	return cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, append, output);
}

char *demangle(const char *name)
{
	struct output *output;
	char *text = NULL;

	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R') || strlen(name) > MANGLED_MAX)
		return NULL;
	output = malloc(sizeof(*output));
	if (!output)
		return NULL;
	output->size = 0;
	if (run(name, output) && output->size)
		text = strndup(output->text, output->size);
	free(output);
	return text;
}
