/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything but the file itself is read when it is first asked for: the symbols by the first address, DWARF
 * by the first address that symbols are not enough for.
 *
 * Addresses are those of the file (st_value) throughout. A separate debug file may have others, if the file
 * was prelinked after it was split: debug_bias is added to them.
 */
#include "sym/module.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sym/cfi_check.h"
#include "sym/debug_file.h"
#include "sym/demangle.h"
#include "sym/elf_file.h"
#include "sym/source_index.h"
#include "sym/symbol_table.h"

#define SEGMENTS_MAX 32 /* with code; a linker makes one or two */

struct segment {
	uint64_t offset, size, address;
};

struct module {
	const char *path, *build_id; /* of `strings` */
	char *debug_root;
	struct intern *strings;
	Elf *elf;
	struct segment segments[SEGMENTS_MAX];
	size_t n_segments;

	bool is_debug_sought, are_symbols_read, is_cfi_sought;
	Elf *debug_elf;	 /* the separate file; NULL: none */
	Elf *shared_elf; /* what the debug file shares with others */
	Elf *embedded;
	uint64_t debug_bias;
	Dwarf *dwarf, *shared;
	struct source_index *sources;
	struct symbol_table *symbols;
	Dwarf_CFI *eh_frame, *cfi; /* the latter is this or dwarf's */
	uint64_t cfi_bias;
};

static void read_segments(struct module *module)
{
	GElf_Phdr header;
	size_t n;

	if (elf_getphdrnum(module->elf, &n))
		return;
	for (size_t i = 0; i < n && module->n_segments < SEGMENTS_MAX; i++)
		if (gelf_getphdr(module->elf, i, &header) && header.p_type == PT_LOAD &&
		    header.p_flags & PF_X)
			module->segments[module->n_segments++] =
				(struct segment){header.p_offset, header.p_filesz, header.p_vaddr};
}

static struct module *new_module(Elf *elf, const char *path, const char *debug_root, struct intern *strings)
{
	struct module *module = elf ? calloc(1, sizeof(*module)) : NULL;
	char build_id[BUILD_ID_TEXT_MAX];

	if (!module) {
		elf_end(elf);
		return NULL;
	}
	module->elf = elf;
	module->strings = strings;
	module->path = intern__string(strings, path);
	if (elf_file__build_id(elf, build_id))
		module->build_id = intern__string(strings, build_id);
	if (debug_root)
		module->debug_root = strdup(debug_root);
	read_segments(module);
	return module;
}

struct module *module__open(int fd, const char *path, const char *debug_root, struct intern *strings)
{
	return new_module(elf_file__open(fd), path, debug_root, strings);
}

struct module *module__open_image(const void *image, size_t size, const char *path, struct intern *strings)
{
	return new_module(elf_file__open_image(image, size), path, NULL, strings);
}

void module__free(struct module *module)
{
	if (!module)
		return;
	source_index__free(module->sources);
	symbol_table__free(module->symbols);
	dwarf_cfi_end(module->eh_frame);
	dwarf_end(module->dwarf);
	dwarf_end(module->shared);
	elf_end(module->shared_elf);
	elf_end(module->debug_elf);
	elf_end(module->embedded);
	elf_end(module->elf);
	free(module->debug_root);
	free(module);
}

const char *module__build_id(const struct module *module)
{
	return module->build_id;
}

bool module__address(const struct module *module, uint64_t file_offset, uint64_t *address)
{
	for (size_t i = 0; i < module->n_segments; i++) {
		const struct segment *s = &module->segments[i];

		if (file_offset >= s->offset && file_offset - s->offset < s->size) {
			*address = s->address + (file_offset - s->offset);
			return true;
		}
	}
	return false;
}

/* --- debug information -----------------------------------------------------------------------------------
 */

static bool has_section(Elf *elf, const char *name)
{
	GElf_Shdr header;

	return elf_file__section(elf, name, 0, &header) && header.sh_type != SHT_NOBITS;
}

static bool has_dwarf(Elf *elf)
{
	return has_section(elf, ".debug_info") || has_section(elf, ".zdebug_info");
}

/*
 * Without the file that it shares with others, half of its names are missing; and libdw would look for it,
 * and open whatever it finds.
 */
static bool add_shared(struct module *module, const char *path)
{
	bool is_wanted;

	module->shared_elf = debug_file__open_shared(module->dwarf, path, module->debug_root, &is_wanted);
	if (!module->shared_elf)
		return !is_wanted;
	if (elf_file__is_sane(module->shared_elf))
		module->shared = dwarf_begin_elf(module->shared_elf, DWARF_C_READ, NULL);
	dwarf_setalt(module->dwarf, module->shared);
	return module->shared;
}

static void read_dwarf(struct module *module, Elf *elf, const char *path)
{
	if (!elf_file__is_sane(elf))
		return;
	module->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (module->dwarf && !add_shared(module, path)) {
		dwarf_end(module->dwarf);
		module->dwarf = NULL;
	}
}

