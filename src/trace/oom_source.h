/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OOM kills from the kernel: loads and attaches bpf/oom.bpf.c. */
#ifndef MEMTRACE_OOM_SOURCE_H
#define MEMTRACE_OOM_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "oom.h"
#include "trace/features.h"
#include "trace/loss.h"
#include "trace/session.h"
#include "trace/target.h"

/*
 * Called while the ring is drained, in the order in which things happened. A record is valid during the call.
 * 0, or -errno to end the session.
 */
struct oom_handlers {
	/* One of the largest VMAs of the victim whose record comes next. */
	int (*vma)(void *context, const struct vma_record *record);
	int (*kill)(void *context, const struct oom_kill_record *record);
	int (*step)(void *context, const struct oom_step_record *record);
	/* The call stack of a process that has grown by record->weight pages. */
	int (*stack)(void *context, const struct stack_record *record, size_t size);
	void *context;
};

struct oom_source_options {
	enum stack_method stacks; /* of where processes grow */
	uint32_t stack_bytes;	  /* to copy, at most */
};

#define OOM_FAULT_PERIOD 64 /* with stacks, one of so many faults of a CPU is looked at */

struct oom_source;

/* Load and attach; session gets the ring and must outlive it. Says what is wrong and returns NULL then. */
struct oom_source *oom_source__open(const struct oom_source_options *options, const struct target *target,
				    const struct features *features, struct session *session,
				    const struct oom_handlers *handlers);
void oom_source__close(struct oom_source *source);

/*
 * The processes in and below a memory cgroup (address of the kernel's; 0: all) that have so many pages,
 * resident or swapped. exact: sum up the counters of all CPUs. 0 or -errno.
 */
int oom_source__list(struct oom_source *source, uint64_t memcg, uint64_t least, bool exact,
		     void (*take)(void *context, const struct oom_process *), void *context);

/* Once a second: with stacks, begin to take more of them again. */
void oom_source__next_second(struct oom_source *source);

/* With stacks: faults in a VMA since it was first seen, about. False: not known. */
bool oom_source__faults(const struct oom_source *source, const struct vma_key *key, uint64_t *faults);

/* What tasks have spent reclaiming memory themselves, all in all. */
uint64_t oom_source__reclaim_ns(const struct oom_source *source);

/* Kills that were seen, of all that the target selects. */
uint64_t oom_source__kills(const struct oom_source *source);

int oom_source__targets_fd(const struct oom_source *source);
int oom_source__loss(const struct oom_source *source, struct loss *loss);
void oom_source__overhead(const struct oom_source *source, struct overhead *overhead);

#endif
