/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/tlb_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tlb.skel.h"
#include "trace/iterator.h"
#include "trace/map_batch.h"
#include "trace/session.h"
#include "util/log.h"

#define PROCESSES_DEFAULT 8192

struct tlb_source {
	struct tlb_bpf *skel;
	struct tlb_table *table;
	unsigned cpus;
};

/* How to know whose address space a context switch loads. */
static void choose_programs(struct tlb_source *source, const struct features *features)
{
	bool by_queue = features->run_queues;

	bpf_program__set_autoload(source->skel->progs.flushed, by_queue);
	bpf_program__set_autoload(source->skel->progs.flushed_followed, !by_queue);
	bpf_program__set_autoload(source->skel->progs.switched, !by_queue);
}

static int load(struct tlb_source *source, const struct tlb_source_options *options,
		const struct target *target, const struct features *features)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = features__btf_path(features));
	struct target_config target_config = {};
	struct tlb_config *config;
	int err = target__configure(target, &target_config);

	if (err)
		return err;
	source->cpus = libbpf_num_possible_cpus();
	source->skel = tlb_bpf__open_opts(&opts);
	if (!source->skel) {
		err = -errno;
		log__error("cannot open the BPF programs: %s", strerror(-err));
		return err;
	}
	choose_programs(source, features);
	config = (struct tlb_config *)&source->skel->rodata->config;
	config->target = target_config;
	config->direct_reads = features->rdonly_cast;
	err = bpf_map__set_max_entries(source->skel->maps.processes,
				       options->max_processes ? options->max_processes : PROCESSES_DEFAULT);
	if (!err)
		err = features__load(features, source->skel->skeleton);
	if (err) {
		log__error(
			"the kernel refuses the BPF programs: %s (-v shows more; memtrace doctor tells what it offers)",
			strerror(-err));
		return err;
	}
	err = target__fill(target, bpf_map__fd(source->skel->maps.targets));
	if (err)
		return err;
	err = tlb_bpf__attach(source->skel);
	if (err)
		log__error("cannot attach the BPF programs: %s", strerror(-err));
	return err;
}

struct tlb_source *tlb_source__open(const struct tlb_source_options *options, const struct target *target,
				    const struct features *features, struct tlb_table *table)
{
	struct tlb_source *source;

	if (!features__has_tracepoint(features, "tlb_flush")) {
		log__error("this kernel does not trace flushes of the TLB (tlb:tlb_flush): only x86 does");
		return NULL;
	}
	source = calloc(1, sizeof(*source));
	if (!source) {
		log__error("no memory");
		return NULL;
	}
	source->table = table;
	if (load(source, options, target, features)) {
		tlb_source__close(source);
		return NULL;
	}
	overhead__say_maps(source->skel->obj);
	return source;
}

void tlb_source__close(struct tlb_source *source)
{
	if (!source)
		return;
	tlb_bpf__destroy(source->skel);
	free(source);
}

/* --- collecting -------------------------------------------------------------------------------------------
 */

/* Run the task iterator: the context switches of every thread that is traced. */
static int read_threads(struct tlb_source *source)
{
	int fd = bpf_iter_create(bpf_link__fd(source->skel->links.thread_switches));
	struct tlb_thread threads[64];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = iterator__records(fd, threads, sizeof(threads[0]), 64)) > 0)
		for (ssize_t i = 0; i < n; i++)
			tlb_table__add_thread(source->table, &threads[i]);
	close(fd);
	return n;
}

int tlb_source__begin(struct tlb_source *source)
{
	int err;

	source->skel->bss->control_block.began_ns = session__now();
	err = read_threads(source);
	if (err) {
		log__error("cannot read the context switches of the tasks: %s", strerror(-err));
		return err;
	}
	source->skel->bss->control_block.phase = TLB_DURING;
	source->skel->bss->control_block.enabled = 1;
	return 0;
}

struct taker {
	struct tlb_table *table;
	bool last;
};

static bool take_process(void *context, const void *key, const void *value)
{
	const struct taker *taker = context;

	return tlb_table__set_process(taker->table, key, value, taker->last);
}

/* Take the entries of processes; those that have ended are deleted when nothing more can come. */
static int take_processes(struct tlb_source *source, bool last)
{
	struct taker taker = {source->table, last};

	return map_batch__each(source->skel->maps.processes, take_process, &taker);
}

static int take_totals(struct tlb_source *source)
{
	struct tlb_total *values = calloc(source->cpus, sizeof(*values));
	int fd = bpf_map__fd(source->skel->maps.totals), err = values ? 0 : -ENOMEM;

	for (__u32 reason = 0; reason < TLB_REASONS && !err; reason++) {
		struct tlb_total sum = {};

		if (bpf_map_lookup_elem(fd, &reason, values)) {
			err = -errno;
			break;
		}
		for (unsigned cpu = 0; cpu < source->cpus; cpu++) {
			tlb_count__add(&sum.count, &values[cpu].count);
			tlb_count__add(&sum.other, &values[cpu].other);
			for (int i = 0; i < TLB_BUCKETS; i++)
				sum.buckets[i] += values[cpu].buckets[i];
		}
		tlb_table__set_total(source->table, reason, &sum);
	}
	free(values);
	return err;
}

/* Context switches of living threads, and of those that have ended. */
static int take_switches(struct tlb_source *source, bool last)
{
	int err;

	tlb_table__begin_threads(source->table);
	if (!last) {
		err = take_processes(source, false);
		return err ? err : read_threads(source);
	}
	/* From here on a thread that exits counts as living if the iteration has passed it. */
	source->skel->bss->control_block.visited = 0;
	source->skel->bss->control_block.phase = TLB_AFTER;
	err = take_processes(source, false); /* so that their rows are there */
	if (!err)
		err = read_threads(source);
	source->skel->bss->control_block.visited = UINT32_MAX;
	return err ? err : take_processes(source, true);
}

int tlb_source__collect(struct tlb_source *source, bool threads, bool last)
{
	int err;

	if (last)
		source->skel->bss->control_block.enabled = 0;
	err = threads ? take_switches(source, last) : take_processes(source, false);
	if (!err)
		err = take_totals(source);
	return err ? err : tlb_table__fold(source->table);
}

int tlb_source__targets_fd(const struct tlb_source *source)
{
	return bpf_map__fd(source->skel->maps.targets);
}

int tlb_source__loss(const struct tlb_source *source, struct loss *loss)
{
	/* What comes while flush_sent runs is a shootdown from elsewhere, which it would pass over anyway. */
	return loss__read(source->skel->obj, bpf_map__fd(source->skel->maps.losses),
			  source->skel->progs.flush_sent, loss);
}

void tlb_source__overhead(const struct tlb_source *source, double measured_share, struct overhead *overhead)
{
	overhead__read(source->skel->obj, measured_share, overhead);
}
