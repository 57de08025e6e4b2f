/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/call_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "model/ledger.h"

#define CALLERS 4

static uint64_t pages(uint64_t bytes)
{
	return (bytes + LEDGER_PAGE - 1) & ~(LEDGER_PAGE - 1);
}

/* As few digits as tell it: "132 KiB", "1.5 MiB", "0". */
static void format_size(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, size, value < 10 && value != (uint64_t)value ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
}

static void append(struct call_text *text, const char *what)
{
	size_t used = strlen(text->what);

	snprintf(text->what + used, sizeof(text->what) - used, "%s%s", used ? " " : "", what);
}

static void append_perms(struct call_text *text, uint64_t prot, char sharing)
{
	char perms[5] = {prot & PROT_READ ? 'r' : '-', prot & PROT_WRITE ? 'w' : '-',
			 prot & PROT_EXEC ? 'x' : '-', sharing};

	append(text, perms);
}

struct flag_name {
	uint64_t flag;
	const char *name;
};

static void append_flags(struct call_text *text, uint64_t flags, const struct flag_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (flags & names[i].flag)
			append(text, names[i].name);
}

static void tell_brk(const struct call_record *r, struct call_text *text)
{
	uint64_t from = pages(r->brk_before), to = pages(r->args[0]);
	char size[32];

	text->size = to > from ? to - from : from - to;
	if (!r->args[0]) {
		text->size = 0;
		append(text, "(query)");
		return;
	}
	format_size(text->size, size, sizeof(size));
	snprintf(text->what, sizeof(text->what), "%s%s", to > from ? "+" : to < from ? "-" : "", size);
	if ((uint64_t)r->result != r->args[0])
		text->error = ENOMEM; /* brk() has no other, and does not say it */
}

static void tell_mmap(const struct call_record *r, const char *file, struct call_text *text)
{
	static const struct flag_name names[] = {
		{MAP_FIXED, "fixed"},	      {MAP_FIXED_NOREPLACE, "noreplace"},
		{MAP_NORESERVE, "noreserve"}, {MAP_POPULATE, "populate"},
		{MAP_LOCKED, "locked"},	      {MAP_HUGETLB, "hugetlb"},
		{MAP_GROWSDOWN, "growsdown"}, {MAP_STACK, "stack"},
	};
	const char *slash = file ? strrchr(file, '/') : NULL;

	if (r->args[3] & MAP_ANONYMOUS)
		append(text, "anon");
	append_perms(text, r->args[2], r->args[3] & MAP_SHARED ? 's' : 'p');
	append_flags(text, r->args[3], names, sizeof(names) / sizeof(names[0]));
	if (!(r->args[3] & MAP_ANONYMOUS))
		append(text, slash ? slash + 1 : file ? file : "file");
}

static void tell_mremap(const struct call_record *r, struct call_text *text)
{
	char size[40], to[44];

	format_size(r->args[2], size, sizeof(size));
	snprintf(to, sizeof(to), "to %s", size);
	append(text, to);
	if ((uint64_t)r->result != r->args[0] && !text->error)
		append(text, "moved");
}

static void tell_madvise(const struct call_record *r, struct call_text *text)
{
	static const struct {
		int advice;
		const char *name;
	} names[] = {
		{MADV_NORMAL, "NORMAL"},
		{MADV_RANDOM, "RANDOM"},
		{MADV_SEQUENTIAL, "SEQUENTIAL"},
		{MADV_WILLNEED, "WILLNEED"},
		{MADV_DONTNEED, "DONTNEED"},
		{MADV_FREE, "FREE"},
		{MADV_REMOVE, "REMOVE"},
		{MADV_DONTFORK, "DONTFORK"},
		{MADV_DOFORK, "DOFORK"},
		{MADV_HUGEPAGE, "HUGEPAGE"},
		{MADV_NOHUGEPAGE, "NOHUGEPAGE"},
		{MADV_MERGEABLE, "MERGEABLE"},
		{MADV_UNMERGEABLE, "UNMERGEABLE"},
		{MADV_DONTDUMP, "DONTDUMP"},
		{MADV_DODUMP, "DODUMP"},
		{MADV_WIPEONFORK, "WIPEONFORK"},
		{MADV_KEEPONFORK, "KEEPONFORK"},
		{MADV_COLD, "COLD"},
		{MADV_PAGEOUT, "PAGEOUT"},
		{22, "POPULATE_READ"},
		{23, "POPULATE_WRITE"},
		{24, "DONTNEED_LOCKED"},
		{25, "COLLAPSE"},
	};
	char number[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].advice == (int)r->args[2]) {
			append(text, names[i].name);
			return;
		}
	}
	snprintf(number, sizeof(number), "advice %d", (int)r->args[2]);
	append(text, number);
}

