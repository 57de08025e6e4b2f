/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/slabinfo, /proc/vmallocinfo and /proc/allocinfo, whatever is in them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/kernel_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int (*parse)(const char *text, struct kernel_memory **list, size_t *n), const char *text)
{
	struct kernel_memory *list;
	size_t n;

	if (parse(text, &list, &n))
		return;
	for (size_t i = 0; i < n; i++)
		if (kernel_memory__find(list, n, list[i].name) != &list[i])
			abort();
	free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check(slabinfo__parse, text);
	check(vmallocinfo__parse, text);
	check(allocinfo__parse, text);
	free(text);
	return 0;
}
