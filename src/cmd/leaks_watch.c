/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace leaks, without uprobes: memory over time, and the call sites at which it grows. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/leaks.h"
#include "cmd/leaks_report.h"
#include "cmd/leaks_sites.h"
#include "cmd/memory_watch.h"
#include "cmd/report.h"
#include "commands.h"
#include "trace/features.h"
#include "trace/session.h"
#include "util/log.h"

#define TOP_DEFAULT	   20
#define TOP_DETAIL_DEFAULT 3 /* processes */
#define TOP_SITES_DEFAULT  5

struct watch {
	struct leaks_options *options;
	struct session session;
	struct memory_watch *memory;
	struct leaks_sites *sites; /* NULL: only the trend */
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

static void say_what_it_means(struct watch *w, bool sites)
{
	out__blank(w->out);
	out__say(
		w->out,
		"HELD: anonymous memory, swapped out or not, which only the process can give back; of a cgroup "
		"shared memory, too.");
	if (sites)
		out__say(
			w->out,
			"A site holds pages that were touched since tracing began and are still there. Who "
			"needs new pages is not always who leaks: an allocator reuses what is freed, and asks "
			"for more on behalf of whoever comes when nothing is left.");
}

/* Of one that is stable there is nothing to look for. JSON has it all. */
static bool wants_sites(const struct watch *w, const struct watched *p)
{
	return w->sites && (w->options->common.json || p->growth.verdict == GROWTH_GROWING ||
			    p->growth.verdict == GROWTH_UNCLEAR);
}

/* One process in words, and where it grows. */
static int report_one(struct watch *w, const struct watched *p)
{
	const struct common_options *common = &w->options->common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_SITES_DEFAULT;

	leaks_report__story(w->out, p);
	return wants_sites(w, p) ? leaks_sites__report(w->sites, w->out, p->pid, top) : 0;
}

/* In detail: what grows, first; then, of targets, the others too. */
static int report_in_detail(struct watch *w)
{
	const struct common_options *common = &w->options->common;
	bool system_wide = leaks_options__is_system_wide(w->options), sites = false;
	const struct watched *lists[] = {memory_watch__processes(w->memory), memory_watch__ended(w->memory)};
	size_t left = common->top ? common->top : TOP_DETAIL_DEFAULT;
	int err = 0;

	if (left < common->target.pid_count)
		left = common->target.pid_count;
	for (size_t i = 0; i < 2; i++)
		for (const struct watched *p = lists[i]; p && (left || common->json) && !err;
		     p = p->hh.next) {
			if (system_wide && p->growth.verdict != GROWTH_GROWING)
				break;
			err = report_one(w, p);
			sites |= wants_sites(w, p);
			left -= left > 0;
		}
	say_what_it_means(w, sites);
	return err;
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
	int err = 0;

	memory_watch__judge(w->memory);
	if (common->interval_ns)
		report__interval(w->out, w->reported_until_s, now);
	say_what(w, now);
	if (leaks_options__is_system_wide(w->options))
		leaks_report__summary(w->out, w->memory);
	leaks_report__cgroup(w->out, memory_watch__cgroup(w->memory), last, w->session.began_ns);
	leaks_report__processes(w->out, w->memory, top, last, w->session.began_ns);
	if (last && w->sites)
		err = leaks_sites__finish(w->sites);
	if (last && !err)
		err = report_in_detail(w);
	tell_left_out(w);
	w->reported_until_s = now;
	return err ? err : report__flush(w->out);
}

static const struct report_words words = {
	"samples of processes",
	"sample of a process",
	{
		[LOSS_RING] =
			"system calls did not fit the ring buffer (--buffer): mappings were read again from "
			"/proc; call sites may be missing",
		[LOSS_MAP] = "touched pages found no room in the kernel's tables: call sites hold more",
		[LOSS_STACK] = "call stacks",
		[LOSS_NAMES] = "notices of processes that began or ended",
	},
};

static int report_end(struct watch *w)
{
	struct overhead overhead = {};
	struct loss loss = {};
	int err = 0;

	if (w->sites) {
		err = leaks_sites__loss(w->sites, &loss);
		leaks_sites__report_sampling(w->sites, w->out);
		leaks_sites__overhead(w->sites, session__measured_share(&w->session), &overhead);
	} else {
		overhead__read(NULL, 0, &overhead);
	}
	if (err)
		return err;
	report__end(w->out, &w->session, &words, memory_watch__samples(w->memory), &loss, &overhead);
	err = report__flush(w->out);
	return err || !w->sites ? err : leaks_sites__write_profile(w->sites);
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

static void before_draining(void *context)
{
	struct watch *w = context;

	if (w->sites)
		leaks_sites__follow_mappings(w->sites);
}

static int sample(void *context)
{
	struct watch *w = context;

	if (w->session.program.pid)
		memory_watch__add(w->memory, w->session.program.pid);
	memory_watch__sample(w->memory, session__now());
	return w->sites ? leaks_sites__sample(w->sites) : 0;
}

static bool is_over(void *context)
{
	struct watch *w = context;

	return memory_watch__is_over(w->memory);
}

static int collect(void *context)
{
	struct watch *w = context;

	if (!w->sites)
		return 0;
	leaks_sites__tell_processes(w->sites, w->memory);
	return leaks_sites__collect(w->sites);
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

/* Call sites add to the trend; without them it is still worth having, unless they were asked for. */
static int open_sites(struct watch *w)
{
	bool needed = stack_options__wants_profile(&w->options->stacks);

	if (w->options->stacks.mode == STACKS_OFF)
		return 0;
	if (!needed && !features__may_trace()) {
		log__warn(
			"no call sites: they need root, or CAP_BPF and CAP_PERFMON; the trend needs neither");
		return 0;
	}
	w->sites = leaks_sites__open(w->options, &w->session);
	if (w->sites)
		return 0;
	if (!needed)
		log__warn("no call sites, for this reason; the trend goes on without");
	return needed ? -EINVAL : 0;
}

static int open_all(struct watch *w)
{
	const struct common_options *common = &w->options->common;
	int err = target__check_pids(&common->target);

	if (!err)
		err = stack_options__open(&w->options->stacks);
	if (err)
		return err;
	w->out = options__output(common);
	if (!w->out)
		return -ENOMEM;
	w->memory = memory_watch__new(&common->target);
	if (!w->memory)
		return -EINVAL;
	w->session.duration_ns = common->duration_ns;
	w->session.interval_ns = common->interval_ns;
	w->session.before_draining = before_draining;
	w->session.after_draining = sample;
	w->session.draining_context = w;
	w->session.is_over = is_over;
	w->session.over_context = w;
	err = open_sites(w);
	w->session.measures_itself = !w->sites;
	w->session.reads_maps = w->sites;
	return err;
}

static int run(struct watch *w)
{
	int err;

	session__catch_signals();
	err = open_all(w);
	if (err)
		return err;
	report__start(w->out, "leaks");
	err = session__run(&w->session, &w->options->common.target,
			   w->sites ? leaks_sites__targets_fd(w->sites) : -1, &ops, w);
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
	leaks_sites__close(w.sites);
	memory_watch__free(w.memory);
	out__free(w.out);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
