/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What led to a kill, and who else could have been killed: watched all the time, at a bounded cost. */
#ifndef MEMTRACE_OOM_BEFORE_H
#define MEMTRACE_OOM_BEFORE_H

#include "model/oom_kill.h"
#include "trace/oom_source.h"

struct oom_before;

/* NULL: no memory. */
struct oom_before *oom_before__new(void);
void oom_before__free(struct oom_before *b);

/* Say what keeps kills from being told: a kernel that panics instead. */
void oom_before__warn(void);

/* Once a second. 0 or -errno. */
int oom_before__watch(struct oom_before *b, struct oom_source *source);

/*
 * At once after a kill: its history, the other candidates, who grew, the state of the machine. In a storm of
 * kills the processes are not looked at for each, and what takes that is left out. has_log:
 * the kernel's log will tell of the zones.
 */
void oom_before__tell(struct oom_before *b, struct oom_source *source, bool has_log,
		      const struct oom_kill_record *record, struct oom_kill *kill);

#endif
