/* SPDX-License-Identifier: GPL-2.0 */
/* Why a fault happened: from error code and VMA, and exactly from the RSS counters that changed. */
#ifndef MEMTRACE_FAULT_KIND_BPF_H
#define MEMTRACE_FAULT_KIND_BPF_H

/* The VMA does not permit the access (access_error() of arch/x86/mm/fault.c). */
static __always_inline bool denied(const struct fault *f)
{
	if (f->error & ERROR_UNKNOWN)
		return false;
	if (f->error & ERROR_WRITE)
		return !(f->vm_flags & VM_WRITE);
	if (f->error & ERROR_EXEC)
		return !(f->vm_flags & VM_EXEC);
	return !(f->vm_flags & (VM_READ | VM_WRITE | VM_EXEC));
}

static __always_inline bool is_file_class(__u8 class)
{
	return class == CLASS_FILE || class == CLASS_TEXT || class == CLASS_DATA || class == CLASS_SHMEM;
}

/* What error code and VMA tell at the exception. */
static __always_inline __u8 kind_at_exception(const struct fault *f)
{
	bool write = f->error & ERROR_WRITE, present = f->error & ERROR_PRESENT,
	     shared = f->vm_flags & VM_SHARED;

	if (!f->end)
		return KIND_OTHER;
	if (f->grows_stack)
		return KIND_STACK_GROW;
	if (denied(f))
		return KIND_PROTECTION;
	if (f->class == CLASS_HUGETLB)
		return KIND_HUGETLB;
	if (f->class == CLASS_SHMEM && (shared || !(write || (f->error & ERROR_UNKNOWN))))
		return KIND_SHMEM;
	if (f->class == CLASS_VDSO)
		return KIND_OTHER;
	if ((f->error & ERROR_UNKNOWN) && (f->vm_flags & VM_WRITE))
		return KIND_OTHER;
	if (write && is_file_class(f->class))
		return shared || !present ? KIND_FILE_WRITE : KIND_COW;
	if (write)
		return present ? KIND_COW : KIND_ANON_WRITE;
	if (present)
		return KIND_OTHER;
	return is_file_class(f->class) ? KIND_FILE_READ : KIND_ANON_READ;
}

/* The RSS counters that the fault changed tell a copy from a new page, and a swap-in from both. */
static __always_inline __u8 exact_kind(const struct fault *f, __u32 members)
{
	bool write = f->error & ERROR_WRITE, anon = members & (1 << RSS_ANON);
	bool private_file = is_file_class(f->class) && !(f->vm_flags & VM_SHARED);

	if (f->kind == KIND_HUGETLB || f->kind == KIND_STACK_GROW || f->kind == KIND_PROTECTION || !f->end)
		return f->kind;
	if (members & (1 << RSS_SWAP))
		return KIND_SWAPIN;
	if (private_file && anon)
		return KIND_FILE_WRITE;
	if (private_file && write)
		return KIND_COW;
	if (is_file_class(f->class))
		return f->kind;
	if (anon)
		return write || (f->error & ERROR_UNKNOWN) ? KIND_ANON_WRITE : KIND_ANON_READ;
	if (f->kind == KIND_ANON_WRITE)
		return KIND_OTHER; /* nothing was added: another thread was first */
	return f->kind;
}

static __always_inline bool is_anon_kind(__u8 kind)
{
	return kind == KIND_ANON_READ || kind == KIND_ANON_WRITE || kind == KIND_COW;
}

#endif
