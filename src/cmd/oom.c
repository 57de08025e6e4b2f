/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtrace oom: the flight recorder. Who was killed, for whose request, at which limit, and what led there.
 *
 * It has to work when memory is gone: what it needs is allocated and locked beforehand, and the kernel is
 * asked not to kill it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cmd/oom_before.h"
#include "cmd/oom_hook.h"
#include "cmd/oom_last.h"
#include "cmd/oom_report.h"
#include "cmd/growth_sites.h"
#include "cmd/options.h"
#include "cmd/report.h"
#include "cmd/stack_options.h"
#include "commands.h"
#include "model/oom_kill.h"
#include "proc/kmsg.h"
#include "proc/oom_log.h"
#include "trace/oom_source.h"
#include "util/log.h"

#define PENDING	      32	    /* kills whose end is awaited */
#define PATIENCE_NS   5000000000ull /* for a victim to end; the reaper comes after 2 s */
#define EXIT_GRACE_NS 1000000000ull /* for its memory to come back after that */
#define LOG_GRACE_NS  2000000000ull /* for the kernel to log a kill, on a slow console */
#define WATCH_NS      950000000ull  /* a little less than what the session counts as a second */
#define POLL_NS	      250000000ull  /* kills wake it at once */
#define HEAP_RESERVE  (8u << 20)
#define STACK_BYTES   8192 /* that are copied of a stack */

struct options {
	struct common_options common; /* first: common_argp's parser takes it */
	struct stack_options stacks;
	bool brief, last;
	const char *log, *exec;
};

struct pending {
	struct oom_kill kill;
	bool used;
	uint64_t exited_ns;
	bool is_logged; /* what the kernel's log has of it has been taken */
};

struct command {
	struct options options;
	struct session session;
	struct features features;
	struct oom_source *source;
	struct oom_hook hook;
	struct oom_before *before;
	struct growth_sites *sites; /* NULL: without --stacks */
	struct oom_log *log;	    /* NULL: the kernel's own cannot be read */
	int log_fd;
	struct out *out;
	struct pending pending[PENDING];
	size_t waiting;	      /* of them, that are used */
	struct oom_kill vmas; /* only its VMAs: of the victim whose record comes next */
	bool sees_freed;      /* this kernel tells when an address space is gone */
	uint64_t reported;
	uint64_t watch_ns; /* when to look at the processes again */
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_BRIEF = 0x2000, KEY_LOG, KEY_EXEC, KEY_LAST, KEY_STACKS };

static const struct argp_option own_options[] = {
	{"last", KEY_LAST, NULL, 0, "The kills that the kernel log still has, and end", 1},
	{"comm", KEY_COMM, "NAME", 0, "Only victims of this name", 1},
	{"cgroup", KEY_CGROUP, "PATH", 0, "Only victims in this memory cgroup and below", 1},
	{"duration", 'd', "SEC", 0, "Stop after SEC seconds", 2},
	{"brief", KEY_BRIEF, NULL, 0, "One line a kill, without the block under it", 3},
	{"log", KEY_LOG, "FILE", 0, "Also append each kill to FILE as JSON, and sync it to the disk", 3},
	{"exec", KEY_EXEC, "COMMAND", 0, "Run COMMAND with the shell for each kill, its JSON on stdin", 3},
	{"stacks", KEY_STACKS, "HOW", OPTION_ARG_OPTIONAL,
	 "Also the call sites at which the victim grew: auto (unwound as debuggers do), fp (by frame pointers), off",
	 3},
	{"output", 'o', "FILE", 0, "Write the report to FILE", 3},
	{"json", KEY_JSON, NULL, 0, "JSON Lines instead of text", 3},
	{"verbose", 'v', NULL, 0, "Say on stderr what is done, and what it takes", 3},
	{"btf", KEY_BTF, "FILE", 0, "Types of this kernel, where /sys/kernel/btf/vmlinux is hidden", 3},
	{"without", KEY_WITHOUT, "FEATURE[,FEATURE]", OPTION_HIDDEN, "Do as if the kernel did not have it",
	 3},
	{"help", KEY_HELP, NULL, 0, "Show this help", -1},
	{},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_BRIEF:
		o->brief = true;
		return 0;
	case KEY_LAST:
		o->last = true;
		return 0;
	case KEY_LOG:
		o->log = arg;
		return 0;
	case KEY_STACKS:
		return stack_options__mode(&o->stacks, arg);
	case KEY_EXEC:
		o->exec = arg;
		return 0;
	default:
		return common_argp.parser(key, arg, state);
	}
}

