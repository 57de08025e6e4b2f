/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/maps_report.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/mapping_words.h"
#include "model/vma_name.h"
#include "proc/pagemap.h"
#include "proc/smaps.h"
#include "sym/file_search.h"
#include "sym/segments.h"
#include "util/intern.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CELLS	     64
#define LARGEST	     (1ull << 40) /* bytes of which a picture is made: 2 GiB of pagemap */

/* --- what a row is made of --------------------------------------------------------------------------------
 */

/* Sums over mappings. */
struct sums {
	uint64_t size, rss, pss, uss, dirty, swap, mappings;
};

static void add(struct sums *s, const struct smaps_entry *e)
{
	s->size += e->map.end - e->map.start;
	s->rss += e->rss;
	s->pss += e->pss;
	s->uss += e->private_clean + e->private_dirty + e->private_hugetlb;
	s->dirty += e->private_dirty + e->shared_dirty;
	s->swap += e->swap;
	s->mappings++;
}

static const char *class_of(const struct smaps_entry *e)
{
	char perms[5];

	maps__perms(&e->map, perms);
	return vma_class__name(mapping__class(e->map.name, e->map.inode != 0, perms, e->flags));
}

static const char *shown_name(const struct smaps_entry *e)
{
	return *e->map.name ? e->map.name : "[anon]";
}

/* Its file: the very one, or where that takes a privilege, what is at its path now. */
static int open_mapped(const struct maps_process *p, const struct smaps_entry *e)
{
	char path[128];
	int fd;

	if (!e->map.inode)
		return -1;
	snprintf(path, sizeof(path), "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, p->pid, e->map.start,
		 e->map.end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : file_search__open_in_root(p->pid, e->map.name);
}

static void describe_segments(const struct maps_process *p, const struct smaps_entry *e, char *buf,
			      size_t size)
{
	int fd = open_mapped(p, e);

	buf[0] = '\0';
	if (fd >= 0)
		segments__describe(fd, e->map.pgoff, e->map.end - e->map.start, buf, size);
}

/* --- the picture ------------------------------------------------------------------------------------------
 */

/* One cell: how much of its pages is there, or where they are else. */
static const char *cell_text(const struct page_counts *c)
{
	static const char *const shades[] = {"\xc2\xb7", "\xe2\x96\x91", "\xe2\x96\x92", "\xe2\x96\x93",
					     "\xe2\x96\x88"};

	if (c->swapped > c->present)
		return "s";
	if (c->huge && c->huge * 2 > c->pages)
		return "H";
	return shades[(c->present * 4 + c->pages - 1) / (c->pages ? c->pages : 1)];
}

/* The cells of a mapping; 0: there are none. */
static size_t count_cells(const struct maps_process *p, const struct smaps_entry *e,
			  struct page_counts cells[CELLS])
{
	uint64_t pages = (e->map.end - e->map.start) / (uint64_t)sysconf(_SC_PAGESIZE);
	size_t n = pages < CELLS ? pages : CELLS;

	if (p->pagemap < 0 || e->map.end - e->map.start > LARGEST || (int64_t)e->map.start < 0)
		return 0;
	return pagemap__count(p->pagemap, p->kpageflags, e->map.start, pages, cells, n) ? 0 : n;
}

static void draw(const struct maps_process *p, const struct smaps_entry *e, char *buf, size_t size)
{
	struct page_counts cells[CELLS];
	size_t n = count_cells(p, e, cells), used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++)
		used += snprintf(buf + used, size - used, "%s%s", i ? "" : "|", cell_text(&cells[i]));
	if (n && used < size)
		snprintf(buf + used, size - used, "|");
}

/* --- a process --------------------------------------------------------------------------------------------
 */

