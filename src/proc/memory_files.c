/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/memory_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
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

bool meminfo__parse(const char *text, struct machine_memory *m)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
		{"MemTotal", offsetof(struct machine_memory, total)},
		{"MemFree", offsetof(struct machine_memory, free)},
		{"MemAvailable", offsetof(struct machine_memory, available)},
		{"Buffers", offsetof(struct machine_memory, buffers)},
		{"Cached", offsetof(struct machine_memory, cached)},
		{"SwapCached", offsetof(struct machine_memory, swap_cached)},
		{"Active", offsetof(struct machine_memory, active)},
		{"Inactive", offsetof(struct machine_memory, inactive)},
		{"Unevictable", offsetof(struct machine_memory, unevictable)},
		{"Mlocked", offsetof(struct machine_memory, mlocked)},
		{"SwapTotal", offsetof(struct machine_memory, swap_total)},
		{"SwapFree", offsetof(struct machine_memory, swap_free)},
		{"Zswap", offsetof(struct machine_memory, zswap)},
		{"Zswapped", offsetof(struct machine_memory, zswapped)},
		{"Dirty", offsetof(struct machine_memory, dirty)},
		{"Writeback", offsetof(struct machine_memory, writeback)},
		{"AnonPages", offsetof(struct machine_memory, anon)},
		{"Mapped", offsetof(struct machine_memory, mapped)},
		{"Shmem", offsetof(struct machine_memory, shmem)},
		{"KReclaimable", offsetof(struct machine_memory, reclaimable)},
		{"SReclaimable", offsetof(struct machine_memory, slab_reclaimable)},
		{"SUnreclaim", offsetof(struct machine_memory, slab_unreclaimable)},
		{"KernelStack", offsetof(struct machine_memory, kernel_stack)},
		{"PageTables", offsetof(struct machine_memory, page_tables)},
		{"SecPageTables", offsetof(struct machine_memory, sec_page_tables)},
		{"VmallocUsed", offsetof(struct machine_memory, vmalloc)},
		{"Percpu", offsetof(struct machine_memory, percpu)},
		{"AnonHugePages", offsetof(struct machine_memory, anon_huge)},
		{"ShmemHugePages", offsetof(struct machine_memory, shmem_huge)},
		{"FileHugePages", offsetof(struct machine_memory, file_huge)},
		{"Hugetlb", offsetof(struct machine_memory, hugetlb)},
		{"CommitLimit", offsetof(struct machine_memory, commit_limit)},
		{"Committed_AS", offsetof(struct machine_memory, committed)},
	};

	memset(m, 0xff, sizeof(*m)); /* MACHINE_UNKNOWN */
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		meminfo__find(text, fields[i].name, (uint64_t *)((char *)m + fields[i].offset));
	return m->total != MACHINE_UNKNOWN && m->free != MACHINE_UNKNOWN;
}

bool counter__find(const char *text, const char *name, uint64_t *value)
{
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "%s ", name);
	at = find_line(text, start);
	return at && sscanf(at, "%20" SCNu64, value) == 1;
}

bool counter__sum(const char *text, const char *prefix, uint64_t *value)
{
	bool found = false;
	uint64_t one;

	*value = 0;
	while ((text = find_line(text, prefix))) {
		const char *space = text + strcspn(text, " \n");

		if (*space == ' ' && sscanf(space, "%20" SCNu64, &one) == 1) {
			*value += one;
			found = true;
		}
		text = strchr(text, '\n');
		if (!text)
			break;
		text++;
	}
	return found;
}

/* "\040" and the like, as the kernel writes spaces, tabs, newlines and backslashes in paths. */
static void unescape(char *text)
{
	char *to = text;
	unsigned byte;

	for (; *text; text++) {
		if (*text == '\\' && sscanf(text + 1, "%3o", &byte) == 1 && byte && byte < 256 &&
		    strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)byte;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

int swaps__next(const char **text, struct swap_area *area)
{
	uint64_t size, used;

	if (!strncmp(*text, "Filename", 8)) {
		const char *end = strchr(*text, '\n');

		*text = end ? end + 1 : *text + strlen(*text);
	}
	if (!**text)
		return 0;
	if (sscanf(*text, "%255s %15s %18" SCNu64 " %18" SCNu64 " %d", area->name, area->type, &size, &used,
		   &area->priority) != 5 ||
	    size > UINT64_MAX / 1024 || used > size)
		return -EINVAL;
	unescape(area->name);
	area->size = size * 1024;
	area->used = used * 1024;
	*text += strcspn(*text, "\n");
	*text += **text == '\n';
	return 1;
}

bool pressure__find(const char *text, const char *kind, struct pressure_line *p)
{
	char start[16];
	const char *line;

	snprintf(start, sizeof(start), "%s ", kind);
	line = find_line(text, start);
	if (!line || sscanf(line, "avg10=%lf avg60=%lf avg300=%lf total=%18" SCNu64, &p->average[0],
			    &p->average[1], &p->average[2], &p->total_us) != 4)
		return false;
	for (int i = 0; i < 3; i++) {
		if (!(p->average[i] >= 0 && p->average[i] <= 100))
			return false;
		p->average[i] /= 100;
	}
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
