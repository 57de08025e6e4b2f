/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is read of a task at the moment of a kill: who it is, its memory, its cgroups, its VMAs. The functions
 * are global ones of scalars, so that each is verified once, and leave what they find in the scratch record.
 */
#ifndef MEMTRACE_OOM_FACTS_BPF_H
#define MEMTRACE_OOM_FACTS_BPF_H

#define CPUS_MAX    512	 /* whose parts of a counter are added up */
#define WALK_VMAS   4096 /* that are looked at */
#define RSS_MEMBERS 4

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES }; /* include/linux/mm_types_task.h */

#define PF_KTHREAD 0x200000

/* --- counters of RSS --------------------------------------------------------------------------------------
 */

/* From percpu addresses to those of a CPU, by its number; 0: not known yet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* CPUs, set by the loader */
	__type(key, __u32);
	__type(value, __u64);
} cpu_offsets SEC(".maps");

/* Where its element and the map are, as numbers. */
struct cpu_place {
	__u64 address, map;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_place);
} cpu_places SEC(".maps");

/*
 * __per_cpu_offset[] is not exported to programs on every kernel. But an element of a per-CPU map is where
 * the map says, plus that offset. A pointer that was stored in a map is read back as a number.
 */
static __always_inline void learn_cpu_offset(void)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct cpu_place *place = bpf_map_lookup_elem(&cpu_places, &zero);
	__u64 *offset = bpf_map_lookup_elem(&cpu_offsets, &cpu);

	if (!place || !offset || *offset)
		return;
	*(void *volatile *)&place->address = place;
	*(void *volatile *)&place->map = &cpu_places;
	*offset = *(volatile __u64 *)&place->address -
		  read_word(*(volatile __u64 *)&place->map + bpf_core_field_offset(struct bpf_array, pptrs));
}

/* What CPUs have not yet folded into a percpu counter. */
__noinline __s64 counter_parts(__u64 counters)
{
	__s64 sum = 0;

	for (__u32 i = 0; i < CPUS_MAX && i < config.cpus; i++) {
		__u32 cpu = i;
		__u64 *offset = bpf_map_lookup_elem(&cpu_offsets, &cpu);
		__s32 part = 0;

		if (!offset || !*offset)
			continue;
		bpf_probe_read_kernel(&part, sizeof(part), (void *)(counters + *offset));
		sum += part;
	}
	return sum;
}

/* One RSS counter of mm in pages; without the parts of CPUs it is off by some hundred KiB for each of them.
 */
static __always_inline __u64 rss_counter(__u64 mm, __u32 member, bool exact)
{
	__u64 counter;
	__s64 n;

	if (bpf_core_type_exists(struct mm_rss_stat)) {
		n = read_word(mm + bpf_core_field_offset(struct mm_struct___counts, rss_stat) + member * 8);
	} else {
		counter = mm + bpf_core_field_offset(struct mm_struct___percpu, rss_stat) +
			  member * bpf_core_type_size(struct percpu_counter);
		n = read_word(counter + bpf_core_field_offset(struct percpu_counter, count));
		if (exact)
			n += counter_parts(
				read_word(counter + bpf_core_field_offset(struct percpu_counter, counters)));
	}
	return n < 0 ? 0 : n;
}

static __always_inline bool rss_is_rough(void)
{
	return bpf_core_type_exists(struct mm_rss_stat) || config.cpus > CPUS_MAX;
}

/* --- who --------------------------------------------------------------------------------------------------
 */

static __always_inline __u32 innermost_pid(__u64 leader)
{
	__u64 pid = kread_address(struct task_struct, leader, thread_pid);
	__u32 level = kread(struct pid, pid, level), nr = 0;

	if (level > 32) /* MAX_PID_NS_LEVEL */
		return 0;
	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)(pid + bpf_core_field_offset(struct pid, numbers) +
				       level * bpf_core_type_size(struct upid) +
				       bpf_core_field_offset(struct upid, nr)));
	return nr;
}

static __always_inline __u32 uid_of(__u64 task)
{
	return BPF_CORE_READ((struct task_struct *)task, real_cred, uid.val);
}

static __always_inline __s32 adj_of(__u64 task)
{
	return BPF_CORE_READ((struct task_struct *)task, signal, oom_score_adj);
}

static __always_inline void read_task(struct oom_task *t, __u64 task)
{
	t->process = process_key_of(task);
	t->tid = kread(struct task_struct, task, pid);
	t->ns_pid = innermost_pid(kread_address(struct task_struct, task, group_leader));
	t->uid = uid_of(task);
	t->oom_score_adj = adj_of(task);
	bpf_core_read(t->comm, COMM_SIZE, &((struct task_struct *)task)->comm);
}

/* --- cgroups ----------------------------------------------------------------------------------------------
 */

enum whose_cgroup { OF_VICTIM, OF_TRIGGER };

