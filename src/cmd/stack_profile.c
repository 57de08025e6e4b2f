/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/stack_profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "abi.h"
#include "util/log.h"

struct entry {
	struct entry_key {
		char comm[COMM_SIZE];
		uint32_t pid, stack;
	} key;
	uint64_t value;
	UT_hash_handle hh;
};

struct stack_profile {
	struct entry *entries; /* hash by key */
};

struct stack_profile *stack_profile__new(void)
{
	return calloc(1, sizeof(struct stack_profile));
}

void stack_profile__free(struct stack_profile *p)
{
	struct entry *e, *next;

	if (!p)
		return;
	HASH_ITER(hh, p->entries, e, next) {
		HASH_DEL(p->entries, e);
		free(e);
	}
	free(p);
}

int stack_profile__add(struct stack_profile *p, uint32_t pid, const char *comm, uint32_t stack,
		       uint64_t value)
{
	struct entry_key key = {.pid = pid, .stack = stack};
	struct entry *e;

	snprintf(key.comm, sizeof(key.comm), "%s", comm);
	HASH_FIND(hh, p->entries, &key, sizeof(key), e);
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return -ENOMEM;
		e->key = key;
		HASH_ADD(hh, p->entries, key, sizeof(e->key), e);
	}
	e->value += value;
	return 0;
}

static void free_samples(struct profile_sample *samples, size_t n)
{
	for (size_t i = 0; samples && i < n; i++)
		free((void *)samples[i].frames);
	free(samples);
}

static struct profile_sample *make_samples(const struct stack_profile *p, struct stacks *stacks)
{
	struct profile_sample *samples = calloc(HASH_COUNT(p->entries) + 1, sizeof(*samples)), *s = samples;
	const char *note;

	for (struct entry *e = p->entries; e && samples; e = e->hh.next, s++) {
		s->comm = e->key.comm;
		s->pid = e->key.pid;
		s->frames = stacks__frames(stacks, e->key.stack, false, &s->frame_count, &note);
		s->truncated = note != NULL;
		s->values[0] = e->value;
	}
	return samples;
}

int stack_profile__write(const struct stack_profile *p, struct stacks *stacks, struct stack_options *options,
			 const struct session *session, const struct target *target, double share,
			 const struct stack_profile_words *words)
{
	struct profile_sample *samples = make_samples(p, stacks);
	uint64_t ns = session__seconds(session) * share * 1e9;
	struct profile profile = {.types = {{words->type, words->unit}},
				  .type_count = 1,
				  .duration_ns = ns,
				  .samples = samples,
				  .count = HASH_COUNT(p->entries)};
	char who[256], title[320];
	struct timespec now;
	int err = -ENOMEM;

	target__describe(target, who, sizeof(who));
	snprintf(title, sizeof(title), "%s %s, %.1f s", words->title, who, ns / 1e9);
	profile.title = title;
	clock_gettime(CLOCK_REALTIME, &now);
	profile.time_ns = now.tv_sec * 1000000000ull + now.tv_nsec - ns;
	if (samples)
		err = stack_options__write(options, &profile);
	else
		log__error("no memory");
	free_samples(samples, HASH_COUNT(p->entries));
	return err;
}
