/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memtrace maps --address: from a virtual address to what is there, and to the physical page. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/maps_report.h"
#include "model/mapping_words.h"
#include "model/vma_name.h"
#include "out/frame_name.h"
#include "proc/pagemap.h"
#include "proc/smaps.h"
#include "trace/stacks.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What was found out about an address. */
struct found {
	uint64_t address;
	const struct smaps_entry *vma;	 /* NULL: none holds it */
	uint64_t below_end, above_start; /* of the nearest VMAs if none does; 0: none */
	const struct frame *frame;	 /* NULL: not in code or data of a file */
	bool page_known;
	struct page_state page;
	bool flags_known, count_known;
	uint64_t flags, count;
};

static const struct out_column columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},		  {.key = "address", .flags = OUT_JSON_ONLY},
	{.key = "vma.start", .flags = OUT_JSON_ONLY},	  {.key = "vma.end", .flags = OUT_JSON_ONLY},
	{.key = "vma.perms", .flags = OUT_JSON_ONLY},	  {.key = "vma.class", .flags = OUT_JSON_ONLY},
	{.key = "vma.name", .flags = OUT_JSON_ONLY},	  {.key = "vma", .flags = OUT_JSON_ONLY},
	{.key = "offset", .flags = OUT_JSON_ONLY},	  {.key = "symbol", .flags = OUT_JSON_ONLY},
	{.key = "symbol_offset", .flags = OUT_JSON_ONLY}, {.key = "state", .flags = OUT_JSON_ONLY},
	{.key = "exclusive", .flags = OUT_JSON_ONLY},	  {.key = "soft_dirty", .flags = OUT_JSON_ONLY},
	{.key = "frame", .flags = OUT_JSON_ONLY},	  {.key = "physical", .flags = OUT_JSON_ONLY},
	{.key = "page_flags", .flags = OUT_JSON_ONLY},	  {.key = "mapped_times", .flags = OUT_JSON_ONLY},
	{.key = "swap_area", .flags = OUT_JSON_ONLY},	  {.key = "swap_slot", .flags = OUT_JSON_ONLY},
	{.key = "walk", .flags = OUT_JSON_ONLY},
};
static const struct out_table table = {"address", NULL, columns, COUNT(columns)};

static const struct out_column line_columns[] = {
	{.heading = "WHAT", .flags = OUT_TABLE_ONLY | OUT_LEFT},
	{.heading = "FOUND", .flags = OUT_TABLE_ONLY | OUT_LEFT | OUT_FILL},
};
static const struct out_table line_table = {NULL, NULL, line_columns, COUNT(line_columns)};

static const char *state_name(const struct found *f)
{
	if (!f->page_known)
		return NULL;
	return f->page.present ? "present" : f->page.swapped ? "swapped" : "absent";
}

/*
 * Indices into the page tables, from the top: with pages of 4 KiB each takes 9 bits of the address; of 48
 * bits, four levels, of more, five (x86-64 and arm64 alike).
 */
static void format_walk(uint64_t address, char *buf, size_t size)
{
	unsigned levels = address >> 48 ? 5 : 4;
	static const char *const names[] = {"PTE", "PMD", "PUD", "P4D", "PGD"};
	size_t used = 0;

	buf[0] = '\0';
	if (sysconf(_SC_PAGESIZE) != 4096)
		return;
	for (unsigned level = levels; level-- > 0 && used < size;)
		used += snprintf(buf + used, size - used, "%s[%u] > ",
				 levels == 4 && level == 3 ? "PGD" : names[level],
				 (unsigned)(address >> (12 + 9 * level) & 511));
	if (used < size)
		snprintf(buf + used, size - used, "page + 0x%x", (unsigned)(address & 4095));
}

static uint64_t file_offset(const struct found *f)
{
	return f->address - f->vma->map.start + f->vma->map.pgoff;
}

static uint64_t physical(const struct found *f)
{
	return f->page.frame * (uint64_t)sysconf(_SC_PAGESIZE) + f->address % (uint64_t)sysconf(_SC_PAGESIZE);
}

/* --- finding out ------------------------------------------------------------------------------------------
 */

static void find_vma(const struct maps_process *p, struct found *f, struct smaps_entry *e)
{
	const char *at = p->smaps;

	while (smaps__next(&at, e) == 1) {
		if (f->address < e->map.start) {
			f->above_start = e->map.start;
			return;
		}
		if (f->address < e->map.end) {
			f->vma = e;
			return;
		}
		f->below_end = e->map.end;
	}
}

