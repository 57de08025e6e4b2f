/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/allocator.h"

#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sym/elf_file.h"

#define SYMBOLS_MAX (1u << 24)
#define LOOK_MAX    48 /* bytes of a function's beginning that are looked at */

/* --- where to probe ---------------------------------------------------------------------------------------
 */

enum x86_register { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

/* What begins at `code`, of `size` bytes: its length, or 0 if it is not one that may be passed over. */
static bool is_free_register(unsigned reg)
{
	/* rdi, rsi, rdx and rcx have the arguments; r8 and above (8 to 15) at most a fifth one. */
	return reg == RAX || reg == RBX || reg == RBP || reg > RDI;
}

/* mov and lea from memory: of the ways to name it those without a SIB byte. */
static size_t memory_length(uint8_t modrm)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;

	if (mod == 0 && rm == 5)
		return 4; /* rip-relative */
	if (rm == 4 || mod == 3)
		return SIZE_MAX;
	return mod == 0 ? 0 : mod == 1 ? 1 : 4;
}

static size_t passed_modrm(const uint8_t *code, size_t size, size_t at, uint8_t rex)
{
	uint8_t opcode = code[at], modrm = code[at + 1];
	unsigned reg = (modrm >> 3 & 7) | (rex & 4) << 1, rm = (modrm & 7) | (rex & 1) << 3;
	bool is_register = modrm >> 6 == 3;
	size_t memory;

	switch (opcode) {
	case 0x85: /* test */
	case 0x39: /* cmp */
	case 0x3b:
		return is_register ? at + 2 : 0;
	case 0x31: /* xor */
	case 0x89: /* mov */
		return is_register && is_free_register(rm) ? at + 2 : 0;
	case 0x33:
		return is_register && is_free_register(reg) ? at + 2 : 0;
	case 0x8b: /* mov */
	case 0x8d: /* lea */
		if (is_register && opcode == 0x8b)
			return is_free_register(reg) ? at + 2 : 0;
		memory = memory_length(modrm);
		if (memory == SIZE_MAX || !is_free_register(reg) || at + 2 + memory > size)
			return 0;
		return at + 2 + memory;
	case 0x80: /* cmp with a constant */
	case 0x83:
	case 0x81:
		memory = is_register ? 0 : memory_length(modrm);
		if (memory == SIZE_MAX || (modrm >> 3 & 7) != 7)
			return 0;
		at += 2 + memory + (opcode == 0x81 ? 4 : 1);
		return at <= size ? at : 0;
	default:
		return 0;
	}
}

static size_t passed(const uint8_t *code, size_t size)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	uint8_t rex = 0;
	size_t at = 0;

	if (size >= sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64)))
		return sizeof(endbr64);
	if (size > 1 && (code[0] & 0xf0) == 0x40)
		rex = code[at++];
	if (at + 2 > size)
		return 0;
	if (code[at] >= 0xb8 && code[at] <= 0xbf && !(rex & 8)) /* mov of a constant */
		return is_free_register((code[at] & 7) | (rex & 1) << 3) && at + 5 <= size ? at + 5 : 0;
	return passed_modrm(code, size, at, rex);
}

static bool is_emulated(const uint8_t *code, size_t size)
{
	uint8_t first = code[0];

	if (size > 1 && (first & 0xfe) == 0x40 && code[1] >= 0x50 && code[1] <= 0x57)
		return true; /* push of r8 to r15 */
	if (size > 1 && first == 0x0f && code[1] >= 0x80 && code[1] <= 0x8f)
		return true;
	return (first >= 0x50 && first <= 0x57) || (first >= 0x70 && first <= 0x7f) || first == 0x90 ||
	       first == 0xe8 || first == 0xe9 || first == 0xeb;
}

