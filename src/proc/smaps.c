/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/smaps.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	{"Rss", offsetof(struct smaps_entry, rss)},
	{"Pss", offsetof(struct smaps_entry, pss)},
	{"Shared_Clean", offsetof(struct smaps_entry, shared_clean)},
	{"Shared_Dirty", offsetof(struct smaps_entry, shared_dirty)},
	{"Private_Clean", offsetof(struct smaps_entry, private_clean)},
	{"Private_Dirty", offsetof(struct smaps_entry, private_dirty)},
	{"Anonymous", offsetof(struct smaps_entry, anonymous)},
	{"AnonHugePages", offsetof(struct smaps_entry, anon_huge)},
	{"FilePmdMapped", offsetof(struct smaps_entry, file_huge)},
	{"ShmemPmdMapped", offsetof(struct smaps_entry, shmem_huge)},
	{"Private_Hugetlb", offsetof(struct smaps_entry, private_hugetlb)},
	{"Swap", offsetof(struct smaps_entry, swap)},
	{"SwapPss", offsetof(struct smaps_entry, swap_pss)},
	{"Locked", offsetof(struct smaps_entry, locked)},
	{"KernelPageSize", offsetof(struct smaps_entry, kernel_page_size)},
};

/* "Rss:      4 kB", up to end. What is not known of is passed over. */
static bool take_line(const char *line, const char *end, struct smaps_entry *entry)
{
	const char *colon = memchr(line, ':', end - line);
	size_t length = colon ? (size_t)(colon - line) : 0;
	uint64_t value;

	if (!colon)
		return false;
	if (length == 7 && !memcmp(line, "VmFlags", 7)) {
		const char *flags = colon + 1 + strspn(colon + 1, " ");

		while (end > flags && end[-1] == ' ')
			end--;
		snprintf(entry->flags, sizeof(entry->flags), "%.*s", end > flags ? (int)(end - flags) : 0,
			 flags);
		return true;
	}
	value = strtoull(colon + 1, NULL, 10);
	if (value > UINT64_MAX / 4096)
		return false;
	if (length == 13 && !memcmp(line, "ProtectionKey", 13))
		entry->protection_key = (uint32_t)value;
	if (length == 14 && !memcmp(line, "Shared_Hugetlb", 14))
		entry->hugetlb += value * 1024;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == length && !memcmp(line, fields[i].name, length))
			*(uint64_t *)((char *)entry + fields[i].offset) = value * 1024;
	return true;
}

int smaps__next(const char **text, struct smaps_entry *entry)
{
	int result;

	memset((char *)entry + sizeof(entry->map), 0, sizeof(*entry) - sizeof(entry->map));
	result = maps__next(text, &entry->map);
	if (result != 1)
		return result;
	while (isupper((unsigned char)**text)) {
		const char *end = strchrnul(*text, '\n');

		if (!take_line(*text, end, entry))
			return -EINVAL;
		*text = *end ? end + 1 : end;
	}
	entry->hugetlb += entry->private_hugetlb;
	return 1;
}
