/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The minute before a kill, in words and small plots: a cell of the kill's row each. */
#ifndef MEMTRACE_OOM_MINUTE_H
#define MEMTRACE_OOM_MINUTE_H

#include "model/oom_kill.h"
#include "out/out.h"

void oom_minute__victim(struct out *out, const struct oom_kill *kill); /* if it is not one of the growers */
void oom_minute__grower(struct out *out, const struct oom_kill *kill, size_t i);
void oom_minute__limit(struct out *out, const struct oom_kill *kill); /* the cgroup whose limit it was */
void oom_minute__cgroup(struct out *out, const struct oom_kill *kill, size_t i); /* one that grew */
void oom_minute__strain(struct out *out, const struct oom_kill *kill);

#endif