static const struct out_column layout_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "comm", .flags = OUT_JSON_ONLY},
	{.key = "mappings", .flags = OUT_JSON_ONLY},
	{.key = "size_bytes", .flags = OUT_JSON_ONLY},
	{.key = "rss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "pss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "uss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_bytes", .flags = OUT_JSON_ONLY},
	{.key = "code_start", .flags = OUT_JSON_ONLY},
	{.key = "code_end", .flags = OUT_JSON_ONLY},
	{.key = "data_start", .flags = OUT_JSON_ONLY},
	{.key = "data_end", .flags = OUT_JSON_ONLY},
	{.key = "heap_start", .flags = OUT_JSON_ONLY},
	{.key = "mmap_top", .flags = OUT_JSON_ONLY},
	{.key = "stack_start", .flags = OUT_JSON_ONLY},
	{.key = "arguments_start", .flags = OUT_JSON_ONLY},
	{.key = "arguments_end", .flags = OUT_JSON_ONLY},
	{.key = "environment_start", .flags = OUT_JSON_ONLY},
	{.key = "environment_end", .flags = OUT_JSON_ONLY},
};
static const struct out_table layout_table = {"process", NULL, layout_columns, COUNT(layout_columns)};

/* What is not told is 0. */
static void put_address(struct out *out, const char *key, uint64_t address)
{
	if (address)
		out__address(out, key, address);
	else
		out__unknown(out, key);
}

static void put_layout_json(struct out *out, const struct maps_process *p, const struct sums *s,
			    uint64_t mmap_top)
{
	const struct process_layout *l = &p->layout;

	out__line(out, &layout_table);
	out__count(out, "pid", p->pid);
	out__text(out, "comm", p->stat.comm);
	out__count(out, "mappings", s->mappings);
	out__bytes(out, "size_bytes", s->size);
	out__bytes(out, "rss_bytes", s->rss);
	out__bytes(out, "pss_bytes", s->pss);
	out__bytes(out, "uss_bytes", s->uss);
	out__bytes(out, "swap_bytes", s->swap);
	put_address(out, "code_start", l->code_start);
	put_address(out, "code_end", l->code_end);
	put_address(out, "data_start", l->data_start);
	put_address(out, "data_end", l->data_end);
	put_address(out, "heap_start", l->heap_start);
	put_address(out, "mmap_top", mmap_top);
	put_address(out, "stack_start", l->stack_start);
	put_address(out, "arguments_start", l->arguments_start);
	put_address(out, "arguments_end", l->arguments_end);
	put_address(out, "environment_start", l->environment_start);
	put_address(out, "environment_end", l->environment_end);
	out__row_end(out);
}

static const struct out_column part_columns[] = {
	{.heading = "FROM", .flags = OUT_TABLE_ONLY | OUT_LEFT},
	{.heading = "TO", .flags = OUT_TABLE_ONLY | OUT_LEFT},
	{.heading = "SIZE", .flags = OUT_TABLE_ONLY},
	{.heading = "WHAT", .flags = OUT_TABLE_ONLY | OUT_LEFT | OUT_FILL},
};
static const struct out_table part_table = {NULL, "Layout", part_columns, COUNT(part_columns)};

static void put_part(struct out *out, uint64_t from, uint64_t to, const char *what)
{
	if (!from && !to)
		return;
	out__row(out);
	put_address(out, NULL, from);
	put_address(out, NULL, to);
	if (from && to)
		out__bytes(out, NULL, to - from);
	else
		out__unknown(out, NULL);
	out__text(out, NULL, what);
	out__row_end(out);
}

static void put_layout(struct out *out, const struct maps_process *p, const struct sums *s, uint64_t mmap_top)
{
	const struct process_layout *l = &p->layout;

	if (out__format(out) == OUT_JSON) {
		put_layout_json(out, p, s, mmap_top);
		return;
	}
	out__blank(out);
	out__say(out, "%s, pid %u", p->stat.comm, p->pid);
	if (!l->code_start)
		return;
	out__begin(out, &part_table);
	put_part(out, l->code_start, l->code_end, "code of the program");
	put_part(out, l->data_start, l->data_end, "its data, initialised");
	put_part(out, l->heap_start, 0, "heap: upwards from here");
	put_part(out, 0, mmap_top, "mappings: downwards from here");
	put_part(out, 0, l->stack_start, "stack: downwards from here");
	put_part(out, l->arguments_start, l->arguments_end, "arguments");
	put_part(out, l->environment_start, l->environment_end, "environment");
	out__end(out, 0);
}

