/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtrace maps: the address space of a process, mapping by mapping, and what one address is. Reads /proc;
 * with
 * --trace, the page faults of each mapping beside it.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/maps_report.h"
#include "cmd/options.h"
#include "cmd/report.h"
#include "commands.h"
#include "proc/file.h"
#include "trace/privileges.h"
#include "trace/session.h"
#include "trace/stacks.h"
#include "util/log.h"

#define ADDRESSES_MAX 64

struct options {
	struct common_options common;
	struct maps_view view;
	uint64_t trace_ns; /* 0: do not */
	uint64_t addresses[ADDRESSES_MAX];
	size_t n_addresses;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_BY = 0x2000, KEY_DETAILS, KEY_SEGMENTS, KEY_PICTURE, KEY_TRACE, KEY_ADDRESS };

static const struct argp_option own_options[] = {
	{"pid", 'p', "PID[,PID]", 0, "The processes", 1},
	{"address", KEY_ADDRESS, "ADDR", 0,
	 "Explain this address (hexadecimal): mapping, symbol, page, frame; can be repeated", 1},
	{"by", KEY_BY, "file", 0, "A line for each file, instead of each mapping", 2},
	{"details", KEY_DETAILS, NULL, 0, "A second line: end, clean and dirty pages, flags in words", 2},
	{"segments", KEY_SEGMENTS, NULL, 0, "Which ELF segments and sections lie in each mapping", 2},
	{"picture", KEY_PICTURE, NULL, 0, "Draw which parts of each mapping are resident, huge, in swap", 2},
	{"trace", KEY_TRACE, "SEC", 0, "Count the page faults of each mapping for SEC seconds before", 2},
	{"top", 'n', "N", 0, "Rows shown (default: all)", 2},
	{"output", 'o', "FILE", 0, "Write the report to FILE", 3},
	{"btf", KEY_BTF, "FILE", 0,
	 "Types of this kernel for --trace, where /sys/kernel/btf/vmlinux is hidden", 3},
	{"json", KEY_JSON, NULL, 0, "JSON Lines instead of tables", 3},
	{"verbose", 'v', NULL, 0, "Say on stderr what is done, and what it takes", 3},
	{"help", KEY_HELP, NULL, 0, "Show this help", -1},
	{},
};

static error_t take_address(struct options *o, const char *text)
{
	const char *digits = !strncmp(text, "0x", 2) ? text + 2 : text;

	if (!*digits || strlen(digits) > 16 || strspn(digits, "0123456789abcdefABCDEF") != strlen(digits)) {
		log__error("--address: '%s' is not a hexadecimal address", text);
		return EINVAL;
	}
	if (o->n_addresses == ADDRESSES_MAX) {
		log__error("--address: more than %d", ADDRESSES_MAX);
		return EINVAL;
	}
	o->addresses[o->n_addresses++] = strtoull(digits, NULL, 16);
	return 0;
}

static error_t take_by(struct options *o, const char *what)
{
	if (strcmp(what, "file")) {
		log__error("--by: '%s' is not 'file'", what);
		return EINVAL;
	}
	o->view.by_file = true;
	return 0;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_ADDRESS:
		return take_address(o, arg);
	case KEY_BY:
		return take_by(o, arg);
	case KEY_DETAILS:
		o->view.details = true;
		return 0;
	case KEY_SEGMENTS:
		o->view.segments = true;
		return 0;
	case KEY_PICTURE:
		o->view.picture = true;
		return 0;
	case KEY_TRACE:
		return options__seconds("--trace", arg, &o->trace_ns) ? EINVAL : 0;
	default:
		return common_argp.parser(key, arg, state);
	}
}

