/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracepoints that only tracefs knows by number: those of single system calls. Where nobody has mounted it,
 * it is mounted for memtrace alone: in no directory, so that nobody sees it, and gone with the descriptor.
 */
#ifndef MEMTRACE_TRACEFS_H
#define MEMTRACE_TRACEFS_H

/* A descriptor of its top directory, the caller's to close. -errno: neither mounted nor to be mounted;
 * -EACCES: it is mounted, and we may not read it. */
int tracefs__open(void);

/* The same without looking for one that is mounted. */
int tracefs__mount(void);

/* The number of a tracepoint ("syscalls/sys_enter_brk") for perf_event_open(). -errno; -ENOENT: there is
 * none. */
int tracefs__tracepoint(int tracefs, const char *name);

#endif
