/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace reclaim: who had to find memory itself, for how long, and what went to swap for it. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/options.h"
#include "cmd/reclaim_report.h"
#include "cmd/report.h"
#include "cmd/stack_options.h"
#include "cmd/stack_profile.h"
#include "cmd/stack_report.h"
#include "cmd/vm_rates.h"
#include "commands.h"
#include "proc/cgroup.h"
#include "proc/file.h"
#include "trace/fault_source.h"
#include "trace/reclaim_source.h"
#include "trace/stacks.h"
#include "util/log.h"

#define COUNT(array)	   (sizeof(array) / sizeof((array)[0]))
#define TOP_DEFAULT	   10
#define BUFFER_KIB_DEFAULT 4096
#define BUFFER_KIB_STACKS  16384
#define KEEP_GONE	   256 /* processes that have ended and have rows of their own */

struct options {
	struct common_options common;
	struct stack_options stacks;
	struct reclaim_source_options source;
	bool no_faults;
};

/* Counters of the machine, or of the cgroup that was asked for, as a text. */
struct counters {
	const char *title;
	char path[PATH_MAX];
	char *shown; /* when the last report was made */
};

struct reclaim {
	struct options options;
	struct session session;
	struct features features;
	struct reclaim_table *table;
	struct reclaim_source *source;
	struct fault_table *fault_table;
	struct fault_source *faults; /* NULL: not traced */
	struct out *out;
	struct stacks *stacks;
	struct stack_profile *profile; /* NULL: no file is to be written */
	struct counters machine, cgroup;
	uint64_t ended; /* stalls in all reports */
	double reported_until_s;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_EVENTS = 0x2000, KEY_MIN_LATENCY, KEY_BUFFER, KEY_MAX_ROWS, KEY_NO_FAULTS };

static const struct argp_option reclaim_options[] = {
	{"events", KEY_EVENTS, NULL, 0, "One line for each reclaim and compaction, when it ends", 0},
	{"min-latency", KEY_MIN_LATENCY, "USEC", 0, "With --events: only those that took at least so long",
	 0},
	{"no-faults", KEY_NO_FAULTS, NULL, 0, "Do not trace page faults: swap-ins are not told by process",
	 0},
	{"buffer", KEY_BUFFER, "KIB", 0,
	 "With --events or --stacks: size of the ring buffer (default 4096; with --stacks 16384)", 0},
	{"max-rows", KEY_MAX_ROWS, "N", 0,
	 "Rows that the kernel side keeps apart between two readings (default 4096)", 0},
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
		o->source.events = true;
		break;
	case KEY_MIN_LATENCY:
		err = options__number("--min-latency", arg, 1, 1000000000, &value);
		o->source.min_latency_ns = value * 1000;
		break;
	case KEY_NO_FAULTS:
		o->no_faults = true;
		break;
	case KEY_BUFFER:
		err = options__number("--buffer", arg, 1, 1 << 20, &value);
		o->source.buffer_bytes = value * 1024;
		break;
	case KEY_MAX_ROWS:
		err = options__number("--max-rows", arg, 1, 1 << 20, &o->source.max_rows);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return err;
}

static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {&stack_argp, 0, NULL, 0}, {}};
static const struct argp argp = {
	reclaim_options,
	parse_option,
	"[-- PROGRAM [ARGS]]",
	"Shows who had to find free memory itself: direct and memcg reclaim, compaction, the time they took and what "
	"they got; kswapd; what was swapped out of which process and read back. Collects until Ctrl-C, for SEC "
	"seconds (-d), or until PROGRAM ends, and then reports.",
	children,
	NULL,
	NULL,
};

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
	if (!o->source.events && o->source.min_latency_ns) {
		log__error("--min-latency goes with --events");
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
	if (!o->source.buffer_bytes)
		o->source.buffer_bytes = (o->stacks.mode ? BUFFER_KIB_STACKS : BUFFER_KIB_DEFAULT) * 1024;
	set_stacks(o);
	return -1;
}

/* --- counters of the machine ------------------------------------------------------------------------------
 */

