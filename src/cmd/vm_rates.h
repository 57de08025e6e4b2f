/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of /proc/vmstat or memory.stat as rates, with what each of them means. */
#ifndef MEMTRACE_VM_RATES_H
#define MEMTRACE_VM_RATES_H

#include <stdbool.h>
#include <stddef.h>

#include "out/out.h"

/* A name that ends with '_' stands for all that begin so: one a zone. */
struct vm_rate {
	const char *name, *words;
};

/* Those that both texts have, `seconds` apart, as a table. changed_only: a table has no others; JSON has all.
 */
void vm_rates__print(struct out *out, const char *title, const struct vm_rate *rates, size_t n,
		     const char *before, const char *now, double seconds, bool changed_only);

#endif
