/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "commands.h"
#include "trace/features.h"
#include "util/log.h"
#include "util/number.h"

static const struct argp_option common_options[] = {
	{"pid", 'p', "PID[,PID]", 0, "Only these processes, with all their threads", 1},
	{"follow", KEY_FOLLOW, NULL, 0, "With -p: also the children that they fork", 1},
	{"comm", KEY_COMM, "NAME", 0, "Only processes of this name", 1},
	{"cgroup", KEY_CGROUP, "PATH", 0, "Only processes in this memory cgroup and below", 1},
	{"user", KEY_RUN_AS, "USER", 0, "Run PROGRAM as this user (under sudo: as who called it)", 1},
	{"duration", 'd', "SEC", 0, "Stop after SEC seconds", 2},
	{"interval", 'i', "SEC", 0, "Report every SEC seconds, each time what is new", 2},
	{"top", 'n', "N", 0, "Show N rows of each table (default 20; JSON: all)", 2},
	{"output", 'o', "FILE", 0, "Write the report to FILE, apart from what PROGRAM prints", 3},
	{"json", KEY_JSON, NULL, 0, "JSON Lines instead of tables", 3},
	{"verbose", 'v', NULL, 0, "Say on stderr what is done, and what it takes", 3},
	{"btf", KEY_BTF, "FILE", 0, "Types of this kernel, where /sys/kernel/btf/vmlinux is hidden", 3},
	{"without", KEY_WITHOUT, "FEATURE[,FEATURE]", OPTION_HIDDEN, "Do as if the kernel did not have it",
	 3},
	{"help", KEY_HELP, NULL, 0, "Show this help", -1},
	{},
};

int options__number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	int err = number__parse(text, min, max, value);

	if (err == -EINVAL)
		log__error("%s: '%s' is not a number", option, text);
	else if (err)
		log__error("%s: %s is not between %" PRIu64 " and %" PRIu64, option, text, min, max);
	return err ? EINVAL : 0;
}

int options__seconds(const char *option, const char *text, uint64_t *ns)
{
	int err = number__parse_seconds(text, ns);

	if (err == -EINVAL)
		log__error("%s: '%s' is not a number of seconds", option, text);
	else if (err)
		log__error("%s: %s is out of range", option, text);
	return err ? EINVAL : 0;
}

static int parse_pids(struct common_options *common, const char *list)
{
	int err = target__add_pids(&common->target, list);

	if (err)
		log__error("-p, --pid: '%s' is not a list of pids", list);
	return err ? EINVAL : 0;
}

static int parse_name(const char *option, const char *text, const char **name)
{
	if (!*text) {
		log__error("%s: an empty name", option);
		return EINVAL;
	}
	*name = text;
	return 0;
}

static int parse_comm(const char *text, const char **comm)
{
	if (strlen(text) >= COMM_SIZE) {
		log__error("--comm: the kernel keeps %d bytes of a name: '%.*s'", COMM_SIZE - 1,
			   COMM_SIZE - 1, text);
		return EINVAL;
	}
	return parse_name("--comm", text, comm);
}

