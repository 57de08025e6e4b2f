/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What limits the memory of a process, as /proc tells it: process_ledgers.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/process_ledgers.h"
#include "proc/file.h"

/* The number that follows `name` in a file, times `unit`. LIMIT_UNKNOWN: not there. */
static int64_t number_after(const char *text, const char *name, int64_t unit)
{
	const char *at = text ? strstr(text, name) : NULL;
	int64_t n;

	return at && sscanf(at + strlen(name), "%" SCNd64, &n) == 1 ? n * unit : LIMIT_UNKNOWN;
}

/* A soft limit of /proc/PID/limits: "unlimited", or bytes. */
static int64_t limit_after(const char *text, const char *name)
{
	const char *at = text ? strstr(text, name) : NULL;
	char word[32];

	if (!at || sscanf(at + strlen(name), "%31s", word) != 1)
		return LIMIT_UNKNOWN;
	return strcmp(word, "unlimited") ? strtoll(word, NULL, 10) : INT64_MAX;
}

static char *read_of(uint32_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	return file__read(path, NULL);
}

static int64_t sysctl(const char *path)
{
	char *text = file__read(path, NULL);
	int64_t value = number_after(text, "", 1);

	free(text);
	return value;
}

void process_ledger__read_limits(struct process_ledger *s)
{
	char *limits = read_of(s->key.tgid, "limits"), *status = read_of(s->key.tgid, "status");
	char *meminfo = file__read("/proc/meminfo", NULL);

	s->limits_read = true;
	s->limits = (struct memory_limits){
		.address_space = limit_after(limits, "Max address space"),
		.used_address_space = number_after(status, "VmSize:", 1024),
		.data = limit_after(limits, "Max data size"),
		.used_data = number_after(status, "VmData:", 1024),
		.locked = limit_after(limits, "Max locked memory"),
		.used_locked = number_after(status, "VmLck:", 1024),
		.max_map_count = sysctl("/proc/sys/vm/max_map_count"),
		.maps = ledger__count(s->ledger),
		.overcommit = sysctl("/proc/sys/vm/overcommit_memory"),
		.commit_limit = number_after(meminfo, "CommitLimit:", 1024),
		.committed = number_after(meminfo, "Committed_AS:", 1024),
		.memory = number_after(meminfo, "MemTotal:", 1024),
		.swap = number_after(meminfo, "SwapTotal:", 1024),
	};
	free(limits);
	free(status);
	free(meminfo);
}