static void find_page(const struct maps_process *p, struct found *f)
{
	uint64_t entry;
	int counts;

	if (p->pagemap < 0 || pagemap__read(p->pagemap, f->address / (uint64_t)sysconf(_SC_PAGESIZE), &entry))
		return;
	f->page_known = true;
	f->page = pagemap__decode(entry);
	if (!f->page.frame)
		return;
	f->flags_known = p->kpageflags >= 0 && !pagemap__read(p->kpageflags, f->page.frame, &f->flags);
	counts = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	if (counts < 0)
		return;
	f->count_known = !pagemap__read(counts, f->page.frame, &f->count);
	close(counts);
}

/* --- telling ----------------------------------------------------------------------------------------------
 */

static void put_line(struct out *out, const char *what, const char *text)
{
	if (!*text)
		return;
	out__row(out);
	out__text(out, NULL, what);
	out__text(out, NULL, text);
	out__row_end(out);
}

static void format_nowhere(const struct found *f, char *buf, size_t size)
{
	char distance[32];
	int used = snprintf(buf, size, "none: an access is SIGSEGV");

	if (f->below_end) {
		out__format_bytes(f->address - f->below_end + 1, distance, sizeof(distance));
		used += snprintf(buf + used, size - used, "; %s above one", distance);
	}
	if (f->above_start) {
		out__format_bytes(f->above_start - f->address, distance, sizeof(distance));
		snprintf(buf + used, size - used, "; %s below one", distance);
	}
}

static void tell_vma(struct out *out, const struct found *f, char *buf, size_t size)
{
	char perms[5], words[MAPPING_WORDS_SIZE], bytes[32];
	const struct smaps_entry *e = f->vma;

	if (!e) {
		format_nowhere(f, buf, size);
		put_line(out, "mapping", buf);
		return;
	}
	maps__perms(&e->map, perms);
	mapping__words(e->flags, words);
	out__format_bytes(e->map.end - e->map.start, bytes, sizeof(bytes));
	snprintf(buf, size, "%" PRIx64 "-%" PRIx64 " %s %s%s%s", e->map.start, e->map.end, perms, bytes,
		 *words ? ", " : "", words);
	put_line(out, "mapping", buf);
	snprintf(buf, size, "%s (%s)", *e->map.name ? e->map.name : "[anon]",
		 vma_class__name(mapping__class(e->map.name, e->map.inode != 0, perms, e->flags)));
	put_line(out, "of", buf);
	if (e->map.inode) {
		snprintf(buf, size, "0x%" PRIx64, file_offset(f));
		put_line(out, "file offset", buf);
	}
}

static void tell_page(struct out *out, const struct found *f, char *buf, size_t size)
{
	char words[PAGE_FLAGS_SIZE];

	if (!f->vma)
		return;
	if (!f->page_known)
		snprintf(buf, size, "not told to this user");
	else if (f->page.swapped)
		snprintf(buf, size, "in swap: area %u, slot %" PRIu64 "; an access is a major fault",
			 f->page.swap_type, f->page.swap_offset);
	else if (!f->page.present)
		snprintf(buf, size, "not there: the next access is a page fault");
	else
		snprintf(buf, size, "present, %s, %s%s",
			 f->page.of_file ? "of a file or shared" : "anonymous",
			 f->page.exclusive ? "mapped here alone" : "mapped elsewhere, too",
			 f->page.soft_dirty ? ", written since soft-dirty bits were cleared" : "");
	put_line(out, "page", buf);
	if (f->page.present && !f->page.frame)
		put_line(out, "frame", "not told without CAP_SYS_ADMIN");
	if (!f->page.frame)
		return;
	snprintf(buf, size, "0x%" PRIx64 ", physical address 0x%" PRIx64, f->page.frame, physical(f));
	put_line(out, "frame", buf);
	if (f->flags_known) {
		kpageflags__words(f->flags, words);
		put_line(out, "it is", words);
	}
	if (f->count_known) {
		snprintf(buf, size, "%" PRIu64 " time%s", f->count, f->count == 1 ? "" : "s");
		put_line(out, "mapped", buf);
	}
}

