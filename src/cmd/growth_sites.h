/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where processes grew in the minute before a kill (--stacks): call sites, kept raw until somebody dies. */
#ifndef MEMTRACE_GROWTH_SITES_H
#define MEMTRACE_GROWTH_SITES_H

#include "model/oom_kill.h"
#include "trace/oom_source.h"

struct growth_sites;

/* Says what is wrong and returns NULL then. */
struct growth_sites *growth_sites__open(void);
void growth_sites__close(struct growth_sites *g);

/* To be called often: take in what processes map. */
void growth_sites__follow(struct growth_sites *g);

/* A stack of a process that has grown. */
void growth_sites__take(struct growth_sites *g, const struct stack_record *record, size_t size);

/*
 * At a kill, while the victim's files can still be had: its stacks, and those of who grew most, as call
 * sites; growth and faults of its VMAs. The sites have no names yet.
 */
void growth_sites__tell(struct growth_sites *g, const struct oom_source *source,
			const struct process_key *victim, struct oom_kill *kill);

/* When memory is back: the names. growth_sites__forget() frees them. */
void growth_sites__name(struct growth_sites *g, struct oom_kill *kill);
void growth_sites__forget(struct oom_kill *kill);

#endif
