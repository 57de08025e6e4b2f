/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel and these privileges offer. Each is found by looking (BTF, a trial load, a trial open),
 * never by the kernel's version.
 */
#ifndef MEMTRACE_FEATURES_H
#define MEMTRACE_FEATURES_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>

struct features {
	struct btf *kernel_btf; /* NULL: this kernel has no BTF; owned */
	const char *btf_file;	/* where it is from, if that was said; NULL: the kernel */
	bool rdonly_cast;	/* kfunc bpf_rdonly_cast(), 6.2 */
	bool task_registers;	/* helper bpf_task_pt_regs(), 5.15 */
	bool run_queues;	/* programs can use the variable `runqueues` */
	bool fentry, kprobe;	/* hooks in functions of the kernel are worth a try */
	bool kernel_log;	/* and so is reading /dev/kmsg */
};

/*
 * Look. Says what is missing if memtrace cannot work at all; 0 or -errno. features__close() in either case.
 * without: names, separated by commas, of features to do without as if they were absent, so that what takes
 * their place can be tested; NULL: none. btf_file: has the types of this kernel (--btf); NULL: the kernel's
 * own.
 */
int features__open(struct features *features, const char *without, const char *btf_file);

/* Is each name in the list of `without` that of a feature? */
bool features__knows(const char *without);

/* The same as features__open() without a word, and without asking for privileges: what cannot be tried counts
 * as absent. */
int features__look(struct features *features, const char *btf_file);
void features__close(struct features *features);

/* Where the kernel's types are, for opening BPF programs (btf_custom_path); NULL: libbpf may look. Told of
 * one file, it does not go through the types of modules, of which we use none and for which it needs
 * CAP_SYS_ADMIN; but it reads that file twice, 16 MiB more. */
const char *features__btf_path(const struct features *features);

/* Load BPF programs, with the kernel's types from where they were looked for. 0 or -errno. */
int features__load(const struct features *features, struct bpf_object_skeleton *skeleton);

/* Can a tp_btf program be attached to this tracepoint: does BTF have it? */
bool features__has_tracepoint(const struct features *features, const char *name);

/* How many arguments a tp_btf program of this tracepoint has; 0: BTF does not have the tracepoint. */
int features__tracepoint_args(const struct features *features, const char *name);

/* Is that argument (the first is 0) of the tracepoint a pointer? */
bool features__tracepoint_arg_is_pointer(const struct features *features, const char *name, int arg);

/* Is there a member of that name in that struct? */
bool features__has_member(const struct features *features, const char *type, const char *member);

/* A struct of the kernel. */
bool features__has_struct(const struct features *features, const char *name);

/* A kernel function that BTF names (kfuncs among them). */
bool features__has_function(const struct features *features, const char *name);

/* Have we the capabilities that loading and attaching take? */
bool features__may_trace(void);

#endif
