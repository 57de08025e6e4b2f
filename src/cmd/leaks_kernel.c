/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace leaks --kernel: memory of the kernel that was allocated and not freed, by call site. */
#include "cmd/leaks_kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/leaks.h"
#include "cmd/leaks_kernel_report.h"
#include "cmd/report.h"
#include "commands.h"
#include "model/heap_table.h"
#include "model/kernel_count.h"
#include "proc/file.h"
#include "proc/kernel_memory.h"
#include "trace/kmem_source.h"
#include "trace/session.h"
#include "trace/stacks.h"
#include "util/log.h"

#define TOP_DEFAULT	   15
#define TOP_COUNTS_DEFAULT 10

/* In the model the kinds of memory are in the place of processes. */
struct kernel_command {
	struct leaks_options *options;
	struct session session;
	struct features features;
	struct kmem_source *source;
	struct heap_table *table;
	struct kernel_counts *counts;
	struct stacks *stacks;
	struct stack_record *record; /* room to make one in */
	struct out *out;
	uint64_t now_ns; /* of the report */
	int err;	 /* of a callback that cannot return it */
	double reported_until_s;
};

/* --- options ----------------------------------------------------------------------------------------------
 */

enum { KEY_KERNEL = 0x5000 };

static const struct argp_option kernel_options[] = {
	{"kernel", KEY_KERNEL, NULL, 0,
	 "Memory of the kernel that was not freed: kmalloc, slab caches, vmalloc, pages, by call site", 6},
	{},
};

static error_t parse_kernel_option(int key, char *arg, struct argp_state *state)
{
	struct leaks_kernel_options *o = state->input;

	(void)arg;
	if (key != KEY_KERNEL)
		return ARGP_ERR_UNKNOWN;
	o->kernel = true;
	return 0;
}

const struct argp leaks_kernel_argp = {kernel_options, parse_kernel_option, NULL, NULL, NULL, NULL, NULL};

bool leaks_kernel__check(const struct leaks_options *options)
{
	if (options->kernel.kernel && options->heap.heap)
		log__error("--heap and --kernel exclude each other");
	return !(options->kernel.kernel && options->heap.heap);
}

/* --- stacks -----------------------------------------------------------------------------------------------
 */

/* Of the kernel's numbers, that of the stack table. */
static uint32_t stack_of(struct kernel_command *c, uint64_t number)
{
	struct stack_record *r = c->record;
	uint64_t ips[KMEM_FRAMES];

	r->kernel_frames = kmem_source__stack(c->source, number, ips);
	r->header.size = offsetof(struct stack_record, data) + r->kernel_frames * sizeof(ips[0]);
	r->method = STACK_NONE;
	memcpy(r->data, ips, r->kernel_frames * sizeof(ips[0]));
	return stacks__take(c->stacks, r, r->header.size);
}

static bool take_site(void *context, const struct heap_site_key *key, const struct heap_site *site)
{
	struct kernel_command *c = context;
	int err = 0;

	if (!heap_table__knows(c->table, key->process, key->stack))
		err = heap_table__name(c->table, key->process, key->stack, stack_of(c, key->stack));
	if (!err)
		err = heap_table__count(c->table, key, site);
	if (err)
		c->err = err;
	return false;
}

/* --- the kernel's own account ----------------------------------------------------------------------------
 */

static const struct {
	const char *path, *source;
	int (*parse)(const char *text, struct kernel_memory **list, size_t *n);
} files[] = {
	{"/proc/slabinfo", "slabinfo", slabinfo__parse},
	{"/proc/vmallocinfo", "vmallocinfo", vmallocinfo__parse},
	{"/proc/allocinfo", "allocinfo", allocinfo__parse},
};

