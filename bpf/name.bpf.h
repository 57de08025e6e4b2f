/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The name of a VMA, read in the kernel when the VMA is first seen: by the time of the report its process may
 * be gone. bpf_d_path() is refused in these hooks, so the dentries are climbed by hand, across mounts, and
 * the components sent innermost first; user space puts them in order (model/vma_name).
 */
#ifndef MEMTRACE_NAME_BPF_H
#define MEMTRACE_NAME_BPF_H

#define PATH_STEPS 40 /* components and mount points */

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define TMPFS_MAGIC	      0x01021994

/* Append the name of a dentry to the record. False: no room is left. */
static __always_inline bool append_component(struct vma_record *record, struct dentry *dentry)
{
	__u32 used = record->name_size;
	long len;

	if (used >= NAME_MAX_SIZE)
		return false;
	len = bpf_probe_read_kernel_str(record->name + used, NAME_COMPONENT,
					BPF_CORE_READ(dentry, d_name.name));
	if (len > 0)
		record->name_size = used + len;
	return len > 0;
}

/*
 * The path that the user mapped. On overlayfs vma->vm_file is a backing_file, and its f_path the lower file;
 * the flag that marks it has moved between releases, so what would be its user_path is believed if it is
 * consistent and lies on an overlay.
 */
static __always_inline struct path user_path_of(struct file *file)
{
	struct path path = {};
	unsigned long magic = 0;

	if (bpf_core_field_exists(struct backing_file, user_path)) {
		struct backing_file *backing = (void *)file;
		struct super_block *sb;

		bpf_core_read(&path, sizeof(path), &backing->user_path);
		sb = BPF_CORE_READ(path.dentry, d_sb);
		if (sb && sb == BPF_CORE_READ(path.mnt, mnt_sb))
			magic = BPF_CORE_READ(sb, s_magic);
		if (magic == OVERLAYFS_SUPER_MAGIC)
			return path;
	}
	bpf_core_read(&path, sizeof(path), &file->f_path);
	return path;
}

static __noinline int append_path(struct vma_record *record, struct file *file)
{
	struct path path = user_path_of(file);
	struct dentry *dentry = path.dentry;
	struct mount *mount = (void *)path.mnt - bpf_core_field_offset(struct mount, mnt);

	if (!record)
		return 0;
	if (!BPF_CORE_READ(dentry, d_hash.pprev))
		record->name_flags |= NAME_DELETED;
	for (int i = 0; i < PATH_STEPS; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			if (above == mount)
				return 0;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		if (!append_component(record, dentry))
			break;
		if (parent == dentry) /* a pseudo file: memfd, shared anonymous memory */
			return 0;
		dentry = parent;
	}
	record->name_flags |= NAME_TRUNCATED;
	return 0;
}

static __always_inline void append_anon_name(struct vma_record *record, __u64 vma)
{
	struct anon_vma_name *name;
	long len;

	if (!bpf_core_field_exists(struct vm_area_struct___named, anon_name))
		return;
	name = BPF_CORE_READ((struct vm_area_struct___named *)vma, anon_name);
	if (!name)
		return;
	len = bpf_probe_read_kernel_str(record->name, NAME_COMPONENT, name->name);
	if (len <= 0)
		return;
	record->name_kind = NAME_ANON;
	record->name_size = len;
}

static __always_inline void append_name(struct vma_record *record, const struct vma *vma)
{
	if (vma->file) {
		record->name_kind = NAME_PATH;
		append_path(record, (struct file *)vma->file);
	} else {
		append_anon_name(record, vma->address);
	}
}

static __always_inline bool is_tmpfs(__u64 file)
{
	struct inode *inode = kread(struct file, file, f_inode);

	return BPF_CORE_READ(inode, i_sb, s_magic) == TMPFS_MAGIC;
}

static __always_inline __u8 class_of_file(const struct vma *vma)
{
	if (vma->flags & VM_EXEC)
		return CLASS_TEXT;
	if (is_tmpfs(vma->file))
		return CLASS_SHMEM;
	if ((vma->flags & VM_WRITE) && !(vma->flags & VM_SHARED))
		return CLASS_DATA;
	return CLASS_FILE;
}

/* As /proc/PID/maps names them; heap: the rule of vma_is_initial_heap() (6.6). */
static __noinline __u8 class_of(__u64 mm, const struct vma *vma)
{
	__u64 stack;

	if (!vma)
		return CLASS_UNKNOWN;
	if (vma->flags & VM_HUGETLB)
		return CLASS_HUGETLB;
	if (vma->file)
		return class_of_file(vma);
	stack = kread(struct mm_struct, mm, start_stack);
	if ((vma->flags & VM_GROWSDOWN) || (vma->start <= stack && stack <= vma->end))
		return CLASS_STACK;
	if (vma->start < kread(struct mm_struct, mm, brk) &&
	    vma->end > kread(struct mm_struct, mm, start_brk))
		return CLASS_HEAP;
	if ((vma->flags & VM_PFNMAP) ||
	    vma->start == (__u64)BPF_CORE_READ((struct mm_struct *)mm, context.vdso))
		return CLASS_VDSO;
	return CLASS_ANON;
}

#endif
