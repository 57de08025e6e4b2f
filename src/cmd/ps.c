/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtrace ps: what memory processes have, each by itself and what they share. Reads /proc alone.
 */
#include <argp.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/options.h"
#include "cmd/ps_report.h"
#include "cmd/report.h"
#include "commands.h"
#include "trace/session.h"
#include "util/log.h"
#include "util/number.h"

#define NS_PER_SEC	   1000000000ull
#define NS_PER_MS	   1000000ull
#define TOP_DEFAULT	   20
#define READ_LIMIT_DEFAULT 200 /* ms */
#define WATCH_DEFAULT_NS   (2 * NS_PER_SEC)

struct options {
	struct common_options common;
	struct snapshot_options snapshot;
	struct ps_view view;
	bool sort_given, watch;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_USER = 0x2000, KEY_SORT, KEY_BY, KEY_COLUMNS, KEY_FAST, KEY_READ_LIMIT, KEY_WATCH };

static const struct argp_option own_options[] = {
	{"pid", 'p', "PID[,PID]", 0, "Only these processes", 1},
	{"comm", KEY_COMM, "NAME", 0, "Only processes of this name", 1},
	{"cgroup", KEY_CGROUP, "PATH", 0, "Only processes in this memory cgroup and below", 1},
	{"user", KEY_USER, "USER", 0, "Only processes of this user, a name or a number", 1},
	{"sort", KEY_SORT, "COLUMN", 0, "Largest first by this column (default pss; rss with --fast)", 2},
	{"by", KEY_BY, "WHAT", 0, "Sums by user, cgroup, comm or mapping", 2},
	{"columns", KEY_COLUMNS, "LIST", 0,
	 "Columns of the table: pid, ppid, user, vss, rss, shared, pss, uss, swap, pgtables, thp, locked, minor, "
	 "major, oom, adj, change, cgroup, comm, command",
	 2},
	{"top", 'n', "N", 0, "Rows shown (default 20)", 2},
	{"fast", KEY_FAST, NULL, 0, "Do not look for what is shared: no PSS, no USS", 3},
	{"read-limit", KEY_READ_LIMIT, "MS", 0,
	 "Do not look for it in a process in which that would take longer (default 200, 0: no limit)", 3},
	{"watch", KEY_WATCH, NULL, 0, "Again and again, in place; every 2 s, or every SEC seconds with -i",
	 4},
	{"interval", 'i', "SEC", 0, "Report every SEC seconds, with what has changed", 4},
	{"duration", 'd', "SEC", 0, "Stop after SEC seconds", 4},
	{"output", 'o', "FILE", 0, "Write the report to FILE", 5},
	{"json", KEY_JSON, NULL, 0, "JSON Lines instead of tables", 5},
	{"verbose", 'v', NULL, 0, "Say on stderr what is done, and what it takes", 5},
	{"help", KEY_HELP, NULL, 0, "Show this help", -1},
	{},
};

static error_t take_user(struct options *o, const char *name)
{
	struct passwd *entry = getpwnam(name);
	uint64_t uid;

	if (entry)
		o->snapshot.uid = entry->pw_uid;
	else if (!number__parse(name, 0, UINT32_MAX - 1, &uid))
		o->snapshot.uid = (uint32_t)uid;
	else {
		log__error("--user: there is no user %s", name);
		return EINVAL;
	}
	return 0;
}

static error_t take_sort(struct options *o, const char *name)
{
	int column = ps_column__find(name);

	if (column < 0 || ps_column__value(column) < 0) {
		log__error("--sort: '%s' is no column with sizes or counts", name);
		return EINVAL;
	}
	o->view.sort = column;
	o->sort_given = true;
	return 0;
}

