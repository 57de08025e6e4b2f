/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/tlb_memory.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/process_snapshot.h"
#include "util/log.h"

#define READ_LIMIT_NS 200000000ull /* as ps: a process whose smaps would take longer is left alone */

static bool is_wanted(const struct tlb_row *row, bool unread)
{
	if (row->is_other || row->is_kernel || row->exited || !row->key.tgid)
		return false;
	return !unread || row->memory.rss == TLB_UNKNOWN;
}

static uint64_t value_of(const struct process_memory *p, enum process_value value)
{
	return p->values[value] == PROCESS_VALUE_UNKNOWN ? TLB_UNKNOWN : p->values[value];
}

static struct tlb_memory memory_of(const struct process_memory *p)
{
	struct tlb_memory memory = {
		.rss = value_of(p, VALUE_RSS),
		.pgtables = value_of(p, VALUE_PGTABLES),
		.huge = value_of(p, VALUE_HUGE),
	};

	if (memory.huge != TLB_UNKNOWN && p->values[VALUE_HUGE_SHARED] != PROCESS_VALUE_UNKNOWN)
		memory.huge += p->values[VALUE_HUGE_SHARED];
	return memory;
}

int tlb_memory__read(struct tlb_table *table, const struct tlb_row *rows, size_t n, size_t top, bool unread,
		     struct tlb_memory_gaps *gaps)
{
	struct target target = {.pids = calloc(n ? n : 1, sizeof(*target.pids))};
	struct snapshot_options options = {
		.target = &target, .uid = SNAPSHOT_ANY_USER, .limit_ns = READ_LIMIT_NS};
	struct snapshot snapshot = {};
	int err = 0;

	if (!target.pids) {
		log__error("no memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < n && (!top || i < top); i++)
		if (is_wanted(&rows[i], unread))
			target.pids[target.pid_count++] = rows[i].key.tgid;
	if (target.pid_count) {
		err = snapshot__read(&snapshot, &options);
		for (size_t i = 0; i < snapshot.n && !err; i++) {
			struct tlb_memory memory = memory_of(&snapshot.rows[i]);

			tlb_table__set_memory(table, snapshot.rows[i].pid, &memory);
		}
		*gaps = (struct tlb_memory_gaps){snapshot.denied, snapshot.too_large};
		snapshot__free(&snapshot);
	}
	target__free(&target);
	return err;
}
