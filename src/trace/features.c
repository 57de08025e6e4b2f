/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/file.h"
#include "util/log.h"

bool features__has_tracepoint(const struct features *features, const char *name)
{
	char type[128];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return features->kernel_btf && btf__find_by_name_kind(features->kernel_btf, type, BTF_KIND_TYPEDEF) > 0;
}

bool features__has_function(const struct features *features, const char *name)
{
	return features->kernel_btf && btf__find_by_name_kind(features->kernel_btf, name, BTF_KIND_FUNC) > 0;
}

bool features__has_member(const struct features *features, const char *type, const char *member)
{
	const struct btf *btf = features->kernel_btf;
	const struct btf_type *t;
	int id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT) : -ENOENT;

	if (id <= 0)
		return false;
	t = btf__type_by_id(btf, id);
	for (int i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member))
			return true;
	return false;
}

bool features__has_capability(int capability)
{
	char *status = file__read("/proc/self/status", NULL), *line;
	unsigned long long mask = 0;

	line = status ? strstr(status, "\nCapEff:") : NULL;
	if (line)
		mask = strtoull(line + strlen("\nCapEff:"), NULL, 16);
	free(status);
	return mask >> capability & 1;
}

/* bpf() needs CAP_BPF and CAP_PERFMON (5.8), which CAP_SYS_ADMIN includes. */
static int check_privileges(void)
{
	bool admin = features__has_capability(CAP_SYS_ADMIN);

	if (admin || (features__has_capability(CAP_BPF) && features__has_capability(CAP_PERFMON)))
		return 0;
	log__error("needs root, or the capabilities CAP_BPF and CAP_PERFMON: run it with sudo");
	return -EPERM;
}

int features__open(struct features *features)
{
	int err;

	memset(features, 0, sizeof(*features));
	err = check_privileges();
	if (err)
		return err;
	features->kernel_btf = btf__load_vmlinux_btf();
	err = libbpf_get_error(features->kernel_btf);
	if (err) {
		features->kernel_btf = NULL;
		log__error("this kernel has no type information (BTF): /sys/kernel/btf/vmlinux is missing; "
			   "a kernel built with CONFIG_DEBUG_INFO_BTF is needed");
		return err < 0 ? err : -ENOENT;
	}
	features->rdonly_cast = features__has_function(features, "bpf_rdonly_cast");
	features->task_storage = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) == 1;
	features->task_registers = libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACING, BPF_FUNC_task_pt_regs, NULL) == 1;
	features->task_rss_stat = features__has_member(features, "task_struct", "rss_stat");
	return 0;
}

void features__close(struct features *features)
{
	btf__free(features->kernel_btf);
	features->kernel_btf = NULL;
}