/* -1: go on; else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	static const struct argp argp = {
		.options = own_options,
		.parser = take_option,
		.doc = "The address space of a process: each mapping, what of it is resident and shared, and what one "
		       "address is.",
	};
	int status = options__parse(&argp, argc, argv, o, &o->common);

	if (status >= 0)
		return status;
	if (o->common.target.program || !o->common.target.pid_count) {
		log__error("maps is about processes that run: say which with -p, --pid");
		return EXIT_USAGE;
	}
	if (o->n_addresses && (o->view.by_file || o->trace_ns)) {
		log__error("--address and %s exclude each other", o->trace_ns ? "--trace" : "--by");
		return EXIT_USAGE;
	}
	if (o->view.by_file && (o->view.segments || o->view.picture || o->view.details || o->trace_ns)) {
		log__error("--by is without --details, --segments, --picture and --trace");
		return EXIT_USAGE;
	}
	o->view.top = o->common.top;
	return -1;
}

/* --- reading ----------------------------------------------------------------------------------------------
 */

static void close_process(struct maps_process *p)
{
	free(p->smaps);
	if (p->pagemap >= 0)
		close(p->pagemap);
	if (p->kpageflags >= 0)
		close(p->kpageflags);
}

/* Says what is wrong; 0 or -errno. -ESRCH: it has ended. */
static int open_process(uint32_t pid, struct maps_process *p)
{
	char path[64], *text;
	int err = 0;

	memset(p, 0, sizeof(*p));
	p->pid = pid;
	snprintf(path, sizeof(path), "/proc/%u/pagemap", pid);
	p->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	p->kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	text = file__read(path, NULL);
	if (!text || !process_stat__parse(text, &p->stat))
		err = -ESRCH;
	else
		process_layout__parse(text, &p->layout);
	free(text);
	snprintf(path, sizeof(path), "/proc/%u/smaps", pid);
	p->smaps = err ? NULL : file__read(path, NULL);
	if (!err && !p->smaps)
		err = errno == ENOENT ? -ESRCH : -errno;
	if (err == -EACCES || err == -EPERM)
		log__error("process %u belongs to another user: root or CAP_SYS_PTRACE is missing", pid);
	else if (err)
		log__error("process %u has ended", pid);
	return err;
}

static int show_process(const struct options *o, uint32_t pid, struct out *out, struct stacks *stacks)
{
	struct maps_process p;
	int err = open_process(pid, &p);

	if (!err && !*p.smaps && !o->n_addresses)
		log__warn("process %u has no memory of its own: a kernel thread, or one that has ended", pid);
	for (size_t i = 0; i < o->n_addresses && !err; i++)
		maps_report__address(out, &p, o->addresses[i], stacks);
	if (!err && !o->n_addresses)
		maps_report__process(out, &p, &o->view);
	close_process(&p);
	return err;
}

static const struct out_column end_columns[] = {{.key = "processes", .flags = OUT_JSON_ONLY}};
static const struct out_table end_table = {"end", NULL, end_columns, 1};

static int run(struct options *o, struct out *out)
{
	const struct target *target = &o->common.target;
	struct stacks *stacks = NULL;
	struct maps_trace *trace = NULL;
	int err = target__check_pids(target);

	if (!err && o->n_addresses && !(stacks = stacks__open(false)))
		err = -ENOMEM;
	if (!err && o->trace_ns && !(trace = maps_trace__run(&o->common, o->trace_ns)))
		err = -EINVAL;
	privileges__raise(CAP_SYS_ADMIN); /* tracing has put it aside; frames are told to nobody else */
	o->view.trace = trace;
	if (!err)
		report__start(out, "maps");
	for (size_t i = 0; i < target->pid_count && !err; i++)
		err = show_process(o, (uint32_t)target->pids[i], out, stacks);
	if (!err && o->common.json) {
		out__line(out, &end_table);
		out__count(out, "processes", target->pid_count);
		out__row_end(out);
	}
	maps_trace__free(trace);
	stacks__close(stacks);
	return report__flush(out) ?: err;
}

int cmd_maps(int argc, char **argv)
{
	struct options options = {};
	int status = parse(&options, argc, argv), err;
	struct out *out = NULL;

	if (status < 0) {
		session__catch_signals();
		out = options__output(&options.common);
		err = out ? run(&options, out) : -ENOMEM;
		status = err && err != -EPIPE ? EXIT_FAILED : EXIT_OK;
	}
	out__free(out);
	target__free(&options.common.target);
	return status;
}
