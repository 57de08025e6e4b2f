/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OOM kills as the kernel log tells them, of 5.10 to 7.2. What a line of another form says is not guessed: it
 * is handed back as it is.
 */
#ifndef MEMTRACE_OOM_LOG_H
#define MEMTRACE_OOM_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "model/oom_kill.h"

enum oom_log_result {
	OOM_LOG_NOTHING, /* of no interest, or not yet */
	OOM_LOG_KILL,	 /* a process was killed: *kill is filled */
	OOM_LOG_ALSO,	 /* one more was, of the same memory.oom.group: *kill is filled */
	OOM_LOG_REAPED,	 /* the reaper took the memory of kill->victim.pid, at kill->time_ns */
	OOM_LOG_RAW,	 /* about an OOM kill, and not understood */
};

struct oom_log;

/* NULL: no memory. */
struct oom_log *oom_log__new(void);
void oom_log__free(struct oom_log *log);

/* The next line, without its newline, and when it was written: us since boot. */
enum oom_log_result oom_log__line(struct oom_log *log, const char *line, uint64_t us, struct oom_kill *kill);

#endif
