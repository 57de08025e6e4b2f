/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/heap_maps.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "trace/map_batch.h"

struct taker {
	union {
		bool (*block)(void *context, const struct heap_block_key *, const struct heap_block *);
		bool (*site)(void *context, const struct heap_site_key *, const struct heap_site *);
	};
	void *context;
};

static bool take_block(void *context, const void *key, const void *value)
{
	const struct taker *taker = context;

	return taker->block(taker->context, key, value);
}

static bool take_site(void *context, const void *key, const void *value)
{
	const struct taker *taker = context;

	return taker->site(taker->context, key, value);
}

int heap_maps__blocks(const struct bpf_map *map,
		      bool (*take)(void *context, const struct heap_block_key *, const struct heap_block *),
		      void *context)
{
	struct taker taker = {.block = take, .context = context};

	return map_batch__each(map, take_block, &taker);
}

int heap_maps__sites(const struct bpf_map *map,
		     bool (*take)(void *context, const struct heap_site_key *, const struct heap_site *),
		     void *context)
{
	struct taker taker = {.site = take, .context = context};

	return map_batch__each(map, take_site, &taker);
}

void heap_maps__counts(const struct bpf_map *map, uint64_t counts[HEAP_COUNTS])
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;

	memset(counts, 0, HEAP_COUNTS * sizeof(*counts));
	for (__u32 what = 0; values && what < HEAP_COUNTS; what++)
		if (!bpf_map_lookup_elem(bpf_map__fd(map), &what, values))
			for (int cpu = 0; cpu < cpus; cpu++)
				counts[what] += values[cpu];
	free(values);
}
