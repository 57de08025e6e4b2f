/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of commands that show call stacks, and the files that they write. */
#ifndef MEMTRACE_STACK_OPTIONS_H
#define MEMTRACE_STACK_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model/profile.h"

enum stacks_mode {
	STACKS_OFF,
	STACKS_AUTO,  /* by copy; of many events a sample */
	STACKS_FP,    /* every one, by frame pointers */
	STACKS_DWARF, /* every one, by copy */
};

struct stack_options {
	enum stacks_mode mode;
	bool chosen; /* the user has said which */
	bool kernel;
	uint32_t copy_bytes;
	struct profile_file {
		const char *path; /* NULL: not asked for */
		FILE *file;	  /* from stack_options__open() on */
	} folded, pprof, flamegraph;
};

/* The value of --stacks; NULL: none was given. 0, or EINVAL: told. */
int stack_options__mode(struct stack_options *options, const char *how);

/* An argp child that fills in a struct stack_options: give it in state->child_inputs[]. */
extern const struct argp stack_argp;

/* After parsing: what implies what. False: told, bad usage. */
bool stack_options__check(struct stack_options *options);

/* Open the files, before anything is traced: says which cannot be written. 0 or -errno. */
int stack_options__open(struct stack_options *options);

/* Does the user want a file with a profile? */
bool stack_options__wants_profile(const struct stack_options *options);

/* Write them. Says what failed; 0 or -errno. */
int stack_options__write(struct stack_options *options, const struct profile *profile);

/* Close what is open. */
void stack_options__close(struct stack_options *options);

#endif
