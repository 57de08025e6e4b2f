/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processor's own count of TLB misses, on all CPUs, where it has counters and we may use them. */
#ifndef MEMTRACE_WALK_COUNTER_H
#define MEMTRACE_WALK_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

enum walk_event { WALK_CYCLES, WALK_LOADS, WALK_STORES, WALK_CODE, WALK_EVENTS };

struct walk_counter;

/* NULL and errno: ENOENT or EOPNOTSUPP: the machine has no such counters. */
struct walk_counter *walk_counter__open(void);
void walk_counter__close(struct walk_counter *counter);

/*
 * Sums over CPUs since it was opened, extrapolated where the kernel had more to count than counters. has[i]:
 * the machine counts this.
 */
void walk_counter__read(const struct walk_counter *counter, uint64_t values[WALK_EVENTS],
			bool has[WALK_EVENTS]);

#endif
