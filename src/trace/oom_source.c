/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/oom_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oom.skel.h"
#include "proc/cgroup.h"
#include "proc/file.h"
#include "trace/iterator.h"
#include "trace/perf_event.h"
#include "trace/probe.h"
#include "util/log.h"

#define RING_BYTES	 (2u << 20) /* some 300 kills between two looks */
#define STACK_RING_BYTES (4u << 20)
#define FEW_ENTRIES	 64 /* of maps that are not used */

struct oom_source {
	struct oom_bpf *skel;
	struct session *session;
	struct oom_source_options options;
	struct oom_handlers handlers;
	struct perf_links faults;
	struct bpf_program *decision; /* NULL: neither can be had */
	struct bpf_link *decision_link;
	int cpus;
};

/* --- loading ----------------------------------------------------------------------------------------------
 */

static bool memory_is_v1(void)
{
	char *mounts = file__read("/proc/self/mounts", NULL), dir[PATH_MAX];
	bool is_v1 = false;

	if (mounts && cgroup__memory_mount(mounts, dir, sizeof(dir), &is_v1))
		is_v1 = false;
	free(mounts);
	return is_v1;
}

static bool can_have(probe_fn *probe, const struct features *features)
{
	struct finding finding = {};

	probe(features, NULL, &finding);
	return finding.found == FOUND_YES;
}

/* The kernel's own view of a kill, where its functions may be hooked: fentry, else kprobe, else neither. */
static void choose_decision(struct oom_source *source, const struct features *features)
{
	bool fentry = features->fentry && features__has_function(features, "oom_kill_process") &&
		      can_have(probe__fentry, features);
	bool kprobe = !fentry && features->kprobe && can_have(probe__kprobe, features);

	bpf_program__set_autoload(source->skel->progs.decided_fentry, fentry);
	bpf_program__set_autoload(source->skel->progs.decided_kprobe, kprobe);
	bpf_program__set_autoattach(source->skel->progs.decided_fentry, false);
	bpf_program__set_autoattach(source->skel->progs.decided_kprobe, false);
	source->decision = fentry   ? source->skel->progs.decided_fentry
			   : kprobe ? source->skel->progs.decided_kprobe
				    : NULL;
	log__verbose("oom_kill_process: %s",
		     fentry   ? "by fentry"
		     : kprobe ? "by kprobe"
			      : "cannot be hooked; tracepoints and the log have to do");
}

/* mark_victim: (pid), or (task, uid). */
static void choose_programs(struct oom_source *source, const struct features *features)
{
	struct oom_bpf *skel = source->skel;
	bool by_task = features__tracepoint_args(features, "mark_victim") == 2;

	bpf_program__set_autoload(skel->progs.mark_victim_task, by_task);
	bpf_program__set_autoload(skel->progs.mark_victim_pid, !by_task);
	bpf_program__set_autoload(skel->progs.memory_freed, features__has_tracepoint(features, "exit_mmap"));
	choose_decision(source, features);
	bpf_program__set_autoload(skel->progs.fault_sampled, source->options.stacks != STACK_NONE);
	bpf_program__set_autoattach(skel->progs.learn_cpu, false);
}

static void configure(struct oom_source *source, const struct features *features,
		      const struct target_config *target)
{
	struct oom_config *config = (struct oom_config *)&source->skel->rodata->config;

	config->target = *target;
	config->cpus = source->cpus;
	config->direct_reads = features->rdonly_cast;
	config->reclaim_has_memcg = features__tracepoint_args(features, "mm_vmscan_memcg_reclaim_begin") == 3;
	config->memsw = memory_is_v1();
	config->stacks = source->options.stacks;
	config->stack_bytes = source->options.stack_bytes;
	config->task_registers = features->task_registers;
	config->ring_wake_bytes = STACK_RING_BYTES / 4;
}

static int set_map_sizes(struct oom_source *source)
{
	struct oom_bpf *skel = source->skel;
	int err = bpf_map__set_max_entries(skel->maps.events, session__ring_bytes(RING_BYTES));

	if (!err)
		err = bpf_map__set_max_entries(skel->maps.cpu_offsets, source->cpus);
	if (!err) /* nothing is traced by pid */
		err = bpf_map__set_max_entries(skel->maps.targets, 1);
	if (!err && source->options.stacks)
		err = bpf_map__set_max_entries(skel->maps.control, session__ring_bytes(STACK_RING_BYTES));
	if (!err && source->options.stacks)
		err = bpf_map__set_max_entries(skel->maps.stack_buffers, source->cpus * STACK_BUFFERS);
	if (!err && !source->options.stacks)
		err = bpf_map__set_max_entries(skel->maps.high_waters, FEW_ENTRIES);
	if (!err && !source->options.stacks)
		err = bpf_map__set_max_entries(skel->maps.vma_faults, FEW_ENTRIES);
	return err;
}

/* Each CPU tells where its part of a percpu counter is. One that is offline has none. */
static void learn_cpus(const struct oom_source *source)
{
	int fd = bpf_program__fd(source->skel->progs.learn_cpu);

	for (int cpu = 0; cpu < source->cpus; cpu++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);
		int err = bpf_prog_test_run_opts(fd, &options);

		if (err)
			log__verbose("CPU %d: %s", cpu, strerror(-err));
	}
}

