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
#include "cmd/stack_options.h"
#include "cmd/stack_profile.h"
#include "cmd/stack_report.h"
#include "commands.h"
#include "trace/fault_source.h"
#include "trace/stacks.h"
#include "util/log.h"

#define TOP_DEFAULT	   20
#define TOP_STACKS_DEFAULT 5
#define BUFFER_KIB_DEFAULT 4096
#define BUFFER_KIB_STACKS  16384
#define KEEP_EXITED	   256 /* exited processes with rows of their own */
#define KEEP_SIGNALS	   256 /* bad accesses listed in one report */

struct options {
	struct common_options common;
	struct stack_options stacks;
	struct fault_source_options source;
	enum minor_timing latency;
};

/* A bad access, and its call stack if there is one. */
struct bad_access {
	struct signal_record record;
	struct fault_stack_shown stack;
};

struct faults {
	struct options options;
	struct session session;
	struct features features;
	struct fault_table *table;
	struct fault_source *source;
	struct out *out;
	struct stacks *stacks;
	struct recent_codes codes;
	struct stack_profile *profile; /* NULL: no file is to be written */
	struct bad_access *signals;    /* since the last report */
	size_t signal_count, signals_left_out;
	uint64_t unattributed_shown;
	double reported_until_s;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_LATENCY = 0x2000, KEY_KINDS, KEY_EVENTS, KEY_MIN_LATENCY, KEY_MAJOR, KEY_BUFFER, KEY_MAX_VMAS };

static const struct argp_option fault_options[] = {
	{"latency", KEY_LATENCY, "all", OPTION_ARG_OPTIONAL,
	 "Time minor faults, too: percentiles and histograms (implies --kinds). Where a CPU has more than 100,000 a "
	 "second, every 16th; with =all every one",
	 0},
	{"kinds", KEY_KINDS, NULL, 0, "Tell the kinds exactly, by the RSS counters that each fault changes",
	 0},
	{"events", KEY_EVENTS, NULL, 0,
	 "One line a fault, as it happens (timed if major; all with --latency)", 0},
	{"major", KEY_MAJOR, NULL, 0, "With --events: only major faults", 0},
	{"min-latency", KEY_MIN_LATENCY, "USEC", 0, "With --events: only faults that took at least so long",
	 0},
	{"buffer", KEY_BUFFER, "KIB", 0,
	 "With --events or --stacks: size of the ring buffer (default 4096; with --stacks 16384)", 0},
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
		state->child_inputs[1] = &o->stacks;
		break;
	case KEY_LATENCY:
		if (arg && strcmp(arg, "all") != 0) {
			log__error("--latency: \"%s\" is not \"all\"", arg);
			return EINVAL;
		}
		o->latency = arg ? MINOR_TIMED : MINOR_SAMPLED;
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

static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {&stack_argp, 0, NULL, 0}, {}};
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

/* With --events each fault that is shown has its stack. */
static void set_stacks(struct options *o)
{
	static const enum stack_method methods[] = {
		[STACKS_OFF] = STACK_NONE,
		[STACKS_AUTO] = STACK_BY_COPY,
		[STACKS_FP] = STACK_BY_FRAME_POINTER,
		[STACKS_DWARF] = STACK_BY_COPY,
	};

	o->source.stacks = methods[o->stacks.mode];
	o->source.every_stack = o->stacks.mode != STACKS_AUTO || o->source.events;
	o->source.kernel_stacks = o->stacks.kernel;
	o->source.stack_bytes = o->stacks.copy_bytes;
}

