/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace leaks, without uprobes: memory over time, and the call sites at which it grows. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/leaks.h"
#include "cmd/leaks_report.h"
#include "cmd/memory_watch.h"
#include "cmd/report.h"
#include "commands.h"
#include "trace/session.h"
#include "util/log.h"

#define TOP_DEFAULT	    20
#define TOP_STORIES_DEFAULT 3 /* processes in detail */

struct watch {
	struct leaks_options *options;
	struct session session;
	struct memory_watch *memory;
	struct out *out;
	double reported_until_s;
	uint64_t left_out_told;
};

/* --- reports ----------------------------------------------------------------------------------------------
 */

static void say_what(struct watch *w, double now)
{
	char who[256];

	target__describe(&w->options->common.target, who, sizeof(who));
	if (w->reported_until_s > 0)
		out__blank(w->out);
	out__say(w->out, "Memory of %s, %.1f s", who, now);
}

/* In detail: all that were given by pid, and what grows or may. */
static void report_stories(struct watch *w)
{
	const struct common_options *common = &w->options->common;
	bool system_wide = leaks_options__is_system_wide(w->options);
	size_t left = common->top ? common->top : TOP_STORIES_DEFAULT;

	if (left < common->target.pid_count)
		left = common->target.pid_count;
	for (const struct watched *p = memory_watch__processes(w->memory); p && left; p = p->hh.next) {
		if (system_wide && p->growth.verdict != GROWTH_GROWING)
			break;
		leaks_report__story(w->out, p);
		left--;
	}
	for (const struct watched *p = memory_watch__ended(w->memory); p && left && !system_wide;
	     p = p->hh.next) {
		leaks_report__story(w->out, p);
		left--;
	}
}

static void tell_left_out(struct watch *w)
{
	uint64_t n = memory_watch__left_out(w->memory) - w->left_out_told;

	if (n)
		log__warn("processes were not watched: there is no room for more open files (ulimit -n)");
	w->left_out_told += n;
}

static int report(void *context)
{
	struct watch *w = context;
	const struct common_options *common = &w->options->common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_DEFAULT;
	double now = session__seconds(&w->session);
	bool last = w->session.ended_ns;

	memory_watch__judge(w->memory);
	if (common->interval_ns)
		leaks_report__interval(w->out, w->reported_until_s, now);
	say_what(w, now);
	if (leaks_options__is_system_wide(w->options))
		leaks_report__summary(w->out, w->memory);
	leaks_report__cgroup(w->out, memory_watch__cgroup(w->memory), last, w->session.began_ns);
	leaks_report__processes(w->out, w->memory, top, last, w->session.began_ns);
	if (last)
		report_stories(w);
	tell_left_out(w);
	w->reported_until_s = now;
	return report__flush(w->out);
}

static const struct report_words words = {"samples of processes", {}};

static int report_end(struct watch *w)
{
	struct overhead overhead = {};
	struct loss loss = {};

	overhead__read(NULL, 0, &overhead);
	report__end(w->out, &w->session, &words, memory_watch__samples(w->memory), &loss, &overhead);
	return report__flush(w->out);
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

static int sample(void *context)
{
	struct watch *w = context;

	if (w->session.program.pid)
		memory_watch__add(w->memory, w->session.program.pid);
	memory_watch__sample(w->memory, session__now());
	return 0;
}

static bool is_over(void *context)
{
	struct watch *w = context;

	return memory_watch__is_over(w->memory);
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
	struct watch *w = context;

	snprintf(buf, size, "%zu processes", (size_t)HASH_COUNT(memory_watch__processes(w->memory)));
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static int open_all(struct watch *w)
{
	const struct common_options *common = &w->options->common;

	w->out = options__output(common);
	if (!w->out)
		return -ENOMEM;
	w->memory = memory_watch__new(&common->target);
	if (!w->memory)
		return -EINVAL;
	w->session.duration_ns = common->duration_ns;
	w->session.interval_ns = common->interval_ns;
	w->session.measures_itself = true;
	w->session.after_draining = sample;
	w->session.draining_context = w;
	w->session.is_over = is_over;
	w->session.over_context = w;
	return target__check_pids(&common->target);
}

static int run(struct watch *w)
{
	int err;

	session__catch_signals();
	err = open_all(w);
	if (err)
		return err;
	report__start(w->out, "leaks");
	err = session__run(&w->session, &w->options->common.target, -1, &ops, w);
	if (!err)
		err = report(w);
	return err ? err : report_end(w);
}

int leaks_watch__run(struct leaks_options *options)
{
	struct watch w = {.options = options};
	int status_of_program, err;

	session__init(&w.session);
	err = run(&w);
	status_of_program = session__close(&w.session, err);
	memory_watch__free(w.memory);
	out__free(w.out);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
