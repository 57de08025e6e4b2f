/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/errno_words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct memory_limits memory_limits__unknown(void)
{
	return (struct memory_limits){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
}

/* Bytes that the call wanted to add. */
static uint64_t wanted(const struct ledger_failure *f)
{
	switch (f->call) {
	case CALL_BRK:
		return f->args[0] > f->brk_before ? f->args[0] - f->brk_before : 0;
	case CALL_MREMAP:
		return f->args[2] > f->args[1] ? f->args[2] - f->args[1] : 0;
	case CALL_MMAP:
	case CALL_MLOCK:
		return f->args[1];
	default:
		return 0;
	}
}

static bool exceeds(int64_t limit, int64_t used, uint64_t more)
{
	return limit >= 0 && used >= 0 && limit != INT64_MAX &&
	       (more > (uint64_t)limit || used > limit - (int64_t)more);
}

static void say_limit(char *buf, size_t size, const char *error, const char *name, int64_t limit,
		      int64_t used, uint64_t more)
{
	snprintf(buf, size, "%s: %s is %.1f MiB, %.1f MiB were in use and %.1f MiB more were asked for",
		 error, name, (double)limit / (1 << 20), (double)used / (1 << 20), (double)more / (1 << 20));
}

/* Private and writable is what RLIMIT_DATA counts (is_data_mapping() of mm/mmap.c). */
static bool is_data(const struct ledger_failure *f)
{
	return f->call != CALL_MMAP || (f->args[2] & PROT_WRITE && f->args[3] & MAP_PRIVATE);
}

static bool is_unchecked(const struct ledger_failure *f)
{
	return f->call == CALL_MMAP && (f->args[3] & MAP_NORESERVE || !(f->args[2] & PROT_WRITE));
}

/* The order is that of the kernel's checks: do_mmap(), may_expand_vm(), security_vm_enough_memory_mm(). */
/* __vm_enough_memory(): OVERCOMMIT_GUESS refuses what exceeds all RAM and swap. */
static bool is_more_than_machine(const struct memory_limits *l, uint64_t bytes)
{
	return l->memory >= 0 && l->swap >= 0 && bytes > (uint64_t)l->memory + (uint64_t)l->swap;
}

static void explain_enomem(const struct ledger_failure *f, const struct memory_limits *l, char *buf,
			   size_t size)
{
	uint64_t more = wanted(f);

	if (f->call == CALL_MLOCK && exceeds(l->locked, l->used_locked, more))
		say_limit(buf, size, "ENOMEM", "RLIMIT_MEMLOCK", l->locked, l->used_locked, more);
	else if (f->call == CALL_MPROTECT || f->call == CALL_MADVISE || f->call == CALL_MLOCK ||
		 f->call == CALL_MUNLOCK)
		snprintf(buf, size, "ENOMEM: a part of the range is not mapped%s",
			 f->call == CALL_MPROTECT ? ", or what becomes writable would exceed overcommit"
						  : "");
	else if (l->maps >= 0 && l->max_map_count >= 0 && l->maps >= l->max_map_count - 1)
		snprintf(buf, size, "ENOMEM: %lld mappings, and vm.max_map_count allows %lld",
			 (long long)l->maps, (long long)l->max_map_count);
	else if (f->call == CALL_MUNMAP)
		snprintf(buf, size, "ENOMEM: it would split a mapping, and vm.max_map_count allows no more");
	else if (exceeds(l->address_space, l->used_address_space, more))
		say_limit(buf, size, "ENOMEM", "RLIMIT_AS", l->address_space, l->used_address_space, more);
	else if (is_data(f) && exceeds(l->data, l->used_data, more))
		say_limit(buf, size, "ENOMEM", "RLIMIT_DATA", l->data, l->used_data, more);
	else if (more >> 47)
		snprintf(buf, size, "ENOMEM: %.0f TiB are more than an address space holds",
			 (double)more / (double)(1ULL << 40));
	else if (l->overcommit == 2 && exceeds(l->commit_limit, l->committed, more))
		say_limit(buf, size, "ENOMEM", "CommitLimit (vm.overcommit_memory is 2)", l->commit_limit,
			  l->committed, more);
	else if (l->overcommit == 0 && !is_unchecked(f) && is_more_than_machine(l, more))
		snprintf(buf, size,
			 "ENOMEM: %.1f MiB at once are more than memory and swap (vm.overcommit_memory is 0)",
			 (double)more / (1 << 20));
	else
		snprintf(
			buf, size,
			"ENOMEM: RLIMIT_AS, RLIMIT_DATA, vm.max_map_count or overcommit, or no gap is as large");
}

static const char *explain_einval(const struct ledger_failure *f)
{
	bool unaligned = f->args[0] & (LEDGER_PAGE - 1);

	switch (f->call) {
	case CALL_MMAP:
		if (!f->args[1])
			return "the length is 0";
		if (!(f->args[3] & (MAP_SHARED | MAP_PRIVATE)))
			return "neither MAP_SHARED nor MAP_PRIVATE";
		if (f->args[3] & MAP_FIXED && unaligned)
			return "MAP_FIXED, and the address is not that of a page";
		if (f->args[5] & (LEDGER_PAGE - 1))
			return "the offset is not that of a page";
		return "flags that do not go together, or with this file";
	case CALL_MREMAP:
		if (unaligned)
			return "the address is not that of a page";
		if (!f->args[2])
			return "the new size is 0";
		return "flags that do not go together, or old and new range overlap";
	case CALL_MADVISE:
		return unaligned
			       ? "the address is not that of a page"
			       : "an advice that the kernel does not know, or not for such a mapping (locked, shared)";
	case CALL_SHMAT:
		return "no such segment, or the address is not aligned or not free";
	case CALL_SHMDT:
		return "nothing is attached at that address";
	default:
		return unaligned ? "the address is not that of a page"
				 : "an argument that the kernel does not know";
	}
}

static const char *explain_eacces(const struct ledger_failure *f)
{
	if (f->call == CALL_MPROTECT)
		return "the file is not open for such an access, or a security module forbids it";
	if (f->call == CALL_SHMAT)
		return "the segment's permissions";
	return "the file is not open for reading, or not for writing as MAP_SHARED and PROT_WRITE need";
}

static void explain_eagain(const struct ledger_failure *f, const struct memory_limits *l, char *buf,
			   size_t size)
{
	uint64_t more = wanted(f);

	if (exceeds(l->locked, l->used_locked, more))
		say_limit(buf, size, "EAGAIN", "RLIMIT_MEMLOCK", l->locked, l->used_locked, more);
	else if (f->call == CALL_MADVISE)
		snprintf(buf, size, "EAGAIN: a resource was short for a moment");
	else
		snprintf(buf, size, "EAGAIN: it would lock more than RLIMIT_MEMLOCK, or the file is locked");
}

void errno_words__explain(const struct ledger_failure *f, const struct memory_limits *limits, char *buf,
			  size_t size)
{
	const char *name = strerrorname_np(f->error), *why = strerrordesc_np(f->error);

	switch (f->error) {
	case ENOMEM:
		explain_enomem(f, limits, buf, size);
		return;
	case EAGAIN:
		explain_eagain(f, limits, buf, size);
		return;
	case EINVAL:
		why = explain_einval(f);
		break;
	case EACCES:
		why = explain_eacces(f);
		break;
	case EEXIST:
		why = "MAP_FIXED_NOREPLACE, and something is mapped there";
		break;
	case EPERM:
		why = f->call == CALL_MLOCK || f->call == CALL_MLOCKALL
			      ? "RLIMIT_MEMLOCK is 0 and CAP_IPC_LOCK is missing"
			      : "below vm.mmap_min_addr, sealed, or on a file system mounted noexec";
		break;
	case EFAULT:
		why = f->call == CALL_MREMAP ? "the old range is not one mapping"
					     : "the address is not mapped";
		break;
	case EBADF:
		why = "the file descriptor is not open, or the range is not of a file";
		break;
	case ENODEV:
		why = "such a file cannot be mapped";
		break;
	}
	if (name)
		snprintf(buf, size, "%s: %s", name, why ? why : "");
	else
		snprintf(buf, size, "error %d", f->error);
}
