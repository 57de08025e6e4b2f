/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/loss.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proc/file.h"
#include "util/log.h"

int loss__read(const struct bpf_object *obj, int losses_fd, const struct bpf_program *except,
	       struct loss *loss)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;
	struct bpf_program *prog;

	memset(loss, 0, sizeof(*loss));
	if (!values)
		return cpus < 0 ? cpus : -ENOMEM;
	for (__u32 cause = 0; cause < LOSS_CAUSES; cause++) {
		if (bpf_map_lookup_elem(losses_fd, &cause, values))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			loss->causes[cause] += values[cpu];
	}
	free(values);
	bpf_object__for_each_program(prog, obj) {
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);

		if (prog != except && bpf_program__fd(prog) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size))
			loss->missed += info.recursion_misses;
	}
	return 0;
}

bool loss__any(const struct loss *loss)
{
	for (int i = 0; i < LOSS_CAUSES; i++)
		if (loss->causes[i])
			return true;
	return loss->missed;
}

/* The kernel tells a map's memory in fdinfo, as "memlock:". 0: not told. */
static uint64_t map_bytes(const struct bpf_map *map)
{
	char path[64], *info, *line;
	uint64_t bytes = 0;

	if (bpf_map__fd(map) < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
	info = file__read(path, NULL);
	line = info ? strstr(info, "memlock:") : NULL;
	if (line)
		bytes = strtoull(line + strlen("memlock:"), NULL, 10);
	free(info);
	return bytes;
}

void overhead__read(const struct bpf_object *obj, double measured_share, struct overhead *overhead)
{
	uint64_t measured_ns = 0;
	struct bpf_program *prog;
	struct bpf_map *map;
	struct timespec ts;

	memset(overhead, 0, sizeof(*overhead));
	if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts))
		overhead->loader_ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	overhead->bpf_known = !obj || measured_share > 0;
	if (!obj)
		return;
	bpf_object__for_each_program(prog, obj) {
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);

		if (bpf_program__fd(prog) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size))
			measured_ns += info.run_time_ns;
	}
	if (overhead->bpf_known)
		overhead->bpf_ns = measured_ns / measured_share;
	bpf_object__for_each_map(map, obj)
		overhead->map_bytes += map_bytes(map);
}

void overhead__say_maps(const struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
		if (bpf_map__fd(map) >= 0)
			log__verbose("map %-16s %8u entries of %4u + %5u bytes: %9llu bytes of kernel memory",
				     bpf_map__name(map), bpf_map__max_entries(map), bpf_map__key_size(map),
				     bpf_map__value_size(map), (unsigned long long)map_bytes(map));
}
