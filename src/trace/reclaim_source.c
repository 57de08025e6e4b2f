/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/reclaim_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/cgroup_path.h"
#include "reclaim.skel.h"
#include "util/log.h"

#define ROWS_DEFAULT 4096 /* processes and their kinds of work, in a second */
#define BATCH	     64

struct reclaim_source {
	struct reclaim_bpf *skel;
	struct session *session;
	struct reclaim_table *table;
	struct reclaim_handlers handlers;
	struct reclaim_stats others_taken[WORKS]; /* of what found no room */
	bool second_map;			  /* rows_b is in use */
	bool wants_ring;
};

/* --- configuration ----------------------------------------------------------------------------------------
 */

static void want(struct bpf_program *program, const struct features *features, const char *tracepoint,
		 bool wanted)
{
	bpf_program__set_autoload(program, wanted && features__has_tracepoint(features, tracepoint));
}

/* Each kernel has some of them: without NUMA, compaction or throttling there is nothing of the kind to tell.
 */
static void choose_programs(struct reclaim_source *source, const struct reclaim_source_options *options,
			    const struct features *features)
{
	struct reclaim_bpf *skel = source->skel;
	bool six = features__tracepoint_args(features, "mm_compaction_end") == 6;
	bool throttled = features__has_tracepoint(features, "mm_vmscan_throttled");

	want(skel->progs.node_began, features, "mm_vmscan_node_reclaim_begin", true);
	want(skel->progs.node_ended, features, "mm_vmscan_node_reclaim_end", true);
	want(skel->progs.memcg_began, features, "mm_vmscan_memcg_reclaim_begin", true);
	want(skel->progs.memcg_ended, features, "mm_vmscan_memcg_reclaim_end", true);
	want(skel->progs.block_wanted, features, "mm_compaction_try_to_compact_pages", true);
	want(skel->progs.kcompactd_woke, features, "mm_compaction_kcompactd_wake", true);
	want(skel->progs.compaction_began, features, "mm_compaction_begin", true);
	want(skel->progs.compaction_ended, features, "mm_compaction_end", !six);
	want(skel->progs.compaction_ended_6, features, "mm_compaction_end", six);
	want(skel->progs.folio_written, features, "mm_vmscan_write_folio", true);
	want(skel->progs.old_page_written, features, "mm_vmscan_writepage", true);
	want(skel->progs.throttled, features, "mm_vmscan_throttled", true);
	want(skel->progs.congestion_waited, features, "writeback_congestion_wait", !throttled);
	want(skel->progs.congestion_waited_maybe, features, "writeback_wait_iff_congested", !throttled);
	want(skel->progs.counter_changed, features, "rss_stat", options->swap_outs);
}

static void configure(struct reclaim_source *source, const struct reclaim_source_options *options,
		      const struct features *features, const struct target_config *target)
{
	struct reclaim_config *config = (struct reclaim_config *)&source->skel->rodata->config;

	config->target = *target;
	config->min_latency_ns = options->min_latency_ns;
	config->ring_wake_bytes = bpf_map__max_entries(source->skel->maps.events) / 4;
	config->stack_bytes = options->stack_bytes;
	config->direct_reads = features->rdonly_cast;
	config->task_registers = features->task_registers;
	config->has_memcg = features__tracepoint_args(features, "mm_vmscan_direct_reclaim_begin") == 3;
	config->events = options->events;
	config->stacks = options->stacks;
	config->every_stack = options->every_stack;
	config->kernel_stacks = options->kernel_stacks;
}

static int set_map_sizes(struct reclaim_source *source, const struct reclaim_source_options *options)
{
	struct reclaim_bpf *skel = source->skel;
	uint64_t rows = options->max_rows ? options->max_rows : ROWS_DEFAULT;
	int err = bpf_map__set_max_entries(skel->maps.rows_a, rows);

	if (!err)
		err = bpf_map__set_max_entries(skel->maps.rows_b, rows);
	if (!err)
		err = bpf_map__set_max_entries(
			skel->maps.events,
			session__ring_bytes(source->wants_ring ? options->buffer_bytes : 0));
	if (!err && options->stacks)
		err = bpf_map__set_max_entries(skel->maps.stack_buffers,
					       libbpf_num_possible_cpus() * STACK_BUFFERS);
	return err;
}