static error_t take_by(struct options *o, const char *name)
{
	static const char *const names[] = {[PS_BY_USER] = "user",
					    [PS_BY_CGROUP] = "cgroup",
					    [PS_BY_COMM] = "comm",
					    [PS_BY_MAPPING] = "mapping"};

	for (size_t i = PS_BY_USER; i <= PS_BY_MAPPING; i++) {
		if (strcmp(name, names[i]))
			continue;
		o->view.group = i;
		return 0;
	}
	log__error("--by: '%s' is none of user, cgroup, comm and mapping", name);
	return EINVAL;
}

static error_t take_columns(struct options *o, const char *list)
{
	char *copy = strdup(list), *rest = copy, *name;
	error_t err = copy ? 0 : ENOMEM;

	memset(o->view.columns, 0, sizeof(o->view.columns));
	while (!err && (name = strsep(&rest, ","))) {
		int column = ps_column__find(name);

		if (column < 0) {
			log__error("--columns: there is no column '%s'", name);
			err = EINVAL;
		} else {
			o->view.columns[column] = true;
		}
	}
	free(copy);
	return err;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	uint64_t ms;

	switch (key) {
	case KEY_USER:
		return take_user(o, arg);
	case KEY_SORT:
		return take_sort(o, arg);
	case KEY_BY:
		return take_by(o, arg);
	case KEY_COLUMNS:
		return take_columns(o, arg);
	case KEY_FAST:
		o->snapshot.fast = true;
		return 0;
	case KEY_READ_LIMIT:
		if (options__number("--read-limit", arg, 0, 3600000, &ms))
			return EINVAL;
		o->snapshot.limit_ns = ms * NS_PER_MS;
		return 0;
	case KEY_WATCH:
		o->watch = true;
		return 0;
	default:
		return common_argp.parser(key, arg, state);
	}
}

static void set_defaults(struct options *o)
{
	static const enum ps_column shown[] = {PS_PID, PS_USER, PS_VSS,	   PS_RSS,    PS_PSS,
					       PS_USS, PS_SWAP, PS_CHANGE, PS_COMMAND};

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		o->view.columns[shown[i]] = true;
	o->view.sort = PS_PSS;
	o->snapshot.uid = SNAPSHOT_ANY_USER;
	o->snapshot.limit_ns = READ_LIMIT_DEFAULT * NS_PER_MS;
	o->common.top = UINT64_MAX;
}

/* What does not go together. EXIT_USAGE, told; or -1. */
static int check(struct options *o)
{
	int value = ps_column__value(o->view.sort);

	if (o->common.target.program) {
		log__error("ps shows what runs: it runs no program");
		return EXIT_USAGE;
	}
	if (o->snapshot.fast && o->view.group == PS_BY_MAPPING) {
		log__error("--fast and --by mapping exclude each other");
		return EXIT_USAGE;
	}
	if (o->snapshot.fast && !o->sort_given)
		o->view.sort = PS_RSS;
	if (o->snapshot.fast && (o->view.sort == PS_PSS || value == VALUE_USS || value == VALUE_SHARED)) {
		log__error("--fast does not tell what --sort %s asks for", ps_column__name(o->view.sort));
		return EXIT_USAGE;
	}
	return -1;
}

/* -1: go on; else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	static const struct argp argp = {
		.options = own_options,
		.parser = take_option,
		.doc = "What memory processes have: address space (VSS), what of it is resident (RSS), theirs alone "
		       "(USS), and with a fair share of what is shared (PSS).",
	};
	int status;

	set_defaults(o);
	status = options__parse(&argp, argc, argv, o, &o->common);
	if (status < 0)
		status = check(o);
	o->snapshot.target = &o->common.target;
	o->snapshot.mappings = o->view.group == PS_BY_MAPPING;
	o->view.top = o->common.top == UINT64_MAX ? TOP_DEFAULT : o->common.top;
	if (o->watch && !o->common.interval_ns)
		o->common.interval_ns = WATCH_DEFAULT_NS;
	return status;
}

/* --- running ----------------------------------------------------------------------------------------------
 */

