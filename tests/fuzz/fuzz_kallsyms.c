/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/kallsyms, whatever is in it: no function is found before its start. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sym/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct kallsyms *k;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!kallsyms__parse(text, &k)) {
		for (const char *line = text; line; line = strchr(line + 1, '\n')) {
			uint64_t address = strtoull(line, NULL, 16) + size % 3, offset;
			const char *module, *name = kallsyms__find(k, address, &offset, &module);

			if (name && (!*name || !module || offset > address))
				abort();
		}
		kallsyms__free(k);
	}
	free(text);
	return 0;
}
