/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of an attacker: what comes out is terminated, valid UTF-8, and free of control characters;
 * /proc/mounts, status, smaps_rollup and cgroup, /etc/passwd, files of memory cgroups, numbers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/cgroup.h"
#include "proc/process_files.h"
#include "proc/memory_cgroup.h"
#include "proc/memory_files.h"
#include "proc/users.h"
#include "util/number.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), out[256], again[256], *shown;
	struct process_status status;
	struct smaps_rollup rollup;
	struct cgroup_memory memory;
	struct oom_contents contents;
	struct users *users;
	const char *name;
	uint64_t n;
	bool v1 = false;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	text__to_printable(text, out, sizeof(out));
	for (const char *s = out; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			abort();
	text__to_utf8(out, again, sizeof(again));
	if (strcmp(out, again)) /* valid already: nothing to replace */
		abort();
	shown = text__shortened(out, 10, size & 1);
	if (shown && text__columns(shown) > 10)
		abort();
	free(shown);
	cgroup__memory_mount(text, out, sizeof(out), &v1);
	cgroup__of_process(text, v1, out, sizeof(out));
	cgroup_memory__parse_stat(&memory, text, size & 1);
	if (process_status__parse(text, &status) && status.rss == PROCESS_UNKNOWN)
		abort();
	smaps_rollup__parse(text, &rollup);
	memory_stat__contents(text, size & 1, &contents);
	counter__find(text, "oom", &n);
	users = users__new(text);
	name = users__name(users, 0);
	if (name && strlen(name) > 32)
		abort();
	users__free(users);
	number__parse(text, 0, UINT64_MAX, &n);
	number__parse_seconds(text, &n);
	free(text);
	return 0;
}
