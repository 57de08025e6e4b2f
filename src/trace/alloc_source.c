/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/alloc_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.skel.h"
#include "trace/iterator.h"
#include "trace/map_batch.h"
#include "trace/perf_event.h"
#include "trace/tracefs.h"
#include "util/log.h"

/* Entries of the map `touched`, by the memory that there is to touch: each stands for 256 KiB. */
#define TOUCHED_LEAST 16384u
#define TOUCHED_MOST  65536u

struct alloc_source {
	struct alloc_bpf *skel;
	struct perf_links events;
	struct session *session;
	struct alloc_handlers handlers;
	bool has_tracepoints; /* page_fault_user, page_fault_kernel */
};

/* --- configuration ----------------------------------------------------------------------------------------
 */

static uint32_t touched_entries(void)
{
	uint64_t n = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) >> TOUCHED_SHIFT;

	return n < TOUCHED_LEAST ? TOUCHED_LEAST : n > TOUCHED_MOST ? TOUCHED_MOST : n;
}

static int set_map_sizes(struct alloc_source *source, const struct alloc_source_options *options)
{
	struct alloc_bpf *skel = source->skel;
	int err = bpf_map__set_max_entries(skel->maps.touched, touched_entries());

	if (!err)
		err = bpf_map__set_max_entries(skel->maps.calls_here, libbpf_num_possible_cpus());
	if (!err && options->stacks)
		err = bpf_map__set_max_entries(skel->maps.stack_buffers,
					       libbpf_num_possible_cpus() * STACK_BUFFERS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.events, session__ring_bytes(options->buffer_bytes));
	return err;
}

static void choose_programs(struct alloc_source *source, const struct features *features)
{
	struct alloc_bpf *skel = source->skel;

	source->has_tracepoints = features__has_tracepoint(features, "page_fault_user") &&
				  features__has_tracepoint(features, "page_fault_kernel");
	bpf_program__set_autoload(skel->progs.fault_user, source->has_tracepoints);
	bpf_program__set_autoload(skel->progs.fault_kernel, source->has_tracepoints);
	bpf_program__set_autoload(skel->progs.fault_software, !source->has_tracepoints);
}

static void configure(struct alloc_source *source, const struct alloc_source_options *options,
		      const struct features *features, const struct target_config *target)
{
	struct alloc_config *config = (struct alloc_config *)&source->skel->rodata->config;

	config->target = *target;
	config->stacks = options->stacks;
	config->every_stack = options->every_stack;
	config->kernel_stacks = options->kernel_stacks;
	config->touch_stacks = options->touch_stacks;
	config->stack_bytes = options->stack_bytes;
	config->cpus = libbpf_num_possible_cpus();
	config->direct_reads = features->rdonly_cast;
	config->task_registers = features->task_registers;
	config->ring_wake_bytes = bpf_map__max_entries(source->skel->maps.events) / 4;
}

/* --- attaching --------------------------------------------------------------------------------------------
 */

/* One system call. A kernel need not have all of them: shmat() is an option of its build. */
static int attach_call(struct alloc_source *source, int tracefs, const struct bpf_program *entered,
		       const char *name, bool needed)
{
	char event[64];
	int id, err;

	snprintf(event, sizeof(event), "syscalls/sys_enter_%s", name);
	id = tracefs__tracepoint(tracefs, event);
	if (id == -ENOENT && !needed)
		return 0;
	err = id < 0 ? id : perf_links__attach_tracepoint(&source->events, entered, id);
	if (!err) {
		snprintf(event, sizeof(event), "syscalls/sys_exit_%s", name);
		id = tracefs__tracepoint(tracefs, event);
		err = id < 0 ? id
			     : perf_links__attach_tracepoint(&source->events,
							     source->skel->progs.call_returned, id);
	}
	if (err)
		log__error("cannot trace the system call %s, tracepoint %s: %s", name, event, strerror(-err));
	return err;
}

