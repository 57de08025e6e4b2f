/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "trace/kernel_types.h"
#include "proc/file.h"
#include "trace/privileges.h"
#include "util/log.h"

bool features__has_tracepoint(const struct features *features, const char *name)
{
	char type[128];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return features->kernel_btf &&
	       btf__find_by_name_kind(features->kernel_btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* The prototype of its programs, whose first argument is the tracepoint's own. NULL: BTF does not have it. */
static const struct btf_type *tracepoint_prototype(const struct features *features, const char *name)
{
	const struct btf *btf = features->kernel_btf;
	const struct btf_type *t;
	char type[128];
	int id;

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) : -ENOENT;
	if (id < 0)
		return NULL;
	t = btf__type_by_id(btf, btf__type_by_id(btf, id)->type); /* a pointer to a function */
	t = t && btf_is_ptr(t) ? btf__type_by_id(btf, t->type) : NULL;
	return t && btf_is_func_proto(t) && btf_vlen(t) ? t : NULL;
}

int features__tracepoint_args(const struct features *features, const char *name)
{
	const struct btf_type *t = tracepoint_prototype(features, name);

	return t ? btf_vlen(t) - 1 : 0;
}

bool features__tracepoint_arg_is_pointer(const struct features *features, const char *name, int arg)
{
	const struct btf_type *t = tracepoint_prototype(features, name);
	int id;

	if (!t || arg + 1 >= btf_vlen(t))
		return false;
	id = btf__resolve_type(features->kernel_btf, btf_params(t)[arg + 1].type);
	return id > 0 && btf_is_ptr(btf__type_by_id(features->kernel_btf, id));
}

bool features__has_struct(const struct features *features, const char *name)
{
	return features->kernel_btf &&
	       btf__find_by_name_kind(features->kernel_btf, name, BTF_KIND_STRUCT) > 0;
}

bool features__has_function(const struct features *features, const char *name)
{
	return features->kernel_btf && btf__find_by_name_kind(features->kernel_btf, name, BTF_KIND_FUNC) > 0;
}

/* Members of anonymous structs and unions are members, too: most of those of mm_struct. */
static bool has_member(const struct btf *btf, const struct btf_type *t, const char *name)
{
	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *member = &btf_members(t)[i];
		const struct btf_type *inner = btf__type_by_id(btf, member->type);

		if (!strcmp(btf__name_by_offset(btf, member->name_off), name))
			return true;
		if (!member->name_off && btf_is_composite(inner) && has_member(btf, inner, name))
			return true;
	}
	return false;
}

bool features__has_member(const struct features *features, const char *type, const char *member)
{
	const struct btf *btf = features->kernel_btf;
	int id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT) : -ENOENT;

	return id > 0 && has_member(btf, btf__type_by_id(btf, id), member);
}

/* bpf() needs CAP_BPF and CAP_PERFMON (5.8), which CAP_SYS_ADMIN includes. */
bool features__may_trace(void)
{
	return privileges__has(CAP_SYS_ADMIN) || (privileges__has(CAP_BPF) && privileges__has(CAP_PERFMON));
}

/* BTF has its type; that it has an address, /proc/kallsyms tells, even to those who may not see the address.
 * Without CONFIG_KALLSYMS_ALL it has none. */
static bool has_run_queues(const struct btf *btf)
{
	char *symbols;
	bool found;

	if (btf__find_by_name_kind(btf, "runqueues", BTF_KIND_VAR) <= 0)
		return false;
	symbols = file__read("/proc/kallsyms", NULL);
	found = symbols && strstr(symbols, " runqueues\n");
	free(symbols);
	return found;
}

int features__look(struct features *features, const char *btf_file)
{
	memset(features, 0, sizeof(*features));
	/* Asked for a raw tracepoint, which has the helpers of a tp_btf program: libbpf cannot ask for the
	 * latter. */
	features->task_registers =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_task_pt_regs, NULL) == 1;
	features->btf_file = btf_file;
	features->kernel_btf = kernel_types__open(btf_file);
	if (!features->kernel_btf)
		return errno ? -errno : -ENOENT;
	features->fentry = features->kprobe = features->kernel_log = true;
	features->rdonly_cast = features__has_function(features, "bpf_rdonly_cast");
	features->run_queues = has_run_queues(features->kernel_btf);
	return 0;
}

/* --- to do without ----------------------------------------------------------------------------------------
 */

