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
	bool write = f->error & ERROR_WRITE, anon = members & (1 << MM_ANONPAGES);
	bool private_file = is_file_class(f->class) && !(f->vm_flags & VM_SHARED);

	if (f->kind == KIND_HUGETLB || f->kind == KIND_STACK_GROW || f->kind == KIND_PROTECTION || !f->end)
		return f->kind;
	if (members & (1 << MM_SWAPENTS))
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

static __always_inline void read_rss(__u64 task, int *events, int count[MM_COUNTERS])
{
	struct task_struct___rss *t = (void *)task;

	if (!bpf_core_field_exists(struct task_struct___rss, rss_stat))
		return;
	*events = BPF_CORE_READ(t, rss_stat.events);
	bpf_core_read(count, MM_COUNTERS * sizeof(int), &t->rss_stat.count);
}

/*
 * Before 6.2: which of task->rss_stat.count[] changed. handle_mm_fault() first folds the counts into the mm
 * when `events`, which it increments, has passed a threshold: then they start from 0.
 */
static __always_inline __u32 rss_members_changed(const struct slot *slot, __u64 task)
{
	int events = 0, count[MM_COUNTERS] = {};
	__u32 members = 0;

	if (!bpf_core_field_exists(struct task_struct___rss, rss_stat))
		return slot->members;
	read_rss(task, &events, count);
	for (int i = 0; i < MM_COUNTERS; i++) {
		int before = events > slot->rss_events ? slot->rss_count[i] : 0;

		if (count[i] != before)
			members |= 1 << i;
	}
	return members;
}

#endif
