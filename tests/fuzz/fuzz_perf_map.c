/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map of a just-in-time compiler, whatever is in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sym/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct perf_map *map = perf_map__parse((const char *)data, size);

	for (size_t i = 0; map && i + 8 <= size; i += 5) {
		uint64_t address =
				 strtoull((char[9]){data[i], data[i + 1], data[i + 2], data[i + 3],
						    data[i + 4], data[i + 5], data[i + 6], data[i + 7], '\0'},
					  NULL, 16),
			 offset;
		const char *name = perf_map__find(map, address, &offset);

		if (name && (!*name || offset > address))
			abort();
	}
	perf_map__free(map);
	return 0;
}
