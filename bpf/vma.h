/* SPDX-License-Identifier: GPL-2.0 */
/* A VMA as the kernel side describes it: class, flags, and its name in pieces. */
#ifndef MEMTRACE_VMA_H
#define MEMTRACE_VMA_H

#include "abi.h"

/* What a VMA is, decided in the kernel when it is first seen. The order is that of vma_class__name(). */
enum vma_class {
	CLASS_UNKNOWN, /* no VMA holds the address */
	CLASS_HEAP,
	CLASS_STACK,
	CLASS_ANON,
	CLASS_FILE,
	CLASS_SHMEM,
	CLASS_TEXT,
	CLASS_DATA,
	CLASS_VDSO,
	CLASS_HUGETLB,
	CLASSES,
};

/* include/linux/mm.h; the same values since before 5.10. */
enum vm_flag {
	VM_READ = 0x1,
	VM_WRITE = 0x2,
	VM_EXEC = 0x4,
	VM_SHARED = 0x8,
	VM_GROWSDOWN = 0x100,
	VM_UFFD_MISSING = 0x200,
	VM_PFNMAP = 0x400,
	VM_UFFD_WP = 0x1000,
	VM_HUGETLB = 0x400000,
};

#define VM_PERMS (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED)

/* How the name of a VMA is coded in struct vma_record. */
enum name_kind {
	NAME_NONE,
	NAME_PATH, /* path components, innermost first, each ended by NUL */
	NAME_ANON, /* one string, from prctl(PR_SET_VMA_ANON_NAME) */
};

enum name_flag {
	NAME_TRUNCATED = 1, /* outer components are missing */
	NAME_DELETED = 2,
};

#define NAME_COMPONENT 256
#define NAME_MAX_SIZE  1024

struct vma_record {
	struct record_header header;
	struct vma_key key;
	__u64 start, end;
	__u64 pgoff; /* offset into the file, in pages */
	__u32 flags; /* enum vm_flag; the low 32 bits */
	__u8 class;
	__u8 name_kind;
	__u8 name_flags;
	__u8 pad;
	char comm[COMM_SIZE];
	__u32 ppid;
	__u32 name_size; /* bytes used in name[] */
	char name[NAME_MAX_SIZE + NAME_COMPONENT];
};

_Static_assert(__builtin_offsetof(struct vma_record, name) % 8 == 0, "ABI");

#endif
