/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/heap_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.skel.h"
#include "trace/heap_maps.h"
#include "trace/iterator.h"
#include "trace/uprobe_multi.h"
#include "util/log.h"

/*
 * Entries of maps. Where the kernel allocates them as they are needed (6.1, commit 7c8199e24fa0), they are
 * limits; elsewhere that would not be safe in a probe, and the memory is taken beforehand: about 100 bytes a
 * block, 1.2 KiB a thread.
 */
#define BLOCKS_GROWING	1048576u
#define BLOCKS_FIXED	262144u
#define SITES_GROWING	131072u
#define SITES_FIXED	16384u
#define THREADS_GROWING 32768u
#define THREADS_FIXED	2048u
#define STEPS_GROWING	262144u
#define STEPS_FIXED	65536u

/* What user space keeps of what it has told: to tell it once, and to take it back. */
struct told {
	struct heap_step_key key;
	UT_hash_handle hh;
};

struct heap_source {
	struct heap_bpf *skel;
	struct heap_probes *probes;
	struct session *session;
	struct heap_handlers handlers;
	struct told *told; /* hash by key */
	uint32_t room;
	bool has_multi; /* many probes can be attached at once */
};

/* --- configuration ----------------------------------------------------------------------------------------
 */

static int set_map_sizes(struct heap_source *source, const struct heap_source_options *options,
			 const struct features *features)
{
	struct heap_bpf *skel = source->skel;
	bool grows = features__has_struct(features, "bpf_mem_alloc");
	const struct {
		struct bpf_map *map;
		uint32_t growing, fixed;
	} maps[] = {
		{skel->maps.blocks, BLOCKS_GROWING, BLOCKS_FIXED},
		{skel->maps.sites, SITES_GROWING, SITES_FIXED},
		{skel->maps.threads, THREADS_GROWING, THREADS_FIXED},
		{skel->maps.steps, STEPS_GROWING, STEPS_FIXED},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++) {
		uint32_t n = grows ? maps[i].growing : maps[i].fixed;

		if (maps[i].map == skel->maps.blocks) {
			n = options->blocks ? options->blocks : n;
			source->room = n;
		}
		err = bpf_map__set_max_entries(maps[i].map, n);
		if (!err && grows)
			err = bpf_map__set_map_flags(maps[i].map, BPF_F_NO_PREALLOC);
	}
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.stack_buffers,
					       options->stacks ? libbpf_num_possible_cpus() * STACK_BUFFERS
							       : 1);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.events, session__ring_bytes(options->buffer_bytes));
	return err;
}

static void choose_programs(struct heap_source *source)
{
	struct heap_bpf *skel = source->skel;
	struct bpf_program *one_by_one[] = {skel->progs.malloc_entered,	  skel->progs.calloc_entered,
					    skel->progs.realloc_entered,  skel->progs.reallocarray_entered,
					    skel->progs.memalign_entered, skel->progs.posix_memalign_entered,
					    skel->progs.free_entered,	  skel->progs.allocation_returned};

	source->has_multi = uprobe_multi__works();
	for (size_t i = 0; i < sizeof(one_by_one) / sizeof(one_by_one[0]); i++)
		bpf_program__set_autoload(one_by_one[i], !source->has_multi);
	bpf_program__set_autoload(skel->progs.any_entered, source->has_multi);
	bpf_program__set_autoload(skel->progs.any_returned, source->has_multi);
	bpf_program__set_expected_attach_type(skel->progs.any_entered, UPROBE_MULTI_ATTACH_TYPE);
	bpf_program__set_expected_attach_type(skel->progs.any_returned, UPROBE_MULTI_ATTACH_TYPE);
}

