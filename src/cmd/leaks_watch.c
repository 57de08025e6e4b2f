/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace leaks, without uprobes: the memory of processes over time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/leaks.h"
#include "cmd/report.h"
#include "commands.h"
#include "proc/file.h"
#include "proc/process_files.h"
#include "trace/session.h"
#include "util/log.h"

static const struct out_column process_columns[] = {
	{.key = "pid", .heading = "PID"},
	{.key = "comm", .heading = "COMM", .flags = OUT_LEFT | OUT_FILL},
	{.key = "rss_bytes", .heading = "RSS"},
	{.key = "anon_bytes", .heading = "ANON"},
	{.key = "swap_bytes", .heading = "SWAP"},
};
static const struct out_table process_table = {"process", "Processes", process_columns, 5};

struct watch {
	struct leaks_options *options;
	struct session session;
	struct out *out;
};

static void put_process(struct out *out, int pid)
{
	struct process_status s;
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	text = file__read(path, NULL);
	if (text && process_status__parse(text, &s)) {
		out__row(out);
		out__count(out, "pid", s.tgid);
		out__text(out, "comm", s.comm);
		out__bytes(out, "rss_bytes", s.rss);
		out__bytes(out, "anon_bytes", s.anon);
		out__bytes(out, "swap_bytes", s.swap);
		out__row_end(out);
	}
	free(text);
}

static int report(void *context)
{
	struct watch *w = context;
	const struct target *target = &w->options->common.target;

	out__begin(w->out, &process_table);
	for (size_t i = 0; i < target->pid_count; i++)
		put_process(w->out, target->pids[i]);
	out__end(w->out, 0);
	return report__flush(w->out);
}

static int collect(void *context)
{
	(void)context;
	return 0;
}

static bool needs_collecting(void *context)
{
	(void)context;
	return false;
}

static void status(void *context, char *buf, size_t size)
{
	(void)context;
	snprintf(buf, size, "watching");
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

int leaks_watch__run(struct leaks_options *options)
{
	struct watch w = {.options = options};
	int err = -ENOMEM, status_of_program;

	session__init(&w.session);
	session__catch_signals();
	w.session.duration_ns = options->common.duration_ns;
	w.session.interval_ns = options->common.interval_ns;
	w.session.measures_itself = true;
	w.out = options__output(&options->common);
	if (w.out) {
		report__start(w.out, "leaks");
		err = session__run(&w.session, &options->common.target, -1, &ops, &w);
	}
	if (!err)
		err = report(&w);
	status_of_program = session__close(&w.session, err);
	out__free(w.out);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