static int attach_calls(struct alloc_source *source)
{
	struct alloc_bpf *skel = source->skel;
	const struct {
		const struct bpf_program *entered;
		const char *name;
		bool needed;
	} calls[] = {
#define CALL(name, needed) {skel->progs.name##_entered, #name, needed}
		CALL(brk, true),      CALL(mmap, true),	     CALL(munmap, true),
		CALL(mremap, true),   CALL(mprotect, true),  CALL(pkey_mprotect, false),
		CALL(madvise, false), CALL(mlock, false),    CALL(mlock2, false),
		CALL(munlock, false), CALL(mlockall, false), CALL(munlockall, false),
		CALL(shmat, false),   CALL(shmdt, false),
#undef CALL
	};
	int tracefs = tracefs__open(), err = 0;

	if (tracefs == -EACCES) {
		log__error(
			"cannot trace system calls: tracefs may not be read: root or CAP_DAC_READ_SEARCH is missing");
		return tracefs;
	}
	if (tracefs < 0) {
		log__error("cannot trace system calls: tracefs is not mounted and cannot be (%s); mount it: "
			   "mount -t tracefs nodev /sys/kernel/tracing",
			   strerror(-tracefs));
		return tracefs;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !err; i++)
		err = attach_call(source, tracefs, calls[i].entered, calls[i].name, calls[i].needed);
	close(tracefs);
	return err;
}

/* The programs of system calls are attached by number, all others as their sections say. */
static int attach(struct alloc_source *source)
{
	struct alloc_bpf *skel = source->skel;
	struct bpf_program *prog;
	int err = attach_calls(source);

	if (!err && !source->has_tracepoints)
		err = perf_links__attach(&source->events, skel->progs.fault_software,
					 PERF_COUNT_SW_PAGE_FAULTS, 1);
	if (err)
		return err;
	bpf_object__for_each_program(prog, skel->obj)
		if (bpf_program__type(prog) == BPF_PROG_TYPE_TRACEPOINT)
			bpf_program__set_autoattach(prog, false);
	err = alloc_bpf__attach(skel);
	if (err)
		log__error("cannot attach the BPF programs: %s", strerror(-err));
	return err;
}

/* --- records ----------------------------------------------------------------------------------------------
 */

static int take_event(void *context, void *data, size_t size)
{
	struct alloc_source *source = context;
	const struct alloc_handlers *handlers = &source->handlers;
	const struct record_header *header = data;
	int err = 0;

	if (size < sizeof(*header))
		return 0;
	if (header->type == RECORD_CALL && size >= sizeof(struct call_record))
		err = handlers->call(handlers->context, data);
	else if (header->type == RECORD_VMA && size >= offsetof(struct vma_record, name))
		err = handlers->vma(handlers->context, data, size);
	else if (header->type == RECORD_PROCESS && size >= sizeof(struct process_record))
		err = handlers->process(handlers->context, data);
	else if (header->type == RECORD_STACK)
		err = handlers->stack(handlers->context, data, size);
	if (!err && session__drained_enough(source->session))
		err = -EAGAIN;
	return err;
}

/* --- opening ----------------------------------------------------------------------------------------------
 */

static int load(struct alloc_source *source, const struct alloc_source_options *options,
		const struct target *target, const struct features *features)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = features__btf_path(features));
	struct target_config config = {};
	int err = target__configure(target, &config);

	if (err)
		return err;
	source->skel = alloc_bpf__open_opts(&opts);
	if (!source->skel) {
		err = -errno;
		log__error("cannot open the BPF programs: %s", strerror(-err));
		return err;
	}
	choose_programs(source, features);
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
	source->session->events =
		ring_buffer__new(bpf_map__fd(source->skel->maps.events), take_event, source, NULL);
	if (!source->session->events) {
		err = -errno;
		log__error("cannot open the ring buffer: %s", strerror(-err));
		return err;
	}
	return target__fill(target, bpf_map__fd(source->skel->maps.targets));
}

