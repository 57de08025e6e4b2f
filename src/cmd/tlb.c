/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace tlb: who flushes the TLB, who is interrupted for it, and what there is to be walked. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "cmd/options.h"
#include "cmd/report.h"
#include "cmd/tlb_report.h"
#include "commands.h"
#include "trace/session.h"
#include "trace/tlb_source.h"
#include "util/log.h"

#define TOP_DEFAULT 15
#define KEEP_EXITED 256 /* exited processes with rows of their own */
#define READ_EARLY  32	/* rows whose memory is read before they can end */

struct options {
	struct common_options common;
	struct tlb_source_options source;
	enum tlb_sort sort;
	uint64_t entries; /* 0: the processor tells */
};

struct tlb_command {
	struct options options;
	struct session session;
	struct features features;
	struct tlb_table *table;
	struct tlb_source *source;
	struct out *out;
	struct tlb_shape shape;
	bool shape_known;
	struct walk_counter *walks; /* NULL: none */
	int walks_err;
	uint64_t walks_shown[WALK_EVENTS];
	double reported_until_s;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_SORT = 0x2000, KEY_ENTRIES, KEY_MAX_PROCESSES };

static const struct argp_option tlb_options[] = {
	{"sort", KEY_SORT, "COLUMN", 0,
	 "Most first by this: flushes (default), sent, received, local, empty, switches, pgtables", 2},
	{"entries", KEY_ENTRIES, "N", 0, "What the TLB holds, where the processor does not tell", 4},
	{"max-processes", KEY_MAX_PROCESSES, "N", 0,
	 "Processes that the kernel side keeps apart at a time (default 8192)", 4},
	{},
};

static error_t take_sort(struct options *o, const char *name)
{
	static const char *const names[TLB_SORTS] = {
		[TLB_BY_FLUSHES] = "flushes",	[TLB_BY_SENT] = "sent",	  [TLB_BY_RECEIVED] = "received",
		[TLB_BY_LOCAL] = "local",	[TLB_BY_EMPTY] = "empty", [TLB_BY_SWITCHES] = "switches",
		[TLB_BY_PGTABLES] = "pgtables",
	};

	for (int i = 0; i < TLB_SORTS; i++) {
		if (strcmp(name, names[i]))
			continue;
		o->sort = i;
		return 0;
	}
	log__error("--sort: '%s' is none of flushes, sent, received, local, empty, switches and pgtables",
		   name);
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->common;
		return 0;
	case KEY_SORT:
		return take_sort(o, arg);
	case KEY_ENTRIES:
		return options__number("--entries", arg, 1, 1 << 20, &o->entries);
	case KEY_MAX_PROCESSES:
		return options__number("--max-processes", arg, 1, 1 << 20, &o->source.max_processes);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {}};
static const struct argp argp = {
	tlb_options,
	parse_option,
	"[-- PROGRAM [ARGS]]",
	"Counts flushes of the TLB by process and reason: who makes other CPUs flush, who is interrupted for it, and "
	"whose translations a context switch costs; and tells what huge pages and page tables leave to page walks. "
	"Collects until Ctrl-C, for SEC seconds (-d), or until PROGRAM ends, and then reports.",
	children,
	NULL,
	NULL,
};

/* --- reports ----------------------------------------------------------------------------------------------
 */

#ifdef __x86_64__
static struct cpuid_words cpuid(void *context, uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_words w = {};

	(void)context;
	__cpuid_count(leaf, subleaf, w.eax, w.ebx, w.ecx, w.edx);
	return w;
}
#endif

static void find_shape(struct tlb_command *c)
{
	if (c->options.entries) {
		c->shape = (struct tlb_shape){.either = c->options.entries};
		c->shape_known = true;
		return;
	}
#ifdef __x86_64__
	c->shape_known = tlb_shape__read(&c->shape, cpuid, NULL);
#endif
}

/* What the processor has counted since the last report. */
static struct tlb_walks take_walks(struct tlb_command *c)
{
	struct tlb_walks walks = {.is_known = c->walks, .err = c->walks_err};

	if (!c->walks)
		return walks;
	walk_counter__read(c->walks, walks.values, walks.has);
	for (int i = 0; i < WALK_EVENTS; i++) {
		uint64_t now = walks.values[i];

		/* Extrapolated, it may seem to shrink. */
		walks.values[i] -= now < c->walks_shown[i] ? now : c->walks_shown[i];
		c->walks_shown[i] = now;
	}
	return walks;
}

/* The rows, with the memory of those that are shown. */
static struct tlb_row *rows_with_memory(struct tlb_command *c, size_t top, size_t *n,
					struct tlb_memory_gaps *gaps)
{
	struct tlb_row *rows = tlb_table__rows(c->table, c->options.sort, n);
	int err;

	if (!rows) {
		log__error("no memory");
		return NULL;
	}
	err = tlb_memory__read(c->table, rows, *n, c->options.sort == TLB_BY_PGTABLES ? 0 : top, false, gaps);
	free(rows);
	return err ? NULL : tlb_table__rows(c->table, c->options.sort, n);
}

