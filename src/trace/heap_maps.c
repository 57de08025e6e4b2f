/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/heap_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024 /* no bucket of a hash has as many */

typedef bool take_entry(void *context, const void *key, const void *value);

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

static int each_entry(const struct bpf_map *map, take_entry *take, struct taker *taker)
{
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	int fd = bpf_map__fd(map), err = 0;
	char *keys = malloc(BATCH * key_size), *values = malloc(BATCH * value_size);
	__u32 batch = 0, count;
	void *from = NULL;

	if (!keys || !values)
		err = -ENOMEM;
	while (!err) {
		count = BATCH;
		err = bpf_map_lookup_batch(fd, from, &batch, keys, values, &count, NULL);
		if (err && err != -ENOENT)
			break;
		for (__u32 i = 0; i < count; i++)
			if (take(taker, keys + i * key_size, values + i * value_size))
				bpf_map_delete_elem(fd, keys + i * key_size);
		from = &batch;
	}
	free(keys);
	free(values);
	return err == -ENOENT ? 0 : err;
}

int heap_maps__blocks(const struct bpf_map *map,
		      bool (*take)(void *context, const struct heap_block_key *, const struct heap_block *),
		      void *context)
{
	struct taker taker = {.block = take, .context = context};

	return each_entry(map, take_block, &taker);
}

int heap_maps__sites(const struct bpf_map *map,
		     bool (*take)(void *context, const struct heap_site_key *, const struct heap_site *),
		     void *context)
{
	struct taker taker = {.site = take, .context = context};

	return each_entry(map, take_site, &taker);
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