struct alloc_source *alloc_source__open(const struct alloc_source_options *options,
					const struct target *target, const struct features *features,
					struct session *session, const struct alloc_handlers *handlers)
{
	struct alloc_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source) {
		log__error("no memory");
		return NULL;
	}
	source->session = session;
	source->handlers = *handlers;
	err = load(source, options, target, features);
	if (!err)
		err = attach(source);
	if (err) {
		alloc_source__close(source);
		return NULL;
	}
	overhead__say_maps(source->skel->obj);
	return source;
}

void alloc_source__close(struct alloc_source *source)
{
	if (!source)
		return;
	perf_links__detach(&source->events);
	alloc_bpf__destroy(source->skel);
	free(source);
}

void alloc_source__begin(struct alloc_source *source)
{
	source->skel->bss->control_block.enabled = 1;
}

void alloc_source__stop(struct alloc_source *source)
{
	source->skel->bss->control_block.enabled = 0;
}

void alloc_source__next_generation(struct alloc_source *source)
{
	source->skel->bss->control_block.generation++;
}

uint64_t alloc_source__calls(const struct alloc_source *source)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values = calloc(cpus, sizeof(*values)), sum = 0;
	__u32 zero = 0;

	if (values && !bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.calls_returned), &zero, values))
		for (int cpu = 0; cpu < cpus; cpu++)
			sum += values[cpu];
	free(values);
	return sum;
}

/* --- what the kernel side keeps ---------------------------------------------------------------------------
 */

int alloc_source__list(struct alloc_source *source,
		       void (*take)(void *context, const struct process_listed *), void *context)
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

int alloc_source__touched(struct alloc_source *source,
			  bool (*take)(void *context, const void *key, const void *value), void *context)
{
	return map_batch__each(source->skel->maps.touched, take, context);
}

/* Of what is larger not all chunks can be asked for one by one. */
#define CHUNKS_MOST 65536

void alloc_source__touched_in(struct alloc_source *source, const struct process_key *key, uint64_t start,
			      uint64_t end, bool (*take)(void *context, const void *key, const void *value),
			      void *context)
{
	int fd = bpf_map__fd(source->skel->maps.touched);
	struct touched_key wanted = {.tgid = key->tgid, .image = key->image};
	struct touched_value value;
	uint64_t first = start >> TOUCHED_SHIFT, last = (end - 1) >> TOUCHED_SHIFT;

	for (uint64_t chunk = first; chunk <= last && chunk - first < CHUNKS_MOST; chunk++) {
		wanted.chunk = chunk;
		if (!bpf_map_lookup_elem(fd, &wanted, &value))
			take(context, &wanted, &value);
	}
}

int alloc_source__lost(struct alloc_source *source,
		       bool (*take)(void *context, const struct lost_key *, const struct lost_calls *),
		       void *context)
{
	int fd = bpf_map__fd(source->skel->maps.lost_calls);
	struct lost_key key, next;
	struct lost_calls lost;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (!bpf_map_lookup_elem(fd, &key, &lost) && take(context, &key, &lost))
			bpf_map_delete_elem(fd, &key);
	}
	return errno == ENOENT ? 0 : -errno;
}

int alloc_source__targets_fd(const struct alloc_source *source)
{
	return bpf_map__fd(source->skel->maps.targets);
}

int alloc_source__loss(const struct alloc_source *source, struct loss *loss)
{
	/* As with faults: what comes while fault_kernel runs is its own doing. */
	return loss__read(source->skel->obj, bpf_map__fd(source->skel->maps.losses),
			  source->skel->progs.fault_kernel, loss);
}

void alloc_source__overhead(const struct alloc_source *source, double measured_share,
			    struct overhead *overhead)
{
	overhead__read(source->skel->obj, measured_share, overhead);
}
