/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of `memtrace ps`. */
#ifndef MEMTRACE_PS_REPORT_H
#define MEMTRACE_PS_REPORT_H

#include <stdbool.h>

#include "cmd/process_snapshot.h"
#include "out/out.h"

/* What can be shown of a process in a table, in this order. */
enum ps_column {
	PS_PID,
	PS_PPID,
	PS_USER,
	PS_VSS,
	PS_RSS,
	PS_SHARED,
	PS_PSS,
	PS_USS,
	PS_SWAP,
	PS_PGTABLES,
	PS_HUGE,
	PS_LOCKED,
	PS_MINOR,
	PS_MAJOR,
	PS_OOM,
	PS_ADJ,
	PS_CHANGE, /* of what rows are sorted by, since the last report */
	PS_CGROUP,
	PS_COMM,
	PS_COMMAND,
	PS_COLUMNS,
};

/* The column of that name. -1: there is none. */
int ps_column__find(const char *name);
const char *ps_column__name(enum ps_column column);

/* The value that a column shows; -1: it shows none that can be sorted by. */
int ps_column__value(enum ps_column column);

enum ps_group { PS_BY_PROCESS, PS_BY_USER, PS_BY_CGROUP, PS_BY_COMM, PS_BY_MAPPING };

struct ps_view {
	bool columns[PS_COLUMNS];
	enum ps_column sort;
	enum ps_group group;
	size_t top;   /* 0: all */
	bool changes; /* there is a report before this one */
};

/* before: the snapshot of the last report, or NULL. Rows of both are put into another order. */
void ps_report__print(struct out *out, struct snapshot *now, struct snapshot *before,
		      const struct ps_view *view);

#endif
