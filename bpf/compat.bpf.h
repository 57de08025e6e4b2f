/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernels, one accessor each. Decided by BTF or by what the loader found, never by
 * version. The commits are those that made the difference; the release is the first that has it.
 */
#ifndef MEMTRACE_COMPAT_BPF_H
#define MEMTRACE_COMPAT_BPF_H

/*
 * bpf_rdonly_cast() (6.2, commit a35b9af4ec2c) turns an address into a typed pointer whose loads are single
 * instructions that read 0 when they fault. Before it, each read is a call of bpf_probe_read_kernel().
 * direct_reads is read-only data, so the verifier sees one of the two and drops the other.
 */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define direct_cast(type, p) ((type *)bpf_rdonly_cast((const void *)(p), bpf_core_type_id_kernel(type)))

/* Read p->field, where p is the address of a `type`. 0 if it cannot be read. */
#define kread(type, p, field)                                                 \
	({                                                                    \
		__u64 _address = (__u64)(p);                                  \
		config.direct_reads ? direct_cast(type, _address)->field      \
				    : BPF_CORE_READ((type *)_address, field); \
	})

/* Load one word, as a number and not as a pointer: any type with an unsigned long at a known place would do.
 */
static __always_inline __u64 load_word(__u64 address)
{
	return direct_cast(struct maple_range_64, address - 8)->pivot[0];
}

/* Read one word of kernel memory. 0 if it cannot be read. */
static __always_inline __u64 read_word(__u64 address)
{
	__u64 word = 0;

	if (config.direct_reads)
		return load_word(address);
	bpf_probe_read_kernel(&word, sizeof(word), (void *)address);
	return word;
}

/* As kread(), for a field that is a pointer and wanted as a number: global functions take nothing else. */
#define kread_address(type, p, field)                                                          \
	({                                                                                     \
		__u64 _address = (__u64)(p);                                                   \
		config.direct_reads ? load_word(_address + bpf_core_field_offset(type, field)) \
				    : (__u64)BPF_CORE_READ((type *)_address, field);           \
	})

/*
 * Are faults of the current task given up, not resolved (pagefault_disable())? bpf_probe_read_kernel() turns
 * them off as well, while it reads.
 */
static __always_inline bool faults_are_off(__u64 task)
{
	int depth = kread(struct task_struct, task, pagefault_disabled);

	return depth > (config.direct_reads ? 0 : 1);
}

/* mm->mm_rb and vma->vm_rb: the index of VMAs before the maple tree (6.1, commit 524e00b36e8c). */
struct mm_struct___rb {
	struct rb_root mm_rb;
} __attribute__((preserve_access_index));

struct vm_area_struct___rb {
	unsigned long vm_start, vm_end;
	struct rb_node vm_rb;
} __attribute__((preserve_access_index));

/* mm->mm_lock_seq as a seqcount (6.12, commit eb449bd96954): odd while somebody changes VMAs. */
typedef struct seqcount {
	unsigned int sequence;
} __attribute__((preserve_access_index)) seqcount_t;

struct mm_struct___seq {
	seqcount_t mm_lock_seq;
} __attribute__((preserve_access_index));

/* vma->anon_name (5.17, commit 9a10064f5625), only with CONFIG_ANON_VMA_NAME. */
struct anon_vma_name {
	char name[0];
} __attribute__((preserve_access_index));

struct vm_area_struct___named {
	struct anon_vma_name *anon_name;
} __attribute__((preserve_access_index));

/* The path that the user opened, of a file that overlayfs backs by another (6.8, commit def3ae83da02). */
struct backing_file {
	struct path user_path;
} __attribute__((preserve_access_index));

/* task->rss_stat: per-thread deltas of the RSS counters, before percpu counters (6.2, commit f1a7941243c1).
 */
struct task_rss_stat {
	int events;
	int count[4];
} __attribute__((preserve_access_index));

struct task_struct___rss {
	struct task_rss_stat rss_stat;
} __attribute__((preserve_access_index));

/* mm->rss_stat as percpu counters (6.2, commit f1a7941243c1). */
struct percpu_counter {
	s64 count;
	s32 *counters; /* an offset: add that of the CPU */
} __attribute__((preserve_access_index));

struct mm_struct___percpu {
	struct percpu_counter rss_stat[4];
} __attribute__((preserve_access_index));

/* mm->rss_stat before percpu counters (6.2, commit f1a7941243c1): what threads have folded into it. */
struct mm_rss_stat {
	atomic_long_t count[4];
} __attribute__((preserve_access_index));

struct mm_struct___counts {
	struct mm_rss_stat rss_stat;
} __attribute__((preserve_access_index));

/* kernfs_node.parent became __parent, which is under RCU (6.15, commit 633488947ef6). */
struct kernfs_node___parent {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

struct kernfs_node___rcu {
	struct kernfs_node *__parent;
} __attribute__((preserve_access_index));

static __always_inline __u64 kernfs_parent(__u64 node)
{
	if (bpf_core_field_exists(struct kernfs_node___rcu, __parent))
		return kread_address(struct kernfs_node___rcu, node, __parent);
	return kread_address(struct kernfs_node___parent, node, parent);
}

/* flush_tlb_info knows who has sent it (5.13, commit 4c1ba3923e6c). */
struct flush_tlb_info {
	unsigned int initiating_cpu;
} __attribute__((preserve_access_index));

/* kernel/bpf/arraymap.c: of a per-CPU array, where its elements are before the offset of a CPU is added. */
struct bpf_array {
	void *pptrs[1];
} __attribute__((preserve_access_index));

#endif
