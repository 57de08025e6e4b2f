/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address → VMA without a lock.
 *
 * BPF programs run under rcu_read_lock(), and nodes and VMAs are freed by RCU: what is read here may be stale
 * but is not unmapped. A VMA is believed only if it belongs to the mm and holds the address.
 *
 * From 6.1 a maple tree indexes VMAs, before a red-black tree. Maple tree encoding
 * (include/linux/maple_tree.h, lib/maple_tree.c): nodes are 256-byte aligned; bits 3-6 of a node pointer are
 * its type; the root pointer has bit 1 set. A pivot is the last index of the slot of the same number; the
 * last slot has none.
 */
#ifndef MEMTRACE_VMA_BPF_H
#define MEMTRACE_VMA_BPF_H

#define MAPLE_DEPTH 10 /* 16-way at best, 5-way at worst: 5^10 VMAs */
#define RB_DEPTH    40 /* 2 log2(VMAs); sysctl vm.max_map_count is 65,530 by default */

enum maple_type { MAPLE_LEAF_64 = 1, MAPLE_RANGE_64 = 2, MAPLE_ARANGE_64 = 3 };

#define maple_node(entry) ((entry) & ~255ull)
#define maple_type(entry) (((entry) >> 3) & 15)

struct vma {
	__u64 address; /* of the struct vm_area_struct */
	__u64 start, end, flags, file;
};

/* The hole around an address that no VMA holds: [first, last]. */
struct vma_gap {
	__u64 first, last;
};

static __always_inline __u64 maple_find_direct(__u64 mm, __u64 addr)
{
	__u64 entry = load_word(mm + bpf_core_field_offset(struct mm_struct, mm_mt.ma_root));

	if ((entry & 3) != 2)
		return 0;
	for (int depth = 0; depth < MAPLE_DEPTH && entry >= 4096; depth++) {
		__u64 node = maple_node(entry), n = maple_type(entry) == MAPLE_ARANGE_64 ? 9 : 15, i;

		for (i = 0; i < 15; i++) {
			__u64 pivot;

			if (i >= n)
				break;
			pivot = load_word(node + 8 + i * 8);
			if (addr <= pivot || (i && !pivot))
				break;
		}
		if (maple_type(entry) == MAPLE_LEAF_64)
			return load_word(node + 8 + (n + i) * 8);
		entry = load_word(node + 8 + (n + i) * 8);
	}
	return 0;
}

/* The same by bpf_probe_read_kernel(), which also says how far the hole reaches. gap may be NULL. */
static __always_inline __u64 maple_find_probing(__u64 mm, __u64 addr, struct vma_gap *gap)
{
	__u64 entry = (__u64)BPF_CORE_READ((struct mm_struct *)mm, mm_mt.ma_root);

	if ((entry & 3) != 2)
		return 0;
	for (int depth = 0; depth < MAPLE_DEPTH && entry >= 4096; depth++) {
		__u64 pivot[15], next, n = maple_type(entry) == MAPLE_ARANGE_64 ? 9 : 15, i;

		if (bpf_probe_read_kernel(pivot, n == 9 ? 9 * 8 : 15 * 8, (void *)(maple_node(entry) + 8)))
			return 0;
		for (i = 0; i < 15; i++) {
			if (i >= n || (i && !pivot[i]))
				break;
			if (addr <= pivot[i]) {
				if (gap)
					gap->last = pivot[i];
				break;
			}
			if (gap)
				gap->first = pivot[i] + 1;
		}
		if (bpf_probe_read_kernel(&next, 8, (void *)(maple_node(entry) + 8 + (n + i) * 8)))
			return 0;
		if (maple_type(entry) == MAPLE_LEAF_64)
			return next;
		entry = next;
	}
	return 0;
}

static __always_inline __u64 rb_find(__u64 mm, __u64 addr, struct vma_gap *gap)
{
	struct rb_node *node = BPF_CORE_READ((struct mm_struct___rb *)mm, mm_rb.rb_node);

	for (int depth = 0; depth < RB_DEPTH && node; depth++) {
		struct vm_area_struct___rb *vma =
			(void *)node - bpf_core_field_offset(struct vm_area_struct___rb, vm_rb);
		__u64 start = BPF_CORE_READ(vma, vm_start), end = BPF_CORE_READ(vma, vm_end);

		if (addr >= start && addr < end)
			return (__u64)vma;
		if (addr >= end) {
			node = BPF_CORE_READ(node, rb_right);
			if (gap)
				gap->first = end;
		} else {
			node = BPF_CORE_READ(node, rb_left);
			if (gap)
				gap->last = start - 1;
		}
	}
	return 0;
}

/*
 * The struct vm_area_struct of mm that should hold addr, 0 if there is none. A global function of scalars:
 * the verifier looks at it once, not at each call.
 */
__noinline __u64 vma_address(__u64 mm, __u64 addr)
{
	if (!bpf_core_field_exists(struct mm_struct, mm_mt))
		return rb_find(mm, addr, NULL);
	return config.direct_reads ? maple_find_direct(mm, addr) : maple_find_probing(mm, addr, NULL);
}

/* Fill *vma from the struct vm_area_struct at `address`, if that belongs to mm and holds addr. */
static __always_inline bool vma_read(__u64 address, __u64 mm, __u64 addr, struct vma *vma)
{
	if (address < 4096)
		return false;
	vma->address = address;
	vma->start = kread(struct vm_area_struct, address, vm_start);
	vma->end = kread(struct vm_area_struct, address, vm_end);
	vma->flags = kread(struct vm_area_struct, address, vm_flags);
	vma->file = kread_address(struct vm_area_struct, address, vm_file);
	return vma->start <= addr && addr < vma->end &&
	       (__u64)kread(struct vm_area_struct, address, vm_mm) == mm;
}

/* The VMA of mm that holds addr. False, and *vma undefined: none. */
static __always_inline bool vma_find(__u64 mm, __u64 addr, struct vma *vma)
{
	return vma_read(vma_address(mm, addr), mm, addr, vma);
}

/* What identifies a VMA while it grows: struct vma_key. */
static __always_inline __u64 vma_anchor(const struct vma *vma)
{
	return (vma->flags & VM_GROWSDOWN ? vma->end : vma->start) | (vma->flags & VM_PERMS);
}

/* The hole of mm around addr, which no VMA holds. Slower than vma_find(): for what is rare. */
static __always_inline void vma_gap(__u64 mm, __u64 addr, struct vma_gap *gap)
{
	gap->first = 0;
	gap->last = ~0ull;
	if (bpf_core_field_exists(struct mm_struct, mm_mt))
		maple_find_probing(mm, addr, gap);
	else
		rb_find(mm, addr, gap);
}

/* Where the first VMA above addr, which no VMA holds, starts; 0: there is none. */
__noinline __u64 vma_next(__u64 mm, __u64 addr)
{
	struct vma_gap gap;

	vma_gap(mm, addr, &gap);
	return gap.last + 1;
}

#endif
