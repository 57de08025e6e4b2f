/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many probes on one file as one BPF link (6.6, commit 89ae89f53d20), which is closed in the time that it
 * takes to close one. By system call: the libbpf of many distributions does not know them yet.
 */
#ifndef MEMTRACE_UPROBE_MULTI_H
#define MEMTRACE_UPROBE_MULTI_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "trace/features.h"

/* What programs must be loaded with: BPF_TRACE_UPROBE_MULTI of <linux/bpf.h>. */
#define UPROBE_MULTI_ATTACH_TYPE 48

/*
 * Has this kernel got them, and are they run for all threads of the process that is asked for? Before 6.10
 * (commit 46ba0e49b642) they were for one thread only.
 */
bool uprobe_multi__works(void);

/*
 * Run the program at these offsets of a file when the process (0: any) comes by; is_return: when the
 * functions return. The program finds the cookie of each by bpf_get_attach_cookie(). A descriptor to be
 * closed, or -errno.
 */
int uprobe_multi__attach(int prog_fd, const char *path, const unsigned long long *offsets,
			 const unsigned long long *cookies, size_t n, pid_t pid, bool is_return);

#endif