/* --- mappings ---------------------------------------------------------------------------------------------
 */

static const struct out_column vma_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "start", .heading = "START", .flags = OUT_LEFT},
	{.key = "end", .flags = OUT_JSON_ONLY},
	{.key = "size_bytes", .heading = "SIZE"},
	{.key = "rss_bytes", .heading = "RSS"},
	{.key = "pss_bytes", .heading = "PSS"},
	{.key = "uss_bytes", .heading = "USS"},
	{.key = "swap_bytes", .heading = "SWAP", .flags = OUT_IF_ANY},
	{.key = "huge_bytes", .heading = "HUGE", .flags = OUT_IF_ANY},
	{.key = "faults", .heading = "FAULTS", .flags = OUT_IF_ANY},
	{.key = "perms", .heading = "PERM", .flags = OUT_LEFT},
	{.key = "class", .heading = "CLASS", .flags = OUT_LEFT},
	{.key = "name", .heading = "NAME", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
	{.flags = OUT_TABLE_ONLY | OUT_DETAIL}, /* --details */
	{.key = "private_clean_bytes", .flags = OUT_JSON_ONLY},
	{.key = "private_dirty_bytes", .flags = OUT_JSON_ONLY},
	{.key = "shared_clean_bytes", .flags = OUT_JSON_ONLY},
	{.key = "shared_dirty_bytes", .flags = OUT_JSON_ONLY},
	{.key = "anonymous_bytes", .flags = OUT_JSON_ONLY},
	{.key = "hugetlb_bytes", .flags = OUT_JSON_ONLY},
	{.key = "locked_bytes", .flags = OUT_JSON_ONLY},
	{.key = "swap_pss_bytes", .flags = OUT_JSON_ONLY},
	{.key = "page_bytes", .flags = OUT_JSON_ONLY},
	{.key = "offset", .flags = OUT_JSON_ONLY},
	{.key = "inode", .flags = OUT_JSON_ONLY},
	{.key = "vm_flags", .flags = OUT_JSON_ONLY},
	{.key = "flags", .flags = OUT_JSON_ONLY},
	{.key = "minor", .flags = OUT_JSON_ONLY},
	{.key = "major", .flags = OUT_JSON_ONLY},
	{.key = "kinds", .flags = OUT_DETAIL},
	{.key = "segments", .flags = OUT_DETAIL},
	{.flags = OUT_TABLE_ONLY | OUT_DETAIL}, /* --picture */
	{.key = "cells_present", .flags = OUT_JSON_ONLY},
	{.key = "cells_swapped", .flags = OUT_JSON_ONLY},
	{.key = "cells_huge", .flags = OUT_JSON_ONLY},
};
static const struct out_table vma_table = {"vma", "Mappings", vma_columns, COUNT(vma_columns)};

static void add_size(char *buf, size_t size, const char *what, uint64_t bytes)
{
	size_t used = strlen(buf);
	char text[32];

	if (!bytes)
		return;
	out__format_bytes(bytes, text, sizeof(text));
	snprintf(buf + used, size - used, ", %s %s", what, text);
}

static void format_details(const struct smaps_entry *e, char *buf, size_t size)
{
	char words[MAPPING_WORDS_SIZE];

	mapping__words(e->flags, words);
	snprintf(buf, size, "to 0x%" PRIx64, e->map.end);
	add_size(buf, size, "private clean", e->private_clean);
	add_size(buf, size, "private dirty", e->private_dirty);
	add_size(buf, size, "shared clean", e->shared_clean);
	add_size(buf, size, "shared dirty", e->shared_dirty);
	add_size(buf, size, "locked", e->locked);
	add_size(buf, size, "at offset", e->map.pgoff);
	if (*words)
		snprintf(buf + strlen(buf), size - strlen(buf), "; %s", words);
}

