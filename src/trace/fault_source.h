/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page faults from the kernel: loads and attaches bpf/faults.bpf.c and feeds a fault table from its maps and
 * rings. */
#ifndef MEMTRACE_FAULT_SOURCE_H
#define MEMTRACE_FAULT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "faults.h"
#include "model/fault_table.h"
#include "model/histogram.h"
#include "trace/features.h"
#include "trace/loss.h"
#include "trace/session.h"
#include "trace/target.h"

struct fault_source_options {
	bool complete;		      /* follow each fault to its end */
	enum minor_timing time_minor; /* and time it, though it is minor */
	bool exact_kinds;	      /* and tell its kind from the RSS counters */
	bool events;		      /* and send it */
	bool major_only;	      /* only major ones */
	uint64_t min_latency_ns;      /* only those at least so slow */
	uint64_t buffer_bytes;	      /* of the ring for events; rounded up to a power of two of pages */
	uint64_t max_vmas;	      /* entries of the VMA map; 0: by the number of CPUs */
	enum stack_method stacks;
	bool every_stack; /* of every fault, not of a sample */
	bool kernel_stacks;
	uint32_t stack_bytes; /* copied, at most */
};

/* Both are called while rings are drained. A record is valid during the call. 0, or -errno to end the
 * session. */
struct fault_handlers {
	/* vma: its row in the table; NULL: there was no VMA. */
	int (*fault)(void *context, const struct fault_record *record, const struct vma_row *vma);
	int (*signal)(void *context, const struct signal_record *record);
	/* of_signal: the stack of a signal, whose record comes next. */
	int (*stack)(void *context, const struct stack_record *record, size_t size, bool of_signal);
	void *context;
};

struct fault_source;

/*
 * Load and attach. session gets the rings. Counting begins with fault_source__begin(). Says what is wrong and
 * returns NULL then. table, handlers and session must outlive it.
 */
struct fault_source *fault_source__open(const struct fault_source_options *options,
					const struct target *target, const struct features *features,
					struct session *session, struct fault_table *table,
					const struct fault_handlers *handlers);
void fault_source__close(struct fault_source *source);

/* Take the baseline of the kernel's own counters, and count from now on. 0 or -errno. */
int fault_source__begin(struct fault_source *source);

/* Move what the kernel side has counted into the table; for a report, the kernel's own counters, too. 0 or
 * -errno. */
enum collect {
	COLLECT_COUNTS, /* now and then */
	COLLECT_REPORT,
	COLLECT_LAST, /* and stop counting */
};
int fault_source__collect(struct fault_source *source, enum collect what);
bool fault_source__needs_collecting(const struct fault_source *source);

/* Latencies of one class, of minor or of major faults. */
struct fault_latency {
	struct histogram timed;
	uint64_t untimed; /* faults that ended as well, and were passed over (MINOR_SAMPLED) */
};

/* Those since the last call with reset; but the maximum since the beginning. */
void fault_source__class_latency(struct fault_source *source, unsigned class, bool major,
				 struct fault_latency *latency, bool reset);

/* Faults that found room neither in the VMA map nor in the process map. */
uint64_t fault_source__unattributed(const struct fault_source *source);

int fault_source__targets_fd(const struct fault_source *source);
int fault_source__loss(const struct fault_source *source, struct loss *loss);
void fault_source__overhead(const struct fault_source *source, double measured_share,
			    struct overhead *overhead);

#endif
