/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls that change address spaces, and touched pages, from the kernel: loads and attaches
 * bpf/alloc.bpf.c. */
#ifndef MEMTRACE_ALLOC_SOURCE_H
#define MEMTRACE_ALLOC_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc.h"
#include "trace/features.h"
#include "trace/loss.h"
#include "trace/session.h"
#include "trace/target.h"

struct alloc_source_options {
	uint64_t buffer_bytes; /* of the ring; rounded up to a power of two of pages */
	enum stack_method stacks;
	bool every_stack; /* of every call, not of a sample */
	bool kernel_stacks;
	bool touch_stacks;    /* of page faults, too: see alloc.h */
	uint32_t stack_bytes; /* copied, at most */
};

/*
 * Called while the ring is drained, in the order in which things happened. A record is valid during the call.
 * 0, or -errno to end the session.
 */
struct alloc_handlers {
	int (*call)(void *context, const struct call_record *record);
	/* What the call that comes next has mapped; or, after PROCESS_EXECED, what exec has. */
	int (*vma)(void *context, const struct vma_record *record, size_t size);
	int (*process)(void *context, const struct process_record *record);
	int (*stack)(void *context, const struct stack_record *record, size_t size);
	void *context;
};

struct alloc_source;

/*
 * Load and attach. session gets the ring. Says what is wrong and returns NULL then. session must outlive it.
 */
struct alloc_source *alloc_source__open(const struct alloc_source_options *options,
					const struct target *target, const struct features *features,
					struct session *session, const struct alloc_handlers *handlers);
void alloc_source__close(struct alloc_source *source);

/* Count from now on; and no more. */
void alloc_source__begin(struct alloc_source *source);
void alloc_source__stop(struct alloc_source *source);

/* The processes that are traced now. 0 or -errno. */
int alloc_source__list(struct alloc_source *source,
		       void (*take)(void *context, const struct process_listed *), void *context);

/* The touched pages of all processes: struct touched_key and touched_value. take() says whether to forget
 * those of this key. 0 or -errno. */
int alloc_source__touched(struct alloc_source *source,
			  bool (*take)(void *context, const void *key, const void *value), void *context);

/* Those of a part of one process. What take() says is ignored. */
void alloc_source__touched_in(struct alloc_source *source, const struct process_key *key, uint64_t start,
			      uint64_t end, bool (*take)(void *context, const void *key, const void *value),
			      void *context);

/*
 * What the ring could not take, in all. take() says whether to forget it: of a process that has ended. 0 or
 * -errno.
 */
int alloc_source__lost(struct alloc_source *source,
		       bool (*take)(void *context, const struct lost_key *, const struct lost_calls *),
		       void *context);

/* Another generation of sampled stacks begins: to be called every second. */
void alloc_source__next_generation(struct alloc_source *source);

/* Calls that have returned. */
uint64_t alloc_source__calls(const struct alloc_source *source);

int alloc_source__targets_fd(const struct alloc_source *source);
int alloc_source__loss(const struct alloc_source *source, struct loss *loss);
void alloc_source__overhead(const struct alloc_source *source, double measured_share,
			    struct overhead *overhead);

#endif
