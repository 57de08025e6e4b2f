/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * address_space knows what is mapped where, code_file has the files, unwind walks the stack, place numbers
 * what it finds, module and kallsyms name it.
 */
#include "sym/sym.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "proc/file.h"
#include "proc/maps.h"
#include "sym/address_space.h"
#include "sym/code_file.h"
#include "sym/jit.h"
#include "sym/kallsyms.h"
#include "sym/place.h"
#include "sym/unwind.h"
#include "util/intern.h"
#include "util/log.h"

#define KEEP_ENDED  8192 /* address spaces: an exec ends one, and the end of the process another */
#define READ_ALL_NS 2000000000ull
#define EXEC_NS	    100000000ull /* longer than an exec takes from where it cannot fail any more */
#define FRAMES_MAX  32		 /* at one place: the function, and those inlined into it */

struct sym {
	struct intern *strings;
	struct address_spaces *spaces;
	struct code_files *files;
	struct jit_maps *jit;
	struct unwinder *unwinder;
	struct place_table *places;
	struct kallsyms *kallsyms;
	bool is_kallsyms_sought;
	struct maps_entry *entry; /* room for a line of /proc/PID/maps */
	struct sym_stats stats;
};

/* Of a process at a time. */
struct view {
	struct sym *sym;
	const struct address_space *space; /* NULL: nothing is known */
	uint32_t pid;
	uint64_t time_ns;
};

struct sym *sym__new(void)
{
	struct sym *sym = calloc(1, sizeof(*sym));

	if (!sym)
		return NULL;
	sym->strings = intern__new();
	sym->spaces = address_spaces__new(KEEP_ENDED);
	sym->files = sym->strings ? code_files__new(sym->strings) : NULL;
	sym->jit = jit_maps__new();
	sym->unwinder = unwinder__new();
	sym->places = place_table__new();
	sym->entry = malloc(sizeof(*sym->entry));
	if (!sym->spaces || !sym->files || !sym->jit || !sym->unwinder || !sym->places || !sym->entry) {
		sym__free(sym);
		return NULL;
	}
	return sym;
}

void sym__free(struct sym *sym)
{
	if (!sym)
		return;
	free(sym->entry);
	place_table__free(sym->places);
	unwinder__free(sym->unwinder);
	jit_maps__free(sym->jit);
	kallsyms__free(sym->kallsyms);
	code_files__free(sym->files);
	address_spaces__free(sym->spaces);
	intern__free(sym->strings);
	free(sym);
}

/* --- what happened to processes --------------------------------------------------------------------------
 */

static void map(struct sym *sym, uint32_t pid, uint64_t time_ns, const struct sym_mapping *mapping,
		bool is_new)
{
	struct code_file *file = code_files__get(sym->files, mapping);
	struct mapping m = {mapping->start, mapping->end, mapping->pgoff, time_ns, file};

	if (!file)
		return;
	address_spaces__mapped(sym->spaces, pid, &m);
	if (is_new)
		code_files__hold(sym->files, file, sym->spaces, pid, m.start, m.end);
}

void sym__mapped(struct sym *sym, uint32_t pid, uint64_t time_ns, const struct sym_mapping *mapping)
{
	map(sym, pid, time_ns, mapping, true);
}

void sym__forked(struct sym *sym, uint32_t pid, uint32_t parent, uint64_t time_ns)
{
	address_spaces__forked(sym->spaces, pid, parent, time_ns);
}

void sym__execed(struct sym *sym, uint32_t pid, uint64_t time_ns)
{
	address_spaces__execed(sym->spaces, pid, time_ns);
}