/* Returns -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int status = options__parse(&argp, argc, argv, o, &o->common);

	if (status >= 0)
		return status;
	if (!stack_options__check(&o->stacks))
		return EXIT_USAGE;
	if (!o->source.events && (o->source.major_only || o->source.min_latency_ns)) {
		log__error("%s goes with --events", o->source.major_only ? "--major" : "--min-latency");
		return EXIT_USAGE;
	}
	if (!o->source.events && !o->stacks.mode && o->source.buffer_bytes) {
		log__error("--buffer goes with --events or --stacks");
		return EXIT_USAGE;
	}
	if (o->source.events && o->common.interval_ns) {
		log__error("-i, --interval and --events exclude each other");
		return EXIT_USAGE;
	}
	if (o->latency)
		o->source.exact_kinds = true;
	o->source.complete =
		o->source.exact_kinds || (o->source.events && (o->source.min_latency_ns || o->stacks.mode));
	o->source.time_minor = o->source.events && o->source.complete ? MINOR_TIMED : o->latency;
	if (!o->source.buffer_bytes)
		o->source.buffer_bytes = (o->stacks.mode ? BUFFER_KIB_STACKS : BUFFER_KIB_DEFAULT) * 1024;
	set_stacks(o);
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
	for (size_t i = 0; i < f->signal_count; i++) {
		faults_report__signal(f->out, f->table, &f->signals[i].record, &f->signals[i].stack,
				      f->stacks);
		free(f->signals[i].stack.frames);
	}
	if (f->signals_left_out)
		out__say(f->out, "(%zu more, counted above)", f->signals_left_out);
	f->signal_count = f->signals_left_out = 0;
}

static void report_latency(struct faults *f)
{
	struct fault_latency latencies[CLASSES][2];

	for (unsigned class = 0; class < CLASSES; class ++)
		for (int major = 0; major < 2; major++)
			fault_source__class_latency(f->source, class, major, &latencies[class][major], true);
	faults_report__latency(f->out, latencies, f->options.latency != MINOR_UNTIMED);
}

/* What this report shows goes into the profile of the whole run, too. */
static int report_stacks(struct faults *f)
{
	const struct common_options *common = &f->options.common;
	size_t n, top = common->top ? common->top : common->json ? 0 : TOP_STACKS_DEFAULT;
	struct fault_stack *rows;
	uint64_t samples = 0;
	int err = 0;

	if (!f->options.stacks.mode)
		return 0;
	rows = fault_stacks__list(f->table, &n);
	if (!f->options.source.events || common->json)
		faults_report__stacks(f->out, f->stacks, rows, n, top, fault_table__total(f->table)->faults);
	for (size_t i = 0; i < n && f->profile && !err; i++)
		err = stack_profile__add(f->profile, rows[i].process->key.tgid, rows[i].process->comm,
					 rows[i].stack, rows[i].faults);
	for (size_t i = 0; i < n; i++)
		samples += rows[i].samples;
	stack_report__sampling(f->out, f->stacks, "faults", fault_table__total(f->table)->faults, samples);
	free(rows);
	return err;
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
		report__interval(f->out, f->reported_until_s, now);
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
	err = report_stacks(f);
	if (err)
		return err;
	if (!f->options.source.events)
		report_latency(f);
	report_signals(f);
	report_unattributed(f);
	fault_table__next_interval(f->table);
	return report__flush(f->out);
}

static const struct stack_profile_words profile_words = {"Page faults of", "faults", "count"};

static const struct report_words words = {
	"faults",
	"fault",
	{
		[LOSS_RING] = "records did not fit the ring buffer (--buffer); they are counted",
		[LOSS_MAP] = "faults found no room for their VMA (--max-vmas); they count in (other)",
		[LOSS_STACK] = "call stacks",
		[LOSS_NAMES] = "names of VMAs or details of signals; the counts are there",
	},
};

