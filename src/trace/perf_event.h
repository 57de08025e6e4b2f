/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Perf events of which each occurrence runs a BPF program: software events, tracepoints by number, uprobes.
 */
#ifndef MEMTRACE_PERF_EVENT_H
#define MEMTRACE_PERF_EVENT_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct perf_links {
	struct bpf_link **links; /* of software events: one a CPU that is online; of uprobes */
	size_t count;
	int *tracepoints; /* descriptors */
	size_t tracepoint_count;
};

/*
 * Attach prog to the software event `config` (PERF_COUNT_SW_*), each `period` of it (1: every occurrence; for
 * a clock ns), on all CPUs that are online. Adds to *links, which must start zeroed and be given to
 * perf_links__detach(). Says what failed; 0 or -errno.
 */
int perf_links__attach(struct perf_links *links, const struct bpf_program *prog, unsigned long long config,
		       unsigned long long period);

/*
 * Attach prog to the tracepoint of that number (trace/tracefs.h), for all tasks and CPUs. To be given to
 * perf_links__detach(), too. 0 or -errno, without a word.
 */
int perf_links__attach_tracepoint(struct perf_links *links, const struct bpf_program *prog, int id);

/* The number of the kind of event that a uprobe is, or -errno: this kernel has none. */
int perf_uprobe__type(void);

/*
 * Attach prog to an instruction of a file, for one process: pid, with all its threads, also when it has
 * exec'd. offset: into the file. is_return: it is run when the function returns whose return address is on
 * the top of the stack there. 0 or -errno, without a word.
 */
int perf_links__attach_uprobe(struct perf_links *links, const struct bpf_program *prog, int type,
			      const char *path, unsigned long long offset, pid_t pid, bool is_return);

/* For each probe the kernel waits, a tenth of a second. */
void perf_links__detach(struct perf_links *links);

#endif