static const struct argp argp = {
	own_options,
	parse_option,
	NULL,
	"Tells of each OOM kill who died, who asked for the memory, which limit was hit, what the victim's memory "
	"consisted of, and what led there. Runs until Ctrl-C or for SEC seconds (-d).",
	NULL,
	NULL,
	NULL,
};

/* Returns -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int status = options__parse(&argp, argc, argv, o, &o->common);

	if (status >= 0)
		return status;
	if (o->common.target.program) {
		log__error("--: oom runs no program: it watches the machine");
		return EXIT_USAGE;
	}
	if (o->last &&
	    (o->log || o->exec || o->stacks.mode || o->common.duration_ns || o->common.target.cgroup)) {
		log__error(
			"--last tells of the past: it goes with none of -d, --cgroup, --log, --exec, --stacks");
		return EXIT_USAGE;
	}
	return -1;
}

/* --- to survive -------------------------------------------------------------------------------------------
 */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Memory that malloc() then has without asking the kernel. */
static void reserve_heap(void)
{
	char *heap;

	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	mallopt(M_MMAP_THRESHOLD, HEAP_RESERVE * 2);
	heap = malloc(HEAP_RESERVE);
	if (heap)
		memset(heap, 1, HEAP_RESERVE);
	free(heap);
}

static void protect(void)
{
	if (!write_file("/proc/self/oom_score_adj", "-1000"))
		log__verbose(
			"the OOM killer may kill memtrace itself: oom_score_adj cannot be set to -1000 (%s)",
			strerror(errno));
	reserve_heap();
	/* What is mapped later, of programs whose stacks are unwound, is locked as far as it is used. */
	if (mlockall(MCL_CURRENT) || mlockall(MCL_FUTURE | MCL_ONFAULT))
		log__verbose("memtrace's memory is not locked: %s", strerror(errno));
}

/* --- reporting --------------------------------------------------------------------------------------------
 */

static int report_kill(struct command *c, struct pending *p)
{
	size_t size = 0;
	char *json;

	p->used = false;
	c->waiting--;
	c->reported++;
	log__status(NULL);
	if (c->sites)
		growth_sites__name(c->sites, &p->kill);
	if (c->reported > 1 && !c->options.brief)
		out__blank(c->out);
	oom_report__kill(c->out, &p->kill, c->options.brief ? OOM_BRIEF : OOM_BLOCK);
	if (c->hook.log_fd >= 0 || c->hook.helper_fd >= 0) {
		json = oom_report__json(&p->kill, &size);
		if (json)
			oom_hook__tell(&c->hook, json, size);
		free(json);
	}
	growth_sites__forget(&p->kill);
	return report__flush(c->out);
}

/*
 * The kernel writes its last line after it has sent the signal: the victim may be gone by then. Of some it
 * writes nothing, when there are many.
 */
static bool awaits_log(const struct command *c, const struct pending *p, uint64_t now)
{
	const struct oom_kill *k = &p->kill;
	bool has_more = k->constraint != OOM_MEMCG || !k->decided;

	return c->log && !p->is_logged && !k->was_dying && has_more && now - k->time_ns < LOG_GRACE_NS;
}

/* Nothing more is to come, or it has been waited for long enough. */
static bool is_finished(const struct command *c, const struct pending *p, uint64_t now)
{
	const struct oom_kill *k = &p->kill;
	bool exited = k->exit_ns != OOM_UNKNOWN, freed = k->freed_ns != OOM_UNKNOWN || !c->sees_freed;

	if (awaits_log(c, p, now))
		return false;
	return (exited && freed) || now - k->time_ns > PATIENCE_NS ||
	       (p->exited_ns && now - p->exited_ns > EXIT_GRACE_NS);
}

/* What the kernel itself has logged of kills that are to be told. */
static void read_log(struct command *c)
{
	char line[KMSG_RECORD_MAX];
	struct oom_kill kill;
	uint64_t us;
	int err;

	while (c->log && ((err = kmsg__next(c->log_fd, line, sizeof(line), &us)) == 1 || err == -EPIPE)) {
		if (err != 1 || oom_log__line(c->log, line, us, &kill) != OOM_LOG_KILL)
			continue;
		for (size_t i = 0; i < PENDING; i++)
			if (c->pending[i].used && c->pending[i].kill.victim.pid == kill.victim.pid) {
				oom_kill__take_log(&c->pending[i].kill, &kill);
				c->pending[i].is_logged = true;
			}
	}
}

