/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each call stack was worth over a whole run, for the files of --folded, --pprof and --flamegraph. */
#ifndef MEMTRACE_STACK_PROFILE_H
#define MEMTRACE_STACK_PROFILE_H

#include <stdint.h>

#include "cmd/stack_options.h"
#include "trace/session.h"
#include "trace/stacks.h"

struct stack_profile;

/* NULL: no memory. */
struct stack_profile *stack_profile__new(void);
void stack_profile__free(struct stack_profile *p);

/* Add to what a stack is worth in a process; pid 0: in several of one name. 0 or -ENOMEM. */
int stack_profile__add(struct stack_profile *p, uint32_t pid, const char *comm, uint32_t stack,
		       uint64_t value);

/* Of what the values are: "Page faults of" whom, "faults" in units of "count". */
struct stack_profile_words {
	const char *title, *type, *unit;
};

/*
 * Write the files that the options ask for, about the run of a session or its last `share` (1: all of it). 0
 * or -errno, told.
 */
int stack_profile__write(const struct stack_profile *p, struct stacks *stacks, struct stack_options *options,
			 const struct session *session, const struct target *target, double share,
			 const struct stack_profile_words *words);

#endif
