/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every command says of the call stacks that it has taken. */
#ifndef MEMTRACE_STACK_REPORT_H
#define MEMTRACE_STACK_REPORT_H

#include <stdint.h>

#include "out/out.h"
#include "trace/stacks.h"

/* How many of `count` events ("faults") had their stack taken, how, and how the stacks ended. */
void stack_report__sampling(struct out *out, const struct stacks *stacks, const char *events, uint64_t count,
			    uint64_t samples);

#endif
