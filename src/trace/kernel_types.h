/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the types of the kernel (BTF) come from: the kernel's own file, or another with the same types.
 *
 * Programs are attached by the numbers that types have in the running kernel. So a file can stand in for
 * /sys/kernel/btf/vmlinux where that is hidden, as in a container; for a kernel that has no types of its own
 * nothing can.
 */
#ifndef MEMTRACE_KERNEL_TYPES_H
#define MEMTRACE_KERNEL_TYPES_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* file: raw BTF, or an ELF file with a section .BTF; NULL: where libbpf finds it. NULL, with errno; the
 * caller frees it with btf__free(). */
struct btf *kernel_types__open(const char *file);

/* Are these the types of the running kernel? Tries it: needs the privileges to load a program. 0, or -errno:
 * -EINVAL if they are not, or the kernel has none. */
int kernel_types__check(const struct btf *types);

/*
 * bpf_object__load_skeleton(), with these types in place of those that libbpf would look for; NULL: with
 * those. libbpf knows fixed places only: one of them is made to hold the types, in mounts of a thread's own
 * (CAP_SYS_ADMIN). 0 or -errno; what keeps us from such mounts is told.
 */
int kernel_types__load(const struct btf *types, struct bpf_object_skeleton *skeleton);

#endif
