/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of VMAs and of the enums about them, from what the kernel side sent. */
#ifndef MEMTRACE_VMA_NAME_H
#define MEMTRACE_VMA_NAME_H

#include <linux/types.h>
#include <stddef.h>

#include "faults.h"

/* Room for any name: all components, " (deleted)", the mark of a missing head. */
#define VMA_NAME_SIZE (NAME_MAX_SIZE + NAME_COMPONENT + 64)

/*
 * The name of a VMA as /proc/PID/maps would print it, written to buf: a path put together from its components
 * ("..." in front: outer ones are missing), [heap], [stack], [vdso], [anon:NAME], [anon].
 * record->name need not be well formed. buf always ends up terminated.
 */
void vma_name__build(const struct vma_record *record, char *buf, size_t size);

/* "rw-p": perms needs five bytes. */
void vma_name__perms(__u32 vm_flags, char perms[5]);

/* Of enum vma_class and enum fault_kind, as in JSON; "?" beyond the last. */
const char *vma_class__name(unsigned class);
const char *fault_kind__name(unsigned kind);

/* What a kind means, in a few words. */
const char *fault_kind__meaning(unsigned kind);

#endif
