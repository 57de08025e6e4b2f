/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/cgroup.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "proc/file.h"
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

int cgroup__find(const char *path, uint64_t *id, bool *is_v1)
{
	char mount[PATH_MAX], full[PATH_MAX * 2];
	char *mounts;
	int err = stat_cgroup(path, id, is_v1);

	if (err == -ENOENT || err == -ENOTDIR) {
		mounts = file__read("/proc/self/mounts", NULL);
		if (mounts && !cgroup__memory_mount(mounts, mount, sizeof(mount), is_v1)) {
			snprintf(full, sizeof(full), "%s/%s", mount, path);
			err = stat_cgroup(full, id, is_v1);
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