static void configure(struct heap_source *source, const struct heap_source_options *options,
		      const struct features *features, const struct target_config *target)
{
	struct heap_config *config = (struct heap_config *)&source->skel->rodata->config;
	__u32 *logarithms = (__u32 *)source->skel->rodata->logarithms;

	config->target = *target;
	config->stacks = options->stacks;
	config->stack_bytes = options->stack_bytes;
	config->everywhere = options->everywhere;
	config->min_size = options->min_size;
	config->max_size = options->max_size;
	config->sample_scale = llround(16 * M_LN2 * options->sample_bytes);
	config->direct_reads = features->rdonly_cast;
	config->task_registers = features->task_registers;
	config->ring_wake_bytes = bpf_map__max_entries(source->skel->maps.events) / 4;
	for (int i = 0; i < HEAP_LOG_ENTRIES; i++)
		logarithms[i] = llround(log2(1 + i / 256.0) * (1 << HEAP_LOG_BITS));
}

/* --- records ----------------------------------------------------------------------------------------------
 */

static int take_event(void *context, void *data, size_t size)
{
	struct heap_source *source = context;
	const struct heap_handlers *handlers = &source->handlers;
	const struct record_header *header = data;
	int err = 0;

	if (size < sizeof(*header))
		return 0;
	if (header->type == RECORD_PROCESS && size >= sizeof(struct process_record))
		err = handlers->process(handlers->context, data);
	else if (header->type == RECORD_STACK)
		err = handlers->stack(handlers->context, data, size);
	if (!err && session__drained_enough(source->session))
		err = -EAGAIN;
	return err;
}

/* --- opening ----------------------------------------------------------------------------------------------
 */

static int load(struct heap_source *source, const struct heap_source_options *options,
		const struct target *target, const struct features *features)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = features__btf_path(features));
	struct target_config config = {};
	int err = target__configure(target, &config);

	if (err)
		return err;
	source->skel = heap_bpf__open_opts(&opts);
	if (!source->skel) {
		err = -errno;
		log__error("cannot open the BPF programs: %s", strerror(-err));
		return err;
	}
	choose_programs(source);
	err = set_map_sizes(source, options, features);
	if (!err) {
		configure(source, options, features, &config);
		err = features__load(features, source->skel->skeleton);
	}
	if (err) {
		log__error(
			"the kernel refuses the BPF programs: %s (-v shows more; memtrace doctor tells what it offers)",
			strerror(-err));
		return err;
	}
	source->session->events =
		ring_buffer__new(bpf_map__fd(source->skel->maps.events), take_event, source, NULL);
	if (!source->session->events) {
		err = -errno;
		log__error("cannot open the ring buffer: %s", strerror(-err));
		return err;
	}
	return target__fill(target, bpf_map__fd(source->skel->maps.targets));
}

static int attach(struct heap_source *source)
{
	int err = heap_bpf__attach(source->skel);

	if (err)
		log__error("cannot attach the BPF programs: %s", strerror(-err));
	return err;
}

static int open_probes(struct heap_source *source, const struct heap_source_options *options)
{
	struct heap_bpf *skel = source->skel;
	const struct heap_programs programs = {
		.entered = {[HEAP_MALLOC] = skel->progs.malloc_entered,
			    [HEAP_CALLOC] = skel->progs.calloc_entered,
			    [HEAP_REALLOC] = skel->progs.realloc_entered,
			    [HEAP_REALLOCARRAY] = skel->progs.reallocarray_entered,
			    [HEAP_MEMALIGN] = skel->progs.memalign_entered,
			    [HEAP_POSIX_MEMALIGN] = skel->progs.posix_memalign_entered,
			    [HEAP_FREE] = skel->progs.free_entered},
		.returned = skel->progs.allocation_returned,
		.any_entered = source->has_multi ? skel->progs.any_entered : NULL,
		.any_returned = source->has_multi ? skel->progs.any_returned : NULL,
		.block_told = skel->progs.block_told,
		.free_told = skel->progs.free_told,
	};

	source->probes = heap_probes__open(&programs, options->object, options->prefix, options->everywhere);
	return source->probes ? 0 : -EINVAL;
}

