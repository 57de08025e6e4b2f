/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reclaim as the kernel does it: loads and attaches bpf/reclaim.bpf.c and feeds a reclaim table from its
 * maps. */
#ifndef MEMTRACE_RECLAIM_SOURCE_H
#define MEMTRACE_RECLAIM_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/reclaim_table.h"
#include "trace/features.h"
#include "trace/loss.h"
#include "trace/session.h"
#include "trace/target.h"

struct reclaim_source_options {
	bool events;		 /* send each that ends */
	uint64_t min_latency_ns; /* only those at least so long */
	uint64_t buffer_bytes;	 /* of the ring; rounded up to a power of two of pages */
	uint64_t max_rows;	 /* entries of the map between two readings; 0: enough */
	bool swap_outs;		 /* count them, by process: each change of an RSS counter runs a program */
	enum stack_method stacks;
	bool every_stack; /* of every one that ends, not of a sample */
	bool kernel_stacks;
	uint32_t stack_bytes; /* copied, at most */
};

/* Called while the ring is drained; records are valid during the call. 0, or -errno to end the session. */
struct reclaim_handlers {
	int (*ended)(void *context, const struct reclaim_record *record);
	int (*stack)(void *context, const struct stack_record *record, size_t size);
	void *context;
};

struct reclaim_source;

/*
 * Load and attach. session gets the ring `events`, if events or stacks are asked for. Says what is wrong and
 * returns NULL then. table, handlers and session must outlive it.
 */
struct reclaim_source *reclaim_source__open(const struct reclaim_source_options *options,
					    const struct target *target, const struct features *features,
					    struct session *session, struct reclaim_table *table,
					    const struct reclaim_handlers *handlers);
void reclaim_source__close(struct reclaim_source *source);

void reclaim_source__begin(struct reclaim_source *source);

/* Move what the kernel side has counted into the table. last: and stop counting. 0 or -errno, told. */
int reclaim_source__collect(struct reclaim_source *source, bool last);

/* Work that has begun and not ended. Says nothing; 0 or -errno. */
int reclaim_source__under_way(const struct reclaim_source *source,
			      void (*take)(void *context, const struct reclaim_under_way *), void *context);

/* The path of a cgroup that a row names; "" if it is not known. */
void reclaim_source__cgroup(const struct reclaim_source *source, uint64_t id, char *buf, size_t size);

/* Does the kernel tell whose limit a reclaim is for? Else a row's cgroup is the task's own. */
bool reclaim_source__knows_limit(const struct reclaim_source *source);

int reclaim_source__targets_fd(const struct reclaim_source *source);
int reclaim_source__loss(const struct reclaim_source *source, struct loss *loss);
void reclaim_source__overhead(const struct reclaim_source *source, double measured_share,
			      struct overhead *overhead);

#endif