/* --- opening ----------------------------------------------------------------------------------------------
 */

static int take_record(void *context, void *data, size_t size)
{
	struct reclaim_source *source = context;
	const struct record_header *header = data;
	int err = 0;

	if (size >= offsetof(struct stack_record, data) && header->type == RECORD_STACK)
		err = source->handlers.stack(source->handlers.context, data, size);
	else if (size >= sizeof(struct reclaim_record) && header->type == RECORD_RECLAIM)
		err = source->handlers.ended(source->handlers.context, data);
	if (!err && session__drained_enough(source->session))
		err = -EAGAIN;
	return err;
}

static int open_ring(struct reclaim_source *source)
{
	int err = 0;

	if (!source->wants_ring)
		return 0;
	source->session->events =
		ring_buffer__new(bpf_map__fd(source->skel->maps.events), take_record, source, NULL);
	if (!source->session->events) {
		err = -errno;
		log__error("cannot open the ring buffer: %s", strerror(-err));
	}
	return err;
}

static int load(struct reclaim_source *source, const struct reclaim_source_options *options,
		const struct target *target, const struct features *features)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = features__btf_path(features));
	struct target_config config = {};
	int err = target__configure(target, &config);

	if (err)
		return err;
	source->skel = reclaim_bpf__open_opts(&opts);
	if (!source->skel) {
		err = -errno;
		log__error("cannot open the BPF programs: %s", strerror(-err));
		return err;
	}
	choose_programs(source, options, features);
	err = set_map_sizes(source, options);
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
	err = open_ring(source);
	return err ? err : target__fill(target, bpf_map__fd(source->skel->maps.targets));
}

struct reclaim_source *reclaim_source__open(const struct reclaim_source_options *options,
					    const struct target *target, const struct features *features,
					    struct session *session, struct reclaim_table *table,
					    const struct reclaim_handlers *handlers)
{
	struct reclaim_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source) {
		log__error("no memory");
		return NULL;
	}
	source->session = session;
	source->table = table;
	source->handlers = *handlers;
	source->wants_ring = options->events || options->stacks;
	err = load(source, options, target, features);
	if (!err) {
		err = reclaim_bpf__attach(source->skel);
		if (err)
			log__error("cannot attach the BPF programs: %s", strerror(-err));
	}
	if (err) {
		reclaim_source__close(source);
		return NULL;
	}
	overhead__say_maps(source->skel->obj);
	return source;
}

void reclaim_source__close(struct reclaim_source *source)
{
	if (!source)
		return;
	reclaim_bpf__destroy(source->skel);
	free(source);
}

void reclaim_source__begin(struct reclaim_source *source)
{
	source->skel->bss->control_block.enabled = 1;
}

/* --- reading ----------------------------------------------------------------------------------------------
 */

/* Nobody writes to this map any more: read it and empty it. */
static int take_rows(struct reclaim_source *source, const struct bpf_map *map)
{
	struct reclaim_key keys[BATCH];
	struct reclaim_stats *values = calloc(BATCH, sizeof(*values));
	__u32 batch = 0, count;
	void *from = NULL;
	int err = values ? 0 : -ENOMEM;

	while (!err) {
		count = BATCH;
		err = bpf_map_lookup_and_delete_batch(bpf_map__fd(map), from, &batch, keys, values, &count,
						      NULL);
		if (err && err != -ENOENT)
			break;
		for (__u32 i = 0; i < count; i++)
			if (!reclaim_table__add(source->table, &keys[i], &values[i]))
				err = -ENOMEM;
		from = &batch;
	}
	free(values);
	return err == -ENOENT ? 0 : err;
}

