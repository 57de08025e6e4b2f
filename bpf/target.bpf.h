/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which process a task is of, and which are traced: the only filter. trace/target.c fills in config.target
 * and the map `targets`.
 */
#ifndef MEMTRACE_TARGET_BPF_H
#define MEMTRACE_TARGET_BPF_H

#define CGROUP_DEPTH 32

static __always_inline struct process_key process_key_of(__u64 task)
{
	__u64 leader = (__u64)kread(struct task_struct, task, group_leader);
	struct process_key key = {
		.start_ns = kread(struct task_struct, leader, start_time),
		.tgid = kread(struct task_struct, task, tgid),
		.image = kread(struct task_struct, task, self_exec_id),
	};

	return key;
}

/* Value: the first image (low half of self_exec_id) that is traced; 0: all. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

static __always_inline bool target_pid_matches(__u64 task, __u32 tgid)
{
	__u32 *first_image = bpf_map_lookup_elem(&targets, &tgid);

	return first_image &&
	       (!*first_image || (__u32)kread(struct task_struct, task, self_exec_id) >= *first_image);
}

static __always_inline bool target_comm_matches(__u64 task)
{
	struct task_struct *leader = kread(struct task_struct, task, group_leader);
	/* Volatile: the compiler takes constant data to be what it was when compiled. */
	const volatile __u64 *want = (const volatile __u64 *)config.target.comm;
	__u64 comm[2] = {};

	/* As a string: before 5.17 a shorter name leaves the rest of the longer one behind its NUL. */
	bpf_core_read_str(comm, sizeof(comm), &leader->comm);
	return comm[0] == want[0] && comm[1] == want[1];
}

/* The memory cgroup of the task on cgroup v1, its only cgroup on v2. */
static __always_inline struct cgroup *task_cgroup(__u64 task)
{
	struct css_set *set = kread(struct task_struct, task, cgroups);
	struct cgroup_subsys_state *css = NULL;
	__u32 id;

	if (!config.target.cgroup_v1)
		return kread(struct css_set, set, dfl_cgrp);
	id = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	bpf_core_read(&css, sizeof(css),
		      (void *)set + bpf_core_field_offset(struct css_set, subsys) + id * sizeof(css));
	return css ? BPF_CORE_READ(css, cgroup) : NULL;
}

static __always_inline bool target_cgroup_matches(__u64 task)
{
	struct cgroup *cgroup = task_cgroup(task);

	for (int i = 0; i < CGROUP_DEPTH && cgroup; i++) {
		struct cgroup_subsys_state *parent;

		if (BPF_CORE_READ(cgroup, kn, id) == config.target.cgroup_id)
			return true;
		parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	}
	return false;
}

static __always_inline bool target_selects(__u64 task, __u32 tgid)
{
	if (tgid == config.target.self)
		return false;
	if (config.target.by_pid && !target_pid_matches(task, tgid))
		return false;
	if (config.target.comm[0] && !target_comm_matches(task))
		return false;
	return !config.target.cgroup_id || target_cgroup_matches(task);
}

/* A process was forked: is it a target because its parent is, or because memtrace starts a program? */
static __always_inline void target_forked(__u32 parent_tgid, __u64 child, __u32 child_tgid)
{
	__u32 first_image = (__u32)kread(struct task_struct, child, self_exec_id) + 1;
	__u32 *parent;

	if (config.target.launcher && parent_tgid == config.target.launcher) {
		if (bpf_map_update_elem(&targets, &child_tgid, &first_image, BPF_ANY))
			count_loss(LOSS_MAP);
		return;
	}
	if (!config.target.follow || !(parent = bpf_map_lookup_elem(&targets, &parent_tgid)))
		return;
	first_image = 0;
	if (bpf_map_update_elem(&targets, &child_tgid, &first_image, BPF_ANY))
		count_loss(LOSS_MAP);
}

/* A process is gone: its number may soon be another's. */
static __always_inline void target_exited(__u32 tgid)
{
	if (config.target.by_pid)
		bpf_map_delete_elem(&targets, &tgid);
}

#endif
