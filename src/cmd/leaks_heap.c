/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace leaks --heap: blocks that allocators have handed out and that were not freed, by call site. */
#include "cmd/leaks_heap.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/leaks.h"
#include "cmd/leaks_heap_report.h"
#include "cmd/report.h"
#include "cmd/stack_report.h"
#include "commands.h"
#include "model/heap_table.h"
#include "trace/heap_source.h"
#include "trace/stacks.h"
#include "trace/privileges.h"
#include "util/log.h"
#include "util/number.h"

#define TOP_DEFAULT  10
#define BUFFER_KIB   16384
#define OBJECTS_MAX  256
#define SAMPLE_LEAST 256
#define SAMPLE_MOST  (1u << 30)
#define STEPS_MAX    SYM_STACK_MAX
#define BLOCKS_MOST  (1u << 26)

struct heap_command {
	struct leaks_options *options;
	struct session session;
	struct features features;
	struct heap_source *source;
	struct heap_table *table;
	struct stacks *maps;   /* what processes map is needed in any case */
	struct stacks *stacks; /* the same; NULL: none are taken */
	struct out *out;
	uint64_t now_ns;      /* of the report */
	uint64_t late;	      /* processes that were probed after they had begun */
	uint64_t missed;      /* those that ended before they were */
	bool must_sweep;      /* images have ended */
	bool must_look;	      /* processes have mapped code */
	bool is_probed_ahead; /* the program after --, before it was exec'd */
	int err;	      /* of a callback that cannot return it */
	double reported_until_s;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum {
	KEY_HEAP = 0x4000,
	KEY_OLDER,
	KEY_MIN_SIZE,
	KEY_MAX_SIZE,
	KEY_SAMPLE,
	KEY_BLOCKS,
	KEY_OBJECT,
	KEY_PREFIX,
	KEY_EVERYWHERE,
};

static const struct argp_option heap_options[] = {
	{"heap", KEY_HEAP, NULL, 0,
	 "Blocks that malloc and its like handed out and that were not freed, by call stack", 5},
	{"older", KEY_OLDER, "SEC", 0, "With --heap or --kernel: only blocks that are older at the report",
	 5},
	{"min-size", KEY_MIN_SIZE, "BYTES", 0, "With --heap: only blocks of at least BYTES", 5},
	{"max-size", KEY_MAX_SIZE, "BYTES", 0, "With --heap: only blocks of at most BYTES", 5},
	{"sample", KEY_SAMPLE, "BYTES", 0, "With --heap: a sample, one byte in BYTES on average", 5},
	{"blocks", KEY_BLOCKS, "N", 0,
	 "With --heap or --kernel: room for N outstanding blocks (default 1048576, 262144)", 5},
	{"object", KEY_OBJECT, "FILE", 0, "With --heap: the allocator in this file only", 5},
	{"prefix", KEY_PREFIX, "TEXT", 0, "With --heap: its functions have this prefix (je_)", 5},
	{"everywhere", KEY_EVERYWHERE, NULL, 0,
	 "With --heap: probe every process, so that children are watched from their first instruction", 5},
	{},
};

static int parse_text(const char *option, const char *text, const char **value)
{
	if (!*text) {
		log__error("%s: an empty name", option);
		return EINVAL;
	}
	*value = text;
	return 0;
}

static error_t parse_heap_option(int key, char *arg, struct argp_state *state)
{
	struct leaks_heap_options *o = state->input;

	switch (key) {
	case KEY_HEAP:
		o->heap = true;
		return 0;
	case KEY_OLDER:
		return options__seconds("--older", arg, &o->older_ns);
	case KEY_MIN_SIZE:
		return options__number("--min-size", arg, 0, INT64_MAX, &o->min_size);
	case KEY_MAX_SIZE:
		return options__number("--max-size", arg, 1, INT64_MAX, &o->max_size);
	case KEY_SAMPLE:
		return options__number("--sample", arg, SAMPLE_LEAST, SAMPLE_MOST, &o->sample_bytes);
	case KEY_BLOCKS:
		return options__number("--blocks", arg, 1, BLOCKS_MOST, &o->blocks);
	case KEY_EVERYWHERE:
		o->everywhere = true;
		return 0;
	case KEY_OBJECT:
		return parse_text("--object", arg, &o->object);
	case KEY_PREFIX:
		return parse_text("--prefix", arg, &o->prefix);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp leaks_heap_argp = {heap_options, parse_heap_option, NULL, NULL, NULL, NULL, NULL};

bool leaks_heap__check(const struct leaks_options *options)
{
	const struct leaks_heap_options *o = &options->heap;

	if (!o->heap) {
		bool kernel = options->kernel.kernel;
		const char *alone = o->older_ns && !kernel ? "--older"
				    : o->min_size	   ? "--min-size"
				    : o->max_size	   ? "--max-size"
				    : o->sample_bytes	   ? "--sample"
				    : o->blocks && !kernel ? "--blocks"
				    : o->object		   ? "--object"
				    : o->everywhere	   ? "--everywhere"
				    : o->prefix		   ? "--prefix"
							   : NULL;

		if (alone)
			log__error("%s goes with --heap", alone);
		return !alone;
	}
	if (leaks_options__is_system_wide(options)) {
		log__error(
			"--heap: of which processes? Every malloc of theirs is trapped: name them by -p, --comm or "
			"--cgroup, or give a program after --");
		return false;
	}
	if (o->max_size && o->max_size < o->min_size) {
		log__error("--max-size: %" PRIu64 " is less than --min-size", o->max_size);
		return false;
	}
	if (options->stacks.mode == STACKS_FP || options->stacks.kernel) {
		log__error("%s does not go with --heap, which follows user stacks by unwind information",
			   options->stacks.kernel ? "--kernel-stacks" : "--stacks=fp");
		return false;
	}
	return true;
}

/* --- processes --------------------------------------------------------------------------------------------
 */

static struct heap_process short_key(const struct process_key *key)
{
	return (struct heap_process){.tgid = key->tgid, .image = key->image};
}

/* n: as heap_probes__attach() has it. is_late: it may have allocated something before. */
static void note_probed(struct heap_command *c, struct heap_image *image, int n, bool is_late)
{
	if (n < 0)
		log__verbose("cannot probe %u: %s", image->process.tgid, strerror(-n));
	if (n <= 0 || image->is_probed)
		return;
	image->is_probed = true;
	c->late += is_late && !c->options->heap.everywhere;
}

/* What the former program has allocated is gone. Its probes have stayed, and are good for the new one's
 * libraries. */
static void replace_image(struct heap_command *c, struct heap_image *image, uint64_t now_ns)
{
	struct heap_process process = image->process;
	struct heap_image *former;

	process.image--;
	former = heap_table__find(c->table, process);
	if (former) {
		former->is_replaced = c->must_sweep = true;
		former->ended_ns = now_ns;
	}
	image->is_probed = former ? former->is_probed
				  : c->is_probed_ahead && process.tgid == (uint32_t)c->session.program.pid;
}

static int take_process(void *context, const struct process_record *r)
{
	struct heap_command *c = context;
	struct heap_image *image = heap_table__image(c->table, short_key(&r->process));

	if (!image)
		return -ENOMEM;
	memcpy(image->comm, r->comm, sizeof(image->comm));
	if (r->event == PROCESS_ENDED) {
		image->ended_ns = r->time_ns;
		c->must_sweep = true;
		c->missed += !image->is_probed;
		heap_probes__detach(heap_source__probes(c->source), r->process.tgid);
		return 0;
	}
	image->began_ns = r->time_ns;
	if (r->event == PROCESS_EXECED)
		replace_image(c, image, r->time_ns);
	/* As long as it has the memory of its parent, it has the probes, too. */
	if (!r->shares_memory)
		note_probed(c, image, heap_probes__attach(heap_source__probes(c->source), r->process.tgid),
			    true);
	return 0;
}

static void take_listed(void *context, const struct process_listed *listed)
{
	struct heap_command *c = context;
	struct heap_image *image = heap_table__image(c->table, short_key(&listed->process));

	if (!image) {
		c->err = -ENOMEM;
		return;
	}
	memcpy(image->comm, listed->comm, sizeof(image->comm));
	image->began_ns = session__now();
	if (c->stacks)
		stacks__prepare(c->stacks, listed->process.tgid);
	note_probed(c, image, heap_probes__attach(heap_source__probes(c->source), listed->process.tgid),
		    false);
}

/* Something was mapped: perhaps an allocator. */
static void look_again(struct heap_command *c)
{
	for (struct heap_image *i = heap_table__images(c->table); i; i = i->hh.next)
		if (!i->ended_ns && i->has_mapped) {
			i->has_mapped = false;
			note_probed(c, i,
				    heap_probes__attach(heap_source__probes(c->source), i->process.tgid),
				    i->began_ns > c->session.began_ns);
		}
	c->must_look = false;
}

static void on_mapped(void *context, uint32_t pid)
{
	struct heap_command *c = context;

	for (struct heap_image *i = heap_table__images(c->table); i; i = i->hh.next)
		if (i->process.tgid == pid && !i->ended_ns)
			i->has_mapped = c->must_look = true;
}

/* The child that will exec the program: what it will map is known beforehand. */
static int before_exec(void *context, pid_t pid)
{
	struct heap_command *c = context;
	int n = heap_probes__attach_ahead(heap_source__probes(c->source), pid);

	if (n < 0)
		log__verbose("cannot probe %d: %s", pid, strerror(-n));
	c->is_probed_ahead = n > 0;
	return 0;
}

/* --- what the kernel side keeps ---------------------------------------------------------------------------
 */

static int take_stack(void *context, const struct stack_record *r, size_t size)
{
	struct heap_command *c = context;
	struct heap_process process = short_key(&r->key.process);
	struct stacks_step steps[STEPS_MAX];
	uint32_t stack;

	if (!c->stacks)
		return 0;
	stack = stacks__take(c->stacks, r, size);
	if (r->method == STACK_BY_COPY)
		heap_source__tell_steps(c->source, process, steps,
					stacks__steps(c->stacks, steps, STEPS_MAX));
	return heap_table__name(c->table, process, r->key.anchor, stack);
}

static bool take_site(void *context, const struct heap_site_key *key, const struct heap_site *site)
{
	struct heap_command *c = context;
	const struct heap_image *image = heap_table__find(c->table, key->process);
	int err = heap_table__count(c->table, key, site);

	if (err)
		c->err = err;
	return image && image->is_swept;
}

/* Is the block of those that the report is about? */
static bool is_old(const struct heap_command *c, const struct heap_block *block, uint64_t now_ns)
{
	return block->time_ns + c->options->heap.older_ns <= now_ns;
}

static bool take_block(void *context, const struct heap_block_key *key, const struct heap_block *block)
{
	struct heap_command *c = context;

	if (is_old(c, block, c->now_ns)) {
		int err = heap_table__block(c->table, key, block);

		if (err)
			c->err = err;
	}
	return false;
}

/* What images have left behind when they ended makes room for that of others. */
static bool sweep_block(void *context, const struct heap_block_key *key, const struct heap_block *block)
{
	struct heap_command *c = context;
	const struct heap_image *image = heap_table__find(c->table, key->process);
	int err;

	if (!image || !image->ended_ns)
		return false;
	if (!image->is_replaced && is_old(c, block, image->ended_ns)) {
		err = heap_table__keep(c->table, key, block);
		if (err)
			c->err = err;
	}
	return true;
}

static int sweep(struct heap_command *c)
{
	int err;

	if (!c->must_sweep)
		return 0;
	c->must_sweep = false;
	err = heap_source__blocks(c->source, sweep_block, c);
	for (struct heap_image *i = heap_table__images(c->table); i; i = i->hh.next)
		if (i->ended_ns && !i->is_swept) {
			heap_source__forget_steps(c->source, i->process);
			i->is_swept = true;
		}
	if (!err)
		err = heap_source__sites(c->source, take_site, c);
	return err ? err : c->err;
}

static int note_point(struct heap_command *c)
{
	uint64_t now = session__now();
	int err = 0;

	heap_table__begin(c->table);
	c->now_ns = UINT64_MAX; /* growth is of all blocks, young ones too */
	if (c->options->heap.sample_bytes)
		err = heap_source__blocks(c->source, take_block, c);
	if (!err)
		err = heap_source__sites(c->source, take_site, c);
	heap_table__note(c->table, now);
	return err ? err : c->err;
}

static int collect(void *context)
{
	struct heap_command *c = context;
	int err = sweep(c);

	if (!err && heap_table__wants_point(c->table, session__now()))
		err = note_point(c);
	return err;
}

static bool needs_collecting(void *context)
{
	struct heap_command *c = context;

	return heap_table__wants_point(c->table, session__now());
}

/* --- reports ----------------------------------------------------------------------------------------------
 */

/* At least one function, in whatever process: or it is not known whether anything leaks. */
static int check_probed(const struct heap_command *c)
{
	const struct leaks_heap_options *o = &c->options->heap;
	struct heap_object object;
	char who[256];

	if (heap_probes__objects(heap_source__probes(c->source), &object, 1))
		return 0;
	target__describe(&c->options->common.target, who, sizeof(who));
	log__error("%s: no allocator was found in what is mapped%s: nothing was traced. %s", who,
		   o->object   ? " from that file (--object)"
		   : o->prefix ? " with that prefix (--prefix)"
			       : "",
		   !privileges__has(CAP_SYS_PTRACE)
			   ? "CAP_SYS_PTRACE is missing, to see what other users' processes have mapped"
		   : o->object || o->prefix
			   ? "Without the option memtrace looks for what it knows"
			   : "If it is linked in without symbols or has other names, --object and "
			     "--prefix tell which");
	return -ENOENT;
}

static void say_what(struct heap_command *c, double now)
{
	struct heap_object objects[OBJECTS_MAX];
	char who[256];

	target__describe(&c->options->common.target, who, sizeof(who));
	if (c->reported_until_s > 0)
		out__blank(c->out);
	out__say(c->out, "Heap of %s, %.1f s", who, now);
	leaks_heap_report__objects(
		c->out, objects, heap_probes__objects(heap_source__probes(c->source), objects, OBJECTS_MAX));
}

static const struct out_column interval_columns[] = {
	{.key = "from_s", .flags = OUT_JSON_ONLY},
	{.key = "to_s", .flags = OUT_JSON_ONLY},
};
static const struct out_table interval_table = {"interval", NULL, interval_columns, 2};

static void interval_line(struct heap_command *c, double now)
{
	if (out__format(c->out) != OUT_JSON)
		return;
	out__line(c->out, &interval_table);
	out__real(c->out, "from_s", c->reported_until_s);
	out__real(c->out, "to_s", now);
	out__row_end(c->out);
}

static struct profile_sample *make_samples(struct heap_command *c, const struct heap_row *rows, size_t n)
{
	struct profile_sample *samples = calloc(n + 1, sizeof(*samples));
	const char *note;

	for (size_t i = 0; i < n && samples; i++) {
		struct profile_sample *s = &samples[i];

		s->comm = rows[i].image->comm;
		s->pid = rows[i].image->process.tgid;
		if (c->stacks)
			s->frames = stacks__frames(c->stacks, rows[i].stack, false, &s->frame_count, &note);
		s->truncated = c->stacks && note;
		s->values[0] = llround(rows[i].sum.bytes);
		s->values[1] = llround(rows[i].sum.count);
	}
	return samples;
}

/* Named as allocators name them that write profiles themselves. */
static int write_profile(struct heap_command *c, const struct heap_row *rows, size_t n)
{
	struct stack_options *options = &c->options->stacks;
	uint64_t ran_ns = session__seconds(&c->session) * 1e9;
	struct profile_sample *samples;
	char who[256], title[320];
	struct profile profile = {.title = title,
				  .types = {{"inuse_space", "bytes"}, {"inuse_objects", "count"}},
				  .type_count = 2,
				  .duration_ns = ran_ns,
				  .count = n};
	struct timespec now;
	int err = -ENOMEM;

	if (!stack_options__wants_profile(options))
		return 0;
	target__describe(&c->options->common.target, who, sizeof(who));
	snprintf(title, sizeof(title), "Outstanding blocks of %s, %.1f s", who, ran_ns / 1e9);
	clock_gettime(CLOCK_REALTIME, &now);
	profile.time_ns = now.tv_sec * 1000000000ull + now.tv_nsec - ran_ns;
	samples = make_samples(c, rows, n);
	profile.samples = samples;
	if (samples)
		err = stack_options__write(options, &profile);
	else
		log__error("no memory");
	for (size_t i = 0; i < n && samples; i++)
		free((void *)samples[i].frames);
	free(samples);
	return err;
}

static int report(void *context)
{
	struct heap_command *c = context;
	const struct common_options *common = &c->options->common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_DEFAULT, n;
	bool last = c->session.ended_ns, is_sample = c->options->heap.sample_bytes;
	double now = session__seconds(&c->session);
	uint64_t counts[HEAP_COUNTS];
	struct heap_row *rows;
	int err;

	if (last)
		heap_source__stop(c->source);
	err = session__drain(&c->session, last);
	if (!err)
		err = sweep(c);
	if (!err && last)
		err = check_probed(c);
	heap_table__begin(c->table);
	c->now_ns = last ? c->session.ended_ns : session__now();
	if (!err)
		err = heap_source__sites(c->source, take_site, c);
	if (!err)
		err = heap_source__blocks(c->source, take_block, c);
	if (err || c->err)
		return err ? err : c->err;
	rows = heap_table__rows(c->table, c->now_ns, &n);
	if (!rows)
		return -ENOMEM;
	heap_source__counts(c->source, counts);
	if (common->interval_ns)
		interval_line(c, now);
	say_what(c, now);
	leaks_heap_report__processes(c->out, c->table, top, is_sample);
	leaks_heap_report__sites(c->out, c->stacks, rows, n, top, c->now_ns, is_sample);
	leaks_heap_report__counts(c->out, &c->options->heap, counts, heap_source__room(c->source), c->late,
				  c->missed);
	c->reported_until_s = now;
	err = report__flush(c->out);
	if (!err && last)
		err = write_profile(c, rows, n);
	free(rows);
	return err;
}

static const struct report_words words = {
	"allocations and frees",
	"allocation or free",
	{
		[LOSS_RING] = "records",
		[LOSS_MAP] = "blocks, or threads, found no room in the kernel's tables (--blocks)",
		[LOSS_STACK] = "call stacks: their blocks are counted, without a site",
		[LOSS_NAMES] = "notices of processes that began or ended",
	},
};

static int report_end(struct heap_command *c)
{
	uint64_t counts[HEAP_COUNTS];
	struct overhead overhead;
	struct loss loss;
	int err = heap_source__loss(c->source, &loss);

	if (err)
		return err;
	heap_source__counts(c->source, counts);
	heap_source__overhead(c->source, session__measured_share(&c->session), &overhead);
	report__end(c->out, &c->session, &words, counts[HEAP_ALLOCATIONS] + counts[HEAP_FREES], &loss,
		    &overhead);
	return report__flush(c->out);
}

/* --- the run ----------------------------------------------------------------------------------------------
 */

static void status(void *context, char *buf, size_t size)
{
	struct heap_command *c = context;
	uint64_t counts[HEAP_COUNTS];

	heap_source__counts(c->source, counts);
	snprintf(buf, size, "%" PRIu64 " allocations, %" PRIu64 " frees", counts[HEAP_ALLOCATIONS],
		 counts[HEAP_FREES]);
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static void follow_mappings(void *context)
{
	struct heap_command *c = context;

	stacks__follow(c->maps);
	if (c->must_look)
		look_again(c);
}

static int open_stacks(struct heap_command *c)
{
	int err = stack_options__open(&c->options->stacks);

	if (err)
		return err;
	c->maps = stacks__open(true);
	if (!c->maps)
		return -EINVAL;
	if (c->options->stacks.mode)
		c->stacks = c->maps;
	stacks__on_mapped(c->maps, on_mapped, c);
	/* A program to be run will mostly need the libraries that memtrace has itself. */
	if (c->stacks && c->options->common.target.program)
		stacks__prepare(c->stacks, getpid());
	c->session.reads_maps = true;
	c->session.before_draining = follow_mappings;
	c->session.draining_context = c;
	c->session.before_exec = before_exec;
	c->session.attaches_later = true;
	return 0;
}

static int open_source(struct heap_command *c)
{
	const struct leaks_heap_options *o = &c->options->heap;
	const struct heap_source_options options = {
		.buffer_bytes = c->options->buffer_bytes ? c->options->buffer_bytes : BUFFER_KIB * 1024,
		.stacks = c->stacks ? STACK_BY_STEPS : STACK_NONE,
		.stack_bytes = c->options->stacks.copy_bytes,
		.min_size = o->min_size,
		.max_size = o->max_size ? o->max_size : UINT64_MAX,
		.sample_bytes = o->sample_bytes,
		.blocks = o->blocks,
		.object = o->object,
		.prefix = o->prefix,
		.everywhere = o->everywhere,
	};
	const struct heap_handlers handlers = {take_process, take_stack, c};

	c->source =
		heap_source__open(&options, &c->options->common.target, &c->features, &c->session, &handlers);
	return c->source ? 0 : -EINVAL;
}

/* Of processes that are given by number, each must have something to be probed. */
static int begin(struct heap_command *c)
{
	int err;

	heap_source__begin(c->source);
	err = heap_source__list(c->source, take_listed, c);
	if (err)
		log__error("cannot list the processes: %s", strerror(-err));
	if (!err && c->options->common.target.pid_count)
		err = check_probed(c);
	return err ? err : c->err;
}

static int open_all(struct heap_command *c)
{
	int err = features__open(&c->features, c->options->common.without, c->options->common.btf);

	if (!err)
		err = open_stacks(c);
	if (err)
		return err;
	c->table = heap_table__new(c->options->heap.sample_bytes, session__now());
	if (!c->table)
		log__error("no memory");
	c->out = options__output(&c->options->common);
	if (!c->table || !c->out)
		return -ENOMEM;
	c->session.duration_ns = c->options->common.duration_ns;
	c->session.interval_ns = c->options->common.interval_ns;
	err = open_source(c);
	return err ? err : begin(c);
}

static int run(struct heap_command *c)
{
	int err;

	session__catch_signals();
	err = open_all(c);
	if (err)
		return err;
	report__start(c->out, "leaks");
	err = session__run(&c->session, &c->options->common.target, heap_source__targets_fd(c->source), &ops,
			   c);
	if (!err)
		err = report(c);
	return err ? err : report_end(c);
}

int leaks_heap__run(struct leaks_options *options)
{
	struct heap_command c = {.options = options};
	int status_of_program, err;

	session__init(&c.session);
	err = run(&c);
	status_of_program = session__close(&c.session, err);
	heap_source__close(c.source);
	heap_table__free(c.table);
	stacks__close(c.maps);
	out__free(c.out);
	features__close(&c.features);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
