/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a BPF iterator writes, read as records of one size. */
#ifndef MEMTRACE_ITERATOR_H
#define MEMTRACE_ITERATOR_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Read whole records from fd (of bpf_iter_create()), at most max of `size` bytes. Returns how many; 0: there
 * are no more; -errno.
 */
ssize_t iterator__records(int fd, void *records, size_t size, size_t max);

#endif