/* What a kernel has not, or does not let be read, is left out. */
static int read_files(struct kernel_command *c, bool now)
{
	int err = 0;

	for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
		char *text = file__read(files[f].path, NULL);
		struct kernel_memory *list = NULL;
		bool is_vmalloc = !strcmp(files[f].source, "vmallocinfo");
		size_t n = 0;

		if (!text || files[f].parse(text, &list, &n))
			log__verbose("%s: not used: %s", files[f].path, strerror(errno));
		for (size_t i = 0; i < n && !err; i++)
			err = kernel_counts__told(c->counts, files[f].source,
						  is_vmalloc ? "all areas" : list[i].name, list[i].count,
						  list[i].bytes, now);
		free(list);
		free(text);
	}
	return err;
}

static int add_traced(struct kernel_command *c, const struct heap_block_key *key,
		      const struct heap_block *block)
{
	char name[KERNEL_COUNT_NAME];

	switch (key->process.tgid) {
	case KMEM_KMALLOC:
		if (block->size > 8192) /* of pages, and not of a cache (KMALLOC_MAX_CACHE_SIZE) */
			return 0;
		kernel_count__kmalloc_name(block->size, name);
		return kernel_counts__traced(c->counts, "slabinfo", name, 1, block->size);
	case KMEM_VMALLOC:
		return kernel_counts__traced(c->counts, "vmallocinfo", "all areas", 1, block->size);
	default:
		return 0;
	}
}

/* --- reports ----------------------------------------------------------------------------------------------
 */

static bool take_block(void *context, const struct heap_block_key *key, const struct heap_block *block)
{
	struct kernel_command *c = context;
	int err = add_traced(c, key, block);

	if (!err && block->time_ns + c->options->heap.older_ns <= c->now_ns)
		err = heap_table__block(c->table, key, block);
	if (err)
		c->err = err;
	return false;
}

static int find_cache(struct kernel_command *c, const struct heap_site_key *key, const struct heap_site *site)
{
	char name[KMEM_CACHE_NAME];

	if (key->process.tgid != KMEM_SLAB || !kmem_source__cache(c->source, key, name))
		return 0;
	heap_table__label(c->table, key->process, key->stack, name);
	return kernel_counts__traced(c->counts, "slabinfo", name, site->allocations - site->frees,
				     site->allocated_bytes - site->freed_bytes);
}

static bool take_cache(void *context, const struct heap_site_key *key, const struct heap_site *site)
{
	struct kernel_command *c = context;
	int err = find_cache(c, key, site);

	if (err)
		c->err = err;
	return false;
}

static int gather(struct kernel_command *c)
{
	int err;

	kernel_counts__begin(c->counts);
	heap_table__begin(c->table);
	err = read_files(c, true);
	if (!err)
		err = kmem_source__sites(c->source, take_site, c);
	if (!err)
		err = kmem_source__blocks(c->source, take_block, c);
	if (!err)
		err = kmem_source__sites(c->source, take_cache, c);
	if (kmem_source__has(c->source, KMEM_SLAB) && kmem_source__has(c->source, KMEM_KMALLOC))
		kernel_counts__is_traced(c->counts, "slabinfo");
	if (kmem_source__has(c->source, KMEM_VMALLOC))
		kernel_counts__is_traced(c->counts, "vmallocinfo");
	return err ? err : c->err;
}

static int report_counts(struct kernel_command *c)
{
	const struct common_options *common = &c->options->common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_COUNTS_DEFAULT, n;
	struct kernel_count *counts;

	/* What some tasks did is no match for what all did. */
	if (!leaks_options__is_system_wide(c->options))
		return 0;
	counts = kernel_counts__rows(c->counts, &n);
	if (!counts)
		return -ENOMEM;
	leaks_kernel_report__counts(c->out, counts, n, top);
	free(counts);
	return 0;
}

static int report_sites(struct kernel_command *c)
{
	const struct common_options *common = &c->options->common;
	size_t top = common->top ? common->top : common->json ? 0 : TOP_DEFAULT, n;
	struct heap_row *rows = heap_table__rows(c->table, c->now_ns, &n);
	bool has[KMEM_VIAS];

	if (!rows)
		return -ENOMEM;
	for (int via = 0; via < KMEM_VIAS; via++)
		has[via] = kmem_source__has(c->source, via);
	leaks_kernel_report__kinds(c->out, c->table, has);
	leaks_kernel_report__sites(c->out, c->stacks, rows, n, top, c->now_ns);
	free(rows);
	return 0;
}