/* now - then, into now; its maximum is that of all times. */
static void subtract(struct reclaim_stats *now, const struct reclaim_stats *then)
{
	now->count -= then->count;
	now->ns -= then->ns;
	now->wanted -= then->wanted;
	now->got -= then->got;
	now->failed -= then->failed;
	for (int i = 0; i < LRUS; i++) {
		now->tally.scanned[i] -= then->tally.scanned[i];
		now->tally.reclaimed[i] -= then->tally.reclaimed[i];
	}
	now->tally.writes -= then->tally.writes;
	for (int i = 0; i < THROTTLES; i++) {
		now->tally.throttled_ns[i] -= then->tally.throttled_ns[i];
		now->tally.throttled[i] -= then->tally.throttled[i];
	}
	for (int i = 0; i < LATENCY_BUCKETS; i++)
		now->buckets[i] -= then->buckets[i];
}

static int take_others(struct reclaim_source *source)
{
	for (__u32 work = 0; work < WORKS; work++) {
		struct reclaim_key key = {.work = work};
		struct reclaim_stats now, added;

		if (bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.others), &work, &now))
			return -errno;
		added = now;
		subtract(&added, &source->others_taken[work]);
		source->others_taken[work] = now;
		snprintf(added.comm, sizeof(added.comm), "(other)");
		if (added.count && !reclaim_table__add(source->table, &key, &added))
			return -ENOMEM;
	}
	return 0;
}

int reclaim_source__collect(struct reclaim_source *source, bool last)
{
	struct reclaim_bpf *skel = source->skel;
	struct bpf_map *old = source->second_map ? skel->maps.rows_b : skel->maps.rows_a;
	int other = bpf_map__fd(source->second_map ? skel->maps.rows_a : skel->maps.rows_b), err;
	__u32 zero = 0;

	skel->bss->control_block.generation++;
	if (last)
		skel->bss->control_block.enabled = 0;
	/* Returns after a grace period, when no program writes to the old map any more. */
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.rows), &zero, &other, BPF_ANY)) {
		err = -errno;
		log__error("cannot exchange the maps: %s", strerror(-err));
		return err;
	}
	source->second_map = !source->second_map;
	err = take_rows(source, old);
	if (!err)
		err = take_others(source);
	if (err)
		log__error("cannot read what was counted: %s", strerror(-err));
	return err;
}

int reclaim_source__under_way(const struct reclaim_source *source,
			      void (*take)(void *context, const struct reclaim_under_way *), void *context)
{
	struct reclaim_under_way *values = calloc(BATCH, sizeof(*values));
	__u32 keys[BATCH], batch = 0, count;
	void *from = NULL;
	int err = values ? 0 : -ENOMEM;

	while (!err) {
		count = BATCH;
		err = bpf_map_lookup_batch(bpf_map__fd(source->skel->maps.under_way), from, &batch, keys,
					   values, &count, NULL);
		if (err && err != -ENOENT)
			break;
		for (__u32 i = 0; i < count; i++)
			take(context, &values[i]);
		from = &batch;
	}
	free(values);
	return err == -ENOENT ? 0 : err;
}

void reclaim_source__cgroup(const struct reclaim_source *source, uint64_t id, char *buf, size_t size)
{
	struct reclaim_cgroup cgroup;

	buf[0] = '\0';
	if (!id || bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.cgroups), &id, &cgroup))
		return;
	if (cgroup.size <= sizeof(cgroup.path))
		cgroup_path__build(cgroup.path, cgroup.size, cgroup.is_cut, 0, buf, size);
}

bool reclaim_source__knows_limit(const struct reclaim_source *source)
{
	return source->skel->rodata->config.has_memcg;
}

int reclaim_source__targets_fd(const struct reclaim_source *source)
{
	return bpf_map__fd(source->skel->maps.targets);
}

int reclaim_source__loss(const struct reclaim_source *source, struct loss *loss)
{
	return loss__read(source->skel->obj, bpf_map__fd(source->skel->maps.losses), NULL, loss);
}

void reclaim_source__overhead(const struct reclaim_source *source, double measured_share,
			      struct overhead *overhead)
{
	overhead__read(source->skel->obj, measured_share, overhead);
}
