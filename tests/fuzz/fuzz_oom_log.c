/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel log, whatever is in it: what is told of a kill is bounded and terminated. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/memory_files.h"
#include "proc/kmsg.h"
#include "proc/oom_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
	if (!memchr(text, 0, size))
		abort();
}

static void check(const struct oom_kill *kill)
{
	check_text(kill->victim.comm, sizeof(kill->victim.comm));
	check_text(kill->victim.cgroup, sizeof(kill->victim.cgroup));
	check_text(kill->trigger.comm, sizeof(kill->trigger.comm));
	if (kill->candidate_count > OOM_CANDIDATES || kill->limit_count > OOM_LEVELS ||
	    kill->hit >= (int)kill->limit_count || kill->victim.pid == OOM_UNKNOWN)
		abort();
	for (size_t i = 1; i < kill->candidate_count; i++)
		if (kill->candidates[i - 1].badness < kill->candidates[i].badness)
			abort();
}

/* Each line as a record of /dev/kmsg, if it is one, and as it is. */
static void take_line(struct oom_log *log, const char *line)
{
	static struct oom_kill kill;
	enum oom_log_result result;
	char text[256];
	uint64_t us = 1;

	if (!kmsg__parse(line, &us, text, sizeof(text)))
		line = text;
	result = oom_log__line(log, line, us, &kill);
	if (result == OOM_LOG_KILL || result == OOM_LOG_ALSO)
		check(&kill);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *line;
	struct oom_log *log = oom_log__new();
	uint64_t a, b;

	if (!text || !log)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	meminfo__find(text, "MemTotal", &a);
	pressure__parse(text, &a, &b);
	while ((line = strsep(&rest, "\n")))
		take_line(log, line);
	oom_log__free(log);
	free(text);
	return 0;
}