static void say_what(struct kernel_command *c, double now)
{
	char who[256];

	if (c->options->common.interval_ns)
		report__interval(c->out, c->reported_until_s, now);
	target__describe(&c->options->common.target, who, sizeof(who));
	if (c->reported_until_s > 0)
		out__blank(c->out);
	out__say(c->out, "Kernel memory allocated by %s and not freed, %.1f s",
		 leaks_options__is_system_wide(c->options) ? "all tasks and interrupts" : who, now);
	c->reported_until_s = now;
}

static struct profile_sample *make_samples(struct kernel_command *c, struct frame **stacks,
					   const struct heap_row *rows, size_t n)
{
	struct profile_sample *samples = calloc(n + 1, sizeof(*samples));
	const char *note;

	for (size_t i = 0; i < n && samples; i++) {
		struct profile_sample *s = &samples[i];

		stacks[i] = stacks__frames(c->stacks, rows[i].stack, false, &s->frame_count, &note);
		s->comm = rows[i].image->comm;
		s->frames = stacks[i];
		s->values[0] = llround(rows[i].sum.bytes);
		s->values[1] = llround(rows[i].sum.count);
	}
	return samples;
}

static int write_profile(struct kernel_command *c)
{
	struct stack_options *options = &c->options->stacks;
	uint64_t ran_ns = session__seconds(&c->session) * 1e9;
	struct profile profile = {.title = "Kernel memory allocated and not freed",
				  .types = {{"inuse_space", "bytes"}, {"inuse_objects", "count"}},
				  .type_count = 2,
				  .duration_ns = ran_ns};
	struct profile_sample *samples;
	struct frame **stacks;
	struct timespec now;
	struct heap_row *rows;
	int err = -ENOMEM;

	if (!stack_options__wants_profile(options))
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	profile.time_ns = now.tv_sec * 1000000000ull + now.tv_nsec - ran_ns;
	rows = heap_table__rows(c->table, c->now_ns, &profile.count);
	stacks = rows ? calloc(profile.count + 1, sizeof(*stacks)) : NULL;
	samples = stacks ? make_samples(c, stacks, rows, profile.count) : NULL;
	profile.samples = samples;
	if (samples)
		err = stack_options__write(options, &profile);
	else
		log__error("no memory");
	for (size_t i = 0; i < profile.count && stacks; i++)
		free(stacks[i]);
	free(stacks);
	free(samples);
	free(rows);
	return err;
}

static int report(void *context)
{
	struct kernel_command *c = context;
	double now = session__seconds(&c->session);
	bool last = c->session.ended_ns;
	uint64_t counts[HEAP_COUNTS];
	int err;

	if (last)
		kmem_source__stop(c->source);
	c->now_ns = last ? c->session.ended_ns : session__now();
	err = gather(c);
	if (err)
		return err;
	kmem_source__counts(c->source, counts);
	say_what(c, now);
	err = report_sites(c);
	if (!err)
		err = report_counts(c);
	if (err)
		return err;
	leaks_kernel_report__totals(c->out, counts, kmem_source__room(c->source));
	err = report__flush(c->out);
	return err || !last ? err : write_profile(c);
}

static const struct report_words words = {
	"allocations and frees",
	"allocation or free",
	{
		[LOSS_RING] = "records",
		[LOSS_MAP] = "blocks or call sites found no room in the kernel's tables (--blocks)",
		[LOSS_STACK] =
			"call stacks, whose place another one has: kmalloc and slab are shown by their caller "
			"then",
		[LOSS_NAMES] = "names",
	},
};

