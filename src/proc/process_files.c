/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/process_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What follows `name` at the start of a line; NULL: there is none. */
static const char *line_of(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text && *text) {
		if (!strncmp(text, name, length))
			return text + length;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

/* "VmRSS:	    1756 kB" */
static uint64_t bytes_of(const char *text, const char *name)
{
	const char *value = line_of(text, name);
	char unit[4] = "";
	uint64_t kib;

	if (!value || sscanf(value, "%18" SCNu64 " %3s", &kib, unit) != 2 || strcmp(unit, "kB") ||
	    kib > UINT64_MAX / 2048)
		return PROCESS_UNKNOWN;
	return kib * 1024;
}

static bool number_of(const char *text, const char *name, uint32_t *n)
{
	const char *value = line_of(text, name);

	return value && sscanf(value, "%9" SCNu32, n) == 1;
}

bool process_status__parse(const char *text, struct process_status *s)
{
	const char *name = line_of(text, "Name:\t");

	if (!name || !number_of(text, "Tgid:", &s->tgid) || !number_of(text, "PPid:", &s->ppid))
		return false;
	snprintf(s->comm, sizeof(s->comm), "%.*s", (int)strcspn(name, "\n"), name);
	if (!number_of(text, "Uid:", &s->uid))
		s->uid = UINT32_MAX;
	s->vss = bytes_of(text, "VmSize:");
	s->locked = bytes_of(text, "VmLck:");
	s->rss = bytes_of(text, "VmRSS:");
	s->anon = bytes_of(text, "RssAnon:");
	s->file = bytes_of(text, "RssFile:");
	s->shmem = bytes_of(text, "RssShmem:");
	s->swap = bytes_of(text, "VmSwap:");
	s->hugetlb = bytes_of(text, "HugetlbPages:");
	s->pgtables = bytes_of(text, "VmPTE:");
	s->data = bytes_of(text, "VmData:");
	s->text = bytes_of(text, "VmExe:");
	s->peak = bytes_of(text, "VmHWM:");
	return s->rss != PROCESS_UNKNOWN && s->anon != PROCESS_UNKNOWN;
}

static uint64_t known(uint64_t bytes)
{
	return bytes == PROCESS_UNKNOWN ? 0 : bytes;
}

bool smaps_rollup__parse(const char *text, struct smaps_rollup *r)
{
	static const char *const private[] = {"Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"};

	r->rss = bytes_of(text, "Rss:");
	r->pss = bytes_of(text, "Pss:");
	r->anon = bytes_of(text, "Anonymous:");
	r->swap = bytes_of(text, "Swap:");
	r->swap_pss = bytes_of(text, "SwapPss:");
	r->huge = bytes_of(text, "AnonHugePages:");
	r->huge_shared = known(bytes_of(text, "ShmemPmdMapped:")) + known(bytes_of(text, "FilePmdMapped:"));
	r->locked = bytes_of(text, "Locked:");
	r->uss = 0;
	for (int i = 0; i < 3; i++) {
		uint64_t bytes = bytes_of(text, private[i]);

		if (bytes == PROCESS_UNKNOWN)
			return false;
		r->uss += bytes;
	}
	r->shared = known(bytes_of(text, "Shared_Clean:")) + known(bytes_of(text, "Shared_Dirty:"));
	return r->rss != PROCESS_UNKNOWN && r->pss != PROCESS_UNKNOWN && r->anon != PROCESS_UNKNOWN;
}

/*
 * "PID (comm) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime
 * priority nice threads itrealvalue starttime ...": a comm may hold anything, parentheses, too.
 */
bool process_stat__parse(const char *text, struct process_stat *s)
{
	const char *name = strchr(text, '('), *after = strrchr(text, ')');

	if (!name || !after || after < name)
		return false;
	snprintf(s->comm, sizeof(s->comm), "%.*s", (int)(after - name - 1), name + 1);
	return sscanf(after + 1,
		      " %*c %*d %*d %*d %*d %*d %*u %18" SCNu64 " %*u %18" SCNu64
		      " %*u %*u %*u %*d %*d %*d %*d %*d %*d %18" SCNu64,
		      &s->minor, &s->major, &s->start_ticks) == 3;
}

/* Fields 26 to 28 and 45 to 51 (man 5 proc); 3 is the first after the name. */
bool process_layout__parse(const char *text, struct process_layout *l)
{
	const struct {
		unsigned field;
		uint64_t *to;
	} wanted[] = {
		{26, &l->code_start},	   {27, &l->code_end},	    {28, &l->stack_start},
		{45, &l->data_start},	   {46, &l->data_end},	    {47, &l->heap_start},
		{48, &l->arguments_start}, {49, &l->arguments_end}, {50, &l->environment_start},
		{51, &l->environment_end},
	};
	const char *at = strrchr(text, ')');
	unsigned field = 2;
	size_t next = 0;

	memset(l, 0, sizeof(*l));
	while (at && (at = strchr(at, ' ')) && next < sizeof(wanted) / sizeof(wanted[0])) {
		at++;
		if (++field == wanted[next].field && sscanf(at, "%20" SCNu64, wanted[next++].to) != 1)
			return false;
	}
	return next == sizeof(wanted) / sizeof(wanted[0]);
}
