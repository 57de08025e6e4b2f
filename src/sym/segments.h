/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which parts of an ELF file lie where in it: what a mapping of the file holds. */
#ifndef MEMTRACE_SEGMENTS_H
#define MEMTRACE_SEGMENTS_H

#include <stdint.h>
#include <stddef.h>

/*
 * The segments and sections of the ELF file open at fd that overlap [offset, offset + size) of it, in bytes:
 * "LOAD r-x: .init .plt .text". Hostile text: names come from the file. fd is closed. 0; -ENOEXEC: it
 * is no ELF file.
 */
int segments__describe(int fd, uint64_t offset, uint64_t size, char *buf, size_t buf_size);

#endif