static const struct out_column interval_columns[] = {{.key = "t_s", .flags = OUT_JSON_ONLY}};
static const struct out_table interval_table = {"interval", NULL, interval_columns, 1};

static const struct out_column end_columns[] = {
	{.key = "duration_s", .flags = OUT_JSON_ONLY}, {.key = "processes", .flags = OUT_JSON_ONLY},
	{.key = "denied", .flags = OUT_JSON_ONLY},     {.key = "too_large", .flags = OUT_JSON_ONLY},
	{.key = "reports", .flags = OUT_JSON_ONLY},
};
static const struct out_table end_table = {"end", NULL, end_columns,
					   sizeof(end_columns) / sizeof(end_columns[0])};

static void put_end(struct out *out, const struct snapshot *last, double seconds, uint64_t reports)
{
	if (out__format(out) != OUT_JSON)
		return;
	out__line(out, &end_table);
	out__real(out, "duration_s", seconds);
	out__count(out, "processes", last->n);
	out__count(out, "denied", last->denied);
	out__count(out, "too_large", last->too_large);
	out__count(out, "reports", reports);
	out__row_end(out);
}

/* A pid that does not exist is an error; one that ends later is not. */
static int check_pids(const struct options *o)
{
	return o->common.target.pid_count ? target__check_pids(&o->common.target) : 0;
}

/* As many rows as the terminal has room for, above what is said below them. */
static void fit_screen(struct options *o)
{
	struct winsize size;

	if (o->common.top == UINT64_MAX && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 16)
		o->view.top = size.ws_row - 14;
}

/* In place: from the upper left corner, over what was there. */
static void begin_screen(const struct options *o)
{
	static const char clear[] = "\033[H\033[2J";

	if (o->watch && isatty(STDOUT_FILENO) && !o->common.json && !o->common.output &&
	    write(STDOUT_FILENO, clear, sizeof(clear) - 1) < 0)
		log__verbose("cannot clear the screen: %s", strerror(errno));
}

static void put_report(struct options *o, struct out *out, struct snapshot *now, struct snapshot *before,
		       uint64_t began)
{
	if (o->common.interval_ns && out__format(out) == OUT_JSON) {
		out__line(out, &interval_table);
		out__real(out, "t_s", (now->read_ns - began) / 1e9);
		out__row_end(out);
	}
	o->view.changes = before != NULL;
	ps_report__print(out, now, before, &o->view);
}

static int watch(struct options *o, struct out *out)
{
	struct snapshot before = {}, now = {};
	uint64_t began = session__now(), next = began, step = o->common.interval_ns, reports = 0;
	int err = check_pids(o);

	if (!err && step && !o->watch)
		log__info("ready");
	while (!err) {
		err = snapshot__read(&now, &o->snapshot);
		if (err)
			break;
		fit_screen(o);
		begin_screen(o);
		put_report(o, out, &now, reports ? &before : NULL, began);
		reports++;
		err = report__flush(out);
		snapshot__free(&before);
		before = now;
		memset(&now, 0, sizeof(now));
		next += step;
		if (!step || session__interrupted() ||
		    (o->common.duration_ns && next > began + o->common.duration_ns))
			break;
		session__sleep_until(next);
		if (session__interrupted())
			break;
	}
	if (!err) {
		put_end(out, &before, (session__now() - began) / 1e9, reports);
		err = report__flush(out);
	}
	snapshot__free(&before);
	snapshot__free(&now);
	return err;
}

int cmd_ps(int argc, char **argv)
{
	struct options options = {};
	int status = parse(&options, argc, argv), err;
	struct out *out = NULL;

	if (status < 0) {
		session__catch_signals();
		out = options__output(&options.common);
		err = out ? 0 : -ENOMEM;
		if (!err) {
			report__start(out, "ps");
			err = watch(&options, out);
		}
		status = err && err != -EPIPE ? EXIT_FAILED : EXIT_OK;
	}
	out__free(out);
	target__free(&options.common.target);
	return status;
}
