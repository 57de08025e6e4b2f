/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/address_space.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/*
 * The kernel does not tell of munmap(), so what has gone stays until something takes its place: a process
 * that loads and unloads code at ever new addresses must not grow without end.
 */
#define MAPPINGS_MAX 4096

/* Mappings that were replaced, for samples that are older than that. They arrive within a second. */
#define PAST_MAX 64

struct past {
	struct mapping mapping;
	uint64_t until_ns;
};

/* Shared by a process and its children until one of them changes it. */
struct map_set {
	unsigned refs;
	size_t n, capacity;
	struct mapping *live; /* sorted, without overlap */
	size_t n_past, past_next;
	struct past *past; /* a ring of PAST_MAX; NULL: empty */
};

struct process {
	uint32_t pid;
	struct address_space *spaces; /* the newest first */
	UT_hash_handle hh;
};

struct address_spaces {
	struct process *processes; /* hash by pid */
	struct address_space *dead;
	size_t n, n_dead, keep;
};

/* --- sets of mappings -------------------------------------------------------------------------------------
 */

static void map_set__put(struct map_set *set)
{
	if (!set || --set->refs)
		return;
	free(set->live);
	free(set->past);
	free(set);
}

static struct map_set *map_set__new(size_t capacity)
{
	struct map_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->refs = 1;
	set->capacity = capacity ? capacity : 1;
	set->live = malloc(set->capacity * sizeof(*set->live));
	if (!set->live) {
		free(set);
		return NULL;
	}
	return set;
}

static struct map_set *map_set__copy(const struct map_set *from)
{
	struct map_set *set = map_set__new(from->n + 4);

	if (!set)
		return NULL;
	memcpy(set->live, from->live, from->n * sizeof(*set->live));
	set->n = from->n;
	if (from->past)
		set->past = malloc(PAST_MAX * sizeof(*set->past));
	if (set->past) {
		memcpy(set->past, from->past, from->n_past * sizeof(*set->past));
		set->n_past = from->n_past;
		set->past_next = from->past_next;
	}
	return set;
}