static const struct vm_rate rates[] = {
	{"allocstall_", "allocations that had to reclaim"},
	{"pgscan", "pages looked at"},
	{"pgscan_direct", "pages that tasks looked at themselves"},
	{"pgscan_kswapd", "pages that kswapd looked at"},
	{"pgsteal", "pages freed"},
	{"pgsteal_direct", "pages that tasks freed themselves"},
	{"pgsteal_kswapd", "pages that kswapd freed"},
	{"pgscan_direct_throttle", "tasks made to wait for kswapd"},
	{"pswpin", "pages read from swap"},
	{"pswpout", "pages written to swap"},
	{"workingset_refault_anon", "pages swapped out and soon missed"},
	{"workingset_refault_file", "pages of files dropped and soon missed"},
	{"workingset_activate_file", "of those, that were in use"},
	{"pgmajfault", "faults that read from disk or swap"},
	{"compact_stall", "allocations that had to compact"},
	{"compact_fail", "and got no block"},
	{"compact_success", "and got one"},
	{"compact_daemon_wake", "times that kcompactd woke"},
	{"thp_swpout_fallback", "huge pages split to be swapped out"},
	{"oom_kill", "processes killed"},
};

static int open_counters(struct reclaim *r)
{
	const char *cgroup = r->options.common.target.cgroup;
	char dir[PATH_MAX * 2];
	uint64_t id;
	bool is_v1;
	int err;

	r->machine.title = "What the machine did";
	snprintf(r->machine.path, sizeof(r->machine.path), "/proc/vmstat");
	r->machine.shown = file__read(r->machine.path, NULL);
	if (!cgroup)
		return 0;
	err = cgroup__find_dir(cgroup, dir, sizeof(dir), &id, &is_v1);
	if (err)
		return err;
	r->cgroup.title = "What the cgroup did";
	if (snprintf(r->cgroup.path, sizeof(r->cgroup.path), "%s/memory.stat", dir) < PATH_MAX)
		r->cgroup.shown = file__read(r->cgroup.path, NULL);
	return 0;
}

static void report_counters(struct reclaim *r, struct counters *c, double seconds)
{
	char *now = c->shown ? file__read(c->path, NULL) : NULL;

	if (!now)
		return;
	vm_rates__print(r->out, c->title, rates, COUNT(rates), c->shown, now, seconds, true);
	free(c->shown);
	c->shown = now;
}

/* --- reports ----------------------------------------------------------------------------------------------
 */

static bool is_gone(const struct process_key *process)
{
	return kill(process->tgid, 0) && errno == ESRCH;
}

static int collect_faults(struct reclaim *r, enum collect what)
{
	return r->faults ? fault_source__collect(r->faults, what) : 0;
}

static int collect(void *context)
{
	struct reclaim *r = context;
	int err = reclaim_source__collect(r->source, false);

	if (err)
		return err;
	reclaim_table__fold(r->table, is_gone);
	return collect_faults(r, COLLECT_COUNTS);
}

static bool needs_collecting(void *context)
{
	struct reclaim *r = context;

	return r->faults && fault_source__needs_collecting(r->faults);
}

static int add_to_profile(struct reclaim *r)
{
	size_t n;
	struct reclaim_row **rows = reclaim_table__rows(r->table, WORKS_STALL | 1u << WORK_COMPACTION, &n);
	int err = 0;

	for (size_t i = 0; i < n; i++)
		for (const struct stack_count *c = rows[i]->stacks; c && !err; c = c->hh.next)
			err = stack_profile__add(r->profile, rows[i]->key.process.tgid, rows[i]->comm,
						 c->stack, c->weight);
	free(rows);
	return err;
}

static int report_stacks(struct reclaim *r, const struct reclaim_view *view)
{
	uint64_t samples;

	if (!r->options.stacks.mode)
		return 0;
	samples = reclaim_report__stacks(r->out, view, r->stacks);
	stack_report__sampling(r->out, r->stacks, "stalls",
			       reclaim_table__sum(r->table, WORKS_STALL | 1u << WORK_COMPACTION).count,
			       samples);
	return r->profile ? add_to_profile(r) : 0;
}

static void report_head(struct reclaim *r, double now)
{
	char who[256];

	target__describe(&r->options.common.target, who, sizeof(who));
	if (r->options.source.events || r->reported_until_s > 0)
		out__blank(r->out);
	if (r->options.common.interval_ns)
		out__say(r->out, "Reclaim for %s, from %.1f to %.1f s", who, r->reported_until_s, now);
	else
		out__say(r->out, "Reclaim for %s, %.1f s", who, now);
}

