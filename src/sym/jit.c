/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/jit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proc/file.h"
#include "sym/file_search.h"
#include "sym/perf_map.h"

#define MAPS_MAX    16 /* processes that compile, at a time */
#define SIZE_MAX_MB 64
#define LOOK_NS	    1000000000ull /* between looks at a file that may have grown */

struct jit_map {
	uint32_t pid;
	uint64_t started; /* tells processes apart that had the pid one after another */
	uint64_t looked_ns, used_ns;
	off_t size;
	struct perf_map *map; /* NULL: there is none */
};

struct jit_maps {
	struct jit_map maps[MAPS_MAX]; /* pid 0: free */
};

struct jit_maps *jit_maps__new(void)
{
	return calloc(1, sizeof(struct jit_maps));
}

void jit_maps__free(struct jit_maps *maps)
{
	if (!maps)
		return;
	for (int i = 0; i < MAPS_MAX; i++)
		perf_map__free(maps->maps[i].map);
	free(maps);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* The pid that the process itself sees: the last of "NSpid:\t123\t7". */
static unsigned long own_pid(uint32_t pid)
{
	unsigned long own = pid;
	char path[40], *status, *line;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	status = file__read(path, NULL);
	line = status ? strstr(status, "\nNSpid:") : NULL;
	if (line) {
		line += strlen("\nNSpid:");
		line[strcspn(line, "\n")] = '\0';
		own = strtoul(strrchr(line, '\t') ? strrchr(line, '\t') : line, NULL, 10);
	}
	free(status);
	return own;
}

static char *read_text(int fd, size_t size)
{
	char *text = malloc(size);
	size_t used = 0;

	while (text && used < size) {
		ssize_t n = read(fd, text + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += n;
	}
	if (text && used < size)
		memset(text + used, '\n', size - used);
	return text;
}

/* Whoever else may write to /tmp must not name the functions of the process. */
static bool is_its_own(const struct stat *st, uint32_t pid)
{
	struct stat process;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u", pid);
	return !stat(path, &process) && (st->st_uid == process.st_uid || st->st_uid == 0);
}

static void look(struct jit_map *map)
{
	char path[64], *text;
	struct stat st;
	int fd;

	map->looked_ns = now_ns();
	snprintf(path, sizeof(path), "/tmp/perf-%lu.map", own_pid(map->pid));
	fd = file_search__open_in_root(map->pid, path);
	if (fd < 0)
		return; /* gone, with the process, maybe: what is known stays */
	if (!fstat(fd, &st) && st.st_size != map->size && st.st_size <= (off_t)SIZE_MAX_MB << 20 &&
	    is_its_own(&st, map->pid)) {
		text = read_text(fd, st.st_size);
		perf_map__free(map->map);
		map->map = text ? perf_map__parse(text, st.st_size) : NULL;
		map->size = st.st_size;
		free(text);
	}
	close(fd);
}

/* When the process was started, in ticks since boot. 0: it is gone. */
static uint64_t start_of(uint32_t pid)
{
	char path[32], *stat, *field;
	unsigned long long start = 0;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	stat = file__read(path, NULL);
	field = stat ? strrchr(stat, ')') : NULL; /* a comm may hold anything */
	for (int i = 0; field && i < 20; i++)
		field = strchr(field + 1, ' ');
	if (field)
		start = strtoull(field, NULL, 10);
	free(stat);
	return start;
}

static struct jit_map *get(struct jit_maps *maps, uint32_t pid)
{
	struct jit_map *oldest = &maps->maps[0];

	for (int i = 0; i < MAPS_MAX; i++) {
		if (maps->maps[i].pid == pid)
			return &maps->maps[i];
		if (maps->maps[i].used_ns < oldest->used_ns)
			oldest = &maps->maps[i];
	}
	perf_map__free(oldest->map);
	*oldest = (struct jit_map){.pid = pid, .started = start_of(pid)};
	return oldest;
}

static void refresh(struct jit_map *map)
{
	uint64_t started = start_of(map->pid);

	if (started && started != map->started) {
		perf_map__free(map->map);
		*map = (struct jit_map){.pid = map->pid, .started = started};
	}
	look(map);
}

const char *jit_maps__find(struct jit_maps *maps, uint32_t pid, uint64_t address, uint64_t *offset)
{
	struct jit_map *map = get(maps, pid);
	const char *name = map->map ? perf_map__find(map->map, address, offset) : NULL;

	map->used_ns = now_ns();
	/* Memory is used again: even what is found may be another function by now. */
	if (map->used_ns - map->looked_ns < LOOK_NS)
		return name;
	refresh(map);
	map->used_ns = map->looked_ns;
	return map->map ? perf_map__find(map->map, address, offset) : NULL;
}