static void tell(struct out *out, const struct maps_process *p, const struct found *f)
{
	size_t size = 8192;
	char *buf = malloc(size);

	if (!buf)
		return;
	out__blank(out);
	out__say(out, "0x%" PRIx64 " of %s, pid %u", f->address, p->stat.comm, p->pid);
	out__begin(out, &line_table);
	tell_vma(out, f, buf, size);
	if (f->frame && f->frame->symbol) {
		snprintf(buf, size, "%s+0x%" PRIx64 "%s%s", f->frame->symbol, f->frame->offset,
			 f->frame->module ? " in " : "",
			 f->frame->module ? frame_name__base(f->frame->module) : "");
		put_line(out, "symbol", buf);
	}
	format_walk(f->address, buf, size);
	put_line(out, "page tables", buf);
	tell_page(out, f, buf, size);
	out__end(out, 0);
	free(buf);
}

static void put_vma_json(struct out *out, const struct found *f)
{
	const struct smaps_entry *e = f->vma;
	char perms[5];

	if (!e) {
		for (size_t i = 2; i < 7; i++)
			out__unknown(out, columns[i].key);
		out__null(out, "vma");
		out__unknown(out, "offset");
		return;
	}
	maps__perms(&e->map, perms);
	out__address(out, "vma.start", e->map.start);
	out__address(out, "vma.end", e->map.end);
	out__text(out, "vma.perms", perms);
	out__text(out, "vma.class",
		  vma_class__name(mapping__class(e->map.name, e->map.inode != 0, perms, e->flags)));
	out__text(out, "vma.name", *e->map.name ? e->map.name : "[anon]");
	out__unknown(out, "vma");
	if (e->map.inode)
		out__address(out, "offset", file_offset(f));
	else
		out__unknown(out, "offset");
}

static void put_page_json(struct out *out, const struct found *f)
{
	char words[PAGE_FLAGS_SIZE];

	if (f->page_known && f->vma) {
		out__text(out, "state", state_name(f));
		out__flag(out, "exclusive", f->page.exclusive);
		out__flag(out, "soft_dirty", f->page.soft_dirty);
	} else {
		out__unknown(out, "state");
		out__unknown(out, "exclusive");
		out__unknown(out, "soft_dirty");
	}
	if (f->page.frame) {
		out__address(out, "frame", f->page.frame);
		out__address(out, "physical", physical(f));
	} else {
		out__unknown(out, "frame");
		out__unknown(out, "physical");
	}
	kpageflags__words(f->flags, words);
	if (f->flags_known)
		out__text(out, "page_flags", words);
	else
		out__unknown(out, "page_flags");
	if (f->count_known)
		out__count(out, "mapped_times", f->count);
	else
		out__unknown(out, "mapped_times");
	if (f->page.swapped) {
		out__count(out, "swap_area", f->page.swap_type);
		out__count(out, "swap_slot", f->page.swap_offset);
	} else {
		out__unknown(out, "swap_area");
		out__unknown(out, "swap_slot");
	}
}

static void put_json(struct out *out, const struct maps_process *p, const struct found *f)
{
	char walk[256];

	format_walk(f->address, walk, sizeof(walk));
	out__line(out, &table);
	out__count(out, "pid", p->pid);
	out__address(out, "address", f->address);
	put_vma_json(out, f);
	if (f->frame && f->frame->symbol) {
		out__text(out, "symbol", f->frame->symbol);
		out__count(out, "symbol_offset", f->frame->offset);
	} else {
		out__unknown(out, "symbol");
		out__unknown(out, "symbol_offset");
	}
	put_page_json(out, f);
	if (*walk)
		out__text(out, "walk", walk);
	else
		out__unknown(out, "walk");
	out__row_end(out);
}

void maps_report__address(struct out *out, const struct maps_process *p, uint64_t address,
			  struct stacks *stacks)
{
	struct smaps_entry *e = calloc(1, sizeof(*e));
	struct found f = {.address = address};

	if (!e)
		return;
	find_vma(p, &f, e);
	if (f.vma)
		find_page(p, &f);
	if (f.vma && e->map.inode)
		f.frame = stacks__function(stacks, p->pid, e->map.name, file_offset(&f));
	if (out__format(out) == OUT_JSON)
		put_json(out, p, &f);
	else
		tell(out, p, &f);
	free(e);
}
