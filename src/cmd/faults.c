/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace faults: who faults, where and why. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/faults_report.h"
#include "cmd/options.h"
#include "cmd/report.h"
#include "commands.h"
#include "trace/fault_source.h"
#include "util/log.h"

#define TOP_DEFAULT	   20
#define BUFFER_KIB_DEFAULT 4096
#define KEEP_EXITED	   256 /* exited processes with rows of their own */
#define KEEP_SIGNALS	   256 /* bad accesses listed in one report */

struct options {
	struct common_options common;
	struct fault_source_options source;
	bool latency;
};

struct faults {
	struct options options;
	struct session session;
	struct features features;
	struct fault_table *table;
	struct fault_source *source;
	struct out *out;
	struct signal_record *signals; /* since the last report */
	size_t signal_count, signals_left_out;
	uint64_t unattributed_shown;
	double reported_until_s;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_LATENCY = 0x2000, KEY_KINDS, KEY_EVENTS, KEY_MIN_LATENCY, KEY_MAJOR, KEY_BUFFER, KEY_MAX_VMAS };

static const struct argp_option fault_options[] = {
	{"latency", KEY_LATENCY, NULL, 0,
	 "Time every fault, not only major ones: percentiles and histograms (implies --kinds)", 0},
	{"kinds", KEY_KINDS, NULL, 0, "Tell the kinds exactly, by the RSS counters that each fault changes",
	 0},
	{"events", KEY_EVENTS, NULL, 0, "One line a fault, as it happens", 0},
	{"major", KEY_MAJOR, NULL, 0, "With --events: only major faults", 0},
	{"min-latency", KEY_MIN_LATENCY, "USEC", 0, "With --events: only faults that took at least so long",
	 0},
	{"buffer", KEY_BUFFER, "KIB", 0, "With --events: size of the ring buffer (default 4096)", 0},
	{"max-vmas", KEY_MAX_VMAS, "N", 0,
	 "VMAs that the kernel side keeps apart between two readings (default: by CPUs)", 0},
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
		break;
	case KEY_LATENCY:
		o->latency = true;
		break;
	case KEY_KINDS:
		o->source.exact_kinds = true;
		break;
	case KEY_EVENTS:
		o->source.events = true;
		break;
	case KEY_MAJOR:
		o->source.major_only = true;
		break;
	case KEY_MIN_LATENCY:
		err = options__number("--min-latency", arg, 1, 1000000000, &value);
		o->source.min_latency_ns = value * 1000;
		break;
	case KEY_BUFFER:
		err = options__number("--buffer", arg, 1, 1 << 20, &value);
		o->source.buffer_bytes = value * 1024;
		break;
	case KEY_MAX_VMAS:
		err = options__number("--max-vmas", arg, 1, 1 << 20, &o->source.max_vmas);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return err;
}

static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {}};
static const struct argp argp = {
	fault_options,
	parse_option,
	"[-- PROGRAM [ARGS]]",
	"Counts page faults per process and VMA: minor and major, by what caused them, and explains SIGSEGV and SIGBUS. "
	"Collects until Ctrl-C, for SEC seconds (-d), or until PROGRAM ends, and then reports.",
	children,
	NULL,
	NULL,
};

/* Returns -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int status = options__parse(&argp, argc, argv, o, &o->common);

	if (status >= 0)
		return status;
	if (!o->source.events &&
	    (o->source.major_only || o->source.min_latency_ns || o->source.buffer_bytes)) {
		log__error("%s goes with --events", o->source.major_only       ? "--major"
						    : o->source.min_latency_ns ? "--min-latency"
									       : "--buffer");
		return EXIT_USAGE;
	}
	if (o->source.events && o->common.interval_ns) {
		log__error("-i, --interval and --events exclude each other");
		return EXIT_USAGE;
	}
	if (o->latency)
		o->source.exact_kinds = true;
	o->source.complete = o->source.exact_kinds || o->source.events;
	if (!o->source.buffer_bytes)
		o->source.buffer_bytes = BUFFER_KIB_DEFAULT * 1024;
	return -1;
}

/* --- reports ----------------------------------------------------------------------------------------------
 */

static void report_signals(struct faults *f)
{
	if (f->signal_count) {
		out__blank(f->out);
		out__say(f->out, "Bad accesses");
	}
	for (size_t i = 0; i < f->signal_count; i++)
		faults_report__signal(f->out, f->table, &f->signals[i]);
	if (f->signals_left_out)
		out__say(f->out, "(%zu more, counted above)", f->signals_left_out);
	f->signal_count = f->signals_left_out = 0;
}

static void report_latency(struct faults *f)
{
	struct histogram h[CLASSES][2];

	for (unsigned class = 0; class < CLASSES; class ++)
		for (int major = 0; major < 2; major++)
			fault_source__class_latency(f->source, class, major, &h[class][major], true);
	faults_report__latency(f->out, h, f->options.latency);
}

