/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VMA as a record for user space. The topic has a `struct scratch` with room for one in `vma`, and
 * scratch(context).
 */
#ifndef MEMTRACE_DESCRIBE_BPF_H
#define MEMTRACE_DESCRIBE_BPF_H

/*
 * Look up the VMA of mm that holds addr and fill in the context's VMA record, but for the process key.
 * Returns 0 if there is none; the record then stands for "no VMA". A global function of scalars: verified
 * once.
 */
__noinline int describe_vma(__u64 mm, __u64 addr, __u32 context)
{
	struct scratch *s = scratch(context);
	struct vma_record *r;
	struct vma vma;

	if (!s)
		return 0;
	r = &s->vma;
	r->start = r->end = r->pgoff = r->key.anchor = r->key.file = 0;
	r->flags = r->name_size = 0;
	r->class = CLASS_UNKNOWN;
	r->name_kind = NAME_NONE;
	r->name_flags = 0;
	if (!vma_find(mm, addr, &vma))
		return 0;
	r->key.anchor = vma_anchor(&vma);
	r->key.file = vma.file;
	r->start = vma.start;
	r->end = vma.end;
	r->flags = vma.flags;
	r->pgoff = kread(struct vm_area_struct, vma.address, vm_pgoff);
	r->class = class_of(mm, &vma);
	append_name(r, &vma);
	return 1;
}

/* Of a record that describe_vma() made: whose it is, and how long. Returns its size. */
static __always_inline __u32 finish_vma_record(struct vma_record *r)
{
	__u64 leader = (__u64)kread(struct task_struct, bpf_get_current_task(), group_leader);
	__u32 size = r->name_size;

	r->header.type = RECORD_VMA;
	bpf_core_read(r->comm, COMM_SIZE, &((struct task_struct *)leader)->comm);
	r->ppid = BPF_CORE_READ((struct task_struct *)leader, real_parent, tgid);
	if (size > sizeof(r->name))
		size = sizeof(r->name);
	size += __builtin_offsetof(struct vma_record, name);
	r->header.size = size;
	return size;
}

#endif
