/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/stack_options.h"

#include <errno.h>
#include <string.h>

#include "cmd/options.h"
#include "out/flamegraph.h"
#include "out/folded.h"
#include "out/pprof.h"
#include "stack.h"
#include "util/log.h"

#define COPY_KIB_DEFAULT 16

enum { KEY_STACKS = 0x3000, KEY_STACK_SIZE, KEY_KERNEL_STACKS, KEY_FOLDED, KEY_PPROF, KEY_FLAMEGRAPH };

static const struct argp_option stack_options[] = {
	{"stacks", KEY_STACKS, "HOW", OPTION_ARG_OPTIONAL,
	 "Call stacks: auto (the default; a sample, unwound as debuggers do), dwarf (the same, of every event), fp (of "
	 "every event, by frame pointers), off",
	 4},
	{"stack-size", KEY_STACK_SIZE, "KIB", 0, "Stack to copy for unwinding, at most (default 16)", 4},
	{"kernel-stacks", KEY_KERNEL_STACKS, NULL, 0, "Also what the kernel was doing (implies --stacks)", 4},
	{"folded", KEY_FOLDED, "FILE", 0, "Write the stacks to FILE, a line each (implies --stacks)", 4},
	{"pprof", KEY_PPROF, "FILE", 0, "Write them to FILE for pprof (implies --stacks)", 4},
	{"flamegraph", KEY_FLAMEGRAPH, "FILE", 0,
	 "Write them to FILE as a flame graph, SVG (implies --stacks)", 4},
	{},
};

int stack_options__mode(struct stack_options *o, const char *how)
{
	static const struct {
		const char *name;
		enum stacks_mode mode;
	} modes[] = {{"auto", STACKS_AUTO}, {"fp", STACKS_FP}, {"dwarf", STACKS_DWARF}, {"off", STACKS_OFF}};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (how && strcmp(how, modes[i].name))
			continue;
		o->mode = modes[i].mode;
		o->chosen = true;
		return 0;
	}
	log__error("--stacks: '%s' is none of auto, fp, dwarf, off", how);
	return EINVAL;
}

static int parse_file(const char *option, const char *path, struct profile_file *file)
{
	if (!*path) {
		log__error("%s: an empty name", option);
		return EINVAL;
	}
	file->path = path;
	return 0;
}

static error_t parse_stack_option(int key, char *arg, struct argp_state *state)
{
	struct stack_options *o = state->input;
	uint64_t value = 0;
	int err = 0;

	switch (key) {
	case KEY_STACKS:
		return stack_options__mode(o, arg);
	case KEY_STACK_SIZE:
		err = options__number("--stack-size", arg, 1, STACK_COPY_MAX / 1024, &value);
		o->copy_bytes = value * 1024;
		return err;
	case KEY_KERNEL_STACKS:
		o->kernel = true;
		return 0;
	case KEY_FOLDED:
		return parse_file("--folded", arg, &o->folded);
	case KEY_PPROF:
		return parse_file("--pprof", arg, &o->pprof);
	case KEY_FLAMEGRAPH:
		return parse_file("--flamegraph", arg, &o->flamegraph);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp stack_argp = {stack_options, parse_stack_option, NULL, NULL, NULL, NULL, NULL};

bool stack_options__wants_profile(const struct stack_options *o)
{
	return o->folded.path || o->pprof.path || o->flamegraph.path;
}

bool stack_options__check(struct stack_options *o)
{
	if (o->mode == STACKS_OFF && (o->kernel || stack_options__wants_profile(o)))
		o->mode = STACKS_AUTO;
	if (o->copy_bytes && (o->mode == STACKS_OFF || o->mode == STACKS_FP)) {
		log__error("--stack-size goes with --stacks=auto or dwarf");
		return false;
	}
	if (!o->copy_bytes)
		o->copy_bytes = COPY_KIB_DEFAULT * 1024;
	return true;
}

/* --- files ------------------------------------------------------------------------------------------------
 */

static int open_file(const char *option, struct profile_file *file)
{
	int err;

	if (!file->path)
		return 0;
	file->file = fopen(file->path, "we");
	if (file->file)
		return 0;
	err = errno;
	log__error("cannot write %s (%s): %s", file->path, option, strerror(err));
	return -err;
}

int stack_options__open(struct stack_options *o)
{
	int err = open_file("--folded", &o->folded);

	if (!err)
		err = open_file("--pprof", &o->pprof);
	return err ? err : open_file("--flamegraph", &o->flamegraph);
}

static int write_file(struct profile_file *file, int (*write)(FILE *, const struct profile *),
		      const struct profile *profile)
{
	int err;

	if (!file->file)
		return 0;
	err = write(file->file, profile);
	if (fclose(file->file) && !err)
		err = -errno;
	file->file = NULL;
	if (err)
		log__error("cannot write %s: %s", file->path, strerror(-err));
	return err;
}

int stack_options__write(struct stack_options *o, const struct profile *profile)
{
	int folded = write_file(&o->folded, folded__write, profile);
	int pprof = write_file(&o->pprof, pprof__write, profile);
	int flamegraph = write_file(&o->flamegraph, flamegraph__write, profile);

	return folded ? folded : pprof ? pprof : flamegraph;
}

void stack_options__close(struct stack_options *o)
{
	struct profile_file *files[] = {&o->folded, &o->pprof, &o->flamegraph};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i]->file)
			fclose(files[i]->file);
		files[i]->file = NULL;
	}
}