/* Where the debug information is: in the file, or in another. */
static void seek_debug(struct module *module)
{
	struct debug_wanted wanted = {module->elf, module->path, module->debug_root, module->build_id};
	char *path;

	if (module->is_debug_sought)
		return;
	module->is_debug_sought = true;
	if (has_dwarf(module->elf)) {
		read_dwarf(module, module->elf, module->path);
	} else {
		module->debug_elf = debug_file__open(&wanted, &path);
		if (module->debug_elf) {
			module->debug_bias = elf_file__base(module->elf) - elf_file__base(module->debug_elf);
			read_dwarf(module, module->debug_elf, path);
			free(path);
		}
	}
	if (module->dwarf)
		module->sources = source_index__new(module->dwarf);
}

static void read_symbols(struct module *module)
{
	struct symbol_table *table;

	if (module->are_symbols_read)
		return;
	module->are_symbols_read = true;
	table = symbol_table__new();
	if (!table)
		return;
	if (!symbol_table__add(table, module->elf, SHT_SYMTAB, 0)) {
		seek_debug(module);
		if (!module->debug_elf ||
		    !symbol_table__add(table, module->debug_elf, SHT_SYMTAB, module->debug_bias)) {
			/* What is embedded leaves out what the dynamic symbols tell. */
			module->embedded = debug_file__open_embedded(module->elf);
			if (module->embedded)
				symbol_table__add(table, module->embedded, SHT_SYMTAB, 0);
			symbol_table__add(table, module->elf, SHT_DYNSYM, 0);
		}
	}
	symbol_table__settle(table);
	module->symbols = table;
}

/* --- unwind information ----------------------------------------------------------------------------------
 */

static void seek_cfi(struct module *module)
{
	if (cfi_check__eh_frame(module->elf)) {
		module->eh_frame = dwarf_getcfi_elf(module->elf);
		module->cfi = module->eh_frame;
	}
	if (module->cfi)
		return;
	seek_debug(module);
	if (module->dwarf && cfi_check__debug_frame(dwarf_getelf(module->dwarf))) {
		module->cfi = dwarf_getcfi(module->dwarf);
		module->cfi_bias = -module->debug_bias;
	}
}

Dwarf_CFI *module__cfi(struct module *module, uint64_t *bias)
{
	if (!module->is_cfi_sought) {
		module->is_cfi_sought = true;
		seek_cfi(module);
	}
	*bias = module->cfi_bias;
	return module->cfi;
}

/* --- frames ----------------------------------------------------------------------------------------------
 */

/* As it was written, if it is mangled. name need not be terminated. */
static const char *readable(struct module *module, const char *name, size_t length)
{
	char *copy = strndup(name, length), *demangled = copy ? demangle(copy) : NULL;
	const char *kept = copy ? intern__string(module->strings, demangled ? demangled : copy) : NULL;

	free(demangled);
	free(copy);
	return kept;
}

static const char *keep(struct module *module, const char *text)
{
	return text ? intern__string(module->strings, text) : NULL;
}

/*
 * The function that was not inlined. The symbol goes before what DWARF calls it: it tells foo.cold, and the
 * instance of a template, and is what other tools show.
 */
static void name_function(struct module *module, uint64_t address, uint64_t ip,
			  const struct source_frame *source, struct frame *frame)
{
	uint64_t start;
	size_t length;
	const char *name =
		module->symbols ? symbol_table__find(module->symbols, address, &start, &length) : NULL;

	if (name) {
		frame->symbol = readable(module, name, length);
		frame->offset = ip - start;
	} else if (source && source->name) {
		frame->symbol = readable(module, source->name, strlen(source->name));
		start = source->entry + module->debug_bias;
		frame->offset = source->entry && start <= ip ? ip - start : 0;
	}
}

size_t module__frames(struct module *module, uint64_t address, bool is_return, struct frame *frames,
		      size_t max)
{
	struct source_frame sources[SOURCE_FRAMES_MAX];
	uint64_t at = address - (is_return && address);
	size_t n = 0, shown;

	if (!max)
		return 0;
	read_symbols(module);
	seek_debug(module);
	if (module->sources)
		n = source_index__find(module->sources, at - module->debug_bias, sources);
	shown = n ? n : 1;
	if (shown > max)
		shown = max;
	for (size_t i = 0; i < shown; i++) {
		const struct source_frame *source = n ? &sources[i] : NULL;
		struct frame *frame = &frames[i];

		*frame = (struct frame){
			.module = module->path, .module_offset = address, .build_id = module->build_id};
		if (source) {
			frame->file = keep(module, source->file);
			frame->line = source->line;
			frame->inlined = source->inlined;
		}
		if (!frame->inlined)
			name_function(module, at, address, source, frame);
		else if (source->name)
			frame->symbol = readable(module, source->name, strlen(source->name));
	}
	return shown;
}
