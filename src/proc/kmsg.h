/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel log, a record at a time. */
#ifndef MEMTRACE_KMSG_H
#define MEMTRACE_KMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KMSG_RECORD_MAX 8192 /* the kernel's own bound */

/* A record of /dev/kmsg: "6,1234,5678901,-;text". text: unescaped, at most size - 1 bytes. 0 or -EINVAL. */
int kmsg__parse(const char *record, uint64_t *us, char *text, size_t size);

/* From its beginning, or from now on. A descriptor, or -errno. */
int kmsg__open(bool from_now);

/*
 * The next line, without waiting, and when it was written (us since boot). 1; 0: there is none now; -EPIPE:
 * the log has run over what was to be read next, go on; -errno.
 */
int kmsg__next(int fd, char *line, size_t size, uint64_t *us);

#endif
