/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "proc/file.h"
#include "proc/memory_files.h"
#include "util/log.h"

/* One word of a line of /proc/self/mounts; *line moves on. */
static char *word(char **line)
{
	char *w = strsep(line, " ");

	return w ? w : "";
}

static bool has_option(const char *options, const char *option)
{
	size_t length = strlen(option);

	for (const char *s = options; (s = strstr(s, option)); s += length)
		if ((s == options || s[-1] == ',') && (s[length] == ',' || !s[length]))
			return true;
	return false;
}

int cgroup__memory_mount(const char *mounts, char *buf, size_t size, bool *is_v1)
{
	char *copy = strdup(mounts), *rest = copy, *line;
	int err = -ENOENT;

	if (!copy)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		char *dir, *type, *options;

		word(&line);
		dir = word(&line);
		type = word(&line);
		options = word(&line);
		if (!strcmp(type, "cgroup") && has_option(options, "memory")) {
			snprintf(buf, size, "%s", dir);
			*is_v1 = true;
			err = 0;
			break;
		}
		if (!strcmp(type, "cgroup2") && err) {
			snprintf(buf, size, "%s", dir);
			*is_v1 = false;
			err = 0;
		}
	}
	free(copy);
	return err;
}

static int stat_cgroup(const char *path, uint64_t *id, bool *is_v1)
{
	struct statfs fs;
	struct stat st;
	char control[PATH_MAX];

	if (stat(path, &st) || statfs(path, &fs))
		return -errno;
	if (!S_ISDIR(st.st_mode) || (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != CGROUP_SUPER_MAGIC))
		return -ENOTDIR;
	*id = st.st_ino;
	*is_v1 = fs.f_type == CGROUP_SUPER_MAGIC;
	if (*is_v1) {
		snprintf(control, sizeof(control), "%s/memory.usage_in_bytes", path);
		if (stat(control, &st))
			return -EMEDIUMTYPE;
	}
	return 0;
}

int cgroup__find_dir(const char *path, char *dir, size_t size, uint64_t *id, bool *is_v1)
{
	char mount[PATH_MAX], full[PATH_MAX * 2];
	char *mounts;
	int err = stat_cgroup(path, id, is_v1);

	snprintf(dir, size, "%s", path);
	if (err == -ENOENT || err == -ENOTDIR) {
		mounts = file__read("/proc/self/mounts", NULL);
		if (mounts && !cgroup__memory_mount(mounts, mount, sizeof(mount), is_v1)) {
			snprintf(full, sizeof(full), "%s/%s", mount, path);
			err = stat_cgroup(full, id, is_v1);
			snprintf(dir, size, "%s", full);
		}
		free(mounts);
	}
	if (err == -EMEDIUMTYPE)
		log__error("%s is a cgroup, but not of the memory controller (--cgroup)", path);
	else if (err == -ENOTDIR)
		log__error("%s is not a cgroup directory (--cgroup)", path);
	else if (err)
		log__error("no cgroup %s (--cgroup): %s", path, strerror(-err));
	return err;
}

int cgroup__find(const char *path, uint64_t *id, bool *is_v1)
{
	char dir[PATH_MAX * 2];

	return cgroup__find_dir(path, dir, sizeof(dir), id, is_v1);
}

/* --- of a process -----------------------------------------------------------------------------------------
 */

/* "4:memory:/a/b" or "3:cpu,memory:/a", of v2 "0::/a". */
static bool line_is_of(const char *controllers, size_t length, bool is_v1)
{
	const char *end = controllers + length;

	if (!is_v1)
		return !length;
	for (const char *at = controllers; at < end; at += strcspn(at, ",:") + 1)
		if (strcspn(at, ",:") == strlen("memory") && !strncmp(at, "memory", strlen("memory")))
			return true;
	return false;
}

int cgroup__of_process(const char *text, bool is_v1, char *path, size_t size)
{
	for (const char *line = text; line && *line;) {
		const char *end = line + strcspn(line, "\n"), *first = memchr(line, ':', end - line),
			   *second = first ? memchr(first + 1, ':', end - first - 1) : NULL;

		if (second && line_is_of(first + 1, second - first - 1, is_v1)) {
			snprintf(path, size, "%.*s", (int)(end - second - 1), second + 1);
			return 0;
		}
		line = *end ? end + 1 : end;
	}
	return -ENOENT;
}

/* --- what one has -----------------------------------------------------------------------------------------
 */

static uint64_t number_of(const char *text, const char *name)
{
	uint64_t n;

	return counter__find(text, name, &n) ? n : CGROUP_UNKNOWN;
}

/* Documentation/admin-guide/cgroup-v1/memory.rst: rss is anonymous memory; total_ is with all below. */
bool cgroup_memory__parse_stat(struct cgroup_memory *m, const char *text, bool is_v1)
{
	uint64_t active = number_of(text, is_v1 ? "total_active_file" : "active_file"),
		 inactive = number_of(text, is_v1 ? "total_inactive_file" : "inactive_file");

	m->anon = number_of(text, is_v1 ? "total_rss" : "anon");
	m->shmem = number_of(text, is_v1 ? "total_shmem" : "shmem");
	if (is_v1)
		m->swap = number_of(text, "total_swap");
	m->cache =
		active == CGROUP_UNKNOWN || inactive == CGROUP_UNKNOWN ? CGROUP_UNKNOWN : active + inactive;
	return m->anon != CGROUP_UNKNOWN;
}

/* A file with a number; CGROUP_UNKNOWN: not there, or "max". */
static uint64_t read_number(const char *dir, const char *name)
{
	char path[PATH_MAX * 2 + 64], *text;
	uint64_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text = file__read(path, NULL);
	if (!text || sscanf(text, "%19" SCNu64, &n) != 1)
		n = CGROUP_UNKNOWN;
	free(text);
	return n;
}

int cgroup_memory__read(struct cgroup_memory *m, const char *dir, bool is_v1)
{
	char path[PATH_MAX * 2 + 64], *text;
	int err = 0;

	snprintf(path, sizeof(path), "%s/memory.stat", dir);
	text = file__read(path, NULL);
	if (!text)
		return -errno;
	m->usage = read_number(dir, is_v1 ? "memory.usage_in_bytes" : "memory.current");
	m->limit = read_number(dir, is_v1 ? "memory.limit_in_bytes" : "memory.max");
	if (is_v1 && m->limit >= INT64_MAX / 4096 * 4096) /* PAGE_COUNTER_MAX: none */
		m->limit = CGROUP_UNKNOWN;
	if (!is_v1)
		m->swap = read_number(dir, "memory.swap.current");
	if (!cgroup_memory__parse_stat(m, text, is_v1))
		err = -EINVAL;
	free(text);
	return err;
}
