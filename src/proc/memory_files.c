/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/memory_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The line that begins with so much; NULL: none. */
static const char *find_line(const char *text, const char *start)
{
	size_t length = strlen(start);

	while (text && *text) {
		if (!strncmp(text, start, length))
			return text + length;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

bool meminfo__find(const char *text, const char *name, uint64_t *bytes)
{
	char start[64], unit[4] = "";
	const char *value;
	uint64_t kib;

	snprintf(start, sizeof(start), "%s:", name);
	value = find_line(text, start);
	if (!value || sscanf(value, "%18" SCNu64 " %3s", &kib, unit) != 2 || strcmp(unit, "kB") ||
	    kib > UINT64_MAX / 1024)
		return false;
	*bytes = kib * 1024;
	return true;
}

static bool find_total(const char *text, const char *start, uint64_t *us)
{
	const char *line = find_line(text, start), *end = line ? strchr(line, '\n') : NULL,
		   *total = line ? strstr(line, "total=") : NULL;

	return total && (!end || total < end) && sscanf(total, "total=%18" SCNu64, us) == 1;
}

bool pressure__parse(const char *text, uint64_t *some_us, uint64_t *full_us)
{
	return find_total(text, "some ", some_us) && find_total(text, "full ", full_us);
}
