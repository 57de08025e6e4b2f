/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash map of BPF programs, read as a whole. */
#ifndef MEMTRACE_MAP_BATCH_H
#define MEMTRACE_MAP_BATCH_H

#include <bpf/libbpf.h>
#include <stdbool.h>

/*
 * take() is called with each entry, and says whether to delete it. Those that are added meanwhile may be
 * missed. Not for maps with a value a CPU. 0 or -errno.
 */
int map_batch__each(const struct bpf_map *map,
		    bool (*take)(void *context, const void *key, const void *value), void *context);

#endif
