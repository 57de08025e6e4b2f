/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/cgroup_recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/memory_recorder.h"

#define MINUTE_NS   60000000000ull
#define KEEP_ROUNDS 10
#define MOST_OF	    0.9 /* of a cgroup's growth: what is below it tells all */

struct recorded {
	char path[OOM_CGROUP_SIZE]; /* "": nothing is here */
	int parent;		    /* -1: the root */
	uint64_t owner;
	uint64_t wanted;      /* the last round in which it was */
	uint64_t first, last; /* rounds in which it was sampled, without a gap; 0: none */
	uint64_t usage[RECORDER_SAMPLES];
};

struct cgroup_recorder {
	uint64_t round; /* the first is 1 */
	uint64_t times[RECORDER_SAMPLES];
	struct recorded places[RECORDER_CGROUPS];
};

struct cgroup_recorder *cgroup_recorder__new(void)
{
	return calloc(1, sizeof(struct cgroup_recorder));
}

void cgroup_recorder__free(struct cgroup_recorder *r)
{
	free(r);
}

void cgroup_recorder__begin(struct cgroup_recorder *r, uint64_t now_ns)
{
	r->round++;
	r->times[r->round % RECORDER_SAMPLES] = now_ns;
}

static int find(const struct cgroup_recorder *r, const char *path)
{
	for (int i = 0; i < RECORDER_CGROUPS; i++)
		if (!strcmp(r->places[i].path, path))
			return i;
	return -1;
}

static int find_place(const struct cgroup_recorder *r)
{
	for (int i = 0; i < RECORDER_CGROUPS; i++)
		if (!r->places[i].path[0] || r->places[i].wanted + KEEP_ROUNDS < r->round)
			return i;
	return -1;
}

static int add(struct cgroup_recorder *r, const char *path, int parent)
{
	int place = find(r, path);
	struct recorded *c;

	if (place >= 0)
		return place;
	place = find_place(r);
	if (place < 0)
		return -1;
	c = &r->places[place];
	snprintf(c->path, sizeof(c->path), "%s", path);
	c->parent = parent;
	c->owner++;
	c->wanted = r->round;
	c->first = c->last = 0;
	return place;
}

int cgroup_recorder__place(struct cgroup_recorder *r, const char *path)
{
	char part[OOM_CGROUP_SIZE];
	int place = -1;

	if (path[0] != '/' || !path[1] || strlen(path) >= sizeof(part))
		return -1;
	for (const char *end = path; *end;) {
		end = strchr(end + 1, '/');
		if (!end)
			end = path + strlen(path);
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		place = add(r, part, place);
		if (place < 0)
			return -1;
	}
	return place;
}

void cgroup_recorder__touch(struct cgroup_recorder *r, int place)
{
	for (; place >= 0 && r->places[place].wanted != r->round; place = r->places[place].parent)
		r->places[place].wanted = r->round;
}

const char *cgroup_recorder__wanted(const struct cgroup_recorder *r, int place)
{
	const struct recorded *c = &r->places[place];

	return c->path[0] && c->wanted == r->round ? c->path : NULL;
}

uint64_t cgroup_recorder__owner(const struct cgroup_recorder *r, int place)
{
	return r->places[place].owner;
}

void cgroup_recorder__take(struct cgroup_recorder *r, int place, uint64_t usage)
{
	struct recorded *c = &r->places[place];

	if (!c->last || c->last + 1 < r->round)
		c->first = r->round;
	c->last = r->round;
	c->usage[r->round % RECORDER_SAMPLES] = usage;
}

static bool is_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return !strcmp(above, "/") || (!strncmp(path, above, n) && path[n] == '/');
}

bool cgroup_recorder__is_under(const struct cgroup_recorder *r, int place, const char *path)
{
	const char *own = place >= 0 ? r->places[place].path : "/";

	return !strcmp(own, path) || is_below(own, path);
}

/* Without a point for now. */
static size_t sampled(const struct cgroup_recorder *r, const struct recorded *c, uint64_t now_ns,
		      struct oom_point *points)
{
	uint64_t oldest = r->round >= RECORDER_SAMPLES ? r->round - RECORDER_SAMPLES + 1 : 1;
	size_t n = 0;

	if (!c->last)
		return 0;
	for (uint64_t i = c->first > oldest ? c->first : oldest; i <= c->last && n < OOM_POINTS - 1; i++) {
		uint64_t at = r->times[i % RECORDER_SAMPLES];

		if (at < now_ns && now_ns - at <= MINUTE_NS + MINUTE_NS / 60)
			points[n++] = (struct oom_point){now_ns - at, c->usage[i % RECORDER_SAMPLES]};
	}
	return n;
}

size_t cgroup_recorder__history(const struct cgroup_recorder *r, const char *path, uint64_t now_ns,
				uint64_t usage, struct oom_point *points)
{
	int place = find(r, path);
	size_t n = place < 0 || !*path ? 0 : sampled(r, &r->places[place], now_ns, points);

	if (n)
		points[n++] = (struct oom_point){0, usage};
	return n;
}

/* Bytes by which it has grown; 0: not at all. */
static uint64_t growth(const struct oom_point *points, size_t n)
{
	return n > 1 && points[n - 1].resident > points[0].resident
		       ? points[n - 1].resident - points[0].resident
		       : 0;
}

static uint64_t growth_of(const struct cgroup_recorder *r, const struct recorded *c, uint64_t now_ns)
{
	struct oom_point points[OOM_POINTS];

	return growth(points, sampled(r, c, now_ns, points));
}

/* Is there one below it that has grown nearly as much? */
static bool is_told_below(const struct cgroup_recorder *r, const struct recorded *c, uint64_t bytes,
			  uint64_t now_ns)
{
	for (int i = 0; i < RECORDER_CGROUPS; i++)
		if (r->places[i].path[0] && is_below(r->places[i].path, c->path) &&
		    growth_of(r, &r->places[i], now_ns) >= bytes * MOST_OF)
			return true;
	return false;
}

void cgroup_recorder__growers(const struct cgroup_recorder *r, const char *path, uint64_t now_ns,
			      struct oom_kill *kill)
{
	for (int i = 0; i < RECORDER_CGROUPS; i++) {
		const struct recorded *c = &r->places[i];
		struct oom_point points[OOM_POINTS];
		size_t n;

		if (!c->path[0] || c->last + 1 < r->round || (path && !is_below(c->path, path)))
			continue;
		n = sampled(r, c, now_ns, points);
		if (growth(points, n) && !is_told_below(r, c, growth(points, n), now_ns))
			oom_kill__add_cgroup(kill, c->path, points, n);
	}
}
