/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/system_cgroup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "proc/cgroup.h"
#include "proc/memory_cgroup.h"
#include "util/log.h"

static const struct out_column columns[] = {
	{.key = "usage_bytes", .heading = "USAGE"},
	{.key = "limit_bytes", .heading = "LIMIT"},
	{.key = "share", .heading = "USED%"},
	{.key = "anon_bytes", .heading = "ANON"},
	{.key = "file_bytes", .heading = "FILES"},
	{.key = "shmem_bytes", .heading = "SHARED", .flags = OUT_IF_ANY},
	{.key = "kernel_bytes", .heading = "KERNEL", .flags = OUT_IF_ANY},
	{.key = "swap_bytes", .heading = "SWAP", .flags = OUT_IF_ANY},
	{.key = "reached", .heading = "REACHED"},
	{.key = "high", .flags = OUT_JSON_ONLY},
	{.key = "oom", .flags = OUT_JSON_ONLY},
	{.key = "kills", .heading = "KILLED"},
	{.key = "stalled_some", .heading = "STALLED", .flags = OUT_IF_ANY},
	{.key = "stalled_full", .flags = OUT_JSON_ONLY},
	{.key = "cgroup", .heading = "CGROUP", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
};
static const struct out_table table = {"cgroup", "Memory cgroup, and those that it is in", columns,
				       sizeof(columns) / sizeof(columns[0])};

static void put_bytes(struct out *out, const char *key, uint64_t bytes)
{
	if (bytes == UINT64_MAX)
		out__unknown(out, key);
	else
		out__bytes(out, key, bytes);
}

static void put_count(struct out *out, const char *key, uint64_t n)
{
	if (n == UINT64_MAX)
		out__unknown(out, key);
	else
		out__count(out, key, n);
}

static void put_share(struct out *out, const char *key, double share)
{
	if (share < 0)
		out__unknown(out, key);
	else
		out__share(out, key, share);
}

/* dir is where the hierarchy is mounted, and path of the cgroup in it, "/" for the root. */
static void put_cgroup(struct out *out, const struct memory_hierarchy *h, const char *path)
{
	char dir[sizeof(h->dir) + OOM_CGROUP_SIZE];
	struct cgroup_memory memory;
	struct oom_contents contents;
	struct oom_limit limit;
	bool has_limit;

	memset(&memory, 0xff, sizeof(memory)); /* CGROUP_UNKNOWN */
	memset(&contents, 0xff, sizeof(contents));
	memset(&limit, 0, sizeof(limit));
	memset(&limit.shortages, 0xff, sizeof(limit.shortages));
	limit.stalled_some = limit.stalled_full = -1;
	snprintf(limit.cgroup, sizeof(limit.cgroup), "%s", path);
	snprintf(dir, sizeof(dir), "%s%s", h->dir, path);
	cgroup_memory__read(&memory, dir, h->is_v1);
	memory_cgroup__contents(h, path, &contents);
	memory_cgroup__shortages(h, &limit);
	has_limit = memory.limit != CGROUP_UNKNOWN && memory.limit && memory.usage != CGROUP_UNKNOWN;
	out__row(out);
	put_bytes(out, "usage_bytes", memory.usage);
	put_bytes(out, "limit_bytes", memory.limit);
	put_share(out, "share", has_limit ? (double)memory.usage / memory.limit : -1);
	put_bytes(out, "anon_bytes", contents.anon);
	put_bytes(out, "file_bytes", contents.file);
	put_bytes(out, "shmem_bytes", contents.shmem);
	put_bytes(out, "kernel_bytes", contents.kernel);
	put_bytes(out, "swap_bytes", contents.swap);
	put_count(out, "reached", h->is_v1 ? limit.shortages.failures : limit.shortages.max);
	put_count(out, "high", limit.shortages.high);
	put_count(out, "oom", limit.shortages.oom);
	put_count(out, "kills", limit.shortages.kills);
	put_share(out, "stalled_some", limit.stalled_some);
	put_share(out, "stalled_full", limit.stalled_full);
	out__text(out, "cgroup", path);
	out__row_end(out);
}

int system_cgroup__print(struct out *out, const char *path)
{
	char dir[PATH_MAX * 2], at[OOM_CGROUP_SIZE];
	struct memory_hierarchy h = {};
	uint64_t id;
	bool is_v1;
	int err = cgroup__find_dir(path, dir, sizeof(dir), &id, &is_v1);

	if (err)
		return err;
	memory_hierarchy__find(&h);
	if (strncmp(dir, h.dir, strlen(h.dir)) || strlen(dir) - strlen(h.dir) >= sizeof(at)) {
		log__error("--cgroup %s: it is not below %s", path, h.dir);
		return -EINVAL;
	}
	snprintf(at, sizeof(at), "%s", dir + strlen(h.dir));
	while (strlen(at) > 1 && at[strlen(at) - 1] == '/')
		at[strlen(at) - 1] = '\0';
	out__begin(out, &table);
	while (*at && strcmp(at, "/") != 0) {
		put_cgroup(out, &h, at);
		*strrchr(at, '/') = '\0';
	}
	put_cgroup(out, &h, "/");
	out__end(out, 0);
	return 0;
}
