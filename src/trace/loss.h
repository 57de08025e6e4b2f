/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was lost, and what tracing cost: told at the end of every report. */
#ifndef MEMTRACE_LOSS_H
#define MEMTRACE_LOSS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

struct loss {
	uint64_t causes[LOSS_CAUSES];
	uint64_t missed; /* runs of a program that the kernel skipped because it was already running (5.12 and
			    later) */
};

struct overhead {
	bool bpf_known;	    /* BPF_ENABLE_STATS was allowed */
	uint64_t bpf_ns;    /* CPU time of all programs, extrapolated */
	uint64_t loader_ns; /* CPU time of this process */
	uint64_t map_bytes; /* kernel memory of all maps */
};

/*
 * Sum the per-CPU map `losses` and the programs' missed runs, but for those of `except` (NULL: none), whose
 * misses are no loss. 0 or -errno.
 */
int loss__read(const struct bpf_object *obj, int losses_fd, const struct bpf_program *except,
	       struct loss *loss);
bool loss__any(const struct loss *loss);

/* obj: NULL: nothing is traced by BPF. measured_share: of the run, how much BPF_ENABLE_STATS was on; the CPU
 * time is extrapolated by it. */
void overhead__read(const struct bpf_object *obj, double measured_share, struct overhead *overhead);

/* With -v: each map's type, size and memory. */
void overhead__say_maps(const struct bpf_object *obj);

#endif