/* In the order of the kills. all: finished or not. */
static int report_finished(struct command *c, bool all)
{
	uint64_t now = session__now();
	struct pending *first;
	int err = 0;

	read_log(c);
	do {
		first = NULL;
		for (size_t i = 0; c->waiting && i < PENDING; i++)
			if (c->pending[i].used &&
			    (!first || c->pending[i].kill.time_ns < first->kill.time_ns))
				first = &c->pending[i];
		if (first && !all && !is_finished(c, first, now))
			first = NULL;
		if (first)
			err = report_kill(c, first);
	} while (first && !err);
	return err;
}

/* Room for a kill: if there is none, the oldest is told as it is. */
static struct pending *take_place(struct command *c, int *err)
{
	struct pending *oldest = &c->pending[0];

	for (size_t i = 0; i < PENDING; i++) {
		if (!c->pending[i].used)
			return &c->pending[i];
		if (c->pending[i].kill.time_ns < oldest->kill.time_ns)
			oldest = &c->pending[i];
	}
	*err = report_kill(c, oldest);
	return oldest;
}

/* --- records ----------------------------------------------------------------------------------------------
 */

static int take_vma(void *context, const struct vma_record *record)
{
	struct command *c = context;

	oom_kill__add_vma(&c->vmas, record);
	return 0;
}

static uint64_t wall_time_of(uint64_t monotonic_ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec - (session__now() - monotonic_ns);
}

static int take_kill(void *context, const struct oom_kill_record *record)
{
	struct command *c = context;
	struct pending *p;
	int err = 0;

	for (size_t i = 0; i < PENDING; i++) {
		if (!c->pending[i].used || !oom_kill__same_event(&c->pending[i].kill, record))
			continue;
		oom_kill__add_victim(&c->pending[i].kill, record);
		c->vmas.vmas_kept = 0;
		return 0;
	}
	p = take_place(c, &err);
	if (err)
		return err;
	p->used = true;
	c->waiting++;
	p->exited_ns = 0;
	p->is_logged = false;
	oom_kill__from_record(&p->kill, record);
	p->kill.wall_ns = wall_time_of(record->time_ns);
	memcpy(p->kill.vmas, c->vmas.vmas, sizeof(p->kill.vmas));
	p->kill.vmas_kept = c->vmas.vmas_kept;
	c->vmas.vmas_kept = 0;
	oom_before__tell(c->before, c->source, c->log, record, &p->kill);
	if (c->sites)
		growth_sites__tell(c->sites, c->source, &record->victim.process, &p->kill);
	return session__drained_enough(&c->session) ? -EAGAIN : 0;
}

static int take_step(void *context, const struct oom_step_record *record)
{
	struct command *c = context;

	for (size_t i = 0; i < PENDING; i++) {
		struct pending *p = &c->pending[i];
		struct oom_kill *k = &p->kill;
		uint64_t ns = record->time_ns - k->time_ns;

		if (!p->used || (k->victim.pid != record->pid && k->victim.tid != record->pid))
			continue;
		if (record->step == OOM_EXITED) {
			k->exit_ns = ns;
			p->exited_ns = record->time_ns;
		} else if (record->step == OOM_FREED) {
			k->freed_ns = ns;
		} else if (record->step == OOM_REAPED) {
			k->reaped_ns = ns;
		} else if (record->step == OOM_NOT_TAKEN) {
			k->not_taken = true;
		}
	}
	return 0;
}

static int take_stack(void *context, const struct stack_record *record, size_t size)
{
	struct command *c = context;

	growth_sites__take(c->sites, record, size);
	return session__drained_enough(&c->session) ? -EAGAIN : 0;
}

/* --- while it runs ----------------------------------------------------------------------------------------
 */

static int collect(void *context)
{
	struct command *c = context;
	uint64_t now = session__now();
	int err = 0;

	if (now >= c->watch_ns) {
		c->watch_ns = now + WATCH_NS;
		oom_source__next_second(c->source);
		err = oom_before__watch(c->before, c->source);
		if (err)
			log__error("cannot list the processes: %s", strerror(-err));
	}
	return err ? err : report_finished(c, false);
}

/* After each look at the ring: a kill whose end is known. */
static bool needs_collecting(void *context)
{
	struct command *c = context;
	uint64_t now = session__now();

	for (size_t i = 0; c->waiting && i < PENDING; i++)
		if (c->pending[i].used && is_finished(c, &c->pending[i], now))
			return true;
	return false;
}

static int report(void *context)
{
	(void)context;
	return 0;
}