static void report_unattributed(struct faults *f)
{
	uint64_t n = fault_source__unattributed(f->source) - f->unattributed_shown;

	if (n)
		log__warn("%" PRIu64 " faults belong to no row: too many processes at once", n);
	f->unattributed_shown += n;
}

/* What has come since the last report. */
static int report(void *context)
{
	struct faults *f = context;
	const struct common_options *common = &f->options.common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_DEFAULT;
	char who[256];
	double now;
	int err;

	err = fault_source__collect(f->source, f->session.ended_ns ? COLLECT_LAST : COLLECT_REPORT);
	if (err)
		return err;
	fault_table__settle(f->table);
	target__describe(&common->target, who, sizeof(who));
	now = session__seconds(&f->session);
	if (common->interval_ns)
		faults_report__interval(f->out, f->reported_until_s, now);
	if (f->options.source.events || f->reported_until_s > 0)
		out__blank(f->out);
	if (f->reported_until_s > 0)
		out__say(f->out, "Page faults of %s, from %.1f to %.1f s", who, f->reported_until_s, now);
	else
		out__say(f->out, "Page faults of %s, %.1f s", who, now);
	f->reported_until_s = now;
	faults_report__processes(f->out, f->table, top);
	if (!f->options.source.events || common->json) {
		faults_report__kinds(f->out, f->table);
		faults_report__vmas(f->out, f->table, top);
	}
	if (!f->options.source.events)
		report_latency(f);
	report_signals(f);
	report_unattributed(f);
	fault_table__next_interval(f->table);
	return report__flush(f->out);
}

static int report_end(struct faults *f)
{
	struct overhead overhead;
	struct loss loss;
	int err = fault_source__loss(f->source, &loss);

	if (err)
		return err;
	fault_source__overhead(f->source, session__measured_share(&f->session), &overhead);
	report__end(f->out, &f->session, fault_table__seen(f->table) + fault_source__unattributed(f->source),
		    &loss, &overhead);
	return report__flush(f->out);
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

static int take_fault(void *context, const struct fault_record *record)
{
	struct faults *f = context;

	faults_report__event(f->out, f->table, record, f->session.began_ns);
	return report__flush(f->out);
}

static int take_signal(void *context, const struct signal_record *record)
{
	struct faults *f = context;

	if (f->options.source.events) {
		faults_report__signal(f->out, f->table, record);
		return report__flush(f->out);
	}
	if (f->signal_count < KEEP_SIGNALS)
		f->signals[f->signal_count++] = *record;
	else
		f->signals_left_out++;
	return 0;
}

static int collect(void *context)
{
	struct faults *f = context;

	return fault_source__collect(f->source, COLLECT_COUNTS);
}

static bool needs_collecting(void *context)
{
	struct faults *f = context;

	return fault_source__needs_collecting(f->source);
}

static void status(void *context, char *buf, size_t size)
{
	struct faults *f = context;
	struct loss loss = {};

	fault_source__loss(f->source, &loss);
	snprintf(buf, size, "%" PRIu64 " faults, %" PRIu64 " lost", fault_table__seen(f->table),
		 loss.causes[LOSS_RING] + loss.causes[LOSS_MAP] + loss.causes[LOSS_NAMES] + loss.missed);
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static int open_all(struct faults *f)
{
	struct fault_handlers handlers = {take_fault, take_signal, f};
	int err = features__open(&f->features);

	if (err)
		return err;
	f->table = fault_table__new(KEEP_EXITED);
	f->signals = calloc(KEEP_SIGNALS, sizeof(*f->signals));
	f->out = options__output(&f->options.common);
	if (!f->table || !f->signals)
		log__error("no memory");
	if (!f->table || !f->signals || !f->out)
		return -ENOMEM;
	f->session.duration_ns = f->options.common.duration_ns;
	f->session.interval_ns = f->options.common.interval_ns;
	f->source = fault_source__open(&f->options.source, &f->options.common.target, &f->features,
				       &f->session, f->table, &handlers);
	return f->source ? fault_source__begin(f->source) : -EINVAL;
}

static int run(struct faults *f)
{
	int err;

	session__catch_signals();
	err = open_all(f);
	if (err)
		return err;
	report__start(f->out, "faults");
	err = session__run(&f->session, &f->options.common.target, fault_source__targets_fd(f->source), &ops,
			   f);
	if (!err)
		err = report(f);
	return err ? err : report_end(f);
}

int cmd_faults(int argc, char **argv)
{
	struct faults f = {};
	int status_of_parsing = parse(&f.options, argc, argv), status_of_program, err;

	if (status_of_parsing >= 0) {
		target__free(&f.options.common.target);
		return status_of_parsing;
	}
	session__init(&f.session);
	err = run(&f);
	status_of_program = session__close(&f.session, err);
	fault_source__close(f.source);
	fault_table__free(f.table);
	free(f.signals);
	out__free(f.out);
	features__close(&f.features);
	target__free(&f.options.common.target);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
