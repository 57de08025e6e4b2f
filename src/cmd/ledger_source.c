/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/ledger_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/file.h"
#include "util/log.h"

void ledger_source__choose_stacks(struct alloc_source_options *source, const struct stack_options *stacks)
{
	static const enum stack_method methods[] = {
		[STACKS_OFF] = STACK_NONE,
		[STACKS_AUTO] = STACK_BY_COPY,
		[STACKS_FP] = STACK_BY_FRAME_POINTER,
		[STACKS_DWARF] = STACK_BY_COPY,
	};

	source->stacks = methods[stacks->mode];
	source->every_stack = stacks->mode == STACKS_FP || stacks->mode == STACKS_DWARF;
	source->kernel_stacks = stacks->kernel;
	source->stack_bytes = stacks->copy_bytes;
}

/* --- records ----------------------------------------------------------------------------------------------
 */

static int take_call(void *context, const struct call_record *record)
{
	struct ledger_source *s = context;
	struct process_ledger *space;
	const struct mapped_file *file;
	uint32_t site = STACK_UNKNOWN;
	int err;

	s->calls_for_stacks += s->every_stack || call_record__obtained(record);
	if (record->stack_weight && s->stacks)
		site = stacks__last(s->stacks, record->tid, record->exit_ns);
	err = process_ledgers__call(s->ledgers, record, site, &space, &file);
	if (err || !s->handlers.call)
		return err;
	return s->handlers.call(s->handlers.context, space, record, site, file);
}

static int take_stack(void *context, const struct stack_record *record, size_t size)
{
	struct ledger_source *s = context;
	uint32_t stack = stacks__take(s->stacks, record, size);

	if (record->key.anchor)
		return s->handlers.touch(s->handlers.context, record, stack);
	s->stacks_taken += stack != STACK_UNKNOWN;
	return 0;
}

static int take_vma(void *context, const struct vma_record *record, size_t size)
{
	struct ledger_source *s = context;

	return size < record->header.size ? 0 : process_ledgers__vma(s->ledgers, record);
}

static int take_process(void *context, const struct process_record *record)
{
	struct ledger_source *s = context;

	return process_ledgers__process(s->ledgers, record);
}

static bool take_lost(void *context, const struct lost_key *key, const struct lost_calls *lost)
{
	struct ledger_source *s = context;

	return process_ledgers__lost(s->ledgers, key, lost);
}

static bool take_touched(void *context, const void *key, const void *value)
{
	struct ledger_source *s = context;

	return process_ledgers__touched(s->ledgers, key, value);
}

static void refresh_touched(void *context, const struct process_key *key, uint64_t start, uint64_t end)
{
	struct ledger_source *s = context;

	alloc_source__touched_in(s->alloc, key, start, end, take_touched, s);
}

/* --- opening ----------------------------------------------------------------------------------------------
 */

/* "always madvise [never]" */
static bool huge_pages_are_on(void)
{
	char *text = file__read("/sys/kernel/mm/transparent_hugepage/enabled", NULL);
	bool on = text && !strstr(text, "[never]");

	free(text);
	return on;
}

static void take_listed(void *context, const struct process_listed *listed)
{
	struct ledger_source *s = context;

	process_ledgers__listed(s->ledgers, listed);
}

static int begin(struct ledger_source *s, const struct target *target)
{
	int err = 0;

	alloc_source__begin(s->alloc);
	if (target->pid_count || target->program || target->comm || target->cgroup)
		err = alloc_source__list(s->alloc, take_listed, s);
	if (err)
		log__error("cannot list the processes: %s", strerror(-err));
	return err;
}

int ledger_source__open(struct ledger_source *s, const struct alloc_source_options *options,
			const struct target *target, const struct features *features, struct session *session,
			const struct ledger_handlers *handlers, size_t keep_ended)
{
	struct alloc_handlers records = {take_call, take_vma, take_process, take_stack, s};

	s->handlers = *handlers;
	s->every_stack = options->every_stack;
	s->ledgers = process_ledgers__new(keep_ended, huge_pages_are_on());
	if (!s->ledgers) {
		log__error("no memory");
		return -ENOMEM;
	}
	process_ledgers__on_move(s->ledgers, refresh_touched, s);
	s->alloc = alloc_source__open(options, target, features, session, &records);
	return s->alloc ? begin(s, target) : -EINVAL;
}

void ledger_source__close(struct ledger_source *s)
{
	alloc_source__close(s->alloc);
	process_ledgers__free(s->ledgers);
	s->alloc = NULL;
	s->ledgers = NULL;
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

int ledger_source__collect_touched(struct ledger_source *s)
{
	return alloc_source__touched(s->alloc, take_touched, s);
}

int ledger_source__collect(struct ledger_source *s)
{
	int err;

	alloc_source__next_generation(s->alloc);
	err = alloc_source__lost(s->alloc, take_lost, s);
	if (!err)
		err = ledger_source__collect_touched(s);
	process_ledgers__find_huge(s->ledgers);
	process_ledgers__correct(s->ledgers, false);
	process_ledgers__fold(s->ledgers);
	return err;
}
