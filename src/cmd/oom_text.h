/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An OOM kill in words: its line, and the block under it. */
#ifndef MEMTRACE_OOM_TEXT_H
#define MEMTRACE_OOM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/oom_kill.h"
#include "out/out.h"

#define OOM_TEXT_LINES 21 /* cells that oom_text__block() fills */

/* CLOCK_REALTIME as a date: local time, or as JSON has it, of Greenwich. */
void oom_text__clock(uint64_t wall_ns, bool iso, char *buf, size_t size);

/* The cell that says who was killed. In full where it is the only line; else the cause, whose paths can be
 * long, comes below. */
void oom_text__line(struct out *out, const struct oom_kill *kill, bool full);

/* What there is to say of it: OOM_TEXT_LINES cells, those empty that are of no use. */
void oom_text__block(struct out *out, const struct oom_kill *kill);

#endif
