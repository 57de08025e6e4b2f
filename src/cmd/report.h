/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How every report of a tracing command begins and ends. */
#ifndef MEMTRACE_REPORT_H
#define MEMTRACE_REPORT_H

#include "out/out.h"
#include "trace/loss.h"
#include "trace/session.h"

/* JSON: the "start" line. */
void report__start(struct out *out, const char *command);

/* JSON, with -i: the "interval" line, which says what time the rows after it are about. */
void report__interval(struct out *out, double from_s, double to_s);

/* What a command calls its events, and what the losses mean to it: "Lost: 12 ..." */
struct report_words {
	const char *events; /* "faults" */
	const char *lost[LOSS_CAUSES];
};

/* The "end" line: how long, how many events, what was lost, what it cost. */
void report__end(struct out *out, const struct session *session, const struct report_words *words,
		 uint64_t events, const struct loss *loss, const struct overhead *overhead);

/* Flush, and say so if writing failed. A closed pipe is the reader's decision. 0 or -errno. */
int report__flush(struct out *out);

#endif
