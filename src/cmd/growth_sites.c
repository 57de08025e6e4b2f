/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/growth_sites.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/recent_stacks.h"
#include "trace/session.h"
#include "trace/stacks.h"
#include "util/log.h"

#define PAGE	      4096ull
#define MINUTE_NS     60000000000ull
#define RECENT_BYTES  (12u << 20)   /* some thousands of stacks */
#define GONE_NS	      5000000000ull /* the kill of a process that is gone has been told by then */
#define STACKS_A_KILL 2000	    /* that are unwound: some 20 us each */

struct growth_sites {
	struct stacks *stacks;
	struct recent_stacks *recent;
};

/* Of longer than a minute ago, or of a process that has ended otherwise than by a kill that is still to be
 * told. */
static bool is_useless(void *context, const struct stack_record *r)
{
	uint64_t age = session__now() - r->time_ns;

	(void)context;
	return age > MINUTE_NS || (age > GONE_NS && kill(r->key.process.tgid, 0) && errno == ESRCH);
}

struct growth_sites *growth_sites__open(void)
{
	struct growth_sites *g = calloc(1, sizeof(*g));

	if (g)
		g->recent = recent_stacks__new(RECENT_BYTES, session__now(), is_useless, NULL);
	if (!g || !g->recent) {
		log__error("no memory");
		growth_sites__close(g);
		return NULL;
	}
	g->stacks = stacks__open(true);
	if (g->stacks)
		return g;
	growth_sites__close(g);
	return NULL;
}

void growth_sites__close(struct growth_sites *g)
{
	if (!g)
		return;
	stacks__close(g->stacks);
	recent_stacks__free(g->recent);
	free(g);
}

void growth_sites__follow(struct growth_sites *g)
{
	stacks__follow(g->stacks);
}

void growth_sites__take(struct growth_sites *g, const struct stack_record *record, size_t size)
{
	recent_stacks__add(g->recent, record, size);
}

/* --- at a kill --------------------------------------------------------------------------------------------
 */

static void add_to_vma(struct oom_kill *kill, const struct stack_record *r)
{
	for (size_t i = 0; i < kill->vmas_kept; i++) {
		struct oom_vma *v = &kill->vmas[i];

		if (memcmp(&v->key, &r->key, sizeof(v->key)))
			continue;
		v->grown = (v->grown == OOM_UNKNOWN ? 0 : v->grown) + r->weight * PAGE;
	}
}

static int most_first(struct stack_count *a, struct stack_count *b)
{
	return a->weight < b->weight ? 1 : a->weight > b->weight ? -1 : 0;
}

/* The largest, but none that is next to nothing beside it. */
static void add_sites(struct oom_kill *kill, const struct process_key *key, const char *comm,
		      struct stack_count *counts)
{
	size_t n = 0;

	for (const struct stack_count *c = counts; c && n < OOM_SITES; c = c->hh.next, n++) {
		struct oom_site *site;

		if (c->weight < counts->weight / 100)
			break;
		site = &kill->sites.sites[kill->sites.count++];
		*site = (struct oom_site){.pid = key->tgid,
					  .bytes = c->weight * PAGE,
					  .samples = c->samples,
					  .stack = c->stack};
		snprintf(site->comm, sizeof(site->comm), "%s", comm);
	}
}

/* The stacks of one process. The last ones, if there are very many. */
static void find_sites(struct growth_sites *g, struct oom_kill *kill, const struct process_key *key,
		       const char *comm, bool is_victim)
{
	uint64_t since = kill->time_ns > MINUTE_NS ? kill->time_ns - MINUTE_NS : 0, n = 0, passed = 0;
	const struct stack_record *r = NULL;
	struct stack_count *counts = NULL;
	size_t size;

	while ((r = recent_stacks__next(g->recent, r, &size)))
		n += !memcmp(&r->key.process, key, sizeof(*key)) && r->time_ns >= since;
	while ((r = recent_stacks__next(g->recent, r, &size))) {
		if (memcmp(&r->key.process, key, sizeof(*key)) || r->time_ns < since ||
		    passed++ + STACKS_A_KILL < n)
			continue;
		stack_counts__add(&counts, stacks__take(g->stacks, r, size), 1, r->weight);
		if (!is_victim)
			continue;
		kill->sites.samples++;
		kill->sites.bytes += r->weight * PAGE;
		add_to_vma(kill, r);
	}
	HASH_SORT(counts, most_first);
	add_sites(kill, key, comm, counts);
	stack_counts__free(&counts);
}

void growth_sites__tell(struct growth_sites *g, const struct oom_source *source,
			const struct process_key *victim, struct oom_kill *kill)
{
	const struct oom_grower *most = &kill->growers[0];
	uint64_t since = recent_stacks__since(g->recent);

	kill->sites.taken = true;
	kill->sites.over_ns = kill->time_ns > since ? kill->time_ns - since : 0;
	if (kill->sites.over_ns > MINUTE_NS)
		kill->sites.over_ns = MINUTE_NS;
	for (size_t i = 0; i < kill->vmas_kept; i++)
		oom_source__faults(source, &kill->vmas[i].key, &kill->vmas[i].faults);
	find_sites(g, kill, victim, kill->victim.comm, true);
	if (kill->grower_count && most->pid != victim->tgid)
		find_sites(g, kill, &most->key, most->comm, false);
}

/* --- in the report ----------------------------------------------------------------------------------------
 */

void growth_sites__name(struct growth_sites *g, struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->sites.count; i++) {
		struct oom_site *site = &kill->sites.sites[i];

		site->frames = stacks__frames(g->stacks, site->stack, false, &site->frame_count, &site->note);
		if (!site->frames)
			site->note = "no stack could be had";
	}
}

void growth_sites__forget(struct oom_kill *kill)
{
	for (size_t i = 0; i < kill->sites.count; i++) {
		free(kill->sites.sites[i].frames);
		kill->sites.sites[i].frames = NULL;
	}
}