static void put_kinds(struct out *out, const struct fault_counts *c)
{
	struct out_part parts[KINDS];

	for (int i = 0; i < KINDS; i++)
		parts[i] =
			(struct out_part){fault_kind__name(i), c->kinds[i] > 0 ? (uint64_t)c->kinds[i] : 0};
	out__parts(out, "kinds", parts, KINDS);
}

static void put_cells(struct out *out, const struct maps_process *p, const struct smaps_entry *e)
{
	uint64_t present[CELLS], swapped[CELLS], huge[CELLS];
	struct page_counts cells[CELLS];
	size_t n = out__format(out) == OUT_JSON ? count_cells(p, e, cells) : 0;

	for (size_t i = 0; i < n; i++) {
		present[i] = cells[i].present;
		swapped[i] = cells[i].swapped;
		huge[i] = cells[i].huge;
	}
	if (n) {
		out__counts(out, "cells_present", present, n);
		out__counts(out, "cells_swapped", swapped, n);
		out__counts(out, "cells_huge", huge, n);
		return;
	}
	out__unknown(out, "cells_present");
	out__unknown(out, "cells_swapped");
	out__unknown(out, "cells_huge");
}

static void put_sizes(struct out *out, const struct smaps_entry *e)
{
	out__bytes(out, "private_clean_bytes", e->private_clean);
	out__bytes(out, "private_dirty_bytes", e->private_dirty);
	out__bytes(out, "shared_clean_bytes", e->shared_clean);
	out__bytes(out, "shared_dirty_bytes", e->shared_dirty);
	out__bytes(out, "anonymous_bytes", e->anonymous);
	out__bytes(out, "hugetlb_bytes", e->hugetlb);
	out__bytes(out, "locked_bytes", e->locked);
	out__bytes(out, "swap_pss_bytes", e->swap_pss);
	out__bytes(out, "page_bytes", e->kernel_page_size);
	out__address(out, "offset", e->map.pgoff);
	out__count(out, "inode", e->map.inode);
}

/* The cells that are not in every report. */
static void put_extras(struct out *out, const struct maps_process *p, const struct smaps_entry *e,
		       const struct maps_view *view, const struct fault_counts *faults)
{
	char text[2048], words[MAPPING_WORDS_SIZE];

	mapping__words(e->flags, words);
	out__text(out, "vm_flags", e->flags);
	out__text(out, "flags", words);
	if (view->trace) {
		out__count(out, "minor", fault_counts__minor(faults));
		out__count(out, "major", faults->major);
		put_kinds(out, faults);
	} else {
		out__unknown(out, "minor");
		out__unknown(out, "major");
		out__unknown(out, "kinds");
	}
	text[0] = '\0';
	if (view->segments)
		describe_segments(p, e, text, sizeof(text));
	if (*text)
		out__text(out, "segments", text);
	else
		out__unknown(out, "segments");
	text[0] = '\0';
	if (view->picture && out__format(out) == OUT_TABLE)
		draw(p, e, text, sizeof(text));
	out__text(out, NULL, text);
	if (view->picture) {
		put_cells(out, p, e);
	} else {
		out__unknown(out, "cells_present");
		out__unknown(out, "cells_swapped");
		out__unknown(out, "cells_huge");
	}
}

static void put_mapping(struct out *out, const struct maps_process *p, const struct smaps_entry *e,
			const struct maps_view *view)
{
	struct fault_counts faults = {};
	char perms[5], details[1024] = "";

	maps__perms(&e->map, perms);
	if (view->trace)
		maps_trace__faults(view->trace, p->pid, e->map.start, e->map.end, &faults);
	if (view->details && out__format(out) == OUT_TABLE)
		format_details(e, details, sizeof(details));
	out__row(out);
	out__count(out, "pid", p->pid);
	out__address(out, "start", e->map.start);
	out__address(out, "end", e->map.end);
	out__bytes(out, "size_bytes", e->map.end - e->map.start);
	out__bytes(out, "rss_bytes", e->rss);
	out__bytes(out, "pss_bytes", e->pss);
	out__bytes(out, "uss_bytes", e->private_clean + e->private_dirty + e->private_hugetlb);
	out__bytes(out, "swap_bytes", e->swap);
	out__bytes(out, "huge_bytes", e->anon_huge + e->file_huge + e->shmem_huge + e->hugetlb);
	if (view->trace)
		out__count(out, "faults", faults.faults);
	else
		out__unknown(out, "faults");
	out__text(out, "perms", perms);
	out__text(out, "class", class_of(e));
	out__text(out, "name", shown_name(e));
	out__text(out, NULL, details);
	put_sizes(out, e);
	put_extras(out, p, e, view, &faults);
	out__row_end(out);
}

