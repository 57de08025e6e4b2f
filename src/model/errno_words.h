/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a system call that changes the address space failed, in words. */
#ifndef MEMTRACE_ERRNO_WORDS_H
#define MEMTRACE_ERRNO_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "model/ledger.h"

#define LIMIT_UNKNOWN (-1) /* and RLIM_INFINITY, as a limit, is INT64_MAX */

/* What limited the process, as far as it is known; bytes. */
struct memory_limits {
	int64_t address_space, used_address_space; /* RLIMIT_AS, VmSize */
	int64_t data, used_data;		   /* RLIMIT_DATA, VmData */
	int64_t locked, used_locked;		   /* RLIMIT_MEMLOCK, VmLck */
	int64_t max_map_count, maps;		   /* sysctl vm.max_map_count, lines of /proc/PID/maps */
	int overcommit;				   /* sysctl vm.overcommit_memory: 0, 1, 2 */
	int64_t commit_limit, committed;	   /* CommitLimit, Committed_AS of /proc/meminfo */
	int64_t memory, swap;			   /* MemTotal, SwapTotal of /proc/meminfo */
};

/* Nothing is known. */
struct memory_limits memory_limits__unknown(void);

/*
 * "ENOMEM: 2.0 GiB more than RLIMIT_AS (4.0 GiB) allows". Where the limits do not tell, what it may have
 * been. Always terminated.
 */
void errno_words__explain(const struct ledger_failure *f, const struct memory_limits *limits, char *buf,
			  size_t size);

#endif