static void status(void *context, char *buf, size_t size)
{
	struct command *c = context;

	uint64_t kills = oom_source__kills(c->source);

	snprintf(buf, size, "%" PRIu64 " OOM kill%s", kills, kills == 1 ? "" : "s");
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static const struct report_words words = {
	"OOM kills",
	"OOM kill",
	{
		[LOSS_RING] = "OOM kills were counted but not told: the ring buffer was full",
		[LOSS_MAP] =
			"requests could not be remembered: who ran out of memory is not told of some kills",
		[LOSS_STACK] = "call stacks of growing processes",
		[LOSS_NAMES] = "mappings of victims, or what became of them",
	},
};

static int report_end(struct command *c)
{
	struct overhead overhead;
	struct loss loss;
	int err = session__drain(&c->session, true);

	if (!err)
		err = report_finished(c, true);
	if (!err)
		err = oom_source__loss(c->source, &loss);
	if (err)
		return err;
	oom_source__overhead(c->source, &overhead);
	report__end(c->out, &c->session, &words, oom_source__kills(c->source), &loss, &overhead);
	return report__flush(c->out);
}

static void follow_mappings(void *context)
{
	struct command *c = context;

	growth_sites__follow(c->sites);
}

/* Before anything is attached: what is mapped then is read from /proc, what comes later is told. */
static int open_sites(struct command *c)
{
	if (c->options.stacks.mode == STACKS_OFF)
		return 0;
	c->sites = growth_sites__open();
	c->session.reads_maps = true;
	c->session.before_draining = follow_mappings;
	c->session.draining_context = c;
	return c->sites ? 0 : -EINVAL;
}

static int open_source(struct command *c)
{
	struct oom_handlers handlers = {take_vma, take_kill, take_step, take_stack, c};
	struct oom_source_options options = {STACK_NONE, STACK_BYTES};

	if (c->sites)
		options.stacks = c->options.stacks.mode == STACKS_FP ? STACK_BY_FRAME_POINTER : STACK_BY_COPY;
	c->source =
		oom_source__open(&options, &c->options.common.target, &c->features, &c->session, &handlers);
	return c->source ? 0 : -EINVAL;
}

/* It adds to what is known, and is not needed. */
static void open_log(struct command *c)
{
	c->log_fd = c->features.kernel_log ? kmsg__open(true) : -ENOENT;
	if (c->log_fd < 0) {
		log__verbose("the kernel log cannot be read: %s", strerror(-c->log_fd));
		return;
	}
	c->log = oom_log__new();
}

static int open_all(struct command *c)
{
	int err = features__open(&c->features, c->options.common.without, c->options.common.btf);

	if (!err)
		err = oom_hook__open(&c->hook, c->options.log, c->options.exec);
	if (err)
		return err;
	c->out = options__output(&c->options.common);
	if (!c->out)
		return -ENOMEM;
	c->session.duration_ns = c->options.common.duration_ns;
	c->session.poll_ns = POLL_NS;
	c->session.measures_itself = true;
	c->session.locks_memory = true;
	c->sees_freed = features__has_tracepoint(&c->features, "exit_mmap");
	c->before = oom_before__new();
	if (!c->before)
		return -ENOMEM;
	open_log(c);
	err = open_sites(c);
	if (!err)
		err = open_source(c);
	if (err)
		return err;
	oom_before__warn();
	protect();
	return collect(c);
}

static int run(struct command *c)
{
	int err;

	session__catch_signals();
	err = open_all(c);
	if (err)
		return err;
	report__start(c->out, "oom");
	err = session__run(&c->session, &c->options.common.target, oom_source__targets_fd(c->source), &ops,
			   c);
	return err ? err : report_end(c);
}

int cmd_oom(int argc, char **argv)
{
	struct command *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		log__error("no memory");
		return EXIT_FAILED;
	}
	c->hook.log_fd = c->hook.helper_fd = c->log_fd = -1;
	err = parse(&c->options, argc, argv);
	if (err >= 0) {
		target__free(&c->options.common.target);
		free(c);
		return err;
	}
	if (c->options.last) {
		err = oom_last__run(&c->options.common, c->options.brief ? OOM_BRIEF : OOM_BLOCK);
		target__free(&c->options.common.target);
		free(c);
		return err && err != -EPIPE ? EXIT_FAILED : EXIT_OK;
	}
	session__init(&c->session);
	err = run(c);
	session__close(&c->session, err);
	oom_source__close(c->source);
	oom_before__free(c->before);
	growth_sites__close(c->sites);
	oom_log__free(c->log);
	if (c->log_fd >= 0)
		close(c->log_fd);
	if (oom_hook__close(&c->hook) && !err)
		err = -EIO;
	out__free(c->out);
	features__close(&c->features);
	target__free(&c->options.common.target);
	free(c);
	return err && err != -EPIPE ? EXIT_FAILED : EXIT_OK;
}
