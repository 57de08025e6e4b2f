/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call stacks of a tracing command: the records of bpf/stack.h become stacks of places (sym/sym.h), each kept
 * once (model/stack_table). What is mapped where is followed from stacks__open() on.
 */
#ifndef MEMTRACE_STACKS_H
#define MEMTRACE_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/frame.h"
#include "model/stack_table.h"
#include "stack.h"
#include "sym/sym.h"
#include "unwind_step.h"

struct stacks;

/*
 * Before tracing is attached. follow: learn what processes map, to take stacks and for stacks__code(); else
 * for stacks__function() alone. Says what is wrong and returns NULL then.
 */
struct stacks *stacks__open(bool follow);
void stacks__close(struct stacks *stacks);

/* What the kernel did in an exception is of interest, too: else a stack begins where that came. */
void stacks__keep_exceptions(struct stacks *stacks);

/* Call this while mappings are taken in, for each process that has mapped code. */
void stacks__on_mapped(struct stacks *stacks, void (*mapped)(void *context, uint32_t pid), void *context);

/* To be called often (every 50 ms): take in what processes have mapped. */
void stacks__follow(struct stacks *stacks);

/* The number of a record's stack in the stack table. STACK_UNKNOWN: nothing could be made of it. */
uint32_t stacks__take(struct stacks *stacks, const struct stack_record *record, size_t size);

/*
 * The frames of a stack, innermost first; *note says why it is cut short, NULL if it is not. ips: also the
 * addresses, if it is the stack that was taken last. The caller frees the array, not what it points to, which
 * stays until stacks__close(). NULL, *n 0: STACK_UNKNOWN, or no memory.
 */
struct frame *stacks__frames(struct stacks *stacks, uint32_t stack, bool ips, size_t *n, const char **note);

/*
 * The stack without its innermost frames, as many as make up `frames` of those that stacks__frames() returns:
 * its number in the stack table. The same if nothing can be left out.
 */
uint32_t stacks__without(struct stacks *stacks, uint32_t stack, size_t frames);

/* The last stack that was taken, if it is that of the event of this thread and time; else STACK_UNKNOWN. */
uint32_t stacks__last(const struct stacks *stacks, uint32_t tid, uint64_t time_ns);

/*
 * For the kernel side: how it gets from each return address of the stack that was taken last (from a copy) to
 * the caller. At most max; how many.
 */
struct stacks_step {
	uint64_t ip;
	struct unwind_step step;
};
size_t stacks__steps(struct stacks *stacks, struct stacks_step *steps, size_t max);

/*
 * Open the files that a process runs, so that the first stacks of it do not have to wait for that. Takes
 * milliseconds a file.
 */
void stacks__prepare(struct stacks *stacks, uint32_t pid);

/* The function at an offset (bytes) into a file that a process maps. Valid until stacks__close(). */
const struct frame *stacks__function(struct stacks *stacks, uint32_t pid, const char *path,
				     uint64_t file_offset);

/* What is at an address of a process at that time, if mappings are followed. Valid until stacks__close(). */
const struct frame *stacks__code(struct stacks *stacks, uint32_t pid, uint64_t time_ns, uint64_t ip);

/* How it went. */
struct stacks_stats {
	uint64_t taken;
	uint64_t by_copy;      /* of them, unwound from a copy of the stack */
	uint64_t without_room; /* different stacks beyond STACKS_MAX */
	struct sym_stats sym;
};
void stacks__stats(const struct stacks *stacks, struct stacks_stats *stats);

#endif