void sym__exited(struct sym *sym, uint32_t pid, uint64_t time_ns)
{
	address_spaces__exited(sym->spaces, pid, time_ns);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* It has been there for an unknown time: as long as anybody asks for. */
static void read_maps(struct sym *sym, uint32_t pid)
{
	struct maps_entry *entry = sym->entry;
	char path[32], *text;
	const char *rest;
	int found;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	rest = text = file__read(path, NULL);
	while (text && (found = maps__next(&rest, entry))) {
		struct sym_mapping mapping = {
			.start = entry->start,
			.end = entry->end,
			.pgoff = entry->pgoff,
			.name = entry->name,
			.inode = entry->inode,
			.device = makedev(entry->major, entry->minor),
		};

		if (found > 0 && entry->perms & MAPS_EXEC)
			map(sym, pid, 0, &mapping, false);
	}
	free(text);
	address_spaces__completed(sym->spaces, pid);
}

static void read_all_maps(struct sym *sym)
{
	uint64_t until = now_ns() + READ_ALL_NS;
	DIR *dir = opendir("/proc");
	struct dirent *d;

	while (dir && (d = readdir(dir)) && now_ns() < until) {
		char *end;
		unsigned long pid = strtoul(d->d_name, &end, 10);

		if (pid && !*end && pid <= UINT32_MAX)
			read_maps(sym, pid);
	}
	if (dir)
		closedir(dir);
}

void sym__read_maps(struct sym *sym, uint32_t pid)
{
	if (pid)
		read_maps(sym, pid);
	else
		read_all_maps(sym);
}

void sym__lost(struct sym *sym, uint64_t events)
{
	sym->stats.mapping_events_lost += events;
	address_spaces__doubt(sym->spaces);
}

/* --- stacks ----------------------------------------------------------------------------------------------
 */

static struct view view_of(struct sym *sym, uint32_t pid, uint64_t time_ns)
{
	struct view view = {sym, address_spaces__find(sym->spaces, pid, time_ns), pid, time_ns};

	if (view.space && (view.space->complete || view.space->until_ns != UINT64_MAX))
		return view;
	read_maps(sym, pid);
	view.space = address_spaces__find(sym->spaces, pid, time_ns);
	return view;
}

/*
 * What exec does to the new address space, it does on behalf of the old program, whose registers they are: a
 * fault in there is a fault in execve().
 */
static struct view view_of_code(struct sym *sym, uint32_t pid, uint64_t time_ns, uint64_t ip)
{
	struct view view = view_of(sym, pid, time_ns);
	const struct address_space *space = view.space, *before = space ? space->next : NULL;

	if (before && time_ns - space->since_ns < EXEC_NS && !address_space__find(space, ip, time_ns) &&
	    address_space__find(before, ip, time_ns))
		view.space = before;
	return view;
}

static const struct mapping *find_mapping(const struct view *view, uint64_t ip)
{
	return view->space ? address_space__find(view->space, ip, view->time_ns) : NULL;
}

static struct module *module_of(const struct view *view, const struct mapping *mapping)
{
	return code_files__module(view->sym->files, mapping->file, view->sym->spaces, view->pid,
				  mapping->start, mapping->end);
}

static bool find_code(void *context, uint64_t ip, struct unwind_code *code)
{
	const struct mapping *mapping = find_mapping(context, ip);

	if (!mapping)
		return false;
	code->file = code_file__is_anonymous(mapping->file)
			     ? 0
			     : code_file__number(code_file__itself(mapping->file));
	code->offset = ip - mapping->start + mapping->pgoff;
	code->handle = mapping;
	return true;
}

static enum unwind_info find_info(void *context, const struct unwind_code *code, Dwarf_CFI **cfi,
				  uint64_t *address)
{
	const struct mapping *mapping = code->handle;
	struct module *module = module_of(context, mapping);
	uint64_t bias;

	if (!module)
		return code_file__is_anonymous(mapping->file) ? UNWIND_INFO_NONE : UNWIND_INFO_NO_FILE;
	if (!code_file__is_native(code_file__itself(mapping->file)) ||
	    !module__address(module, code->offset, address))
		return UNWIND_INFO_NONE;
	*cfi = module__cfi(module, &bias);
	*address += bias;
	return *cfi ? UNWIND_INFO : UNWIND_INFO_NONE;
}

static size_t unwind(struct sym *sym, struct view *view, const struct sym_sample *sample,
		     struct unwind_frame *frames, size_t max, enum unwind_end *end)
{
	static const struct unwind_ops ops = {find_code, find_info};
	size_t n = unwinder__run(sym->unwinder, &ops, view, sample, frames, max, end);

	sym->stats.ends[*end]++;
	return n;
}

struct unwind_step sym__step(struct sym *sym, uint32_t pid, uint64_t time_ns, uint64_t ip)
{
	static const struct unwind_ops ops = {find_code, find_info};
	struct view view = view_of(sym, pid, time_ns);

	return unwinder__step(sym->unwinder, &ops, &view, ip);
}

size_t sym__unwind(struct sym *sym, const struct sym_sample *sample, uint64_t *ips, size_t max,
		   enum unwind_end *end)
{
	struct view view = view_of_code(sym, sample->pid, sample->time_ns, sample->ip);
	struct unwind_frame frames[SYM_STACK_MAX];
	size_t n = unwind(sym, &view, sample, frames, max < SYM_STACK_MAX ? max : SYM_STACK_MAX, end);

	for (size_t i = 0; i < n; i++)
		ips[i] = frames[i].ip;
	return n;
}

/* --- places ----------------------------------------------------------------------------------------------
 */

/* Named at once: the process may go, and the compiler may use the memory again. */
static uint32_t jit_place(const struct view *view, uint64_t ip, bool is_return)
{
	struct sym *sym = view->sym;
	const char *name;
	uint32_t number;
	uint64_t offset;

	name = jit_maps__find(sym->jit, view->pid, ip - is_return, &offset);
	name = name ? intern__string(sym->strings, name) : NULL;
	number = place_table__get(sym->places, PLACE_JIT, ip, (uintptr_t)name, is_return);
	if (number && name)
		place_table__at(sym->places, number)->offset = offset + is_return;
	return number;
}

static uint32_t place(const struct view *view, uint64_t ip, bool is_return)
{
	const struct mapping *mapping = find_mapping(view, ip - is_return);
	struct place_table *places = view->sym->places;

	if (!mapping)
		return place_table__get(places, PLACE_UNKNOWN, ip, 0, is_return);
	/* Which file it is, and whether it is one, is known once it was open. */
	if (!code_file__is_settled(mapping->file))
		module_of(view, mapping);
	if (code_file__is_anonymous(mapping->file))
		return jit_place(view, ip, is_return);
	return place_table__get(places, PLACE_FILE, ip - mapping->start + mapping->pgoff,
				code_file__number(code_file__itself(mapping->file)), is_return);
}

uint32_t sym__place(struct sym *sym, uint32_t pid, uint64_t time_ns, uint64_t ip, bool is_return)
{
	struct view view = view_of_code(sym, pid, time_ns, ip);

	return place(&view, ip, is_return);
}

uint32_t sym__kernel_place(struct sym *sym, uint64_t ip, bool is_return)
{
	return place_table__get(sym->places, PLACE_KERNEL, ip, 0, is_return);
}

size_t sym__stack(struct sym *sym, const struct sym_sample *sample, uint64_t *ips, uint32_t *places,
		  size_t max, enum unwind_end *end)
{
	struct view view = view_of_code(sym, sample->pid, sample->time_ns, sample->ip);
	struct unwind_frame frames[SYM_STACK_MAX];
	size_t n = unwind(sym, &view, sample, frames, max < SYM_STACK_MAX ? max : SYM_STACK_MAX, end);

	for (size_t i = 0; i < n; i++) {
		ips[i] = frames[i].ip;
		places[i] = place(&view, frames[i].ip, frames[i].is_return);
	}
	return n;
}

/* Where the process has the file of that path mapped now. NULL: nowhere. */
static const struct mapping *mapping_of(const struct view *view, const struct code_file *file)
{
	const struct mapping *mappings;
	size_t n = 0;

	mappings = view->space ? address_space__mappings(view->space, &n) : NULL;
	for (size_t i = 0; i < n; i++)
		if (code_file__path(mappings[i].file) == code_file__path(file)) /* of one set of strings */
			return &mappings[i];
	return NULL;
}

uint32_t sym__file_place(struct sym *sym, uint32_t pid, const char *path, uint64_t file_offset,
			 bool is_return)
{
	struct code_file *file = code_files__by_path(sym->files, path);
	struct view view = view_of(sym, pid, UINT64_MAX);
	const struct mapping *mapping = file ? mapping_of(&view, file) : NULL;

	if (!file)
		return 0;
	if (mapping)
		file = mapping->file;
	if (!code_file__is_settled(file))
		code_files__module(sym->files, file, sym->spaces, pid, mapping ? mapping->start : 0,
				   mapping ? mapping->end : 0);
	return place_table__get(sym->places, PLACE_FILE, file_offset,
				code_file__number(code_file__itself(file)), is_return);
}

/* --- names -----------------------------------------------------------------------------------------------
 */

static const struct kallsyms *kallsyms_of(struct sym *sym)
{
	char *text;
	int err;

	if (sym->is_kallsyms_sought)
		return sym->kallsyms;
	sym->is_kallsyms_sought = true;
	text = file__read("/proc/kallsyms", NULL);
	err = text ? kallsyms__parse(text, &sym->kallsyms) : -errno;
	if (err)
		log__warn("no symbols of the kernel: %s%s", strerror(-err),
			  err == -EPERM
				  ? ": root or CAP_SYSLOG is missing, or sysctl kernel.kptr_restrict is 2"
				  : "");
	free(text);
	return sym->kallsyms;
}

static void name_kernel(struct sym *sym, const struct place *place, struct frame *frame)
{
	const struct kallsyms *kallsyms = kallsyms_of(sym);
	uint64_t ip = place->key.where;

	*frame = (struct frame){.ip = ip, .module = "[kernel]", .kernel = true};
	if (!kallsyms)
		return;
	frame->symbol = kallsyms__find(kallsyms, ip - place->key.is_return, &frame->offset, &frame->module);
	if (frame->symbol)
		frame->offset += place->key.is_return;
	else
		frame->module = "[kernel]";
}

static size_t name_file(struct sym *sym, const struct place *place, struct frame *frames)
{
	struct code_file *file = code_files__by_number(sym->files, place->key.what);
	struct module *module = code_files__module(sym->files, file, sym->spaces, 0, 0, 0);
	uint64_t address;

	if (module && module__address(module, place->key.where, &address))
		return module__frames(module, address, place->key.is_return, frames, FRAMES_MAX);
	frames[0] = (struct frame){.module = code_file__path(file), .module_offset = place->key.where};
	return 1;
}

static size_t name_place(struct sym *sym, const struct place *place, struct frame *frames)
{
	switch (place->key.kind) {
	case PLACE_FILE:
		return name_file(sym, place, frames);
	case PLACE_KERNEL:
		name_kernel(sym, place, frames);
		return 1;
	case PLACE_JIT:
		frames[0] = (struct frame){.ip = place->key.where,
					   .symbol = (const char *)(uintptr_t)place->key.what,
					   .offset = place->offset,
					   .module = "[jit]"};
		return 1;
	default:
		frames[0] = (struct frame){.ip = place->key.where};
		return 1;
	}
}

const struct frame *sym__frames(struct sym *sym, uint32_t number, size_t *n)
{
	static const struct frame unknown;
	struct place *place = place_table__at(sym->places, number);
	struct frame frames[FRAMES_MAX];

	if (!place->frames) {
		size_t found = name_place(sym, place, frames);

		place->frames = calloc(found, sizeof(*frames));
		if (!place->frames) {
			*n = 1;
			return &unknown;
		}
		memcpy(place->frames, frames, found * sizeof(*frames));
		place->n_frames = found;
	}
	*n = place->n_frames;
	return place->frames;
}

void sym__stats(const struct sym *sym, struct sym_stats *stats)
{
	*stats = sym->stats;
	stats->replaced = code_files__replaced(sym->files);
}