static bool *by_name(struct features *features, const char *name, size_t length)
{
	const struct {
		const char *name;
		bool *feature;
	} names[] = {
		{"rdonly_cast", &features->rdonly_cast}, {"task_registers", &features->task_registers},
		{"fentry", &features->fentry},		 {"kprobe", &features->kprobe},
		{"kernel_log", &features->kernel_log},	 {"run_queues", &features->run_queues},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == length && !strncmp(names[i].name, name, length))
			return names[i].feature;
	return NULL;
}

/* False: one of the names is none. */
static bool do_without(struct features *features, const char *names)
{
	for (size_t length; names; names = names[length] ? names + length + 1 : NULL) {
		bool *feature;

		length = strcspn(names, ",");
		feature = by_name(features, names, length);
		if (!feature)
			return false;
		*feature = false;
	}
	return true;
}

bool features__knows(const char *without)
{
	struct features features = {};

	return do_without(&features, without);
}

static const char own_types[] = "/sys/kernel/btf/vmlinux";

/* Why there are no types, in one line: what that costs, and what can be done. */
static void say_no_types(const char *btf_file, int err)
{
	char why[128];

	if (btf_file) {
		libbpf_strerror(err, why, sizeof(why)); /* it has numbers of its own, too */
		log__error("--btf: cannot read the types of a kernel from %s: %s", btf_file, why);
		return;
	}
	log__error(
		"no types of this kernel (BTF): %s %s, and without them nothing can be traced (ps, maps, system "
		"and the trends of leaks do without); it takes a kernel built with CONFIG_DEBUG_INFO_BTF, or, if "
		"the file is only hidden here, a copy of it: --btf FILE",
		own_types, access(own_types, F_OK) ? "is missing" : "cannot be read");
}

/* 0; -errno, told. */
static int check_types(const struct features *features)
{
	int err = features->btf_file ? kernel_types__check(features->kernel_btf) : 0;

	if (err == -EINVAL || err == -ENOENT)
		log__error(
			"--btf: %s does not have the types of the running kernel (or that has none of its own, "
			"which no file can replace)",
			features->btf_file);
	else if (err)
		log__error("--btf: cannot try %s: %s", features->btf_file, strerror(-err));
	return err;
}

const char *features__btf_path(const struct features *features)
{
	if (features->btf_file)
		return features->btf_file;
	return privileges__has(CAP_SYS_ADMIN) || access(own_types, R_OK) ? NULL : own_types;
}

/*
 * A function that the kernel may do without (bpf_rdonly_cast) libbpf looks for in the modules' types as well,
 * which takes CAP_SYS_ADMIN to list; libbpf 1.1 gives up then. But it lists them only once: let that fail
 * here, where it is about another name that nobody has.
 */
static void give_up_module_types(const struct bpf_object_skeleton *skeleton)
{
	struct bpf_program *first = bpf_object__next_program(*skeleton->obj, NULL);

	if (first && !privileges__has(CAP_SYS_ADMIN))
		bpf_program__set_attach_target(first, 0, "memtrace_no_such_function");
}

int features__load(const struct features *features, struct bpf_object_skeleton *skeleton)
{
	int err;
	struct rlimit limit;

	give_up_module_types(skeleton);
	err = kernel_types__load(features->btf_file ? features->kernel_btf : NULL, skeleton);
	/* From 5.11 the memory cgroup pays for it. */
	if (err == -EPERM && !privileges__has(CAP_SYS_RESOURCE) && !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	    limit.rlim_cur != RLIM_INFINITY)
		log__warn("before Linux 5.11 BPF needs locked memory: CAP_SYS_RESOURCE is missing to raise "
			  "RLIMIT_MEMLOCK (ulimit -l unlimited)");
	return err;
}

static void say_not_privileged(void)
{
	const char *missing = privileges__has(CAP_BPF)	     ? "CAP_PERFMON"
			      : privileges__has(CAP_PERFMON) ? "CAP_BPF"
							     : NULL;

	if (missing)
		log__error("%s is missing: tracing takes CAP_BPF and CAP_PERFMON, or root", missing);
	else
		log__error("needs root, or the capabilities CAP_BPF and CAP_PERFMON: run it with sudo");
}

int features__open(struct features *features, const char *without, const char *btf_file)
{
	int err;

	memset(features, 0, sizeof(*features));
	if (!features__may_trace()) {
		say_not_privileged();
		return -EPERM;
	}
	err = features__look(features, btf_file);
	if (err) {
		say_no_types(btf_file, err);
		return err;
	}
	do_without(features, without);
	return check_types(features);
}

void features__close(struct features *features)
{
	btf__free(features->kernel_btf);
	features->kernel_btf = NULL;
}