static const struct out_column gap_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "start", .flags = OUT_JSON_ONLY},
	{.key = "end", .flags = OUT_JSON_ONLY},
	{.key = "size_bytes", .flags = OUT_JSON_ONLY},
};
static const struct out_table gap_table = {"gap", NULL, gap_columns, COUNT(gap_columns)};

/* Between two mappings: a row of the same table, or in JSON one of its own. */
static void put_gap(struct out *out, uint32_t pid, uint64_t start, uint64_t end)
{
	if (out__format(out) == OUT_JSON) {
		out__line(out, &gap_table);
		out__count(out, "pid", pid);
		out__address(out, "start", start);
		out__address(out, "end", end);
		out__bytes(out, "size_bytes", end - start);
		out__row_end(out);
		return;
	}
	out__row(out);
	for (size_t i = 0; i < COUNT(vma_columns); i++) {
		const char *key = vma_columns[i].key;

		if (key && !strcmp(key, "start"))
			out__address(out, key, start);
		else if (key && !strcmp(key, "size_bytes"))
			out__bytes(out, key, end - start);
		else if (key && !strcmp(key, "name"))
			out__text(out, key, "(gap)");
		else
			out__unknown(out, key);
	}
	out__row_end(out);
}

static void put_mappings(struct out *out, const struct maps_process *p, const struct maps_view *view,
			 struct smaps_entry *e)
{
	const char *at = p->smaps;
	uint64_t end = 0;
	size_t n = 0, left_out = 0;

	out__begin(out, &vma_table);
	while (smaps__next(&at, e) == 1) {
		if (view->top && n == view->top) {
			left_out++;
			continue;
		}
		if (end && e->map.start > end && (int64_t)e->map.start > 0)
			put_gap(out, p->pid, end, e->map.start);
		if (out__format(out) == OUT_JSON)
			out__begin(out, &vma_table);
		put_mapping(out, p, e, view);
		end = e->map.end;
		n++;
	}
	out__end(out, left_out);
}

/* --- by file ----------------------------------------------------------------------------------------------
 */

static const struct out_column file_columns[] = {
	{.key = "pid", .flags = OUT_JSON_ONLY},
	{.key = "mappings", .heading = "MAPPINGS"},
	{.key = "size_bytes", .heading = "SIZE"},
	{.key = "rss_bytes", .heading = "RSS"},
	{.key = "pss_bytes", .heading = "PSS"},
	{.key = "uss_bytes", .heading = "USS"},
	{.key = "dirty_bytes", .heading = "DIRTY"},
	{.key = "swap_bytes", .heading = "SWAP", .flags = OUT_IF_ANY},
	{.key = "name", .heading = "NAME", .flags = OUT_LEFT | OUT_FILL | OUT_PATH},
};
static const struct out_table file_table = {"file", "By what is mapped", file_columns, COUNT(file_columns)};

struct named_sums {
	const char *name;
	struct sums sums;
};

static int by_pss(const void *a, const void *b)
{
	const struct named_sums *x = a, *y = b;

	if (x->sums.pss != y->sums.pss)
		return x->sums.pss < y->sums.pss ? 1 : -1;
	return strcmp(x->name, y->name);
}

static struct named_sums *find_name(struct named_sums *rows, size_t n, const char *name)
{
	for (size_t i = n; i-- > 0;) /* mappings of a file follow one another */
		if (rows[i].name == name)
			return &rows[i];
	return NULL;
}