static void say_what(struct tlb_command *c, double now)
{
	char who[256];

	target__describe(&c->options.common.target, who, sizeof(who));
	if (c->options.common.interval_ns)
		report__interval(c->out, c->reported_until_s, now);
	if (c->reported_until_s > 0) {
		out__blank(c->out);
		out__say(c->out, "TLB flushes of %s, from %.1f to %.1f s", who, c->reported_until_s, now);
	} else {
		out__say(c->out, "TLB flushes of %s, %.1f s", who, now);
	}
}

/* What has come since the last report. */
static int report(void *context)
{
	struct tlb_command *c = context;
	const struct common_options *common = &c->options.common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_DEFAULT, n;
	struct tlb_memory_gaps gaps = {};
	struct tlb_walks walks;
	struct tlb_row *rows;
	double now, seconds;
	int err = tlb_source__collect(c->source, true, c->session.ended_ns);

	if (err)
		return err;
	now = session__seconds(&c->session);
	seconds = now - c->reported_until_s;
	walks = take_walks(c);
	rows = rows_with_memory(c, top, &n, &gaps);
	if (!rows)
		return -ENOMEM;
	say_what(c, now);
	c->reported_until_s = now;
	tlb_report__reasons(c->out, c->table, seconds);
	tlb_report__pages(c->out, c->table);
	tlb_report__processes(c->out, rows, n, top);
	tlb_report__memory(c->out, rows, n, top, c->shape_known ? &c->shape : NULL, &gaps);
	tlb_report__walks(c->out, &walks, seconds);
	tlb_report__findings(c->out, rows, n, seconds);
	free(rows);
	tlb_table__next_interval(c->table);
	return report__flush(c->out);
}

static const struct report_words words = {
	"flushes and loads",
	"flush or load",
	{
		[LOSS_RING] = "records",
		[LOSS_MAP] = "flushes are of processes that found no room (--max-processes); they count in "
			     "(other)",
		[LOSS_STACK] = "call stacks",
		[LOSS_NAMES] = "names",
	},
};

static int report_end(struct tlb_command *c)
{
	struct overhead overhead;
	struct loss loss;
	int err = tlb_source__loss(c->source, &loss);

	if (err)
		return err;
	tlb_source__overhead(c->source, session__measured_share(&c->session), &overhead);
	report__end(c->out, &c->session, &words, tlb_table__seen(c->table), &loss, &overhead);
	return report__flush(c->out);
}

/* --- the run ----------------------------------------------------------------------------------------------
 */

/* Of a process that ends before the report, its memory is known if it was read before. */
static int collect(void *context)
{
	struct tlb_command *c = context;
	struct tlb_memory_gaps gaps;
	struct tlb_row *rows;
	size_t n;
	int err = tlb_source__collect(c->source, false, false);

	if (err)
		return err;
	rows = tlb_table__rows(c->table, TLB_BY_FLUSHES, &n);
	if (!rows)
		return -ENOMEM;
	err = tlb_memory__read(c->table, rows, n, READ_EARLY, true, &gaps);
	free(rows);
	return err;
}

static bool needs_collecting(void *context)
{
	(void)context;
	return false;
}

static void status(void *context, char *buf, size_t size)
{
	struct tlb_command *c = context;

	snprintf(buf, size, "%" PRIu64 " flushes and loads", tlb_table__seen(c->table));
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static int open_all(struct tlb_command *c)
{
	const struct common_options *common = &c->options.common;
	int err = features__open(&c->features, common->without, common->btf);

	if (err)
		return err;
	c->table = tlb_table__new(KEEP_EXITED);
	if (!c->table) {
		log__error("no memory");
		return -ENOMEM;
	}
	c->out = options__output(common);
	if (!c->out)
		return -ENOMEM;
	c->session.duration_ns = common->duration_ns;
	c->session.interval_ns = common->interval_ns;
	find_shape(c);
	c->source = tlb_source__open(&c->options.source, &common->target, &c->features, c->table);
	if (!c->source)
		return -EINVAL;
	c->walks = walk_counter__open();
	c->walks_err = c->walks ? 0 : errno;
	return tlb_source__begin(c->source);
}

static int run(struct tlb_command *c)
{
	int err;

	session__catch_signals();
	err = open_all(c);
	if (err)
		return err;
	report__start(c->out, "tlb");
	err = session__run(&c->session, &c->options.common.target, tlb_source__targets_fd(c->source), &ops,
			   c);
	if (!err)
		err = report(c);
	return err ? err : report_end(c);
}

int cmd_tlb(int argc, char **argv)
{
	struct tlb_command c = {};
	int status_of_parsing = options__parse(&argp, argc, argv, &c.options, &c.options.common),
	    status_of_program, err;

	if (status_of_parsing >= 0) {
		target__free(&c.options.common.target);
		return status_of_parsing;
	}
	session__init(&c.session);
	err = run(&c);
	status_of_program = session__close(&c.session, err);
	tlb_source__close(c.source);
	walk_counter__close(c.walks);
	tlb_table__free(c.table);
	out__free(c.out);
	features__close(&c.features);
	target__free(&c.options.common.target);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
