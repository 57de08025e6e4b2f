/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symbols FILE: for each address (hexadecimal) on stdin the functions there, innermost first, as
 * "symbol+0xoffset file:line", with a tab between and "??" for what is not known; an empty line after each
 * address. symbols -c FILE...: whether there is unwind information, a line a file.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sym/module.h"

#define FRAMES 40

static struct module *open_module(const char *path, struct intern *strings)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? NULL : module__open(fd, path, NULL, strings);
}

static void show(const struct frame *frame)
{
	printf("%s+0x%" PRIx64 "\t%s:%u%s\n", frame->symbol ? frame->symbol : "??", frame->offset,
	       frame->file ? frame->file : "??", frame->line, frame->inlined ? " (inlined)" : "");
}

static int show_symbols(struct module *module)
{
	struct frame frames[FRAMES];
	uint64_t address;

	if (!module)
		return 1;
	while (scanf("%" SCNx64, &address) == 1) {
		size_t n = module__frames(module, address, false, frames, FRAMES);

		for (size_t i = 0; i < n; i++)
			show(&frames[i]);
		putchar('\n');
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct intern *strings = intern__new();
	bool is_cfi = argc > 1 && !strcmp(argv[1], "-c");
	int status = argc < 2;
	uint64_t bias;

	for (int i = 1 + is_cfi; i < argc; i++) {
		struct module *module = open_module(argv[i], strings);

		if (is_cfi)
			printf("%s %s\n",
			       !module			    ? "not-elf"
			       : module__cfi(module, &bias) ? "cfi"
							    : "none",
			       argv[i]);
		else
			status = show_symbols(module);
		module__free(module);
	}
	intern__free(strings);
	return status;
}