/* The sums of each name; the caller frees the array. */
static struct named_sums *sum_up(const struct maps_process *p, struct intern *names, struct smaps_entry *e,
				 size_t *n)
{
	struct named_sums *rows = NULL, *row;
	const char *at = p->smaps;
	size_t capacity = 0;

	for (*n = 0; smaps__next(&at, e) == 1; add(&row->sums, e)) {
		const char *name = intern__string(names, shown_name(e));

		row = find_name(rows, *n, name);
		if (row)
			continue;
		if (*n == capacity) {
			struct named_sums *larger;

			capacity = capacity ? capacity * 2 : 64;
			larger = realloc(rows, capacity * sizeof(*rows));
			if (!larger)
				break;
			rows = larger;
		}
		row = &rows[(*n)++];
		*row = (struct named_sums){.name = name};
	}
	return rows;
}

static void put_files(struct out *out, const struct maps_process *p, const struct maps_view *view,
		      struct smaps_entry *e)
{
	struct intern *names = intern__new();
	size_t n = 0, shown;
	struct named_sums *rows = names ? sum_up(p, names, e, &n) : NULL;

	if (n)
		qsort(rows, n, sizeof(*rows), by_pss);
	shown = view->top && view->top < n ? view->top : n;
	out__begin(out, &file_table);
	for (size_t i = 0; i < shown; i++) {
		const struct sums *s = &rows[i].sums;

		out__row(out);
		out__count(out, "pid", p->pid);
		out__count(out, "mappings", s->mappings);
		out__bytes(out, "size_bytes", s->size);
		out__bytes(out, "rss_bytes", s->rss);
		out__bytes(out, "pss_bytes", s->pss);
		out__bytes(out, "uss_bytes", s->uss);
		out__bytes(out, "dirty_bytes", s->dirty);
		out__bytes(out, "swap_bytes", s->swap);
		out__text(out, "name", rows[i].name);
		out__row_end(out);
	}
	out__end(out, n - shown);
	free(rows);
	intern__free(names);
}

/* --- all of it --------------------------------------------------------------------------------------------
 */

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static void say_total(struct out *out, const struct sums *s, const struct maps_view *view)
{
	char size[32], rss[32], pss[32], uss[32];

	out__format_bytes(s->size, size, sizeof(size));
	out__format_bytes(s->rss, rss, sizeof(rss));
	out__format_bytes(s->pss, pss, sizeof(pss));
	out__format_bytes(s->uss, uss, sizeof(uss));
	out__blank(out);
	out__say(out, "%" PRIu64 " mappings: %s of address space, %s resident (PSS %s, USS %s).", s->mappings,
		 size, rss, pss, uss);
	if (view->picture)
		out__say(
			out,
			"A picture is of the mapping from its start to its end: \xc2\xb7 nothing, \xe2\x96\x91\xe2\x96\x92"
			"\xe2\x96\x93\xe2\x96\x88 how much of its pages of %" PRIu64
			" KiB is resident, H in huge pages, "
			"s in swap.",
			page_size() / 1024);
	if (view->trace)
		out__say(out, "FAULTS: in the %.1f s before.", maps_trace__seconds(view->trace));
}

void maps_report__process(struct out *out, const struct maps_process *p, const struct maps_view *view)
{
	struct smaps_entry *e = calloc(1, sizeof(*e));
	const char *at = p->smaps;
	struct sums sums = {};
	uint64_t mmap_top = 0;

	while (e && smaps__next(&at, e) == 1) {
		if ((int64_t)e->map.start >= 0) /* not [vsyscall], which is the kernel's */
			add(&sums, e);
		if (p->layout.stack_start && e->map.end < p->layout.stack_start && e->map.name[0] != '[')
			mmap_top = e->map.end;
	}
	if (e) {
		put_layout(out, p, &sums, mmap_top);
		if (view->by_file)
			put_files(out, p, view, e);
		else
			put_mappings(out, p, view, e);
		say_total(out, &sums, view);
	}
	free(e);
}
