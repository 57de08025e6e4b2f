/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace brk-vs-mmap: what a process has obtained of address space, through which call, and what became of
 * it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/brk_vs_mmap_report.h"
#include "cmd/ledger_source.h"
#include "cmd/options.h"
#include "cmd/report.h"
#include "cmd/stack_options.h"
#include "cmd/stack_profile.h"
#include "cmd/stack_report.h"
#include "commands.h"
#include "util/log.h"

#define TOP_DEFAULT	   20
#define TOP_DETAIL_DEFAULT 1 /* processes in detail */
#define TOP_SITES_DEFAULT  5
#define BUFFER_KIB_DEFAULT 4096
#define BUFFER_KIB_STACKS  16384
#define KEEP_ENDED	   256 /* processes that have ended, with ledgers of their own */

struct options {
	struct common_options common;
	struct stack_options stacks;
	struct alloc_source_options source;
	bool events, smaps;
};

struct command {
	struct options options;
	struct session session;
	struct features features;
	struct ledger_source source;
	struct out *out;
	struct stacks *stacks;
	struct stack_profile *profile; /* NULL: no file is to be written */
	double reported_until_s;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_EVENTS = 0x2000, KEY_SMAPS, KEY_BUFFER };

static const struct argp_option own_options[] = {
	{"events", KEY_EVENTS, NULL, 0, "One line a call, as it returns", 0},
	{"smaps", KEY_SMAPS, NULL, 0,
	 "Read /proc/PID/smaps for the report: resident memory as the kernel has it", 0},
	{"buffer", KEY_BUFFER, "KIB", 0, "Size of the ring buffer (default 4096; with stacks 16384)", 0},
	{},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	uint64_t value = 0;
	int err = 0;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		state->child_inputs[1] = &o->stacks;
		break;
	case KEY_EVENTS:
		o->events = true;
		break;
	case KEY_SMAPS:
		o->smaps = true;
		break;
	case KEY_BUFFER:
		err = options__number("--buffer", arg, 1, 1 << 20, &value);
		o->source.buffer_bytes = value * 1024;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return err;
}

static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {&stack_argp, 0, NULL, 0}, {}};
static const struct argp argp = {
	own_options,
	parse_option,
	"[-- PROGRAM [ARGS]]",
	"The ledger of a process's address space: what brk and mmap obtained and returned, from where, and how much of "
	"it was ever touched. Collects until Ctrl-C, for SEC seconds (-d), or until PROGRAM ends, and then reports.",
	children,
	NULL,
	NULL,
};

static bool is_system_wide(const struct common_options *common)
{
	const struct target *t = &common->target;

	return !t->pid_count && !t->program && !t->comm && !t->cgroup;
}

/* Returns -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int status = options__parse(&argp, argc, argv, o, &o->common);

	if (status >= 0)
		return status;
	/* Of the whole machine no stacks, unless they are asked for. */
	if (!o->stacks.chosen && !is_system_wide(&o->common))
		o->stacks.mode = STACKS_AUTO;
	if (!stack_options__check(&o->stacks))
		return EXIT_USAGE;
	if (o->events && o->common.interval_ns) {
		log__error("-i, --interval and --events exclude each other");
		return EXIT_USAGE;
	}
	if (!o->source.buffer_bytes)
		o->source.buffer_bytes = (o->stacks.mode ? BUFFER_KIB_STACKS : BUFFER_KIB_DEFAULT) * 1024;
	ledger_source__choose_stacks(&o->source, &o->stacks);
	if (o->events && o->stacks.mode) /* each call that is shown has its own */
		o->source.every_stack = true;
	return -1;
}

/* --- reports ----------------------------------------------------------------------------------------------
 */

static int by_growth(const void *a, const void *b)
{
	const struct process_ledger *p = *(struct process_ledger *const *)a,
				    *q = *(struct process_ledger *const *)b;
	int64_t m = process_ledger__net(p), n = process_ledger__net(q);

	if (p->ended != q->ended)
		return p->ended ? 1 : -1;
	if (m != n)
		return m > n ? -1 : 1;
	if (p->calls != q->calls)
		return p->calls > q->calls ? -1 : 1;
	return p->key.tgid < q->key.tgid ? -1 : p->key.tgid > q->key.tgid;
}

/*
 * Those that did something, or were asked for by -p: first those that run, which still have what they
 * obtained; most growth first. The caller frees it.
 */
static struct process_ledger **rows_of(struct command *c, size_t *n)
{
	struct process_ledger *s = process_ledgers__all(c->source.ledgers), **rows;
	bool all = c->options.common.target.pid_count;

