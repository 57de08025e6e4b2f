/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/fault_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults.skel.h"
#include "proc/file.h"
#include "trace/iterator.h"
#include "trace/map_batch.h"
#include "trace/perf_event.h"
#include "util/log.h"

#define CONTROL_RING_BYTES (1u << 20)
#define VMA_MAP_BYTES	   (16ull << 20) /* aimed at, for both VMA maps together */
#define VMA_MAP_OVERHEAD   96		 /* of a hash element, beside its values */
#define BATCH		   256
#define EVENTS_PERIOD_NS   50000000 /* at which a CPU sends the events that it has gathered */

struct fault_source {
	struct faults_bpf *skel;
	struct perf_links events;
	struct session *session;
	struct fault_table *table;
	struct fault_handlers handlers;
	bool has_tracepoints;
	unsigned cpus;
	uint32_t max_vmas;
	bool second_map; /* vmas_b is in use */
	bool wants_ring; /* for events or stacks */
	struct fault_latency latency_shown[CLASSES][2];
};

/* --- configuration ----------------------------------------------------------------------------------------
 */

/* As many VMAs as fit a fixed amount of memory, whatever the number of CPUs; a full map is emptied at half.
 */
static uint32_t vma_entries(unsigned cpus)
{
	uint64_t n = VMA_MAP_BYTES / 2 / (cpus * sizeof(struct vma_stats) + VMA_MAP_OVERHEAD);

	return n < 1024 ? 1024 : n > 16384 ? 16384 : n;
}

static int set_map_sizes(struct fault_source *source, const struct fault_source_options *options)
{
	struct faults_bpf *skel = source->skel;
	int err = 0;

	source->wants_ring = options->events || options->stacks;
	if (options->stacks)
		err = bpf_map__set_max_entries(skel->maps.stack_buffers, source->cpus * STACK_BUFFERS);
	if (err)
		return err;
	source->max_vmas = options->max_vmas ? options->max_vmas : vma_entries(source->cpus);
	err = bpf_map__set_max_entries(skel->maps.vmas_a, source->max_vmas);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.vmas_b, source->max_vmas);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.control, CONTROL_RING_BYTES);
	if (!err)
		err = bpf_map__set_max_entries(
			skel->maps.events,
			session__ring_bytes(source->wants_ring ? options->buffer_bytes : 0));
	return err;
}

/* They matter only where the RSS counters before and after a fault are compared. */
static void choose_reclaim_programs(struct fault_source *source, bool wanted)
{
	struct faults_bpf *skel = source->skel;

	bpf_program__set_autoload(skel->progs.direct_reclaim_began, wanted);
	bpf_program__set_autoload(skel->progs.direct_reclaim_ended, wanted);
	bpf_program__set_autoload(skel->progs.memcg_reclaim_began, wanted);
	bpf_program__set_autoload(skel->progs.memcg_reclaim_ended, wanted);
}

static void choose_programs(struct fault_source *source, const struct fault_source_options *options,
			    const struct features *features)
{
	struct faults_bpf *skel = source->skel;

	source->has_tracepoints = features__has_tracepoint(features, "page_fault_user") &&
				  features__has_tracepoint(features, "page_fault_kernel");
	bpf_program__set_autoload(skel->progs.fault_user, source->has_tracepoints);
	bpf_program__set_autoload(skel->progs.fault_kernel, source->has_tracepoints);
	bpf_program__set_autoload(skel->progs.fault_software, !source->has_tracepoints);
	bpf_program__set_autoload(skel->progs.fault_minor, options->complete);
	bpf_program__set_autoload(skel->progs.events_due, options->events);
	choose_reclaim_programs(source, options->exact_kinds);
}

static void configure(struct fault_source *source, const struct fault_source_options *options,
		      const struct features *features, const struct target_config *target)
{
	struct faults_config *config = (struct faults_config *)&source->skel->rodata->config;

	config->target = *target;
	config->min_latency_ns = options->min_latency_ns;
	config->complete = options->complete;
	config->time_minor = options->time_minor;
	config->exact_kinds = options->exact_kinds;
	config->events = options->events;
	config->major_only = options->major_only;
	config->stacks = options->stacks;
	config->every_stack = options->every_stack;
	config->kernel_stacks = options->kernel_stacks;
	config->stack_bytes = options->stack_bytes;
	config->direct_reads = features->rdonly_cast;
	config->task_registers = features->task_registers;
	config->ring_wake_bytes = bpf_map__max_entries(source->skel->maps.events) / 4;
	config->control_wake_bytes = CONTROL_RING_BYTES / 4;
}

/* --- records ----------------------------------------------------------------------------------------------
 */