static int parse_without(const char *list, const char **without)
{
	if (!features__knows(list)) {
		log__error("--without: '%s' is not a list of features", list);
		return EINVAL;
	}
	*without = list;
	return 0;
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct common_options *common = state->input;

	switch (key) {
	case 'p':
		return parse_pids(common, arg);
	case 'd':
		return options__seconds("-d, --duration", arg, &common->duration_ns);
	case 'i':
		return options__seconds("-i, --interval", arg, &common->interval_ns);
	case 'n':
		return options__number("-n, --top", arg, 1, 1000000, &common->top);
	case KEY_COMM:
		return parse_comm(arg, &common->target.comm);
	case KEY_CGROUP:
		return parse_name("--cgroup", arg, &common->target.cgroup);
	case KEY_FOLLOW:
		common->target.follow = true;
		return 0;
	case 'o':
		return parse_name("-o, --output", arg, &common->output);
	case KEY_RUN_AS:
		return parse_name("--user", arg, &common->user);
	case KEY_BTF:
		return parse_name("--btf", arg, &common->btf);
	case KEY_WITHOUT:
		return parse_without(arg, &common->without);
	case KEY_JSON:
		common->json = true;
		return 0;
	case 'v':
		common->verbose = true;
		return 0;
	case KEY_HELP:
		argp_help(state->root_argp, stdout, ARGP_HELP_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC,
			  state->name);
		exit(fflush(stdout) ? EXIT_FAILED : EXIT_OK);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp common_argp = {common_options, parse_common, NULL, NULL, NULL, NULL, NULL};

/* --- strictness -------------------------------------------------------------------------------------------
 */

static const struct argp_option *find_option(const struct argp *argp, const char *word, size_t length,
					     int key)
{
	for (const struct argp_option *o = argp->options; o && (o->name || o->key); o++)
		if (word ? o->name && strlen(o->name) == length && !strncmp(o->name, word, length)
			 : o->key == key)
			return o;
	for (const struct argp_child *c = argp->children; c && c->argp; c++) {
		const struct argp_option *o = find_option(c->argp, word, length, key);

		if (o)
			return o;
	}
	return NULL;
}

/* --name or --name=value. *i moves over a value that is a word of its own. */
static bool check_long(const struct argp *argp, char **argv, int argc, int *i)
{
	const char *word = argv[*i] + 2, *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const struct argp_option *o = find_option(argp, word, length, 0);

	if (!o)
		log__error("unknown option --%.*s (%s --help lists them)", (int)length, word, argv[0]);
	else if (equals && !o->arg)
		log__error("--%s takes no value", o->name);
	else if (!equals && o->arg && !(o->flags & OPTION_ARG_OPTIONAL) && ++*i >= argc)
		log__error("--%s needs a value (%s)", o->name, o->arg);
	else
		return true;
	return false;
}

/* -x, -xvalue, or several letters in one word. */
static bool check_short(const struct argp *argp, char **argv, int argc, int *i)
{
	for (const char *letter = argv[*i] + 1; *letter; letter++) {
		const struct argp_option *o = find_option(argp, NULL, 0, *letter);

		if (!o) {
			log__error("unknown option -%c (%s --help lists them)", *letter, argv[0]);
			return false;
		}
		if (!o->arg)
			continue;
		if (!letter[1] && ++*i >= argc) {
			log__error("-%c needs a value (%s)", *letter, o->arg);
			return false;
		}
		return true;
	}
	return true;
}

/* Returns the index of "--", or argc; -1: told. */
static int check_words(const struct argp *argp, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--"))
			return i;
		if (word[0] != '-' || !word[1]) {
			log__error("unexpected argument '%s' (a program to run goes after --)", word);
			return -1;
		}
		if (!(word[1] == '-' ? check_long(argp, argv, argc, &i) : check_short(argp, argv, argc, &i)))
			return -1;
	}
	return argc;
}

/* As for options__parse(). */
static int choose_user(struct common_options *common)
{
	int err;

	if (!common->target.program) {
		if (!common->user)
			return -1;
		log__error("--user goes with a program after --");
		return EXIT_USAGE;
	}
	err = run_as__choose(&common->target.run_as, common->user);
	return !err ? -1 : err == -EINVAL && common->user ? EXIT_USAGE : EXIT_FAILED;
}

int options__parse(const struct argp *argp, int argc, char **argv, void *input, struct common_options *common)
{
	int end = check_words(argp, argc, argv);

	if (end < 0)
		return EXIT_USAGE;
	if (end < argc) {
		common->target.program = argv + end + 1;
		if (!*common->target.program) {
			log__error("no program after --");
			return EXIT_USAGE;
		}
	}
	/* What is wrong with a value has been told by its parser. */
	if (argp_parse(argp, end, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_IN_ORDER, NULL, input))
		return EXIT_USAGE;
	if (common->target.program && common->target.pid_count) {
		log__error("-p and a program after -- exclude each other");
		return EXIT_USAGE;
	}
	if (common->target.follow && !common->target.pid_count && !common->target.program) {
		log__error("--follow goes with -p");
		return EXIT_USAGE;
	}
	log__set_verbose(common->verbose);
	return choose_user(common);
}

static unsigned terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t width;

	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	if (columns && !number__parse(columns, 20, 10000, &width))
		return width;
	return 80;
}

struct out *options__output(const struct common_options *common)
{
	FILE *file = stdout;
	struct out *out;

	/* A file of ours goes the way of stdout: it is closed when the process ends. */
	if (common->output && !(file = fopen(common->output, "we"))) {
		log__error("cannot write %s (-o, --output): %s", common->output, strerror(errno));
		return NULL;
	}
	/* Whoever writes flushes what belongs together. */
	setvbuf(file, NULL, _IOFBF, 1 << 16);
	out = out__new(file, common->json ? OUT_JSON : OUT_TABLE, terminal_width(fileno(file)));
	if (!out)
		log__error("no memory");
	return out;
}