/* NULL: no room, which does not happen. */
static __always_inline struct oom_cgroup *cgroup_in_scratch(__u32 whose)
{
	struct scratch *s = scratch(IN_KILL);

	if (!s)
		return NULL;
	return whose == OF_VICTIM ? &s->kill.victim_cgroup : &s->kill.trigger_cgroup;
}

__noinline int read_levels(__u64 css, __u32 whose)
{
	struct oom_cgroup *c = cgroup_in_scratch(whose);

	if (!c)
		return 0;
	c->level_count = 0;
	for (__u32 i = 0; i < OOM_LEVELS && css; i++) {
		__u64 memcg = css - bpf_core_field_offset(struct mem_cgroup, css);
		struct oom_level *l = &c->levels[i];

		l->memcg = memcg;
		l->usage = read_word(memcg + bpf_core_field_offset(struct mem_cgroup, memory.usage));
		l->max = read_word(memcg + bpf_core_field_offset(struct mem_cgroup, memory.max));
		l->memsw_usage = l->memsw_max = 0;
		if (config.memsw && bpf_core_field_exists(struct mem_cgroup, memsw)) {
			l->memsw_usage =
				read_word(memcg + bpf_core_field_offset(struct mem_cgroup, memsw.usage));
			l->memsw_max = read_word(memcg + bpf_core_field_offset(struct mem_cgroup, memsw.max));
		}
		c->level_count = i + 1;
		css = kread_address(struct cgroup_subsys_state, css, parent);
	}
	c->is_cut = css != 0;
	return 0;
}

__noinline int read_path(__u64 node, __u32 whose)
{
	struct oom_cgroup *c = cgroup_in_scratch(whose);

	if (!c)
		return 0;
	c->path_size = 0;
	for (int i = 0; i < OOM_LEVELS && node; i++) {
		__u32 used = c->path_size;
		long len;

		if (used >= OOM_PATH_MAX)
			break;
		len = bpf_probe_read_kernel_str(c->path + used, NAME_COMPONENT,
						(void *)kread_address(struct kernfs_node, node, name));
		if (len <= 0)
			break;
		c->path_size = used + len;
		node = kernfs_parent(node);
	}
	return 0;
}

static __always_inline void read_cgroup(__u64 task, __u32 whose)
{
	__u64 css = memory_css(task);

	read_levels(css, whose);
	read_path(css ? (__u64)BPF_CORE_READ((struct cgroup_subsys_state *)css, cgroup, kn) : 0, whose);
}

/* --- VMAs -------------------------------------------------------------------------------------------------
 */

/* Of a few, the smallest gives way. */
static __always_inline void keep_large_vma(struct scratch *s, __u64 start, __u64 size)
{
	__u32 least = 0;

	for (__u32 i = 1; i < OOM_VMAS; i++)
		if (s->large[i].size < s->large[least & (OOM_VMAS - 1)].size)
			least = i;
	least &= OOM_VMAS - 1;
	if (size <= s->large[least].size)
		return;
	s->large[least].start = start;
	s->large[least].size = size;
}

/* Take the VMA at addr, or the next one above it, into account. Returns where it ends; 0: there is none. */
__noinline __u64 weigh_vma(__u64 mm, __u64 addr)
{
	struct scratch *s = scratch(IN_KILL);
	struct vma vma;
	__u32 class;

	if (!s)
		return 0;
	if (!vma_find(mm, addr, &vma)) {
		addr = vma_next(mm, addr);
		if (!addr || !vma_find(mm, addr, &vma))
			return 0;
	}
	class = vma.flags & (VM_READ | VM_WRITE | VM_EXEC) ? class_of(mm, &vma) : OOM_RESERVED;
	if (class >= OOM_CLASSES)
		return 0;
	s->kill.classes[class].bytes += vma.end - vma.start;
	s->kill.classes[class].count++;
	s->kill.vmas++;
	if (class != OOM_RESERVED)
		keep_large_vma(s, vma.start, vma.end - vma.start);
	return vma.end;
}

static __always_inline void weigh_vmas(struct scratch *s, __u64 mm)
{
	__u64 addr = 0;

	__builtin_memset(s->large, 0, sizeof(s->large));
	__builtin_memset(s->kill.classes, 0, sizeof(s->kill.classes));
	s->kill.vmas = 0;
	for (int i = 0; i < WALK_VMAS; i++) {
		addr = weigh_vma(mm, addr);
		if (!addr)
			break;
	}
	s->kill.vmas_cut = addr != 0;
}

static __always_inline void send_large_vmas(struct scratch *s, __u64 mm)
{
	for (int i = 0; i < OOM_VMAS; i++) {
		__u32 size;

		if (!s->large[i].size || !describe_vma(mm, s->large[i].start, IN_KILL))
			continue;
		s->vma.key.process = s->kill.victim.process;
		size = finish_vma_record(&s->vma);
		emit(events, &s->vma, size, ~0u, LOSS_NAMES); /* the kill's record wakes the reader */
	}
}

#endif