static int take_control(void *context, void *data, size_t size)
{
	struct fault_source *source = context;
	const struct record_header *header = data;

	if (size < sizeof(*header))
		return 0;
	if (header->type == RECORD_VMA)
		fault_table__vma_seen(source->table, data, size);
	else if (header->type == RECORD_SIGNAL && size >= sizeof(struct signal_record) &&
		 source->handlers.signal)
		return source->handlers.signal(source->handlers.context, data);
	else if (header->type == RECORD_STACK)
		return source->handlers.stack(source->handlers.context, data, size, true);
	return 0;
}

static int take_fault(struct fault_source *source, const struct fault_record *record)
{
	const struct vma_row *v = fault_table__vma_of_event(source->table, record);

	/* Its VMA was announced before it was sent, but maybe since the names were last taken. */
	if (!v && record->end) {
		ring_buffer__consume(source->session->control);
		v = fault_table__vma_of_event(source->table, record);
	}
	return source->handlers.fault(source->handlers.context, record, v);
}

static int take_faults(struct fault_source *source, const struct event_batch *batch, size_t size)
{
	size_t head = offsetof(struct event_batch, events), n = batch->count;
	int err = 0;

	if (n > EVENT_BATCH || n > (size - head) / sizeof(batch->events[0]))
		return 0;
	for (size_t i = 0; i < n && !err; i++) {
		struct fault_record record = fault_record__of(batch, &batch->events[i]);

		err = take_fault(source, &record);
	}
	return err;
}

/* A stack, or faults that were sent together. */
static int take_event(void *context, void *data, size_t size)
{
	struct fault_source *source = context;
	const struct record_header *header = data;
	int err = 0;

	if (size >= sizeof(*header) && header->type == RECORD_STACK)
		err = source->handlers.stack(source->handlers.context, data, size, false);
	else if (size >= offsetof(struct event_batch, events) && header->type == RECORD_FAULTS)
		err = take_faults(source, data, size);
	if (!err && session__drained_enough(source->session))
		err = -EAGAIN;
	return err;
}

static int open_rings(struct fault_source *source)
{
	struct session *session = source->session;
	struct bpf_map *control = source->skel->maps.control, *ring = source->skel->maps.events;

	session->control = ring_buffer__new(bpf_map__fd(control), take_control, source, NULL);
	if (!session->control)
		return -errno;
	if (!source->wants_ring)
		return 0;
	session->events = ring_buffer__new(bpf_map__fd(ring), take_event, source, NULL);
	return session->events ? 0 : -errno;
}

/* --- opening ----------------------------------------------------------------------------------------------
 */

static int attach_events(struct fault_source *source, const struct fault_source_options *options)
{
	struct faults_bpf *skel = source->skel;
	int err = perf_links__attach(&source->events, skel->progs.fault_major, PERF_COUNT_SW_PAGE_FAULTS_MAJ,
				     1);

	if (!err && options->complete)
		err = perf_links__attach(&source->events, skel->progs.fault_minor,
					 PERF_COUNT_SW_PAGE_FAULTS_MIN, 1);
	if (!err && options->events)
		err = perf_links__attach(&source->events, skel->progs.events_due, PERF_COUNT_SW_CPU_CLOCK,
					 EVENTS_PERIOD_NS);
	if (!err && !source->has_tracepoints)
		err = perf_links__attach(&source->events, skel->progs.fault_software,
					 PERF_COUNT_SW_PAGE_FAULTS, 1);
	return err;
}

static int attach(struct fault_source *source, const struct fault_source_options *options)
{
	int err = attach_events(source, options);

	if (err)
		return err;
	err = faults_bpf__attach(source->skel);
	if (err) {
		log__error("cannot attach the BPF programs: %s", strerror(-err));
		return err;
	}
	return 0;
}

static int load(struct fault_source *source, const struct fault_source_options *options,
		const struct target *target, const struct features *features)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = features__btf_path(features));
	struct target_config config = {};
	int err;

	err = target__configure(target, &config);
	if (err)
		return err;
	source->cpus = libbpf_num_possible_cpus();
	source->skel = faults_bpf__open_opts(&opts);
	if (!source->skel) {
		log__error("cannot open the BPF programs: %s", strerror(errno));
		return -errno;
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
	err = open_rings(source);
	if (err)
		log__error("cannot open the ring buffers: %s", strerror(-err));
	return err ? err : target__fill(target, bpf_map__fd(source->skel->maps.targets));
}

