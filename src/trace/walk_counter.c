/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/walk_counter.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct walk_counter {
	int cpus;
	int *fds; /* WALK_EVENTS a CPU; -1: not counted */
};

#define MISSES(cache, op)                                                 \
	(PERF_COUNT_HW_CACHE_##cache | PERF_COUNT_HW_CACHE_OP_##op << 8 | \
	 PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

static const struct {
	uint32_t type;
	uint64_t config;
} events[WALK_EVENTS] = {
	[WALK_CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	[WALK_LOADS] = {PERF_TYPE_HW_CACHE, MISSES(DTLB, READ)},
	[WALK_STORES] = {PERF_TYPE_HW_CACHE, MISSES(DTLB, WRITE)},
	[WALK_CODE] = {PERF_TYPE_HW_CACHE, MISSES(ITLB, READ)},
};

static int open_event(enum walk_event event, int cpu)
{
	struct perf_event_attr attr = {
		.type = events[event].type,
		.size = sizeof(attr),
		.config = events[event].config,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};

	return syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

struct walk_counter *walk_counter__open(void)
{
	struct walk_counter *c = calloc(1, sizeof(*c));
	int found = 0, err = ENOENT;

	if (!c)
		return NULL;
	c->cpus = libbpf_num_possible_cpus();
	c->fds = calloc(c->cpus > 0 ? c->cpus * WALK_EVENTS : 1, sizeof(*c->fds));
	for (int i = 0; c->fds && i < c->cpus * WALK_EVENTS; i++) {
		c->fds[i] = open_event(i % WALK_EVENTS, i / WALK_EVENTS);
		if (c->fds[i] < 0 && errno != ENODEV) /* ENODEV: the CPU is offline */
			err = errno;
		found += c->fds[i] >= 0 && i % WALK_EVENTS == WALK_LOADS;
	}
	if (found)
		return c;
	walk_counter__close(c);
	errno = err;
	return NULL;
}

void walk_counter__close(struct walk_counter *c)
{
	if (!c)
		return;
	for (int i = 0; c->fds && i < c->cpus * WALK_EVENTS; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	free(c->fds);
	free(c);
}

void walk_counter__read(const struct walk_counter *c, uint64_t values[WALK_EVENTS], bool has[WALK_EVENTS])
{
	struct {
		uint64_t value, enabled, running;
	} sample;

	for (int e = 0; e < WALK_EVENTS; e++) {
		values[e] = 0;
		has[e] = false;
	}
	for (int i = 0; i < c->cpus * WALK_EVENTS; i++) {
		int e = i % WALK_EVENTS;

		if (c->fds[i] < 0 || read(c->fds[i], &sample, sizeof(sample)) != sizeof(sample) ||
		    !sample.running)
			continue;
		has[e] = true;
		values[e] += (uint64_t)((double)sample.value * sample.enabled / sample.running);
	}
}
