/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at one thing that this machine may offer, for a report on all of them (memtrace doctor).
 *
 * Hooks are tried for real: a program of two instructions is loaded and attached, to something that never or
 * rarely happens, and released again. Nothing is mounted, set or left behind. Without the privileges to try,
 * the finding is FOUND_UNKNOWN: no guess is made.
 */
#ifndef MEMTRACE_PROBE_H
#define MEMTRACE_PROBE_H

#include "trace/features.h"

enum found {
	FOUND_YES,
	FOUND_NO,      /* this kernel has it not, or it is switched off */
	FOUND_REFUSED, /* it is there, and this process may not use it */
	FOUND_UNKNOWN, /* could not look */
};

struct finding {
	enum found found;
	char note[192];	    /* which, where, how it is known, or how it failed ("EPERM at load") */
	const char *remedy; /* NULL: what is generally done about it; for FOUND_UNKNOWN: to be able to look */
};

/* Look for `name`; fills in *finding, which starts zeroed. features: of features__look(). */
typedef void probe_fn(const struct features *features, const char *name, struct finding *finding);

/* The kernel; name is not used. */
probe_fn probe__release, probe__architecture, probe__btf, probe__jit, probe__lockdown, probe__tracefs;
probe_fn probe__private_tracefs; /* mounted in no directory, and gone again */
probe_fn probe__run_time;	 /* BPF_ENABLE_STATS: switched on, and off again */

/* Privileges */
probe_fn probe__privileges;	  /* enough of them to trace at all */
probe_fn probe__capability;	  /* name: "CAP_BPF" */
probe_fn probe__unprivileged_bpf; /* kernel.unprivileged_bpf_disabled */
probe_fn probe__perf_paranoid;	  /* kernel.perf_event_paranoid */

/* Tracepoints, structures and functions, by BTF */
probe_fn probe__tracepoint; /* name: "rss_stat" */
probe_fn probe__member;	    /* name: "mm_struct.mm_mt" */
probe_fn probe__function;   /* name: of a kfunc */

probe_fn probe__run_queues; /* the variable of that name, for programs */

/* BPF, by trying */
probe_fn probe__tp_btf;		/* name: a tracepoint that seldom fires */
probe_fn probe__iterator;	/* name: "task" */
probe_fn probe__software_event; /* name: "page-faults", "minor-faults", "major-faults" */
probe_fn probe__tlb_misses;	/* hardware counters */
probe_fn probe__fentry, probe__kprobe, probe__uprobe, probe__ring_buffer;
probe_fn probe__task_registers; /* bpf_task_pt_regs() */
probe_fn probe__kernel_reads;	/* bpf_probe_read_kernel(), which lockdown takes away */

/* Memory */
probe_fn probe__memory_cgroup, probe__pressure, probe__swap;

#endif