struct fault_source *fault_source__open(const struct fault_source_options *options,
					const struct target *target, const struct features *features,
					struct session *session, struct fault_table *table,
					const struct fault_handlers *handlers)
{
	struct fault_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source) {
		log__error("no memory");
		return NULL;
	}
	source->session = session;
	source->table = table;
	source->handlers = *handlers;
	err = load(source, options, target, features);
	if (!err)
		err = attach(source, options);
	if (err) {
		fault_source__close(source);
		return NULL;
	}
	overhead__say_maps(source->skel->obj);
	return source;
}

void fault_source__close(struct fault_source *source)
{
	if (!source)
		return;
	perf_links__detach(&source->events);
	faults_bpf__destroy(source->skel);
	free(source);
}

/* --- counting ---------------------------------------------------------------------------------------------
 */

/* Run the task iterator: the counters of every thread that is traced. */
static int read_threads(struct fault_source *source)
{
	int fd = bpf_iter_create(bpf_link__fd(source->skel->links.thread_counters));
	struct thread_counters threads[64];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = iterator__records(fd, threads, sizeof(threads[0]), 64)) > 0)
		for (ssize_t i = 0; i < n; i++)
			fault_table__add_thread(source->table, &threads[i]);
	close(fd);
	return n;
}

/* An anonymous fault can be major if there is swap. */
static bool swap_is_on(void)
{
	char *swaps = file__read("/proc/swaps", NULL), *first = swaps ? strchr(swaps, '\n') : NULL;
	bool on = first && first[1];

	free(swaps);
	return on;
}

int fault_source__begin(struct fault_source *source)
{
	int err;

	source->skel->bss->control_block.swap_on = swap_is_on();
	source->skel->bss->control_block.began_ns = session__now();
	err = read_threads(source);
	if (err) {
		log__error("cannot read the fault counters of the tasks: %s", strerror(-err));
		return err;
	}
	source->skel->bss->control_block.phase = DURING;
	source->skel->bss->control_block.enabled = 1;
	return 0;
}

bool fault_source__needs_collecting(const struct fault_source *source)
{
	return source->skel->bss->control_block.first_seen > source->max_vmas / 2;
}

static void add_vma(struct fault_source *source, const struct vma_key *key, const struct vma_stats *values)
{
	for (unsigned cpu = 0; cpu < source->cpus; cpu++)
		if (values[cpu].faults || values[cpu].major || values[cpu].failed)
			fault_table__add_stats(source->table, key, &values[cpu]);
}

/* Nobody writes to this map any more: read it and empty it. */
static int take_vmas(struct fault_source *source, const struct bpf_map *map)
{
	struct vma_key *keys = calloc(BATCH, sizeof(*keys));
	struct vma_stats *values = calloc(BATCH, source->cpus * sizeof(*values)); /* one a CPU */
	__u32 batch = 0, count;
	void *from = NULL;
	int err = keys && values ? 0 : -ENOMEM;

	while (!err) {
		count = BATCH;
		err = bpf_map_lookup_and_delete_batch(bpf_map__fd(map), from, &batch, keys, values, &count,
						      NULL);
		if (err && err != -ENOENT)
			break;
		for (__u32 i = 0; i < count; i++)
			add_vma(source, &keys[i], &values[i * source->cpus]);
		from = &batch;
	}
	free(keys);
	free(values);
	return err == -ENOENT ? 0 : err;
}

/* What CPUs had counted and not yet put into the map; nobody uses this half any more. */
static int take_hot_vmas(struct fault_source *source, __u32 generation)
{
	int fd = bpf_map__fd(source->skel->maps.hot_vmas), err = 0;
	struct hot_vma *values = calloc(source->cpus, sizeof(*values));

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &generation, values))
		err = -errno;
	for (unsigned cpu = 0; cpu < source->cpus && !err; cpu++)
		if (values[cpu].pending.faults)
			fault_table__add_stats(source->table, &values[cpu].key, &values[cpu].pending);
	memset(values, 0, source->cpus * sizeof(*values));
	if (!err && bpf_map_update_elem(fd, &generation, values, BPF_ANY))
		err = -errno;
	free(values);
	return err;
}

/* What CPUs had gathered and not yet sent, when nobody adds to it any more. */
static int take_unsent_events(struct fault_source *source)
{
	struct event_batch *batches = calloc(source->cpus, sizeof(*batches));
	__u32 zero = 0;
	int err = batches ? 0 : -ENOMEM;

	if (!err && bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.event_batches), &zero, batches))
		err = -errno;
	for (unsigned cpu = 0; cpu < source->cpus && !err; cpu++)
		err = take_faults(source, &batches[cpu], sizeof(batches[cpu]));
	free(batches);
	return err;
}

struct taking {
	struct fault_source *source;
	bool last;
};