	*n = 0;
	rows = s ? calloc(HASH_COUNT(s), sizeof(*rows)) : NULL;
	for (; s && rows; s = s->hh.next)
		if (all || s->calls || s->is_32bit)
			rows[(*n)++] = s;
	if (rows)
		qsort(rows, *n, sizeof(*rows), by_growth);
	return rows;
}

static int report_in_detail(struct command *c, struct process_ledger *s)
{
	const struct common_options *common = &c->options.common;
	struct ledger_report r;
	int err = process_ledger__report(s, &r);

	if (err)
		return err;
	brk_vs_mmap__compare(c->out, s, &r);
	brk_vs_mmap__findings(c->out, s, &r);
	brk_vs_mmap__growth(c->out, &r);
	brk_vs_mmap__sizes(c->out, s);
	brk_vs_mmap__calls(c->out, s);
	brk_vs_mmap__failures(c->out, s);
	if (c->options.stacks.mode)
		brk_vs_mmap__sites(c->out, s, &r, c->stacks,
				   common->top	  ? common->top
				   : common->json ? 0
						  : TOP_SITES_DEFAULT);
	brk_vs_mmap__mappings(c->out, s);
	ledger_report__free(&r);
	return 0;
}

static int add_to_profile(struct command *c, const struct process_ledger *s)
{
	int err = 0;

	if (!c->profile || s->shares)
		return 0;
	for (const struct ledger_site *site = ledger__sites(s->ledger); site && !err; site = site->hh.next)
		err = stack_profile__add(c->profile, s->key.tgid, s->comm, site->site,
					 site->account.obtained);
	return err;
}

static void report_folded(struct command *c)
{
	const struct folded_ledgers *f = process_ledgers__folded(c->source.ledgers);
	char obtained[32], returned[32];

	if (!f->processes)
		return;
	out__format_bytes(f->obtained_bytes, obtained, sizeof(obtained));
	out__format_bytes(f->returned_bytes, returned, sizeof(returned));
	out__say(c->out,
		 "%" PRIu64 " more processes have ended: %" PRIu64 " calls, %s obtained, %s returned.",
		 f->processes, f->calls, obtained, returned);
}

static void say_what(struct command *c, double now)
{
	char who[256];

	target__describe(&c->options.common.target, who, sizeof(who));
	if (c->options.events || c->reported_until_s > 0)
		out__blank(c->out);
	out__say(c->out, "Address space of %s, %.1f s", who, now);
}

/* All that is known, since tracing began. With -i, in between, only the processes. */
static int report_all(struct command *c, bool last)
{
	const struct common_options *common = &c->options.common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_DEFAULT, n, running = 0, detail;
	struct process_ledger **rows = rows_of(c, &n);
	int err = 0;

	while (running < n && !rows[running]->ended)
		running++;
	detail = is_system_wide(common) && !common->json ? 0 : common->json ? n : TOP_DETAIL_DEFAULT;
	if (common->target.pid_count && detail < common->target.pid_count)
		detail = common->target.pid_count;
	if (common->json || common->interval_ns || n > 1 || !detail) {
		brk_vs_mmap__processes(c->out, rows, running, top);
		brk_vs_mmap__processes(c->out, rows + running, n - running, top);
	}
	report_folded(c);
	if (!detail && last)
		out__say(c->out, "-p PID tells one of them in detail.");
	for (size_t i = 0; i < n && last; i++) {
		if (i < detail && !err)
			err = report_in_detail(c, rows[i]);
		if (!err)
			err = add_to_profile(c, rows[i]);
	}
	free(rows);
	return err;
}

static int report(void *context)
{
	struct command *c = context;
	double now = session__seconds(&c->session);
	bool last = c->session.ended_ns;
	int err;

	if (last)
		alloc_source__stop(c->source.alloc);
	err = session__drain(&c->session, last);
	if (!err)
		err = ledger_source__collect(&c->source);
	if (err)
		return err;
	if (last && c->options.smaps)
		process_ledgers__read_smaps(c->source.ledgers);
	if (c->options.common.interval_ns)
		report__interval(c->out, c->reported_until_s, now);
	say_what(c, now);
	err = report_all(c, last);
	c->reported_until_s = now;
	return err ? err : report__flush(c->out);
}

static const struct stack_profile_words profile_words = {"Address space obtained by", "obtained", "bytes"};

static const struct report_words words = {
	"calls",
	"call",
	{
		[LOSS_RING] =
			"calls did not fit the ring buffer (--buffer): they are counted, but have no size "
			"class, stack or time; mappings were read again from /proc",
		[LOSS_MAP] =
			"calls or touched pages found no room in the kernel's tables: resident memory is too low",
		[LOSS_STACK] = "call stacks",
		[LOSS_NAMES] = "names of files, or notices of processes that began or ended",
	},
};