/* What has come since the last report. */
static int report(void *context)
{
	struct reclaim *r = context;
	const struct common_options *common = &r->options.common;
	bool last = r->session.ended_ns;
	double now = session__seconds(&r->session);
	struct reclaim_view view = {
		.table = r->table,
		.source = r->source,
		.faults = r->fault_table,
		.swap_outs_known = r->options.source.swap_outs,
		.seconds = now - r->reported_until_s,
		.now_ns = session__now(),
		.top = common->top    ? common->top
		       : common->json ? 0
				      : TOP_DEFAULT,
	};
	int err = reclaim_source__collect(r->source, last);

	if (!err)
		err = session__drain(&r->session, last);
	if (!err)
		err = collect_faults(r, last ? COLLECT_LAST : COLLECT_REPORT);
	if (err)
		return err;
	reclaim_table__fold(r->table, is_gone);
	if (r->fault_table)
		fault_table__settle(r->fault_table);
	if (common->interval_ns)
		report__interval(r->out, r->reported_until_s, now);
	report_head(r, now);
	reclaim_report__findings(r->out, &view);
	reclaim_report__stalls(r->out, &view);
	if (!r->options.source.events)
		reclaim_report__latency(r->out, &view);
	reclaim_report__under_way(r->out, &view);
	reclaim_report__throttling(r->out, &view);
	reclaim_report__swap(r->out, &view);
	reclaim_report__kswapd(r->out, &view);
	reclaim_report__cgroups(r->out, &view);
	report_counters(r, &r->cgroup, view.seconds);
	report_counters(r, &r->machine, view.seconds);
	err = report_stacks(r, &view);
	if (err)
		return err;
	r->reported_until_s = now;
	r->ended += reclaim_table__sum(r->table, WORKS_STALL | 1u << WORK_COMPACTION).count;
	reclaim_table__next_interval(r->table);
	if (r->fault_table)
		fault_table__next_interval(r->fault_table);
	return report__flush(r->out);
}

static const struct stack_profile_words profile_words = {"Reclaim stalls of", "stalls", "nanoseconds"};

static const struct report_words words = {
	"stalls",
	"stall",
	{
		[LOSS_RING] = "lines did not fit the ring buffer (--buffer); they are counted",
		[LOSS_MAP] = "found no room of their own (--max-rows); they count in (other), or not at all",
		[LOSS_STACK] = "call stacks",
		[LOSS_NAMES] = "names of cgroups or VMAs; the counts are there",
	},
};

static int read_loss(struct reclaim *r, struct loss *loss)
{
	struct loss of_faults = {};
	int err = reclaim_source__loss(r->source, loss);

	if (!err && r->faults)
		err = fault_source__loss(r->faults, &of_faults);
	for (int i = 0; i < LOSS_CAUSES; i++)
		loss->causes[i] += of_faults.causes[i];
	loss->missed += of_faults.missed;
	return err;
}

static void read_overhead(struct reclaim *r, struct overhead *overhead)
{
	double share = session__measured_share(&r->session);
	struct overhead of_faults = {};

	reclaim_source__overhead(r->source, share, overhead);
	if (!r->faults)
		return;
	fault_source__overhead(r->faults, share, &of_faults);
	overhead->bpf_ns += of_faults.bpf_ns;
	overhead->map_bytes += of_faults.map_bytes;
}

