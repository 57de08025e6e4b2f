/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that are the same everywhere, and one strict way of parsing any.
 *
 * argp parses and makes the help; before it, the words are checked: long options must be exact (getopt would
 * accept prefixes), values must be there. Whatever is wrong is told in one line that names the option.
 */
#ifndef MEMTRACE_OPTIONS_H
#define MEMTRACE_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "out/out.h"
#include "trace/target.h"

struct common_options {
	struct target target;
	uint64_t duration_ns, interval_ns; /* 0: not given */
	uint64_t top;			   /* 0: not given */
	const char *output;		   /* NULL: stdout */
	const char *without, *btf;	   /* for features__open() */
	const char *user;		   /* to run the program as; NULL: not given */
	bool json;
	bool verbose;
};

/* Keys of the common options that have no letter: for commands that take only some of them, in a list of
 * their own, and hand them on to common_argp.parser. */
enum { KEY_COMM = 0x1000, KEY_CGROUP, KEY_FOLLOW, KEY_JSON, KEY_HELP, KEY_WITHOUT, KEY_BTF, KEY_RUN_AS };

/* An argp child that fills in a struct common_options: give it in state->child_inputs[]. */
extern const struct argp common_argp;

/*
 * Parse with argp (whose children hold the common options); input as for argp_parse(). Words after `--`
 * become common->target.program. Returns -1 to go on, else the exit status (help shown: 0; bad usage, told:
 * 2).
 */
int options__parse(const struct argp *argp, int argc, char **argv, void *input,
		   struct common_options *common);

/* For parsers: read a number, or say what is wrong with this option's value. 0, or EINVAL for argp. */
int options__number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value);
int options__seconds(const char *option, const char *text, uint64_t *ns);

/*
 * The report's output as the options want it: stdout or a file, JSON or tables as wide as the terminal
 * ($COLUMNS, 80). Says what is wrong and returns NULL then.
 */
struct out *options__output(const struct common_options *common);

#endif