static int32_t little_endian32(const uint8_t *p)
{
	return (int32_t)(p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

/* Whatever looks like a jump there, be it in the middle of another instruction. */
static bool is_jumped_to(const uint8_t *code, size_t size, size_t place)
{
	for (size_t i = 0; i + 2 <= size; i++) {
		bool is_short = (code[i] >= 0x70 && code[i] <= 0x7f) || code[i] == 0xeb;
		bool is_near = i + 6 <= size && code[i] == 0x0f && code[i + 1] >= 0x80 && code[i + 1] <= 0x8f;

		if (is_short && (int64_t)i + 2 + (int8_t)code[i + 1] == (int64_t)place)
			return true;
		if (is_near && (int64_t)i + 6 + little_endian32(&code[i + 2]) == (int64_t)place)
			return true;
		if (code[i] == 0xe9 && i + 5 <= size &&
		    (int64_t)i + 5 + little_endian32(&code[i + 1]) == (int64_t)place)
			return true;
	}
	return false;
}

int allocator__probe_place(const uint8_t *code, size_t size)
{
	size_t place = 0, look = size < LOOK_MAX ? size : LOOK_MAX, length;

	while (place < look) {
		if (is_emulated(code + place, look - place))
			return place && is_jumped_to(code, size, place) ? -1 : (int)place;
		length = passed(code + place, look - place);
		if (!length)
			return -1;
		place += length;
	}
	return -1;
}

/* --- names ------------------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	enum heap_function function;
	bool is_prefixed; /* without a prefix it may be anything */
} functions[] = {
	{"malloc", HEAP_MALLOC, false},
	{"calloc", HEAP_CALLOC, false},
	{"realloc", HEAP_REALLOC, false},
	{"reallocarray", HEAP_REALLOCARRAY, false},
	{"memalign", HEAP_MEMALIGN, false},
	{"aligned_alloc", HEAP_MEMALIGN, false},
	{"posix_memalign", HEAP_POSIX_MEMALIGN, false},
	{"valloc", HEAP_MALLOC, false},
	{"pvalloc", HEAP_MALLOC, false},
	{"free", HEAP_FREE, false},
	{"cfree", HEAP_FREE, false},
	{"free_sized", HEAP_FREE, false},
	{"free_aligned_sized", HEAP_FREE, false},
	/* jemalloc */
	{"mallocx", HEAP_MALLOC, false},
	{"rallocx", HEAP_REALLOC, false},
	{"dallocx", HEAP_FREE, false},
	{"sdallocx", HEAP_FREE, false},
	/* mimalloc, tcmalloc */
	{"zalloc", HEAP_MALLOC, true},
	{"malloc_small", HEAP_MALLOC, true},
	{"zalloc_small", HEAP_MALLOC, true},
	{"malloc_aligned", HEAP_MALLOC, true},
	{"zalloc_aligned", HEAP_MALLOC, true},
	{"mallocn", HEAP_CALLOC, true},
	{"reallocf", HEAP_REALLOC, true},
	{"reallocn", HEAP_REALLOCARRAY, true},
	{"realloc_aligned", HEAP_REALLOC, true},
	{"new", HEAP_MALLOC, true},
	{"new_aligned", HEAP_MALLOC, true},
	{"new_nothrow", HEAP_MALLOC, true},
	{"newarray", HEAP_MALLOC, true},
	{"free_size", HEAP_FREE, true},
	{"free_aligned", HEAP_FREE, true},
	{"free_size_aligned", HEAP_FREE, true},
	{"delete", HEAP_FREE, true},
	{"deletearray", HEAP_FREE, true},
};

static const char *const prefixes[] = {"", "je_", "_rjem_", "_rjem_je_", "mi_", "tc_"};

static int find_function(const char *name, size_t length, bool is_prefixed)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strlen(functions[i].name) == length && !strncmp(name, functions[i].name, length) &&
		    (is_prefixed || !functions[i].is_prefixed))
			return functions[i].function;
	return -1;
}

/* -1: none. A version may follow the name ("malloc@@GLIBC_2.2.5"). */
static int function_of(const char *name, const char *prefix)
{
	size_t length = strcspn(name, "@"), skip;
	int found = -1;

	if (prefix) {
		skip = strlen(prefix);
		return strncmp(name, prefix, skip) ? -1 : find_function(name + skip, length - skip, *prefix);
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]) && found < 0; i++) {
		skip = strlen(prefixes[i]);
		if (!strncmp(name, prefixes[i], skip))
			found = find_function(name + skip, length - skip, skip);
	}
	return found;
}

/* Itanium C++ ABI, 5.1.3: nw, na, dl, da; the size is an unsigned long, and other arguments may follow. */
static int operator_of(const char *name)
{
	if (!strncmp(name, "_Znwm", 5) || !strncmp(name, "_Znam", 5))
		return HEAP_MALLOC;
	if (!strncmp(name, "_ZdlPv", 6) || !strncmp(name, "_ZdaPv", 6))
		return HEAP_FREE;
	return -1;
}

/* --- the file ---------------------------------------------------------------------------------------------
 */

struct search {
	Elf *elf;
	const uint8_t *bytes; /* of the whole file */
	size_t size;
	unsigned machine;
	const char *prefix;
	bool no_operators;
	struct allocator *found;
};

/* Where an address of code is in the file; how many bytes of its segment follow. False: it is no code. */
static bool file_offset(const struct search *s, uint64_t address, uint64_t *offset, uint64_t *left)
{
	size_t n = 0;

	if (elf_getphdrnum(s->elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(s->elf, i, &p) || p.p_type != PT_LOAD || !(p.p_flags & PF_X) ||
		    address < p.p_vaddr || address - p.p_vaddr >= p.p_filesz)
			continue;
		*offset = address - p.p_vaddr + p.p_offset;
		*left = p.p_filesz - (address - p.p_vaddr);
		return *offset < s->size && *left <= s->size - *offset;
	}
	return false;
}

