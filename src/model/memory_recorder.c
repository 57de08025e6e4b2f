/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/memory_recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define LEAST_BYTES (1ull << 20)
#define MINUTE_NS   60000000000ull
#define KEEP_ROUNDS 10 /* a process that is not seen any more may have been killed a moment ago */

struct recorded {
	struct process_key key;
	uint64_t first, last; /* rounds in which it was seen */
	uint64_t resident[RECORDER_SAMPLES];
	uint64_t told_ns; /* the kill that it was last told of for */
	int cgroup;	  /* -1: not known */
	struct oom_process latest;
	bool used, asked, killed;
	char command[RECORDER_COMMAND];
	UT_hash_handle hh;
};

struct memory_recorder {
	uint64_t round; /* the first is 1 */
	uint64_t times[RECORDER_SAMPLES];
	struct recorded *by_key;
	size_t count;
	struct recorded processes[RECORDER_PROCESSES];
};

struct memory_recorder *memory_recorder__new(void)
{
	return calloc(1, sizeof(struct memory_recorder));
}

void memory_recorder__free(struct memory_recorder *r)
{
	if (!r)
		return;
	HASH_CLEAR(hh, r->by_key);
	free(r);
}

static struct recorded *find(const struct memory_recorder *r, const struct process_key *key)
{
	struct recorded *p;

	HASH_FIND(hh, r->by_key, key, sizeof(*key), p);
	return p;
}

static uint64_t latest(const struct recorded *p)
{
	return p->resident[p->last % RECORDER_SAMPLES];
}

static bool is_gone(const struct memory_recorder *r, const struct recorded *p)
{
	return p->last + KEEP_ROUNDS < r->round;
}

/* Who gives way to another: a free place, one that is gone, or the smallest. */
static struct recorded *find_place(struct memory_recorder *r)
{
	struct recorded *least = &r->processes[0];

	for (size_t i = 0; i < RECORDER_PROCESSES; i++) {
		struct recorded *p = &r->processes[i];

		if (!p->used || is_gone(r, p))
			return p;
		if (latest(p) < latest(least))
			least = p;
	}
	return least;
}

uint64_t memory_recorder__begin(struct memory_recorder *r, uint64_t now_ns)
{
	struct recorded *place = find_place(r);

	r->round++;
	r->times[r->round % RECORDER_SAMPLES] = now_ns;
	return place->used && !is_gone(r, place) && latest(place) > LEAST_BYTES ? latest(place) : LEAST_BYTES;
}

void memory_recorder__take(struct memory_recorder *r, const struct oom_process *process)
{
	uint64_t resident = oom_process__resident(process);
	struct recorded *p = find(r, &process->process);

	if (!p) {
		p = find_place(r);
		if (p->used && !is_gone(r, p) && latest(p) >= resident)
			return;
		if (p->used)
			HASH_DEL(r->by_key, p);
		memset(p, 0, sizeof(*p));
		p->used = true;
		p->key = process->process;
		p->first = r->round;
		p->cgroup = -1;
		HASH_ADD(hh, r->by_key, key, sizeof(p->key), p);
	} else if (p->last + 1 < r->round) {
		p->first = r->round; /* rounds in between are missing */
	}
	p->latest = *process;
	p->last = r->round;
	p->resident[r->round % RECORDER_SAMPLES] = resident;
}

const struct process_key *memory_recorder__wants_command(struct memory_recorder *r)
{
	struct recorded *most = NULL;

	for (size_t i = 0; i < RECORDER_PROCESSES; i++) {
		struct recorded *p = &r->processes[i];

		if (p->used && !p->asked && p->last == r->round && (!most || latest(p) > latest(most)))
			most = p;
	}
	if (!most)
		return NULL;
	most->asked = true;
	return &most->key;
}

void memory_recorder__set_command(struct memory_recorder *r, const struct process_key *key,
				  const char *command)
{
	struct recorded *p = find(r, key);

	if (p)
		snprintf(p->command, sizeof(p->command), "%s", command);
}

const char *memory_recorder__command(const struct memory_recorder *r, const struct process_key *key)
{
	const struct recorded *p = find(r, key);

	return p ? p->command : "";
}

void memory_recorder__set_cgroup(struct memory_recorder *r, const struct process_key *key, int place)
{
	struct recorded *p = find(r, key);

	if (p)
		p->cgroup = place;
}

int memory_recorder__cgroup(const struct memory_recorder *r, const struct process_key *key)
{
	const struct recorded *p = find(r, key);

	return p ? p->cgroup : -1;
}

void memory_recorder__tell(struct memory_recorder *r, const struct process_key *key, uint64_t kill_ns)
{
	struct recorded *p = find(r, key);

	if (p)
		p->told_ns = kill_ns;
}

void memory_recorder__killed(struct memory_recorder *r, const struct process_key *key)
{
	struct recorded *p = find(r, key);

	if (p)
		p->killed = true;
}

void memory_recorder__untold(const struct memory_recorder *r, uint64_t kill_ns,
			     void (*take)(void *context, const struct untold *u), void *context)
{
	for (size_t i = 0; i < RECORDER_PROCESSES; i++) {
		const struct recorded *p = &r->processes[i];

		if (p->used && p->last == r->round && p->told_ns != kill_ns)
			take(context, &(struct untold){&p->latest, p->cgroup, p->killed});
	}
}

/* The first round that is still there, of a process. */
static uint64_t first_round(const struct memory_recorder *r, const struct recorded *p)
{
	uint64_t oldest = r->round >= RECORDER_SAMPLES ? r->round - RECORDER_SAMPLES + 1 : 1;

	return p->first > oldest ? p->first : oldest;
}

size_t memory_recorder__history(const struct memory_recorder *r, const struct process_key *key,
				uint64_t now_ns, uint64_t resident, struct oom_point *points)
{
	const struct recorded *p = find(r, key);
	size_t n = 0;

	if (now_ns - key->start_ns < MINUTE_NS)
		points[n++] = (struct oom_point){now_ns - key->start_ns, 0};
	for (uint64_t i = p ? first_round(r, p) : 1; p && i <= p->last && n < OOM_POINTS - 1; i++) {
		uint64_t at = r->times[i % RECORDER_SAMPLES];

		if (at < now_ns && at >= key->start_ns && now_ns - at <= MINUTE_NS + MINUTE_NS / 60)
			points[n++] = (struct oom_point){now_ns - at, p->resident[i % RECORDER_SAMPLES]};
	}
	if (resident != OOM_UNKNOWN)
		points[n++] = (struct oom_point){0, resident};
	return n;
}
