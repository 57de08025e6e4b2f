/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/map_batch.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define BATCH 1024 /* no bucket of a hash has as many */

int map_batch__each(const struct bpf_map *map,
		    bool (*take)(void *context, const void *key, const void *value), void *context)
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
			if (take(context, keys + i * key_size, values + i * value_size))
				bpf_map_delete_elem(fd, keys + i * key_size);
		from = &batch;
	}
	free(keys);
	free(values);
	return err == -ENOENT ? 0 : err;
}