static int report_end(struct command *c)
{
	struct overhead overhead;
	struct loss loss;
	int err = alloc_source__loss(c->source.alloc, &loss);

	if (err)
		return err;
	if (c->options.stacks.mode && c->source.calls_for_stacks)
		stack_report__sampling(c->out, c->stacks,
				       c->options.source.every_stack ? "calls" : "calls that obtain memory",
				       c->source.calls_for_stacks, c->source.stacks_taken);
	alloc_source__overhead(c->source.alloc, session__measured_share(&c->session), &overhead);
	report__end(c->out, &c->session, &words, alloc_source__calls(c->source.alloc), &loss, &overhead);
	err = report__flush(c->out);
	return err || !c->profile
		       ? err
		       : stack_profile__write(c->profile, c->stacks, &c->options.stacks, &c->session,
					      &c->options.common.target, 1, &profile_words);
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

static int show_call(void *context, struct process_ledger *space, const struct call_record *record,
		     uint32_t site, const struct mapped_file *file)
{
	struct command *c = context;
	struct call_stack_shown stack = {};

	if (site)
		stack.frames = stacks__frames(c->stacks, site, true, &stack.count, &stack.note);
	brk_vs_mmap__event(c->out, space, record, file, c->session.began_ns, &stack);
	free(stack.frames);
	return 0;
}

/* What came together is written together: a system call a line would cost more than the line. */
static int show_events(void *context)
{
	struct command *c = context;

	return report__flush(c->out);
}

static int collect(void *context)
{
	struct command *c = context;

	return ledger_source__collect(&c->source);
}

static bool needs_collecting(void *context)
{
	(void)context;
	return false;
}

static void status(void *context, char *buf, size_t size)
{
	struct command *c = context;
	struct loss loss = {};

	alloc_source__loss(c->source.alloc, &loss);
	snprintf(buf, size, "%" PRIu64 " calls, %" PRIu64 " lost", alloc_source__calls(c->source.alloc),
		 loss.causes[LOSS_RING] + loss.causes[LOSS_MAP] + loss.missed);
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static void follow_mappings(void *context)
{
	struct command *c = context;

	stacks__follow(c->stacks);
}

static int open_stacks(struct command *c)
{
	bool follow = c->options.stacks.mode != STACKS_OFF;
	int err = stack_options__open(&c->options.stacks);

	if (err || !follow)
		return err;
	c->stacks = stacks__open(true);
	if (!c->stacks)
		return -EINVAL;
	c->session.reads_maps = true;
	c->session.before_draining = follow_mappings;
	c->session.draining_context = c;
	if (!stack_options__wants_profile(&c->options.stacks))
		return 0;
	c->profile = stack_profile__new();
	if (!c->profile)
		log__error("no memory");
	return c->profile ? 0 : -ENOMEM;
}

static int open_all(struct command *c)
{
	struct ledger_handlers handlers = {c->options.events ? show_call : NULL, NULL, c};
	int err = features__open(&c->features, c->options.common.without, c->options.common.btf);

	if (!err)
		err = open_stacks(c);
	if (err)
		return err;
	c->out = options__output(&c->options.common);
	if (!c->out)
		return -ENOMEM;
	if (c->options.events) {
		c->session.after_draining = show_events;
		c->session.draining_context = c;
	}
	c->session.duration_ns = c->options.common.duration_ns;
	c->session.interval_ns = c->options.common.interval_ns;
	c->source.stacks = c->stacks;
	return ledger_source__open(&c->source, &c->options.source, &c->options.common.target, &c->features,
				   &c->session, &handlers, KEEP_ENDED);
}

static int run(struct command *c)
{
	int err;

	session__catch_signals();
	err = open_all(c);
	if (err)
		return err;
	report__start(c->out, "brk-vs-mmap");
	err = session__run(&c->session, &c->options.common.target, alloc_source__targets_fd(c->source.alloc),
			   &ops, c);
	if (!err)
		err = report(c);
	return err ? err : report_end(c);
}

int cmd_brk_vs_mmap(int argc, char **argv)
{
	struct command c = {};
	int status_of_parsing = parse(&c.options, argc, argv), status_of_program, err;

	if (status_of_parsing >= 0) {
		target__free(&c.options.common.target);
		return status_of_parsing;
	}
	session__init(&c.session);
	err = run(&c);
	status_of_program = session__close(&c.session, err);
	ledger_source__close(&c.source);
	stack_profile__free(c.profile);
	stacks__close(c.stacks);
	stack_options__close(&c.options.stacks);
	out__free(c.out);
	features__close(&c.features);
	target__free(&c.options.common.target);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
