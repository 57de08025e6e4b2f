/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/growth_limit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/cgroup.h"
#include "proc/file.h"
#include "proc/memory_files.h"

static void take_least(struct growth_limit *to, const struct growth_limit *l)
{
	if (l->known && (!to->known || l->room < to->room))
		*to = *l;
}

static struct growth_limit of_machine(void)
{
	char *text = file__read("/proc/meminfo", NULL);
	uint64_t total, available, swap = 0, swap_free = 0;
	struct growth_limit l = {};

	if (text && meminfo__find(text, "MemTotal", &total) &&
	    meminfo__find(text, "MemAvailable", &available)) {
		meminfo__find(text, "SwapTotal", &swap);
		meminfo__find(text, "SwapFree", &swap_free);
		l = (struct growth_limit){
			.known = true, .limit = total + swap, .room = available + swap_free};
	}
	free(text);
	return l;
}

/* One cgroup. name: of those above too, the path that is shown. */
static struct growth_limit of_one(const char *dir, const char *name, bool is_v1)
{
	struct growth_limit l = {.is_cgroup = true};
	struct cgroup_memory m = {};
	uint64_t used, cache;

	if (cgroup_memory__read(&m, dir, is_v1) || m.limit == CGROUP_UNKNOWN || m.usage == CGROUP_UNKNOWN)
		return l;
	cache = m.cache == CGROUP_UNKNOWN || m.cache > m.usage ? 0 : m.cache;
	used = m.usage - cache;
	l.known = true;
	l.limit = m.limit;
	l.room = used < m.limit ? m.limit - used : 0;
	snprintf(l.cgroup, sizeof(l.cgroup), "%.*s", (int)sizeof(l.cgroup) - 1, *name ? name : "/");
	return l;
}

/* path below mount, and all above it. */
static struct growth_limit of_path(const char *mount, const char *path, bool is_v1)
{
	char dir[PATH_MAX * 2], name[PATH_MAX];
	struct growth_limit l = of_machine(), one;
	char *slash;

	snprintf(name, sizeof(name), "%s", path);
	while (*name && strcmp(name, "/")) {
		snprintf(dir, sizeof(dir), "%s%s", mount, name);
		one = of_one(dir, name, is_v1);
		take_least(&l, &one);
		slash = strrchr(name, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	return l;
}

static bool find_mount(char *mount, size_t size, bool *is_v1)
{
	char *mounts = file__read("/proc/self/mounts", NULL);
	bool found = mounts && !cgroup__memory_mount(mounts, mount, size, is_v1);

	free(mounts);
	return found;
}

struct growth_limit growth_limit__of_process(uint32_t pid)
{
	char mount[PATH_MAX], path[PATH_MAX] = "", name[64], *text;
	bool is_v1;

	snprintf(name, sizeof(name), "/proc/%u/cgroup", pid);
	text = find_mount(mount, sizeof(mount), &is_v1) ? file__read(name, NULL) : NULL;
	if (text)
		cgroup__of_process(text, is_v1, path, sizeof(path));
	free(text);
	return *path ? of_path(mount, path, is_v1) : of_machine();
}

struct growth_limit growth_limit__of_cgroup(const char *dir, bool is_v1)
{
	char mount[PATH_MAX], *real = realpath(dir, NULL);
	struct growth_limit l;
	size_t length;
	bool mount_is_v1;

	if (!real || !find_mount(mount, sizeof(mount), &mount_is_v1) || mount_is_v1 != is_v1 ||
	    (length = strlen(mount), strncmp(real, mount, length)))
		l = of_machine();
	else
		l = of_path(mount, real + length, is_v1);
	free(real);
	return l;
}

void growth_limit__format_time(double seconds, char *buf, size_t size)
{
	static const struct {
		double least, unit;
		const char *name;
	} units[] = {{2 * 365.25 * 86400, 365.25 * 86400, "years"},
		     {2 * 86400, 86400, "days"},
		     {2 * 3600, 3600, "hours"},
		     {120, 60, "minutes"},
		     {0, 1, "seconds"}};
	size_t i = 0;

	while (seconds < units[i].least)
		i++;
	if (seconds / units[i].unit > 1000)
		snprintf(buf, size, "more than 1000 %s", units[i].name);
	else
		snprintf(buf, size, seconds / units[i].unit < 10 ? "%.1f %s" : "%.0f %s",
			 seconds / units[i].unit, units[i].name);
}
