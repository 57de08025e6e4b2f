/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of the kernel that was allocated and not freed: loads and attaches bpf/kmem.bpf.c. */
#ifndef MEMTRACE_KMEM_SOURCE_H
#define MEMTRACE_KMEM_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "kmem.h"
#include "trace/features.h"
#include "trace/loss.h"
#include "trace/target.h"

struct kmem_source_options {
	bool has_target; /* only what the target's tasks allocate */
	bool stacks;	 /* of kmalloc and slab caches, too */
	uint32_t blocks; /* 0: as many as fit by default */
};

struct kmem_source;

/* Load and attach. Says what is wrong and returns NULL then. */
struct kmem_source *kmem_source__open(const struct kmem_source_options *options, const struct target *target,
				      const struct features *features);
void kmem_source__close(struct kmem_source *source);

void kmem_source__begin(struct kmem_source *source);
void kmem_source__stop(struct kmem_source *source);

/* Does this kernel tell of this kind of memory? */
bool kmem_source__has(const struct kmem_source *source, enum kmem_via via);

/* As those of heap_source. */
int kmem_source__blocks(struct kmem_source *source,
			bool (*take)(void *context, const struct heap_block_key *, const struct heap_block *),
			void *context);
int kmem_source__sites(struct kmem_source *source,
		       bool (*take)(void *context, const struct heap_site_key *, const struct heap_site *),
		       void *context);
void kmem_source__counts(const struct kmem_source *source, uint64_t counts[HEAP_COUNTS]);
uint32_t kmem_source__room(const struct kmem_source *source);

/* The addresses of a site's stack, innermost first, or its only one: how many. ips: KMEM_FRAMES. */
size_t kmem_source__stack(const struct kmem_source *source, uint64_t number, uint64_t *ips);

/* The slab cache of a site. False: it is not known. */
bool kmem_source__cache(const struct kmem_source *source, const struct heap_site_key *key,
			char name[KMEM_CACHE_NAME]);

int kmem_source__targets_fd(const struct kmem_source *source);
int kmem_source__loss(const struct kmem_source *source, struct loss *loss);
void kmem_source__overhead(const struct kmem_source *source, double measured_share,
			   struct overhead *overhead);

#endif