static int report_end(struct faults *f)
{
	struct overhead overhead;
	struct loss loss;
	int err = fault_source__loss(f->source, &loss);

	if (err)
		return err;
	fault_source__overhead(f->source, session__measured_share(&f->session), &overhead);
	report__end(f->out, &f->session, &words,
		    fault_table__seen(f->table) + fault_source__unattributed(f->source), &loss, &overhead);
	err = report__flush(f->out);
	return err || !f->profile
		       ? err
		       : stack_profile__write(f->profile, f->stacks, &f->options.stacks, &f->session,
					      &f->options.common.target, 1, &profile_words);
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

/* The stack that has just come, if it is the one of this event. */
static struct fault_stack_shown stack_of(struct faults *f, uint32_t tid, uint64_t time_ns)
{
	struct fault_stack_shown shown = {};

	if (f->options.stacks.mode)
		shown.frames = stacks__frames(f->stacks, stacks__last(f->stacks, tid, time_ns), true,
					      &shown.count, &shown.note);
	return shown;
}

static int take_fault(void *context, const struct fault_record *record, const struct vma_row *vma)
{
	struct faults *f = context;
	struct fault_stack_shown stack = stack_of(f, record->tid, record->time_ns);

	faults_report__event(f->out, &f->codes, record, vma, f->session.began_ns, &stack);
	free(stack.frames);
	return 0;
}

/* What came together is written together: a system call a line would cost more than the line. */
static int show_events(void *context)
{
	struct faults *f = context;

	recent_codes__forget(&f->codes);
	return report__flush(f->out);
}

static int take_stack(void *context, const struct stack_record *record, size_t size, bool of_signal)
{
	struct faults *f = context;
	uint32_t stack = stacks__take(f->stacks, record, size);

	if (!of_signal)
		fault_table__add_stack(f->table, &record->key, stack, record->weight);
	return 0;
}

static int take_signal(void *context, const struct signal_record *record)
{
	struct faults *f = context;

	struct bad_access bad = {.record = *record, .stack = stack_of(f, record->tid, record->time_ns)};

	if (f->signal_count < KEEP_SIGNALS && !f->options.source.events) {
		f->signals[f->signal_count++] = bad;
		return 0;
	}
	if (f->options.source.events)
		faults_report__signal(f->out, f->table, record, &bad.stack, f->stacks);
	else
		f->signals_left_out++;
	free(bad.stack.frames);
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

static void follow_mappings(void *context)
{
	struct faults *f = context;

	stacks__follow(f->stacks);
}

static int open_stacks(struct faults *f)
{
	bool follow = f->options.stacks.mode != STACKS_OFF || f->options.source.events;

	f->stacks = stacks__open(follow);
	if (!f->stacks)
		return -EINVAL;
	if (!follow)
		return 0;
	f->session.reads_maps = true;
	f->session.before_draining = follow_mappings;
	f->session.draining_context = f;
	if (!stack_options__wants_profile(&f->options.stacks))
		return 0;
	f->profile = stack_profile__new();
	if (!f->profile)
		log__error("no memory");
	return f->profile ? 0 : -ENOMEM;
}

static int open_all(struct faults *f)
{
	struct fault_handlers handlers = {take_fault, take_signal, take_stack, f};
	int err = features__open(&f->features, f->options.common.without, f->options.common.btf);

	if (!err)
		err = stack_options__open(&f->options.stacks);
	if (!err)
		err = open_stacks(f);
	if (err)
		return err;
	f->table = fault_table__new(KEEP_EXITED);
	f->signals = calloc(KEEP_SIGNALS, sizeof(*f->signals));
	f->out = options__output(&f->options.common);
	if (!f->table || !f->signals)
		log__error("no memory");
	if (!f->table || !f->signals || !f->out)
		return -ENOMEM;
	f->codes.stacks = f->stacks;
	if (f->options.source.events) {
		f->session.after_draining = show_events;
		f->session.draining_context = f;
	}
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
	for (size_t i = 0; i < f.signal_count; i++)
		free(f.signals[i].stack.frames);
	free(f.signals);
	stack_profile__free(f.profile);
	stacks__close(f.stacks);
	stack_options__close(&f.options.stacks);
	out__free(f.out);
	features__close(&f.features);
	target__free(&f.options.common.target);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
