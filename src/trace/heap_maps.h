/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps of bpf/heap.bpf.c and bpf/kmem.bpf.c, whose values are those of heap.h: read as a whole. */
#ifndef MEMTRACE_HEAP_MAPS_H
#define MEMTRACE_HEAP_MAPS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "heap.h"

/* take() is called with each entry, and says whether to delete it. 0 or -errno. */
int heap_maps__blocks(const struct bpf_map *map,
		      bool (*take)(void *context, const struct heap_block_key *, const struct heap_block *),
		      void *context);
int heap_maps__sites(const struct bpf_map *map,
		     bool (*take)(void *context, const struct heap_site_key *, const struct heap_site *),
		     void *context);

/* The sums over all CPUs. */
void heap_maps__counts(const struct bpf_map *map, uint64_t counts[HEAP_COUNTS]);

#endif
