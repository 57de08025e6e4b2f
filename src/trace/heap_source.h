/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outstanding blocks of allocators, from the kernel: loads and attaches bpf/heap.bpf.c. */
#ifndef MEMTRACE_HEAP_SOURCE_H
#define MEMTRACE_HEAP_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc.h"
#include "heap.h"
#include "trace/features.h"
#include "trace/heap_probes.h"
#include "trace/loss.h"
#include "trace/session.h"
#include "trace/stacks.h"
#include "trace/target.h"

struct heap_source_options {
	uint64_t buffer_bytes;	  /* of the ring; rounded up to a power of two of pages */
	enum stack_method stacks; /* STACK_NONE or STACK_BY_STEPS */
	uint32_t stack_bytes;	  /* copied where the steps are not known yet, at most */
	uint64_t min_size, max_size;
	uint64_t sample_bytes;	     /* 0: every block */
	uint32_t blocks;	     /* that can be outstanding; 0: as many as fit by default */
	const char *object, *prefix; /* NULL: any */
	bool everywhere;	     /* probe all processes, and pass over those that are not traced */
};

/* Called while the ring is drained. A record is valid during the call. 0, or -errno to end the session. */
struct heap_handlers {
	int (*process)(void *context, const struct process_record *record);
	int (*stack)(void *context, const struct stack_record *record, size_t size);
	void *context;
};

struct heap_source;

/* Load; nothing is probed yet. session gets the ring. Says what is wrong and returns NULL then. */
struct heap_source *heap_source__open(const struct heap_source_options *options, const struct target *target,
				      const struct features *features, struct session *session,
				      const struct heap_handlers *handlers);
void heap_source__close(struct heap_source *source);

void heap_source__begin(struct heap_source *source);
void heap_source__stop(struct heap_source *source);

/* The processes that are traced now. 0 or -errno. */
int heap_source__list(struct heap_source *source, void (*take)(void *context, const struct process_listed *),
		      void *context);

struct heap_probes *heap_source__probes(struct heap_source *source);

/* Tell the kernel side how it gets from return addresses to callers. */
void heap_source__tell_steps(struct heap_source *source, struct heap_process process,
			     const struct stacks_step *steps, size_t n);

/* A process image is over: forget what was told for it. */
void heap_source__forget_steps(struct heap_source *source, struct heap_process process);

/* All outstanding blocks. take() says whether to forget this one. 0 or -errno. */
int heap_source__blocks(struct heap_source *source,
			bool (*take)(void *context, const struct heap_block_key *, const struct heap_block *),
			void *context);

/* All sites. The same. */
int heap_source__sites(struct heap_source *source,
		       bool (*take)(void *context, const struct heap_site_key *, const struct heap_site *),
		       void *context);

void heap_source__counts(const struct heap_source *source, uint64_t counts[HEAP_COUNTS]);

/* How many blocks there is room for. */
uint32_t heap_source__room(const struct heap_source *source);

int heap_source__targets_fd(const struct heap_source *source);
int heap_source__loss(const struct heap_source *source, struct loss *loss);
void heap_source__overhead(const struct heap_source *source, double measured_share,
			   struct overhead *overhead);

#endif
