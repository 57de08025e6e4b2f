/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of /proc about the machine: whatever they hold, parsing ends, and what is said of it can be computed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/machine_memory.h"
#include "proc/memory_files.h"
#include "proc/zones.h"

#define ZONES 8

static void read_zones(const char *text)
{
	struct zone zones[ZONES];
	const char *at = text;
	size_t n = 0;

	while (n < ZONES && zoneinfo__next(&at, &zones[n]) == 1)
		n++;
	buddyinfo__read(text, zones, n);
	for (size_t i = 0; i < n; i++) {
		zone__state(&zones[i]);
		for (unsigned order = 0; order < ZONE_ORDERS; order++)
			if (zone__unusable(&zones[i], order) > 1)
				abort();
	}
}

static void read_memory(const char *text)
{
	struct memory_part parts[MACHINE_PARTS];
	struct machine_memory m;

	if (meminfo__parse(text, &m)) {
		machine_memory__sum(&m);
		if (machine_memory__parts(&m, parts) > MACHINE_PARTS)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct pressure_line pressure;
	struct swap_area area;
	const char *at = text;
	uint64_t value;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	read_zones(text);
	read_memory(text);
	while (swaps__next(&at, &area) == 1)
		;
	pressure__find(text, "some", &pressure);
	counter__find(text, "pgfault", &value);
	counter__sum(text, "allocstall_", &value);
	free(text);
	return 0;
}