static int take_event(void *context, void *data, size_t size)
{
	struct oom_source *source = context;
	const struct oom_handlers *handlers = &source->handlers;
	const struct record_header *header = data;

	if (size < sizeof(*header))
		return 0;
	if (header->type == RECORD_OOM_KILL && size >= sizeof(struct oom_kill_record))
		return handlers->kill(handlers->context, data);
	if (header->type == RECORD_OOM_STEP && size >= sizeof(struct oom_step_record))
		return handlers->step(handlers->context, data);
	if (header->type == RECORD_VMA && size >= offsetof(struct vma_record, name) && size >= header->size)
		return handlers->vma(handlers->context, data);
	return 0;
}

static int take_stack(void *context, void *data, size_t size)
{
	struct oom_source *source = context;
	const struct record_header *header = data;

	if (size < offsetof(struct stack_record, data) || header->type != RECORD_STACK)
		return 0;
	return source->handlers.stack(source->handlers.context, data, size);
}

static int open_rings(struct oom_source *source)
{
	struct session *session = source->session;
	int err;

	session->events = ring_buffer__new(bpf_map__fd(source->skel->maps.events), take_event, source, NULL);
	if (session->events && source->options.stacks)
		session->control =
			ring_buffer__new(bpf_map__fd(source->skel->maps.control), take_stack, source, NULL);
	if (session->events && (session->control || !source->options.stacks))
		return 0;
	err = -errno;
	log__error("cannot open the ring buffer: %s", strerror(-err));
	return err;
}

static int load(struct oom_source *source, const struct target *target, const struct features *features)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = features__btf_path(features));
	struct target_config config = {};
	int err = target__configure(target, &config);

	if (err)
		return err;
	source->cpus = libbpf_num_possible_cpus();
	source->skel = oom_bpf__open_opts(&opts);
	if (!source->skel) {
		err = -errno;
		log__error("cannot open the BPF programs: %s", strerror(-err));
		return err;
	}
	choose_programs(source, features);
	configure(source, features, &config);
	err = set_map_sizes(source);
	if (!err)
		err = features__load(features, source->skel->skeleton);
	if (err) {
		log__error(
			"the kernel refuses the BPF programs: %s (-v shows more; memtrace doctor tells what it offers)",
			strerror(-err));
		return err;
	}
	return open_rings(source);
}

/* It adds detail and is not needed. */
static void attach_decision(struct oom_source *source)
{
	if (!source->decision)
		return;
	source->decision_link = bpf_program__attach(source->decision);
	if (!source->decision_link)
		log__verbose("oom_kill_process cannot be hooked after all: %s", strerror(errno));
}

static int attach(struct oom_source *source)
{
	int err = oom_bpf__attach(source->skel);

	attach_decision(source);
	if (err)
		log__error("cannot attach the BPF programs: %s", strerror(-err));
	else if (source->options.stacks)
		err = perf_links__attach(&source->faults, source->skel->progs.fault_sampled,
					 PERF_COUNT_SW_PAGE_FAULTS_MIN, OOM_FAULT_PERIOD);
	return err;
}

struct oom_source *oom_source__open(const struct oom_source_options *options, const struct target *target,
				    const struct features *features, struct session *session,
				    const struct oom_handlers *handlers)
{
	struct oom_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source) {
		log__error("no memory");
		return NULL;
	}
	source->session = session;
	source->options = *options;
	source->handlers = *handlers;
	err = load(source, target, features);
	if (!err) {
		learn_cpus(source);
		err = attach(source);
	}
	if (err) {
		oom_source__close(source);
		return NULL;
	}
	overhead__say_maps(source->skel->obj);
	return source;
}

void oom_source__close(struct oom_source *source)
{
	if (!source)
		return;
	perf_links__detach(&source->faults);
	bpf_link__destroy(source->decision_link);
	oom_bpf__destroy(source->skel);
	free(source);
}

/* --- reading ----------------------------------------------------------------------------------------------
 */

int oom_source__list(struct oom_source *source, uint64_t memcg, uint64_t least, bool exact,
		     void (*take)(void *context, const struct oom_process *), void *context)
{
	struct oom_process listed[128];
	int fd;
	ssize_t n;

	source->skel->bss->control_block.under = memcg;
	source->skel->bss->control_block.least = least;
	source->skel->bss->control_block.exact = exact;
	fd = bpf_iter_create(bpf_link__fd(source->skel->links.list_processes));
	if (fd < 0)
		return -errno;
	while ((n = iterator__records(fd, listed, sizeof(listed[0]), 128)) > 0)
		for (ssize_t i = 0; i < n; i++)
			take(context, &listed[i]);
	close(fd);
	return n;
}

void oom_source__next_second(struct oom_source *source)
{
	source->skel->bss->control_block.generation++;
}

bool oom_source__faults(const struct oom_source *source, const struct vma_key *key, uint64_t *faults)
{
	uint64_t looked_at;

	if (!source->options.stacks ||
	    bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.vma_faults), key, &looked_at))
		return false;
	*faults = looked_at * OOM_FAULT_PERIOD;
	return true;
}

uint64_t oom_source__reclaim_ns(const struct oom_source *source)
{
	return source->skel->bss->control_block.reclaim_ns;
}

uint64_t oom_source__kills(const struct oom_source *source)
{
	return source->skel->bss->control_block.kills;
}

int oom_source__targets_fd(const struct oom_source *source)
{
	return bpf_map__fd(source->skel->maps.targets);
}

int oom_source__loss(const struct oom_source *source, struct loss *loss)
{
	return loss__read(source->skel->obj, bpf_map__fd(source->skel->maps.losses), NULL, loss);
}

void oom_source__overhead(const struct oom_source *source, struct overhead *overhead)
{
	overhead__read(source->skel->obj, 0, overhead);
	overhead->bpf_known = true;
	overhead->bpf_ns = source->skel->bss->control_block.busy_ns;
}
