/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace leaks: what grows and never comes back. The options, and the choice of the way to look. */
#include "cmd/leaks.h"

#include <errno.h>

#include "commands.h"
#include "util/log.h"

#define BUFFER_KIB_DEFAULT 16384

enum { KEY_BUFFER = 0x2000 };

static const struct argp_option own_options[] = {
	{"buffer", KEY_BUFFER, "KIB", 0, "Size of the ring buffer (default 16384)", 0},
	{},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct leaks_options *o = state->input;
	uint64_t value = 0;
	int err = 0;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->stacks;
		state->child_inputs[2] = &o->heap;
		state->child_inputs[3] = &o->kernel;
		break;
	case KEY_BUFFER:
		err = options__number("--buffer", arg, 1, 1 << 20, &value);
		o->buffer_bytes = value * 1024;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return err;
}

static const struct argp_child children[] = {{&common_argp, 0, NULL, 0},
					     {&stack_argp, 0, NULL, 0},
					     {&leaks_heap_argp, 0, NULL, 0},
					     {&leaks_kernel_argp, 0, NULL, 0},
					     {}};
static const struct argp argp = {
	own_options,
	parse_option,
	"[-- PROGRAM [ARGS]]",
	"What grows and never comes back: the memory of each process over time, with a verdict, and the call sites at "
	"which targets grow. Collects until Ctrl-C, for SEC seconds (-d), or until PROGRAM ends, and then reports.",
	children,
	NULL,
	NULL,
};

bool leaks_options__is_system_wide(const struct leaks_options *o)
{
	const struct target *t = &o->common.target;

	return !t->pid_count && !t->program && !t->comm && !t->cgroup;
}

/* Returns -1 to go on, else the exit status. */
static int parse(struct leaks_options *o, int argc, char **argv)
{
	int status = options__parse(&argp, argc, argv, o, &o->common);

	if (status >= 0)
		return status;
	if (!o->stacks.chosen && !leaks_options__is_system_wide(o))
		o->stacks.mode = STACKS_AUTO;
	if (!stack_options__check(&o->stacks) || !leaks_heap__check(o) || !leaks_kernel__check(o))
		return EXIT_USAGE;
	if (!o->buffer_bytes)
		o->buffer_bytes = BUFFER_KIB_DEFAULT * 1024;
	return -1;
}

int cmd_leaks(int argc, char **argv)
{
	struct leaks_options options = {};
	int status = parse(&options, argc, argv);

	if (status < 0)
		status = options.heap.heap	 ? leaks_heap__run(&options)
			 : options.kernel.kernel ? leaks_kernel__run(&options)
						 : leaks_watch__run(&options);
	stack_options__close(&options.stacks);
	target__free(&options.common.target);
	return status;
}
