/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memtrace oom says of a kill: one line, and the block under it; or JSON. */
#ifndef MEMTRACE_OOM_REPORT_H
#define MEMTRACE_OOM_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "model/oom_kill.h"
#include "out/out.h"

enum oom_detail { OOM_BRIEF, OOM_BLOCK };

/* One kill. detail: of the text; JSON always has everything. */
void oom_report__kill(struct out *out, const struct oom_kill *kill, enum oom_detail detail);

/* The same row of JSON as a string, with its newline; the caller frees it. NULL: no memory. */
char *oom_report__json(const struct oom_kill *kill, size_t *size);

/* A line of the kernel log about an OOM kill that could not be understood: as it is. */
void oom_report__raw(struct out *out, const char *line);

#endif
