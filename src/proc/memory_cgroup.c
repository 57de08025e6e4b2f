/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/memory_cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/cgroup.h"
#include "proc/file.h"
#include "proc/memory_files.h"

#define TEXT_MAX 8192

void memory_hierarchy__find(struct memory_hierarchy *h)
{
	char *mounts = file__read("/proc/self/mounts", NULL);

	if (!mounts || cgroup__memory_mount(mounts, h->dir, sizeof(h->dir), &h->is_v1))
		h->dir[0] = '\0';
	free(mounts);
}

/* A file of a cgroup. False: it cannot be had. */
static bool read_file(const struct memory_hierarchy *h, const char *cgroup, const char *name, char *text)
{
	char path[sizeof(h->dir) + OOM_CGROUP_SIZE + 64];
	ssize_t n;
	int fd;

	text[0] = '\0';
	if (!*h->dir || cgroup[0] != '/') /* "...": a path that is not known in full */
		return false;
	snprintf(path, sizeof(path), "%s%s/%s", h->dir, cgroup, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, TEXT_MAX - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static uint64_t number_of(const char *text)
{
	uint64_t value;
	char *end;

	value = strtoull(text, &end, 10);
	return end == text ? OOM_UNKNOWN : value;
}

/* The share of the last minute. */
static void take_pressure(const char *text, const char *kind, double *share)
{
	struct pressure_line line;

	if (pressure__find(text, kind, &line))
		*share = line.average[1];
}

void memory_cgroup__shortages(const struct memory_hierarchy *h, struct oom_limit *limit)
{
	struct oom_shortages *s = &limit->shortages;
	char text[TEXT_MAX];

	if (h->is_v1) {
		if (read_file(h, limit->cgroup, "memory.failcnt", text))
			s->failures = number_of(text);
		if (read_file(h, limit->cgroup, "memory.oom_control", text))
			counter__find(text, "oom_kill", &s->kills);
		return;
	}
	if (read_file(h, limit->cgroup, "memory.events", text)) {
		counter__find(text, "high", &s->high);
		counter__find(text, "max", &s->max);
		counter__find(text, "oom", &s->oom);
		counter__find(text, "oom_kill", &s->kills);
	}
	if (read_file(h, limit->cgroup, "memory.pressure", text)) {
		take_pressure(text, "some", &limit->stalled_some);
		take_pressure(text, "full", &limit->stalled_full);
	}
}

/* --- contents ---------------------------------------------------------------------------------------------
 */

/* Before 5.18 (commit a8c49af3be5f) memory.stat has no sum of what the kernel has for itself. */
static uint64_t kernel_part(const char *text)
{
	static const char *const parts[] = {"slab", "kernel_stack", "pagetables", "percpu", "sock"};
	uint64_t sum = 0, part;

	if (counter__find(text, "kernel", &sum))
		return sum;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (counter__find(text, parts[i], &part))
			sum += part;
	return sum;
}

bool memory_stat__contents(const char *text, bool is_v1, struct oom_contents *c)
{
	uint64_t file;

	if (!counter__find(text, is_v1 ? "total_rss" : "anon", &c->anon) ||
	    !counter__find(text, is_v1 ? "total_cache" : "file", &file) ||
	    !counter__find(text, is_v1 ? "total_shmem" : "shmem", &c->shmem))
		return false;
	c->file = file > c->shmem ? file - c->shmem : 0; /* page cache has shared memory, too */
	if (is_v1)
		counter__find(text, "total_swap", &c->swap);
	else
		c->kernel = kernel_part(text);
	return true;
}

bool memory_cgroup__contents(const struct memory_hierarchy *h, const char *cgroup, struct oom_contents *c)
{
	char text[TEXT_MAX];

	memset(c, 0xff, sizeof(*c));
	if (!read_file(h, cgroup, "memory.stat", text) || !memory_stat__contents(text, h->is_v1, c)) {
		memset(c, 0xff, sizeof(*c));
		return false;
	}
	if (read_file(h, cgroup, h->is_v1 ? "memory.kmem.usage_in_bytes" : "memory.swap.current", text))
		*(h->is_v1 ? &c->kernel : &c->swap) = number_of(text);
	return true;
}
