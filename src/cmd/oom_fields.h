/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An OOM kill as fields and lists: JSON, and the tables under the block. */
#ifndef MEMTRACE_OOM_FIELDS_H
#define MEMTRACE_OOM_FIELDS_H

#include "model/oom_kill.h"
#include "out/out.h"

/* A row of it is: the two cells of the line, "time", oom_fields__put(), and oom_text__block(). */
extern const struct out_table oom_fields__table;

void oom_fields__time(struct out *out, const struct oom_kill *kill);
void oom_fields__put(struct out *out, const struct oom_kill *kill);

/* The tables under the block, of text only. */
void oom_fields__tables(struct out *out, const struct oom_kill *kill);

#endif
