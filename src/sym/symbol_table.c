/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/symbol_table.h"

#include <stdlib.h>
#include <string.h>

#include "sym/elf_file.h"
#include "sym/range_table.h"

/* A name is a 32-bit number: which table of strings, and where in it. */
#define SOURCES	    4
#define NAME_SHIFT  30
#define NAME_OFFSET ((1u << NAME_SHIFT) - 1)

struct strings {
	const char *text; /* the last byte is NUL */
	size_t size;
};

struct symbol {
	uint64_t start, size; /* size 0: the file does not tell */
	uint64_t limit;	      /* the end of its section */
	uint32_t name;
	uint16_t rank; /* the less, the better */
};

struct symbol_table {
	struct strings sources[SOURCES];
	unsigned n_sources;
	struct symbol *symbols; /* until they are settled */
	size_t n, capacity;
	struct range_table ranges; /* the value is the name */
};

struct symbol_table *symbol_table__new(void)
{
	return calloc(1, sizeof(struct symbol_table));
}

void symbol_table__free(struct symbol_table *table)
{
	if (!table)
		return;
	free(table->symbols);
	range_table__clear(&table->ranges);
	free(table);
}

static const char *name_of(const struct symbol_table *table, uint32_t name)
{
	return table->sources[name >> NAME_SHIFT].text + (name & NAME_OFFSET);
}

/* Labels of the compiler and mapping symbols ($x, $d.1 of arm64) lie within functions. */
static bool is_label(const char *name)
{
	if (name[0] == '$')
		return name[1] && strchr("adtx", name[1]) && (!name[2] || name[2] == '.');
	return !*name || (name[0] == '.' && name[1] == 'L');
}

/* Functions before labels, what others can call before what is local, "write" before "__write". */
static uint16_t rank_of(const GElf_Sym *symbol, const char *name)
{
	unsigned underscores = strspn(name, "_"), binding = GELF_ST_BIND(symbol->st_info);

	return (GELF_ST_TYPE(symbol->st_info) == STT_NOTYPE) << 9 | (binding == STB_LOCAL) << 8 |
	       (underscores < 15 ? underscores : 15) << 4 | (binding == STB_WEAK);
}

/* What the symbols of one section of symbols are read with. */
struct reader {
	struct symbol_table *table;
	Elf *elf;
	unsigned machine, source;
	uint64_t bias;
	size_t section; /* the last one asked about: symbols come in runs */
	GElf_Shdr section_header;
};

static bool is_function(struct reader *reader, const GElf_Sym *symbol)
{
	unsigned type = GELF_ST_TYPE(symbol->st_info);

	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return false;
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= SHN_LORESERVE)
		return false;
	if (symbol->st_shndx != reader->section) {
		Elf_Scn *section = elf_getscn(reader->elf, symbol->st_shndx);

		if (!section || !gelf_getshdr(section, &reader->section_header))
			return false;
		reader->section = symbol->st_shndx;
	}
	return reader->section_header.sh_flags & SHF_EXECINSTR;
}

/* False: no memory. */
static bool add_symbol(struct reader *reader, const GElf_Sym *symbol)
{
	struct symbol_table *table = reader->table;
	const struct strings *strings = &table->sources[reader->source];
	struct symbol *grown, *added;
	const char *name;

	if (symbol->st_name >= strings->size || symbol->st_name > NAME_OFFSET || !is_function(reader, symbol))
		return true;
	name = strings->text + symbol->st_name;
	if (is_label(name))
		return true;
	if (table->n == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 256;

		grown = realloc(table->symbols, capacity * sizeof(*grown));
		if (!grown)
			return false;
		table->symbols = grown;
		table->capacity = capacity;
	}
	added = &table->symbols[table->n++];
	added->start = symbol->st_value + reader->bias;
	if (reader->machine == EM_ARM)
		added->start &= ~1ull; /* the mode of the processor */
	added->size = symbol->st_size;
	added->limit = reader->section_header.sh_addr + reader->section_header.sh_size + reader->bias;
	added->name = reader->source << NAME_SHIFT | symbol->st_name;
	added->rank = rank_of(symbol, name);
	return true;
}

/* The strings of a section, up to the last that is terminated. */
static bool read_strings(Elf *elf, size_t index, struct strings *strings)
{
	Elf_Data *data = elf_rawdata(elf_getscn(elf, index), NULL);
	const char *last = data && data->d_buf ? memrchr(data->d_buf, '\0', data->d_size) : NULL;

	if (!last)
		return false;
	strings->text = data->d_buf;
	strings->size = last + 1 - strings->text;
	return true;
}

bool symbol_table__add(struct symbol_table *table, Elf *elf, unsigned type, uint64_t bias)
{
	struct reader reader = {.table = table, .elf = elf, .source = table->n_sources, .bias = bias};
	GElf_Shdr header;
	GElf_Ehdr ehdr;
	GElf_Sym symbol;
	Elf_Scn *section = elf_file__section(elf, NULL, type, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

	if (!data || !gelf_getehdr(elf, &ehdr) || table->n_sources == SOURCES ||
	    !read_strings(elf, header.sh_link, &table->sources[table->n_sources]))
		return false;
	table->n_sources++;
	reader.machine = ehdr.e_machine;
	for (int i = 1; gelf_getsym(data, i, &symbol) && add_symbol(&reader, &symbol);)
		i++;
	return true;
}

/* By address; of those at one address the sized first, the largest first, the best name first. */
static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->name > y->name) - (x->name < y->name);
}

static uint64_t end_of(const struct symbol *symbol)
{
	uint64_t end;

	return __builtin_add_overflow(symbol->start, symbol->size, &end) ? UINT64_MAX : end;
}

/* One symbol a range; none without a size where one with a size is. What remains is in the order of starts.
 */
static void drop_hidden(struct symbol_table *table)
{
	struct symbol *s = table->symbols;
	uint64_t reached = 0; /* by those with a size */
	size_t n = 0;

	for (size_t i = 0; i < table->n; i++) {
		if (n && s[n - 1].start == s[i].start && (s[n - 1].size == s[i].size || !s[i].size))
			continue;
		if (!s[i].size && s[i].start < reached)
			continue;
		if (end_of(&s[i]) > reached)
			reached = end_of(&s[i]);
		s[n++] = s[i];
	}
	table->n = n;
}

void symbol_table__settle(struct symbol_table *table)
{
	struct symbol *s = table->symbols;

	if (table->n)
		qsort(s, table->n, sizeof(*s), compare);
	drop_hidden(table);
	for (size_t i = 0; i < table->n; i++) {
		uint64_t end = end_of(&s[i]);

		/* Without a size it reaches to what comes next. */
		if (!s[i].size)
			end = i + 1 < table->n && s[i + 1].start < s[i].limit ? s[i + 1].start : s[i].limit;
		if (range_table__add(&table->ranges, s[i].start, end, s[i].name))
			break;
	}
	range_table__sort(&table->ranges);
	free(table->symbols);
	table->symbols = NULL;
	table->n = table->capacity = 0;
}

const char *symbol_table__find(const struct symbol_table *table, uint64_t address, uint64_t *start,
			       size_t *length)
{
	const struct range *range = range_table__find(&table->ranges, address);
	const char *name;

	if (!range)
		return NULL;
	name = name_of(table, range->value);
	*start = range->start;
	*length = 1 + strcspn(name + 1, "@");
	return name;
}