static int add_probe(struct search *s, int function, const char *name, const GElf_Sym *symbol)
{
	struct allocator *a = s->found;
	uint64_t offset, left;
	struct allocator_probe *grown, *probe;
	int place = -1;

	if (a->count >= ALLOCATOR_PROBES_MAX || !file_offset(s, symbol->st_value, &offset, &left))
		return 0;
	if (symbol->st_size && symbol->st_size < left)
		left = symbol->st_size;
	if (s->machine == EM_X86_64)
		place = allocator__probe_place(s->bytes + offset, left);
	if (place > 0)
		offset += place;
	for (size_t i = 0; i < a->count; i++)
		if (a->probes[i].offset == offset)
			return 0; /* another name of the same */
	grown = reallocarray(a->probes, a->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	a->probes = grown;
	probe = &grown[a->count++];
	*probe = (struct allocator_probe){
		.function = function, .offset = offset, .is_emulated = place >= 0 || s->machine != EM_X86_64};
	snprintf(probe->name, sizeof(probe->name), "%.*s", (int)strcspn(name, "@"), name);
	return 0;
}

static int take_symbols(struct search *s, unsigned type)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_file__section(s->elf, NULL, type, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	size_t n = data && header.sh_entsize ? data->d_size / header.sh_entsize : 0;
	int err = 0;

	for (size_t i = 0; i < n && i < SYMBOLS_MAX && !err; i++) {
		const char *name;
		GElf_Sym symbol;
		int function;

		if (!gelf_getsym(data, i, &symbol) || symbol.st_shndx == SHN_UNDEF ||
		    GELF_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_value)
			continue;
		name = elf_strptr(s->elf, header.sh_link, symbol.st_name);
		if (!name)
			continue;
		function = function_of(name, s->prefix);
		if (function < 0 && !s->prefix && !s->no_operators)
			function = operator_of(name);
		if (function >= 0)
			err = add_probe(s, function, name, &symbol);
	}
	return err;
}

static const char *soname_of(Elf *elf)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_file__section(elf, NULL, SHT_DYNAMIC, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	size_t n = data && header.sh_entsize ? data->d_size / header.sh_entsize : 0;

	for (size_t i = 0; i < n; i++) {
		GElf_Dyn dynamic;

		if (gelf_getdyn(data, i, &dynamic) && dynamic.d_tag == DT_SONAME)
			return elf_strptr(elf, header.sh_link, dynamic.d_un.d_val) ?: "";
	}
	return "";
}

/* A string that ends before `end`, and moves *at behind it. NULL: it does not end. */
static const char *string_at(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *nul = memchr(*at, '\0', end - *at), *start = *at;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return (const char *)start;
}

/*
 * https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation: notes of the name "stapsdt" and type 3,
 * which hold three addresses and three strings: provider, name, arguments.
 */
bool allocator__has_usdt(const uint8_t *notes, size_t size, const char *provider, const char *name)
{
	size_t at = 0;

	while (size - at >= 12) {
		uint32_t name_size, size_of, type;
		const uint8_t *data, *end;
		const char *found;
		size_t start;

		memcpy(&name_size, notes + at, 4);
		memcpy(&size_of, notes + at + 4, 4);
		memcpy(&type, notes + at + 8, 4);
		start = at + 12 + (((size_t)name_size + 3) & ~(size_t)3);
		if (start > size || size_of > size - start)
			return false;
		data = notes + start + 24;
		end = notes + start + size_of;
		if (name_size == 8 && !memcmp(notes + at + 12, "stapsdt", 8) && type == 3 && size_of > 24) {
			found = string_at(&data, end);
			if (found && !strcmp(found, provider) && (found = string_at(&data, end)) &&
			    !strcmp(found, name))
				return true;
		}
		at = start + (((size_t)size_of + 3) & ~(size_t)3);
		if (at > size)
			return false;
	}
	return false;
}

static bool tells_itself(Elf *elf)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_file__section(elf, ".note.stapsdt", 0, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

	return data && data->d_buf && gelf_getclass(elf) == ELFCLASS64 &&
	       allocator__has_usdt(data->d_buf, data->d_size, "otel_memory", "alloc") &&
	       allocator__has_usdt(data->d_buf, data->d_size, "otel_memory", "free");
}

static bool begins_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

int allocator__find(int fd, const char *prefix, struct allocator *a)
{
	struct search s = {.prefix = prefix, .found = a, .elf = elf_file__open(fd)};
	const char *soname;
	GElf_Ehdr header;
	int err = 0;

	*a = (struct allocator){};
	if (!s.elf)
		return 0;
	s.bytes = (const uint8_t *)elf_rawfile(s.elf, &s.size);
	soname = soname_of(s.elf);
	/* What glibc's loader allocates before there is a libc is never freed. */
	if (s.bytes && gelf_getehdr(s.elf, &header) && !begins_with(soname, "ld-linux")) {
		s.machine = header.e_machine;
		s.no_operators = begins_with(soname, "libstdc++.so") || begins_with(soname, "libc++.so") ||
				 begins_with(soname, "libc++abi.so");
		err = take_symbols(&s, SHT_DYNSYM);
		if (!err)
			err = take_symbols(&s, SHT_SYMTAB);
		a->tells_itself = tells_itself(s.elf);
	}
	elf_end(s.elf);
	if (err)
		allocator__free(a);
	return err;
}

void allocator__free(struct allocator *a)
{
	free(a->probes);
	*a = (struct allocator){};
}