static int report_end(struct reclaim *r)
{
	struct overhead overhead;
	struct loss loss;
	int err = read_loss(r, &loss);

	if (err)
		return err;
	read_overhead(r, &overhead);
	report__end(r->out, &r->session, &words, r->ended, &loss, &overhead);
	err = report__flush(r->out);
	return err || !r->profile
		       ? err
		       : stack_profile__write(r->profile, r->stacks, &r->options.stacks, &r->session,
					      &r->options.common.target, 1, &profile_words);
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

static int take_ended(void *context, const struct reclaim_record *record)
{
	struct reclaim *r = context;
	struct reclaim_stack_shown stack = {};
	uint32_t id = STACK_UNKNOWN;

	if (record->weight) {
		id = stacks__last(r->stacks, record->tid, record->ended_ns);
		if (!reclaim_table__add_stack(r->table, &record->work.key, id, record->weight, record->ns))
			return -ENOMEM;
	}
	if (!r->options.source.events)
		return 0;
	if (record->weight)
		stack.frames = stacks__frames(r->stacks, id, true, &stack.count, &stack.note);
	reclaim_report__event(r->out, r->source, record, r->session.began_ns, &stack);
	free(stack.frames);
	return 0;
}

static int take_stack(void *context, const struct stack_record *record, size_t size)
{
	struct reclaim *r = context;

	stacks__take(r->stacks, record, size);
	return 0;
}

static void follow_mappings(void *context)
{
	struct reclaim *r = context;

	if (r->stacks)
		stacks__follow(r->stacks);
}

static int show_events(void *context)
{
	struct reclaim *r = context;

	return r->options.source.events ? report__flush(r->out) : 0;
}

static void status(void *context, char *buf, size_t size)
{
	struct reclaim *r = context;
	struct loss loss = {};

	read_loss(r, &loss);
	snprintf(buf, size, "%" PRIu64 " stalls, %" PRIu64 " lost",
		 r->ended + reclaim_table__sum(r->table, WORKS_STALL | 1u << WORK_COMPACTION).count,
		 loss.causes[LOSS_RING] + loss.causes[LOSS_MAP] + loss.missed);
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static int open_stacks(struct reclaim *r)
{
	if (!r->options.stacks.mode)
		return 0;
	r->stacks = stacks__open(true);
	if (!r->stacks)
		return -EINVAL;
	stacks__keep_exceptions(r->stacks); /* whose work most reclaim is */
	if (!stack_options__wants_profile(&r->options.stacks))
		return 0;
	r->profile = stack_profile__new();
	if (!r->profile)
		log__error("no memory");
	return r->profile ? 0 : -ENOMEM;
}

static int open_faults(struct reclaim *r)
{
	struct fault_source_options options = {};
	struct fault_handlers handlers = {};

	if (r->options.no_faults)
		return 0;
	r->fault_table = fault_table__new(KEEP_GONE);
	if (!r->fault_table) {
		log__error("no memory");
		return -ENOMEM;
	}
	r->faults = fault_source__open(&options, &r->options.common.target, &r->features, &r->session,
				       r->fault_table, &handlers);
	return r->faults ? fault_source__begin(r->faults) : -EINVAL;
}

/* Where nothing can be swapped out, the RSS counters need not be watched. */
static bool has_swap(void)
{
	char *swaps = file__read("/proc/swaps", NULL), *first = swaps ? strchr(swaps, '\n') : NULL;
	bool has = first && first[1];

	free(swaps);
	return has;
}

static int open_all(struct reclaim *r)
{
	struct reclaim_handlers handlers = {take_ended, take_stack, r};
	int err = features__open(&r->features, r->options.common.without, r->options.common.btf);

	if (!err)
		err = stack_options__open(&r->options.stacks);
	if (!err)
		err = open_stacks(r);
	if (!err)
		err = open_counters(r);
	if (err)
		return err;
	r->table = reclaim_table__new(KEEP_GONE);
	r->out = options__output(&r->options.common);
	if (!r->table)
		log__error("no memory");
	if (!r->table || !r->out)
		return -ENOMEM;
	r->session.reads_maps = r->stacks;
	r->session.before_draining = follow_mappings;
	r->session.after_draining = show_events;
	r->session.draining_context = r;
	r->session.duration_ns = r->options.common.duration_ns;
	r->session.interval_ns = r->options.common.interval_ns;
	r->options.source.swap_outs = has_swap();
	err = open_faults(r);
	if (err)
		return err;
	r->source = reclaim_source__open(&r->options.source, &r->options.common.target, &r->features,
					 &r->session, r->table, &handlers);
	if (!r->source)
		return -EINVAL;
	reclaim_source__begin(r->source);
	return 0;
}

static int run(struct reclaim *r)
{
	int err;

	session__catch_signals();
	err = open_all(r);
	if (err)
		return err;
	report__start(r->out, "reclaim");
	err = session__run(&r->session, &r->options.common.target, reclaim_source__targets_fd(r->source),
			   &ops, r);
	if (!err)
		err = report(r);
	return err ? err : report_end(r);
}

static void close_all(struct reclaim *r)
{
	reclaim_source__close(r->source);
	fault_source__close(r->faults);
	fault_table__free(r->fault_table);
	reclaim_table__free(r->table);
	stack_profile__free(r->profile);
	stacks__close(r->stacks);
	stack_options__close(&r->options.stacks);
	features__close(&r->features);
	free(r->machine.shown);
	free(r->cgroup.shown);
	out__free(r->out);
	target__free(&r->options.common.target);
}

int cmd_reclaim(int argc, char **argv)
{
	struct reclaim r = {};
	int status_of_parsing = parse(&r.options, argc, argv), status_of_program, err;

	if (status_of_parsing >= 0) {
		target__free(&r.options.common.target);
		return status_of_parsing;
	}
	session__init(&r.session);
	err = run(&r);
	status_of_program = session__close(&r.session, err);
	close_all(&r);
	if (err)
		return err == -EPIPE ? EXIT_OK : EXIT_FAILED;
	return status_of_program;
}
