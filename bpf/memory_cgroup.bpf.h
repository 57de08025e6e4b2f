/* SPDX-License-Identifier: GPL-2.0 */
/* The memory cgroup of a task. */
#ifndef MEMTRACE_MEMORY_CGROUP_BPF_H
#define MEMTRACE_MEMORY_CGROUP_BPF_H

/* The memory cgroup's struct cgroup_subsys_state, on cgroup v1 and v2, where it may be that of a parent. 0:
 * the kernel has none. */
static __always_inline __u64 memory_css(__u64 task)
{
	__u64 set = kread_address(struct task_struct, task, cgroups);
	__u32 id;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	id = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	return read_word(set + bpf_core_field_offset(struct css_set, subsys) + id * sizeof(void *));
}

#endif