/* The first that ends after the address. */
static size_t map_set__search(const struct map_set *set, uint64_t address)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->live[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void map_set__remember(struct map_set *set, const struct mapping *mapping, uint64_t until_ns)
{
	if (!set->past)
		set->past = malloc(PAST_MAX * sizeof(*set->past));
	if (!set->past)
		return;
	set->past[set->past_next] = (struct past){*mapping, until_ns};
	set->past_next = (set->past_next + 1) % PAST_MAX;
	if (set->n_past < PAST_MAX)
		set->n_past++;
}

static void map_set__remove(struct map_set *set, size_t at)
{
	memmove(&set->live[at], &set->live[at + 1], (--set->n - at) * sizeof(*set->live));
}

static bool map_set__insert(struct map_set *set, size_t at, const struct mapping *mapping)
{
	if (set->n == set->capacity) {
		struct mapping *grown = realloc(set->live, (set->capacity + 4) * 3 / 2 * sizeof(*grown));

		if (!grown)
			return false;
		set->live = grown;
		set->capacity = (set->capacity + 4) * 3 / 2;
	}
	memmove(&set->live[at + 1], &set->live[at], (set->n++ - at) * sizeof(*set->live));
	set->live[at] = *mapping;
	return true;
}

/* Make room in [start, end): what is there becomes the past, and what sticks out stays. */
static void map_set__cut(struct map_set *set, uint64_t start, uint64_t end, uint64_t time_ns)
{
	size_t at = map_set__search(set, start);

	while (at < set->n && set->live[at].start < end) {
		struct mapping old = set->live[at], right = old;

		map_set__remember(set, &old, time_ns);
		map_set__remove(set, at);
		if (old.start < start) {
			struct mapping left = old;

			left.end = start;
			map_set__insert(set, at++, &left);
		}
		if (old.end > end) {
			right.start = end;
			right.pgoff += end - old.start;
			map_set__insert(set, at, &right);
			return;
		}
	}
}

static void map_set__forget_oldest(struct map_set *set)
{
	size_t oldest = 0;

	for (size_t i = 1; i < set->n; i++)
		if (set->live[i].since_ns < set->live[oldest].since_ns)
			oldest = i;
	map_set__remove(set, oldest);
}

static bool map_set__has(const struct map_set *set, const struct mapping *m)
{
	size_t at = map_set__search(set, m->start);
	const struct mapping *old = &set->live[at];

	return at < set->n && old->start <= m->start && old->end >= m->end && old->file == m->file &&
	       old->pgoff + (m->start - old->start) == m->pgoff;
}

static void map_set__map(struct map_set *set, const struct mapping *mapping)
{
	map_set__cut(set, mapping->start, mapping->end, mapping->since_ns);
	if (set->n >= MAPPINGS_MAX)
		map_set__forget_oldest(set);
	map_set__insert(set, map_set__search(set, mapping->start), mapping);
}

static const struct mapping *map_set__find(const struct map_set *set, uint64_t address, uint64_t time_ns)
{
	size_t at = map_set__search(set, address);
	const struct mapping *live = at < set->n && set->live[at].start <= address ? &set->live[at] : NULL;

	if (live && live->since_ns <= time_ns)
		return live;
	for (size_t i = 1; i <= set->n_past; i++) {
		const struct past *past = &set->past[(set->past_next + PAST_MAX - i) % PAST_MAX];

		if (past->mapping.start <= address && address < past->mapping.end &&
		    past->mapping.since_ns <= time_ns && time_ns < past->until_ns)
			return &past->mapping;
	}
	return live; /* learned of late */
}

/* --- address spaces ---------------------------------------------------------------------------------------
 */

struct address_spaces *address_spaces__new(size_t keep)
{
	struct address_spaces *spaces = calloc(1, sizeof(*spaces));

	if (spaces)
		spaces->keep = keep;
	return spaces;
}

static struct process *find_process(const struct address_spaces *spaces, uint32_t pid)
{
	struct process *process;

	HASH_FIND(hh, spaces->processes, &pid, sizeof(pid), process);
	return process;
}

static bool is_dead(const struct address_space *space)
{
	return space->until_ns != UINT64_MAX;
}

static void free_space(struct address_spaces *spaces, struct address_space *space)
{
	struct process *process = find_process(spaces, space->pid);

	if (is_dead(space)) {
		DL_DELETE2(spaces->dead, space, dead_prev, dead_next);
		spaces->n_dead--;
	}
	DL_DELETE(process->spaces, space);
	if (!process->spaces) {
		HASH_DEL(spaces->processes, process);
		free(process);
	}
	map_set__put(space->maps);
	free(space);
	spaces->n--;
}

void address_spaces__free(struct address_spaces *spaces)
{
	if (!spaces)
		return;
	while (spaces->processes)
		free_space(spaces, spaces->processes->spaces);
	free(spaces);
}

static void end_space(struct address_spaces *spaces, struct address_space *space, uint64_t time_ns)
{
	if (is_dead(space))
		return;
	space->until_ns = time_ns;
	DL_APPEND2(spaces->dead, space, dead_prev, dead_next);
	spaces->n_dead++;
	if (spaces->n_dead > spaces->keep)
		free_space(spaces, spaces->dead);
}

static struct process *add_process(struct address_spaces *spaces, uint32_t pid)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->pid = pid;
	HASH_ADD(hh, spaces->processes, pid, sizeof(process->pid), process);
	return process;
}

/* A new one for the pid, which takes over *maps. NULL: no memory. */
static struct address_space *begin_space(struct address_spaces *spaces, uint32_t pid, uint64_t time_ns,
					 struct map_set *maps)
{
	struct address_space *space = calloc(1, sizeof(*space));
	struct process *process = find_process(spaces, pid);

