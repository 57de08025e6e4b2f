/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/vma_name.h"

#include <stdio.h>
#include <string.h>

#define MAX_COMPONENTS 64

static const char *const class_names[CLASSES] = {
	[CLASS_UNKNOWN] = "none", [CLASS_HEAP] = "heap",       [CLASS_STACK] = "stack", [CLASS_ANON] = "anon",
	[CLASS_FILE] = "file",	  [CLASS_SHMEM] = "shmem",     [CLASS_TEXT] = "text",	[CLASS_DATA] = "data",
	[CLASS_VDSO] = "vdso",	  [CLASS_HUGETLB] = "hugetlb",
};

static const struct {
	const char *name, *meaning;
} kinds[KINDS] = {
	[KIND_ANON_READ] = {"anon_read", "first read of anonymous memory: zero page"},
	[KIND_ANON_WRITE] = {"anon_write", "first write to anonymous memory: a new page"},
	[KIND_COW] = {"cow", "copy on write: after fork, zero page, private file"},
	[KIND_FILE_READ] = {"file_read", "page of a mapped file (major: from disk)"},
	[KIND_FILE_WRITE] = {"file_write", "write to a mapped file (private: a copy)"},
	[KIND_SHMEM] = {"shmem", "shared memory or tmpfs"},
	[KIND_SWAPIN] = {"swapin", "page back from swap"},
	[KIND_HUGETLB] = {"hugetlb", "page of the hugetlb pool"},
	[KIND_STACK_GROW] = {"stack_grow", "touch below the stack, which then grows"},
	[KIND_PROTECTION] = {"protection", "access that the VMA does not permit"},
	[KIND_OTHER] = {"other", "no VMA, a special mapping, or not told apart"},
};

const char *vma_class__name(unsigned class)
{
	return class < CLASSES ? class_names[class] : "?";
}

const char *fault_kind__name(unsigned kind)
{
	return kind < KINDS ? kinds[kind].name : "?";
}

const char *fault_kind__meaning(unsigned kind)
{
	return kind < KINDS ? kinds[kind].meaning : "";
}

void vma_name__perms(__u32 vm_flags, char perms[5])
{
	perms[0] = vm_flags & VM_READ ? 'r' : '-';
	perms[1] = vm_flags & VM_WRITE ? 'w' : '-';
	perms[2] = vm_flags & VM_EXEC ? 'x' : '-';
	perms[3] = vm_flags & VM_SHARED ? 's' : 'p';
	perms[4] = '\0';
}

/* Components came innermost first. */
static void build_path(const struct vma_record *record, char *buf, size_t size)
{
	const char *components[MAX_COMPONENTS], *end = record->name + record->name_size;
	size_t n = 0, used = 0;

	for (const char *s = record->name; s < end && n < MAX_COMPONENTS;) {
		size_t length = strnlen(s, end - s);

		if (s + length == end)
			break; /* unterminated */
		components[n++] = s;
		s += length + 1;
	}
	if (!n || (record->name_flags & NAME_TRUNCATED))
		used = snprintf(buf, size, "%s", n ? "..." : "?");
	while (n && used < size)
		used += snprintf(buf + used, size - used, "/%s", components[--n]);
	if ((record->name_flags & NAME_DELETED) && used < size)
		snprintf(buf + used, size - used, " (deleted)");
}

void vma_name__build(const struct vma_record *record, char *buf, size_t size)
{
	buf[0] = '\0';
	if (record->name_size > sizeof(record->name))
		return;
	if (record->name_kind == NAME_PATH)
		build_path(record, buf, size);
	else if (record->class == CLASS_HEAP)
		snprintf(buf, size, "[heap]");
	else if (record->class == CLASS_STACK)
		snprintf(buf, size, "[stack]");
	else if (record->class == CLASS_VDSO)
		snprintf(buf, size, record->flags & VM_PFNMAP ? "[vvar]" : "[vdso]");
	else if (record->name_kind == NAME_ANON)
		snprintf(buf, size, "[anon:%.*s]", (int)strnlen(record->name, record->name_size),
			 record->name);
	else if (record->end)
		snprintf(buf, size, "[anon]"); /* as pmap has it; /proc/PID/maps leaves it blank */
}