/* The address and the size that the call is about. */
static void tell_range(const struct call_record *r, struct call_text *text)
{
	char size[32];

	text->address = r->args[0];
	switch (r->call) {
	case CALL_MLOCKALL:
		text->address = 0;
		return;
	case CALL_SHMAT:
		text->address = r->args[1];
		text->size = r->end - r->start;
		break;
	case CALL_SHMDT:
		return;
	default:
		text->size = r->args[1];
	}
	format_size(text->size, size, sizeof(size));
	append(text, size);
}

void call_text__make(const struct call_record *r, const char *file, struct call_text *text)
{
	memset(text, 0, sizeof(*text));
	text->call = r->call == CALL_MLOCKALL && !r->args[0] ? "munlockall" : alloc_call__name(r->call);
	if ((uint64_t)r->result >= -4095ull && r->call != CALL_BRK)
		text->error = -r->result;
	if (r->call == CALL_BRK)
		tell_brk(r, text);
	else
		tell_range(r, text);
	switch (r->call) {
	case CALL_MMAP:
		tell_mmap(r, file, text);
		break;
	case CALL_MREMAP:
		tell_mremap(r, text);
		break;
	case CALL_MPROTECT:
		append_perms(text, r->args[2], '\0');
		break;
	case CALL_MADVISE:
		tell_madvise(r, text);
		break;
	default:
		break;
	}
	if (text->error)
		snprintf(text->result, sizeof(text->result), "%s", strerrorname_np(text->error) ?: "?");
	else if (r->result)
		snprintf(text->result, sizeof(text->result), "0x%" PRIx64, (uint64_t)r->result);
	else
		snprintf(text->result, sizeof(text->result), "0");
}

/* What a program calls to get memory: what is inside of it is the allocator's own. */
static bool is_allocator_entry(const char *symbol)
{
	static const char *const names[] = {"malloc",
					    "calloc",
					    "realloc",
					    "free",
					    "memalign",
					    "posix_memalign",
					    "aligned_alloc",
					    "operator new(unsigned long)",
					    "operator new[](unsigned long)"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (symbol && !strcmp(symbol, names[i]))
			return true;
	return false;
}

/* A library that is an allocator and nothing else; distributions strip them. */
static bool is_allocator_library(const char *module)
{
	static const char *const names[] = {"libjemalloc", "libtcmalloc", "libmimalloc"};
	const char *slash = module ? strrchr(module, '/') : NULL, *name = slash ? slash + 1 : module ?: "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return false;
}

/* The C library's function around the system call: the call says as much. */
static bool is_wrapper(const char *symbol)
{
	static const char *const names[] = {"mmap",	     "mmap64",	"munmap",   "mremap",	  "mprotect",
					    "pkey_mprotect", "madvise", "brk",	    "sbrk",	  "mlock",
					    "mlock2",	     "munlock", "mlockall", "munlockall", "shmat",
					    "shmdt",	     "syscall"};
	const char *bare = symbol ?: "";

	if (!strncmp(bare, "__GI_", 5))
		bare += 5;
	bare += strspn(bare, "_");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(bare, names[i]))
			return true;
	return false;
}

static const char *name_of(const struct frame *f)
{
	const char *slash = f->module ? strrchr(f->module, '/') : NULL;

	return f->symbol ?: slash ? slash + 1 : f->module ?: "?";
}

size_t call_text__first_frame(const struct frame *frames, size_t n)
{
	size_t first = 0;

	while (first + 1 < n && is_wrapper(frames[first].symbol))
		first++;
	for (size_t i = first; i < n; i++)
		if (is_allocator_entry(frames[i].symbol) || is_allocator_library(frames[i].module))
			first = i;
	return first;
}

void call_text__callers(const struct frame *frames, size_t n, char *buf, size_t size)
{
	size_t first = call_text__first_frame(frames, n), used = 0;
	size_t last = first + CALLERS < n ? first + CALLERS : n;

	*buf = '\0';
	for (size_t i = last; i > first && used < size; i--) {
		const char *name = name_of(&frames[i - 1]);

		if (!strcmp(name, "_start") || !strncmp(name, "__libc_start", 12))
			continue;
		used += snprintf(buf + used, size - used, "%s%.*s", used ? "→" : "", 40, name);
	}
}
