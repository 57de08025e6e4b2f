/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/bad_access.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/vma_name.h"

#define PAGE_SHIFT    12
#define NULL_REACH    65536 /* vm.mmap_min_addr: nothing is mapped below it, so NULL plus a member's offset */
#define GUARD_REACH   (1024 * 1024) /* stack_guard_gap: 256 pages */
#define NON_CANONICAL 128	    /* SI_KERNEL: no page fault, a general protection fault */

const char *bad_access__signal(int signal)
{
	return signal == SIGSEGV ? "SIGSEGV" : signal == SIGBUS ? "SIGBUS" : NULL;
}

const char *bad_access__code(int signal, int code)
{
	static const char *const segv[] = {[SEGV_MAPERR] = "SEGV_MAPERR",
					   [SEGV_ACCERR] = "SEGV_ACCERR",
					   [SEGV_BNDERR] = "SEGV_BNDERR",
					   [SEGV_PKUERR] = "SEGV_PKUERR"};
	static const char *const bus[] = {[BUS_ADRALN] = "BUS_ADRALN",
					  [BUS_ADRERR] = "BUS_ADRERR",
					  [BUS_OBJERR] = "BUS_OBJERR",
					  [BUS_MCEERR_AR] = "BUS_MCEERR_AR",
					  [BUS_MCEERR_AO] = "BUS_MCEERR_AO"};

	if (code == NON_CANONICAL)
		return "SI_KERNEL";
	if (signal == SIGSEGV && code > 0 && code < (int)(sizeof(segv) / sizeof(segv[0])))
		return segv[code];
	if (signal == SIGBUS && code > 0 && code < (int)(sizeof(bus) / sizeof(bus[0])))
		return bus[code];
	return NULL;
}

const char *bad_access__access(__u32 error)
{
	if (error & ERROR_UNKNOWN)
		return NULL;
	if (error & ERROR_WRITE)
		return "write";
	return error & ERROR_EXEC ? "exec" : "read";
}

const struct vma_row *bad_access__vma(const struct fault_table *table, const struct vma_extent *extent)
{
	return extent->end ? fault_table__vma(table, &extent->key) : NULL;
}

struct text {
	char *buf;
	size_t size, used;
};

static __attribute__((format(printf, 2, 3))) void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->buf + t->used, t->size - t->used, format, args);
	va_end(args);
	if (n > 0)
		t->used += (size_t)n < t->size - t->used ? (size_t)n : t->size - t->used - 1;
}

/* "rw-p anon memory", "r-xp /usr/bin/x". */
static void add_vma(struct text *t, const struct vma_extent *extent, const struct fault_table *table)
{
	const struct vma_row *v = bad_access__vma(table, extent);
	char perms[5];

	vma_name__perms(extent->flags, perms);
	if (v && *v->name)
		add(t, "%s %s", perms, v->name);
	else
		add(t, "%s %s memory", perms, v ? vma_class__name(v->class) : "unnamed");
}

static void add_distance(struct text *t, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = bytes;
	int i = 0;

	for (; value >= 10000 && i < 4; i++)
		value /= 1024;
	add(t, "%.0f %s", value, units[i]);
}

static bool is_stack(const struct signal_record *r, const struct vma_extent *extent,
		     const struct fault_table *table)
{
	const struct vma_row *v = bad_access__vma(table, extent);

	return (v && v->class == CLASS_STACK) || (r->sp >= extent->start && r->sp < extent->end);
}

static void explain_outside(struct text *t, const struct signal_record *r, const struct fault_table *table)
{
	if (r->address < NULL_REACH) {
		if (r->address)
			add(t, "NULL pointer plus %llu (a member or an element of something at NULL)",
			    r->address);
		else
			add(t, "NULL pointer");
		return;
	}
	if (r->above.end && r->above.start - r->address <= GUARD_REACH && (r->above.flags & VM_GROWSDOWN)) {
		add(t, "stack overflow: below the stack, which has reached its limit (ulimit -s)");
		return;
	}
	add(t, "no VMA there");
	if (r->below.end) {
		add(t, "; ");
		add_distance(t, r->address - r->below.end);
		add(t, " past the end of ");
		add_vma(t, &r->below, table);
	}
	if (r->above.end) {
		add(t, "; ");
		add_distance(t, r->above.start - r->address);
		add(t, " before ");
		add_vma(t, &r->above, table);
	}
}

static void explain_denied(struct text *t, const struct signal_record *r, const struct fault_table *table)
{
	const char *verb = bad_access__access(r->error);
	bool no_access = !(r->at.flags & (VM_READ | VM_WRITE | VM_EXEC));

	if (no_access && r->sp >= r->at.start && r->sp < r->at.end)
		add(t, "stack overflow: in the guard page of a thread's stack, ");
	else if (no_access)
		add(t, "in memory reserved without access (a guard page, or not yet committed), ");
	else if ((r->error & ERROR_WRITE) && (r->at.flags & VM_EXEC))
		add(t, "write to program text, ");
	else if (r->error & ERROR_EXEC)
		add(t, "execution of memory that is not executable, ");
	else
		add(t, "the VMA does not permit to %s, ", verb ? verb : "do that");
	add_vma(t, &r->at, table);
}

static void explain_bus(struct text *t, const struct signal_record *r, const struct fault_table *table)
{
	uint64_t offset = (r->at.pgoff << PAGE_SHIFT) + (r->address - r->at.start);

	if (r->code == BUS_MCEERR_AR || r->code == BUS_MCEERR_AO) {
		add(t, "the page has failed in hardware");
	} else if (r->at.end && r->at.key.file && offset >= r->file_size) {
		add(t, "beyond the end of the file: offset %" PRIu64 ", the file has %llu bytes, ", offset,
		    r->file_size);
		add_vma(t, &r->at, table);
	} else if (r->at.end) {
		add(t, "the page could not be provided (I/O error, or no room for it), ");
		add_vma(t, &r->at, table);
	} else {
		add(t, "bus error");
	}
}

void bad_access__explain(const struct signal_record *r, const struct fault_table *table, char *buf,
			 size_t size)
{
	struct text t = {buf, size, 0};

	buf[0] = '\0';
	if (r->code == NON_CANONICAL)
		add(&t,
		    "no page fault: an address that cannot exist (not canonical), or a privileged instruction");
	else if (r->signal == SIGBUS)
		explain_bus(&t, r, table);
	else if (r->at.end && (r->code == SEGV_ACCERR || is_stack(r, &r->at, table)))
		explain_denied(&t, r, table);
	else if (r->at.end)
		add(&t, "mapped by now: another thread mapped it meanwhile");
	else
		explain_outside(&t, r, table);
}