struct heap_source *heap_source__open(const struct heap_source_options *options, const struct target *target,
				      const struct features *features, struct session *session,
				      const struct heap_handlers *handlers)
{
	struct heap_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source) {
		log__error("no memory");
		return NULL;
	}
	source->session = session;
	source->handlers = *handlers;
	err = load(source, options, target, features);
	if (!err)
		err = open_probes(source, options);
	if (!err && target->program)
		heap_probes__look_ahead(source->probes, target->program[0]);
	if (!err)
		err = attach(source);
	if (err) {
		heap_source__close(source);
		return NULL;
	}
	overhead__say_maps(source->skel->obj);
	return source;
}

void heap_source__close(struct heap_source *source)
{
	struct told *t, *next;

	if (!source)
		return;
	heap_probes__close(source->probes);
	heap_bpf__destroy(source->skel);
	HASH_ITER(hh, source->told, t, next) {
		HASH_DEL(source->told, t);
		free(t);
	}
	free(source);
}

void heap_source__begin(struct heap_source *source)
{
	source->skel->bss->control_block.enabled = 1;
}

void heap_source__stop(struct heap_source *source)
{
	source->skel->bss->control_block.enabled = 0;
}

int heap_source__list(struct heap_source *source, void (*take)(void *context, const struct process_listed *),
		      void *context)
{
	int fd = bpf_iter_create(bpf_link__fd(source->skel->links.list_processes));
	struct process_listed listed[64];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = iterator__records(fd, listed, sizeof(listed[0]), 64)) > 0)
		for (ssize_t i = 0; i < n; i++)
			take(context, &listed[i]);
	close(fd);
	return n;
}

struct heap_probes *heap_source__probes(struct heap_source *source)
{
	return source->probes;
}

/* --- steps ------------------------------------------------------------------------------------------------
 */

static void tell_step(struct heap_source *source, const struct heap_step_key *key,
		      const struct unwind_step *step)
{
	struct told *t;

	HASH_FIND(hh, source->told, key, sizeof(*key), t);
	if (t)
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->key = *key;
	/* No room: stacks with this address are copied each time. */
	if (bpf_map_update_elem(bpf_map__fd(source->skel->maps.steps), key, step, BPF_ANY)) {
		free(t);
		return;
	}
	HASH_ADD(hh, source->told, key, sizeof(t->key), t);
}

void heap_source__tell_steps(struct heap_source *source, struct heap_process process,
			     const struct stacks_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct heap_step_key key = {.ip = steps[i].ip, .process = process};

		tell_step(source, &key, &steps[i].step);
	}
}

void heap_source__forget_steps(struct heap_source *source, struct heap_process process)
{
	struct told *t, *next;

	HASH_ITER(hh, source->told, t, next) {
		if (memcmp(&t->key.process, &process, sizeof(process)))
			continue;
		bpf_map_delete_elem(bpf_map__fd(source->skel->maps.steps), &t->key);
		HASH_DEL(source->told, t);
		free(t);
	}
}

/* --- what the kernel side keeps ---------------------------------------------------------------------------
 */

int heap_source__blocks(struct heap_source *source,
			bool (*take)(void *context, const struct heap_block_key *, const struct heap_block *),
			void *context)
{
	return heap_maps__blocks(source->skel->maps.blocks, take, context);
}

int heap_source__sites(struct heap_source *source,
		       bool (*take)(void *context, const struct heap_site_key *, const struct heap_site *),
		       void *context)
{
	return heap_maps__sites(source->skel->maps.sites, take, context);
}

void heap_source__counts(const struct heap_source *source, uint64_t counts[HEAP_COUNTS])
{
	heap_maps__counts(source->skel->maps.counts, counts);
}

uint32_t heap_source__room(const struct heap_source *source)
{
	return source->room;
}

int heap_source__targets_fd(const struct heap_source *source)
{
	return bpf_map__fd(source->skel->maps.targets);
}

int heap_source__loss(const struct heap_source *source, struct loss *loss)
{
	return loss__read(source->skel->obj, bpf_map__fd(source->skel->maps.losses), NULL, loss);
}

void heap_source__overhead(const struct heap_source *source, double measured_share, struct overhead *overhead)
{
	overhead__read(source->skel->obj, measured_share, overhead);
}