static bool take_process(void *context, const void *key, const void *value)
{
	const struct taking *taking = context;

	return fault_table__set_process(taking->source->table, key, value, taking->last);
}

/* Take the entries of processes; those that have exited are deleted when nothing more can come. */
static int take_processes(struct fault_source *source, bool last)
{
	struct taking taking = {source, last};

	return map_batch__each(source->skel->maps.processes, take_process, &taking);
}

/* What living threads have, and what is kept of the others. */
static int take_counters(struct fault_source *source, bool last)
{
	int err;

	fault_table__begin_threads(source->table);
	if (!last) {
		err = take_processes(source, false);
		return err ? err : read_threads(source);
	}
	/* From here on a thread that exits counts as living if the iteration has passed it. */
	source->skel->bss->control_block.visited = 0;
	source->skel->bss->control_block.phase = AFTER;
	err = take_processes(source, false); /* so that their rows are there */
	if (!err)
		err = read_threads(source);
	source->skel->bss->control_block.visited = UINT32_MAX;
	return err ? err : take_processes(source, true);
}

int fault_source__collect(struct fault_source *source, enum collect what)
{
	struct faults_bpf *skel = source->skel;
	struct bpf_map *old = source->second_map ? skel->maps.vmas_b : skel->maps.vmas_a;
	int other = bpf_map__fd(source->second_map ? skel->maps.vmas_a : skel->maps.vmas_b), err;
	__u32 zero = 0, generation;

	skel->bss->control_block.swap_on = swap_is_on();
	skel->bss->control_block.first_seen = 0;
	if (what == COLLECT_LAST)
		skel->bss->control_block.enabled = 0;
	/* Close to the exchange: what is counted by the kernel and what is counted here are to be of one
	 * moment. */
	err = what == COLLECT_COUNTS ? 0 : take_counters(source, what == COLLECT_LAST);
	if (err)
		return err;
	generation = skel->bss->control_block.generation++ & 1;
	/* Returns after a grace period: see `vmas` in fault_state.bpf.h. */
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.vmas), &zero, &other, BPF_ANY)) {
		err = -errno;
		log__error("cannot exchange the VMA maps: %s", strerror(-err));
		return err;
	}
	source->second_map = !source->second_map;
	err = session__drain(source->session, what == COLLECT_LAST);
	if (!err && what == COLLECT_LAST)
		err = take_unsent_events(source);
	if (!err)
		err = take_hot_vmas(source, generation);
	if (!err)
		err = take_vmas(source, old);
	if (!err && what == COLLECT_COUNTS)
		err = take_processes(source, false);
	if (!err)
		fault_table__fold(source->table);
	return err;
}

void fault_source__class_latency(struct fault_source *source, unsigned class, bool major,
				 struct fault_latency *latency, bool reset)
{
	struct class_latency *values = calloc(source->cpus, sizeof(*values));
	struct fault_latency now = {}, *shown = &source->latency_shown[class][major];
	__u32 index = class * 2 + major;

	memset(latency, 0, sizeof(*latency));
	if (!values || bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.class_latencies), &index, values)) {
		free(values);
		return;
	}
	for (unsigned cpu = 0; cpu < source->cpus; cpu++) {
		for (int i = 0; i < LATENCY_BUCKETS; i++)
			now.timed.buckets[i] += values[cpu].buckets[i];
		if (values[cpu].max_ns > now.timed.max_ns)
			now.timed.max_ns = values[cpu].max_ns;
		now.untimed += values[cpu].untimed;
	}
	free(values);
	for (int i = 0; i < LATENCY_BUCKETS; i++)
		latency->timed.buckets[i] = now.timed.buckets[i] - shown->timed.buckets[i];
	latency->timed.max_ns = now.timed.max_ns;
	latency->untimed = now.untimed - shown->untimed;
	if (reset)
		*shown = now;
}

uint64_t fault_source__unattributed(const struct fault_source *source)
{
	return source->skel->bss->control_block.unattributed;
}

int fault_source__targets_fd(const struct fault_source *source)
{
	return bpf_map__fd(source->skel->maps.targets);
}

int fault_source__loss(const struct fault_source *source, struct loss *loss)
{
	/*
	 * fault_kernel runs with interrupts off: what comes while it runs is the fault of its own look at the
	 * stack, made with page faults disabled, which it would pass over anyway.
	 */
	return loss__read(source->skel->obj, bpf_map__fd(source->skel->maps.losses),
			  source->skel->progs.fault_kernel, loss);
}

void fault_source__overhead(const struct fault_source *source, double measured_share,
			    struct overhead *overhead)
{
	overhead__read(source->skel->obj, measured_share, overhead);
}
