/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel and these privileges offer. Each is found by looking (BTF, a trial load, a trial open),
 * never by the kernel's version.
 */
#ifndef MEMTRACE_FEATURES_H
#define MEMTRACE_FEATURES_H

#include <bpf/btf.h>
#include <stdbool.h>

struct features {
	struct btf *kernel_btf; /* NULL: this kernel has no BTF; owned */
	bool rdonly_cast;	/* kfunc bpf_rdonly_cast(), 6.2 */
	bool task_registers;	/* helper bpf_task_pt_regs(), 5.15 */
};

/* Look. Says what is missing if memtrace cannot work at all; 0 or -errno. features__close() in either case.
 */
int features__open(struct features *features);

/* The same without a word, and without asking for privileges: what cannot be tried counts as absent. */
int features__look(struct features *features);
void features__close(struct features *features);

/* Can a tp_btf program be attached to this tracepoint: does BTF have it? */
bool features__has_tracepoint(const struct features *features, const char *name);

/* How many arguments a tp_btf program of this tracepoint has; 0: BTF does not have the tracepoint. */
int features__tracepoint_args(const struct features *features, const char *name);

/* Is there a member of that name in that struct? */
bool features__has_member(const struct features *features, const char *type, const char *member);

/* A kernel function that BTF names (kfuncs among them). */
bool features__has_function(const struct features *features, const char *name);

/* Effective capability, by number (linux/capability.h). */
bool features__has_capability(int capability);

/* Have we the capabilities that loading and attaching take? */
bool features__may_trace(void);

#endif
