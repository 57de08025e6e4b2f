/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/file_search.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "proc/file.h"
#include "proc/maps.h"

#define ANCESTORS_MAX 16

enum { STEP_MAPPED, STEP_ROOT, STEP_OURS = STEP_ROOT + ANCESTORS_MAX, STEP_END };

/* Opening some devices has effects, and a FIFO blocks: only a regular file is opened to be read. Closes fd.
 */
static int for_reading(int fd)
{
	char path[32];
	struct stat st;
	int opened = -1;

	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	close(fd);
	return opened;
}

/* A link in it must not lead into our own root directory. */
int file_search__open_in_root(uint32_t pid, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char root[32] = "/";
	int dir, fd;

	if (pid)
		snprintf(root, sizeof(root), "/proc/%u/root", pid);
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	/* The call may be hidden, by a filter or by valgrind. What is found is compared to what is wanted. */
	if (fd < 0 && errno == ENOSYS)
		fd = openat(dir, path + strspn(path, "/"), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	close(dir);
	return for_reading(fd);
}

static bool is_wanted(const struct file_search *search, const struct maps_entry *entry)
{
	size_t length = strlen(search->path);

	return search->start < entry->end && search->end > entry->start && entry->perms & MAPS_EXEC &&
	       (entry->name_length == length || entry->bare_length == length) &&
	       !strncmp(entry->name, search->path, length) &&
	       (!search->inode ||
		(search->inode == entry->inode && search->device == makedev(entry->major, entry->minor)));
}

/* Mappings are split and joined, so that the range may be another by now. */
static int open_mapped(const struct file_search *search)
{
	struct maps_entry *entry = malloc(sizeof(*entry));
	char path[80], *maps;
	const char *rest;
	int fd = -1, found;

	snprintf(path, sizeof(path), "/proc/%u/maps", search->pid);
	rest = maps = entry ? file__read(path, NULL) : NULL;
	while (maps && fd < 0 && (found = maps__next(&rest, entry))) {
		if (found < 0 || !is_wanted(search, entry))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", search->pid,
			 (unsigned long long)entry->start, (unsigned long long)entry->end);
		fd = for_reading(open(path, O_PATH | O_CLOEXEC));
	}
	free(maps);
	free(entry);
	return fd;
}

static uint32_t parent_of(const struct file_search *search)
{
	const struct address_space *space = address_spaces__find(search->spaces, search->pid, UINT64_MAX);

	return space ? space->parent : 0;
}

static int look(struct file_search *search, int step)
{
	if (step == STEP_MAPPED)
		return search->pid ? open_mapped(search) : -1;
	if (step > STEP_ROOT && step < STEP_OURS && search->pid)
		search->pid = parent_of(search);
	if (step == STEP_OURS)
		search->pid = 0;
	else if (!search->pid)
		return -1;
	return file_search__open_in_root(search->pid, search->path);
}

int file_search__next(struct file_search *search)
{
	int fd = -1;

	while (fd < 0 && search->step < STEP_END) {
		search->is_mapped = search->step == STEP_MAPPED;
		fd = look(search, search->step++);
	}
	return fd;
}

bool file_search__is_inode(int fd, uint64_t device, uint64_t inode)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs) || st.st_ino != inode)
		return false;
	return st.st_dev == device || fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC;
}
