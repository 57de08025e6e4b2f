/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/PID/maps, smaps and stat, whatever is in it: each line is told once, and what is told is consistent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/maps.h"
#include "proc/process_files.h"
#include "proc/smaps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct maps_entry entry;
	struct smaps_entry smaps;
	struct process_stat stat;
	const char *rest = text, *before;
	int result;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (before = rest, (result = maps__next(&rest, &entry))) {
		if (rest <= before || rest > text + strlen(text))
			abort();
		if (result == 1 && (entry.start >= entry.end || strlen(entry.name) != entry.name_length ||
				    entry.bare_length > entry.name_length))
			abort();
	}
	rest = text;
	while (smaps__next(&rest, &smaps) == 1)
		if (strlen(smaps.flags) >= sizeof(smaps.flags))
			abort();
	if (process_stat__parse(text, &stat) && strlen(stat.comm) >= sizeof(stat.comm))
		abort();
	free(text);
	return 0;
}
