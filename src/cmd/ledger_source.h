/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledgers of what is traced, kept up to date: trace/alloc_source feeding cmd/process_ledgers, with the
 * call stacks of both, for the commands that ask what became of address space.
 */
#ifndef MEMTRACE_LEDGER_SOURCE_H
#define MEMTRACE_LEDGER_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/process_ledgers.h"
#include "cmd/stack_options.h"
#include "trace/alloc_source.h"
#include "trace/stacks.h"

/* Called while the ring is drained. 0, or -errno to end the session. */
struct ledger_handlers {
	/* A call was applied to a ledger; file: what it mapped, NULL if it is none. NULL: not of interest. */
	int (*call)(void *context, struct process_ledger *space, const struct call_record *record,
		    uint32_t site, const struct mapped_file *file);
	/* A page was touched, as weight others were: stack is who did it. Of
	 * alloc_source_options.touch_stacks. */
	int (*touch)(void *context, const struct stack_record *record, uint32_t stack);
	void *context;
};

struct ledger_source {
	struct process_ledgers *ledgers;
	struct alloc_source *alloc;
	struct stacks *stacks; /* the caller's; NULL: none are taken */
	struct ledger_handlers handlers;
	bool every_stack;
	uint64_t stacks_taken, calls_for_stacks; /* of calls; the latter: those that could have been taken */
};

/* How stacks are taken, as the options of the command line say. */
void ledger_source__choose_stacks(struct alloc_source_options *source, const struct stack_options *stacks);

/*
 * Load, attach and begin; keep_ended: processes that have ended and are kept. Without targets, a process is
 * looked at when it makes its first call. Says what is wrong; 0 or -errno, and then too to be closed.
 */
int ledger_source__open(struct ledger_source *s, const struct alloc_source_options *options,
			const struct target *target, const struct features *features, struct session *session,
			const struct ledger_handlers *handlers, size_t keep_ended);
void ledger_source__close(struct ledger_source *s);

/* Take the counts out of the maps, correct what was found wrong: every second. 0 or -errno. */
int ledger_source__collect(struct ledger_source *s);

/* Only the touched pages. 0 or -errno. */
int ledger_source__collect_touched(struct ledger_source *s);

#endif