static int report_end(struct kernel_command *c)
{
	uint64_t counts[HEAP_COUNTS];
	struct overhead overhead;
	struct loss loss;
	int err = kmem_source__loss(c->source, &loss);

	if (err)
		return err;
	kmem_source__counts(c->source, counts);
	kmem_source__overhead(c->source, session__measured_share(&c->session), &overhead);
	report__end(c->out, &c->session, &words, counts[HEAP_ALLOCATIONS] + counts[HEAP_FREES], &loss,
		    &overhead);
	return report__flush(c->out);
}

/* --- the run ----------------------------------------------------------------------------------------------
 */

static int collect(void *context)
{
	struct kernel_command *c = context;
	uint64_t now = session__now();
	int err;

	if (!heap_table__wants_point(c->table, now))
		return 0;
	err = kmem_source__sites(c->source, take_site, c);
	heap_table__note(c->table, now);
	return err ? err : c->err;
}

static bool needs_collecting(void *context)
{
	struct kernel_command *c = context;

	return heap_table__wants_point(c->table, session__now());
}

static void status(void *context, char *buf, size_t size)
{
	struct kernel_command *c = context;
	uint64_t counts[HEAP_COUNTS];

	kmem_source__counts(c->source, counts);
	snprintf(buf, size, "%" PRIu64 " allocations, %" PRIu64 " frees", counts[HEAP_ALLOCATIONS],
		 counts[HEAP_FREES]);
}

static const struct session_ops ops = {collect, needs_collecting, report, status};

static int open_model(struct kernel_command *c)
{
	c->table = heap_table__new(0, session__now());
	c->counts = kernel_counts__new();
	c->record = calloc(1, offsetof(struct stack_record, data) + KMEM_FRAMES * sizeof(uint64_t));
	if (!c->table || !c->counts || !c->record) {
		log__error("no memory");
		return -ENOMEM;
	}
	for (unsigned via = 0; via < KMEM_VIAS; via++) {
		struct heap_image *image = heap_table__image(c->table, (struct heap_process){.tgid = via});

		if (!image)
			return -ENOMEM;
		snprintf(image->comm, sizeof(image->comm), "%s", kmem_via__name(via));
	}
	c->stacks = stacks__open(false);
	return c->stacks ? 0 : -EINVAL;
}

static int open_all(struct kernel_command *c)
{
	const struct common_options *common = &c->options->common;
	struct kmem_source_options options = {
		.has_target = !leaks_options__is_system_wide(c->options),
		.stacks = c->options->stacks.kernel || stack_options__wants_profile(&c->options->stacks),
		.blocks = c->options->heap.blocks,
	};
	int err = features__open(&c->features, c->options->common.without, c->options->common.btf);

	if (!err)
		err = stack_options__open(&c->options->stacks);
	if (!err)
		err = open_model(c);
	if (err)
		return err;
	c->out = options__output(common);
	if (!c->out)
		return -ENOMEM;
	c->session.duration_ns = common->duration_ns;
	c->session.interval_ns = common->interval_ns;
	c->source = kmem_source__open(&options, &common->target, &c->features);
	if (!c->source)
		return -EINVAL;
	err = read_files(c, false);
	kmem_source__begin(c->source);
	return err;
}

static int run(struct kernel_command *c)
{
	int err;

	session__catch_signals();
	err = open_all(c);
	if (err)
		return err;
	report__start(c->out, "leaks");
	err = session__run(&c->session, &c->options->common.target, kmem_source__targets_fd(c->source), &ops,
			   c);
	if (!err)
		err = report(c);
	return err ? err : report_end(c);
}

int leaks_kernel__run(struct leaks_options *options)
{
	struct kernel_command c = {.options = options};
	int status_of_program, err;

	session__init(&c.session);
	err = run(&c);
	status_of_program = session__close(&c.session, err);
	kmem_source__close(c.source);
	heap_table__free(c.table);
	kernel_counts__free(c.counts);
	free(c.record);
	stacks__close(c.stacks);
	out__free(c.out);
	features__close(&c.features);
	if (err == -EPIPE)
		return EXIT_OK;
	return err ? EXIT_FAILED : status_of_program;
}