	if (process)
		end_space(spaces, process->spaces, time_ns);
	process = find_process(spaces, pid); /* it may have been the one too many */
	if (!process)
		process = add_process(spaces, pid);
	if (!space || !process || !maps) {
		if (process && !process->spaces) {
			HASH_DEL(spaces->processes, process);
			free(process);
		}
		free(space);
		map_set__put(maps);
		return NULL;
	}
	*space =
		(struct address_space){.pid = pid, .since_ns = time_ns, .until_ns = UINT64_MAX, .maps = maps};
	DL_PREPEND(process->spaces, space);
	spaces->n++;
	return space;
}

static struct address_space *newest(const struct address_spaces *spaces, uint32_t pid)
{
	struct process *process = find_process(spaces, pid);

	return process ? process->spaces : NULL;
}

void address_spaces__forked(struct address_spaces *spaces, uint32_t pid, uint32_t parent, uint64_t time_ns)
{
	struct address_space *from = newest(spaces, parent), *space;
	bool complete = from && from->complete;
	struct map_set *maps;

	if (from) {
		maps = from->maps;
		maps->refs++;
	} else {
		maps = map_set__new(0);
	}
	space = begin_space(spaces, pid, time_ns, maps);
	if (!space)
		return;
	space->parent = parent;
	space->complete = complete;
}

void address_spaces__execed(struct address_spaces *spaces, uint32_t pid, uint64_t time_ns)
{
	struct address_space *old = newest(spaces, pid), *space;
	uint32_t parent = old ? old->parent : 0;

	space = begin_space(spaces, pid, time_ns, map_set__new(6));
	if (!space)
		return;
	space->parent = parent;
	space->complete = true;
}

void address_spaces__exited(struct address_spaces *spaces, uint32_t pid, uint64_t time_ns)
{
	struct address_space *space = newest(spaces, pid);

	if (space)
		end_space(spaces, space, time_ns);
}

/* Its first thread has exited before the others. */
static void revive(struct address_spaces *spaces, struct address_space *space)
{
	DL_DELETE2(spaces->dead, space, dead_prev, dead_next);
	spaces->n_dead--;
	space->until_ns = UINT64_MAX;
}

void address_spaces__mapped(struct address_spaces *spaces, uint32_t pid, const struct mapping *mapping)
{
	struct address_space *space = newest(spaces, pid);

	if (mapping->start >= mapping->end)
		return;
	if (!space)
		space = begin_space(spaces, pid, 0, map_set__new(6));
	if (!space)
		return;
	if (is_dead(space))
		revive(spaces, space);
	if (map_set__has(space->maps, mapping))
		return;
	if (space->maps->refs > 1) {
		struct map_set *own = map_set__copy(space->maps);

		if (!own)
			return;
		map_set__put(space->maps);
		space->maps = own;
	}
	map_set__map(space->maps, mapping);
}

void address_spaces__completed(struct address_spaces *spaces, uint32_t pid)
{
	struct address_space *space = newest(spaces, pid);

	if (space)
		space->complete = true;
}

void address_spaces__doubt(struct address_spaces *spaces)
{
	struct process *process, *next;

	HASH_ITER(hh, spaces->processes, process, next)
		process->spaces->complete = false;
}

struct address_space *address_spaces__find(const struct address_spaces *spaces, uint32_t pid,
					   uint64_t time_ns)
{
	struct address_space *space = newest(spaces, pid);

	while (space && space->since_ns > time_ns && space->next)
		space = space->next;
	return space;
}

const struct mapping *address_space__find(const struct address_space *space, uint64_t address,
					  uint64_t time_ns)
{
	return map_set__find(space->maps, address, time_ns);
}

const struct mapping *address_space__mappings(const struct address_space *space, size_t *n)
{
	*n = space->maps->n;
	return space->maps->live;
}

size_t address_spaces__count(const struct address_spaces *spaces)
{
	return spaces->n;
}
