/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Process images, and the kernel's own count of their faults.
 *
 * minor and major of an image are what its threads had (task->min_flt, maj_flt) when they exited or exec'd,
 * less what they brought along; user space adds what living threads have. An entry is made with what the
 * thread brought along taken off: by the first task iteration for what lived already, at fork, and at the
 * first fault of a new image, which is in the middle of exec, before its hook.
 */
#ifndef MEMTRACE_PROCESS_BPF_H
#define MEMTRACE_PROCESS_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct process_key);
	__type(value, struct process_stats);
} processes SEC(".maps");

static __always_inline void add_counters(struct process_stats *p, __u64 task, int sign)
{
	__sync_fetch_and_add(&p->minor, sign * (__s64)kread(struct task_struct, task, min_flt));
	__sync_fetch_and_add(&p->major, sign * (__s64)kread(struct task_struct, task, maj_flt));
}

static __always_inline void set_comm(struct process_stats *p, __u64 task)
{
	__u64 leader = kread_address(struct task_struct, task, group_leader);

	bpf_core_read(p->comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
}

/* The process has exec'd: its former image is over. */
static __always_inline void end_former_image(const struct process_key *key, __u64 task)
{
	struct process_key former = *key;
	struct process_stats *p;

	former.image--;
	p = bpf_map_lookup_elem(&processes, &former);
	if (!p || (p->flags & PROCESS_EXITED))
		return;
	add_counters(p, task, 1);
	p->flags |= PROCESS_EXITED;
}

/* The entry of task's image, made if it is not there. NULL: no room. */
static __noinline struct process_stats *process_of(const struct process_key *key, __u64 task, __u32 context)
{
	struct process_stats *p;
	struct scratch *s;
	__u64 leader;

	if (!key)
		return NULL;
	p = bpf_map_lookup_elem(&processes, key);
	s = scratch(context);
	if (p || !s)
		return p;
	end_former_image(key, task);
	leader = (__u64)kread(struct task_struct, task, group_leader);
	__builtin_memset(&s->process, 0, sizeof(s->process));
	s->process.ppid = BPF_CORE_READ((struct task_struct *)leader, real_parent, tgid);
	set_comm(&s->process, task);
	if (bpf_map_update_elem(&processes, key, &s->process, BPF_NOEXIST) == -E2BIG)
		count_loss(LOSS_MAP);
	p = bpf_map_lookup_elem(&processes, key);
	if (p)
		add_counters(p, task, -1);
	return p;
}

#endif
