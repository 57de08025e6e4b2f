/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An index of the units by address is made first, from the ranges of the units, not from .debug_aranges,
 * which clang and rustc do not write; one of the functions of a unit once an address in it is asked about.
 *
 * dwarf_getscopes() would do the rest, but walks a whole unit for each address, and recurses as deep as the
 * file wants it to.
 */
#include "sym/source_index.h"

#include <dwarf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sym/elf_file.h"
#include "sym/range_table.h"

/* Of what a file can make us go through without end or too deep. */
#define DEPTH_MAX      64
#define RANGES_MAX     (1u << 20)  /* of a DIE: a unit of Rust has one for each function */
#define INDEX_MAX      (8u << 20)  /* ranges of an index */
#define UNIT_LINES_MAX (32u << 20) /* bytes of the line program of a unit */

/*
 * CPU time, in ns. DIEs that are nested as deep as they can be make a walk quadratic: a file gets some time
 * for its indexes, and then a little more for each address. What is not reached by then is not known.
 */
#define TIME_AT_FIRST  2000000000
#define TIME_A_QUERY   5000000
#define CHECK_STEPS    32	    /* DIEs, or */
#define CHECK_DISTANCE (256u << 10) /* bytes of them between looks at the clock */

struct budget {
	int64_t left; /* less than 0: what was spent beyond it, in one call of libdw */
	uint64_t started;
	uint64_t steps, distance; /* since the last look */
	bool is_spent;
};

struct unit {
	Dwarf_Die lines; /* the unit that has the line table */
	Dwarf_Die die;	 /* the one that has the functions: another, if they are in a .dwo file */
	struct range_table functions; /* the value is the offset of the DIE from that of the unit */
	bool is_indexed;
	bool has_lines;
};

struct source_index {
	Dwarf *dwarf;
	struct unit *units;
	size_t n, capacity;
	struct range_table ranges; /* the value is a number of a unit */
	bool is_indexed;
	struct budget budget;
};

static uint64_t cpu_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* False: there is no time for this one. */
static bool budget__start(struct budget *budget)
{
	budget->left += TIME_A_QUERY;
	if (budget->left > TIME_AT_FIRST)
		budget->left = TIME_AT_FIRST;
	budget->started = cpu_time();
	budget->is_spent = budget->left <= 0;
	return !budget->is_spent;
}

static void budget__stop(struct budget *budget)
{
	budget->left -= cpu_time() - budget->started;
}

/* False: the time is over. */
static bool budget__step(struct budget *budget, uint64_t distance)
{
	budget->distance += distance;
	if (++budget->steps >= CHECK_STEPS || budget->distance >= CHECK_DISTANCE) {
		budget->steps = budget->distance = 0;
		budget->is_spent |= (int64_t)(cpu_time() - budget->started) > budget->left;
	}
	return !budget->is_spent;
}

struct source_index *source_index__new(Dwarf *dwarf)
{
	struct source_index *index = calloc(1, sizeof(*index));

	if (index)
		*index = (struct source_index){.dwarf = dwarf, .budget.left = TIME_AT_FIRST};
	return index;
}

void source_index__free(struct source_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->n; i++)
		range_table__clear(&index->units[i].functions);
	range_table__clear(&index->ranges);
	free(index->units);
	free(index);
}

/* Linkers leave functions that they threw away at 0, or at the last addresses. */
static int add_ranges(struct budget *budget, struct range_table *table, Dwarf_Die *die, uint32_t value)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t offset = 0;
	int err = 0;

	for (unsigned i = 0; !err && i < RANGES_MAX && table->n < INDEX_MAX && budget__step(budget, 0); i++) {
		offset = dwarf_ranges(die, offset, &base, &start, &end);
		if (offset <= 0)
			break;
		if (start)
			err = range_table__add(table, start, end, value);
	}
	return err;
}

/* --- units -----------------------------------------------------------------------------------------------
 */

static const char *string_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr(die, name, &attribute));
}

/* libdw opens the .dwo file that a unit names, whatever it is: it has to be a file, and of a trusted owner.
 */
static bool is_split_file_safe(Dwarf_Die *unit)
{
	const char *name = string_of(unit, DW_AT_dwo_name), *dir = string_of(unit, DW_AT_comp_dir);
	char path[PATH_MAX];
	struct stat st;
	int n;

	if (!name)
		name = string_of(unit, DW_AT_GNU_dwo_name);
	if (!name || (name[0] != '/' && !dir))
		return false;
	/* libdw also tries the name alone, from where we are. */
	if (name[0] != '/' && !stat(name, &st))
		return false;
	n = name[0] == '/' ? snprintf(path, sizeof(path), "%s", name)
			   : snprintf(path, sizeof(path), "%s/%s", dir, name);
	return n < (int)sizeof(path) && !stat(path, &st) && S_ISREG(st.st_mode) && elf_file__is_trusted(&st);
}

static int add_unit(struct source_index *index, Dwarf_Die *die, Dwarf_CU *cu, bool is_skeleton)
{
	struct unit *unit, *grown;
	Dwarf_Die split;
	int err;

	if (index->n == index->capacity) {
		size_t capacity = index->capacity ? index->capacity * 2 : 16;

		grown = capacity < UINT32_MAX ? realloc(index->units, capacity * sizeof(*grown)) : NULL;
		if (!grown)
			return -ENOMEM;
		index->units = grown;
		index->capacity = capacity;
	}
	err = add_ranges(&index->budget, &index->ranges, die, index->n);
	if (err)
		return err;
	unit = &index->units[index->n++];
	*unit = (struct unit){.lines = *die, .die = *die};
	if (is_skeleton && is_split_file_safe(die) &&
	    !dwarf_cu_info(cu, NULL, NULL, NULL, &split, NULL, NULL, NULL) &&
	    dwarf_tag(&split) == DW_TAG_compile_unit)
		unit->die = split;
	return 0;
}

static void index_units(struct source_index *index)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;

	index->is_indexed = true;
	while (budget__step(&index->budget, 0) &&
	       !dwarf_get_units(index->dwarf, cu, &cu, NULL, &type, &die, NULL))
		if ((type == DW_UT_compile || type == DW_UT_skeleton) &&
		    add_unit(index, &die, cu, type == DW_UT_skeleton))
			break;
	range_table__sort(&index->ranges);
}

/* --- the functions of a unit -----------------------------------------------------------------------------
 */

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type: /* of a lambda, within a function */
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
		return true;
	default:
		return false;
	}
}

/* The next DIE on the level of *die. False: none; an attribute may point back, and we would never end. */
static bool next(struct budget *budget, Dwarf_Die *die)
{
	Dwarf_Off offset = dwarf_dieoffset(die);
	Dwarf_Die sibling;

	/* That there is none may have taken a walk through everything below. */
	if (budget->is_spent)
		return false;
	if (dwarf_siblingof(die, &sibling)) {
		budget__step(budget, dwarf_haschildren(die) ? CHECK_DISTANCE : 0);
		return false;
	}
	*die = sibling;
	return dwarf_dieoffset(die) > offset && budget__step(budget, dwarf_dieoffset(die) - offset);
}

static void index_functions(struct budget *budget, struct unit *unit, Dwarf_Die *parent, unsigned depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || budget->is_spent || dwarf_child(parent, &die))
		return;
	do {
		int tag = dwarf_tag(&die);
		Dwarf_Off offset = dwarf_dieoffset(&die) - dwarf_dieoffset(&unit->die);

		if (tag == DW_TAG_subprogram && offset < UINT32_MAX &&
		    add_ranges(budget, &unit->functions, &die, offset))
			return;
		if (may_hold_functions(tag))
			index_functions(budget, unit, &die, depth + 1);
	} while (next(budget, &die));
}

/* Where the line program says that it ends, before libdw makes ten times as much memory of it. */
static bool is_line_program_small(struct unit *unit)
{
	Dwarf *dwarf = dwarf_cu_getdwarf(unit->lines.cu);
	Elf *elf = dwarf ? dwarf_getelf(dwarf) : NULL;
	Dwarf_Attribute attribute;
	Dwarf_Word offset;
	GElf_Shdr header;
	GElf_Ehdr ehdr;
	Elf_Scn *section;
	Elf_Data *data;
	uint32_t size;

	if (!elf || !gelf_getehdr(elf, &ehdr) ||
	    dwarf_formudata(dwarf_attr(&unit->lines, DW_AT_stmt_list, &attribute), &offset))
		return false;
	section = elf_file__section(elf, ".debug_line", 0, &header);
	if (!section)
		section = elf_file__section(elf, ".zdebug_line", 0, &header);
	data = section ? elf_getdata(section, NULL) : NULL;
	if (!data || data->d_size < 4 || offset > data->d_size - 4)
		return false;
	memcpy(&size, (const char *)data->d_buf + offset, 4);
	if ((ehdr.e_ident[EI_DATA] == ELFDATA2MSB) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
		size = __builtin_bswap32(size);
	return size <=
	       UNIT_LINES_MAX; /* more is also the mark of a program in 64-bit DWARF: none is that large */
}

static void index_unit(struct budget *budget, struct unit *unit)
{
	unit->is_indexed = true;
	unit->has_lines = is_line_program_small(unit);
	index_functions(budget, unit, &unit->die, 0);
	range_table__sort(&unit->functions);
}

/* --- what is at an address -------------------------------------------------------------------------------
 */

/* A function, what is inlined in it, what is inlined in that, and so on. */
struct chain {
	Dwarf_Die dies[SOURCE_FRAMES_MAX];
	size_t n;
	struct budget *budget;
};

enum holds { HOLDS_NOT, HOLDS, HOLDS_UNKNOWN /* the DIE has no addresses */ };

static enum holds holds(struct budget *budget, Dwarf_Die *die, uint64_t address)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t offset = 0;
	enum holds result = HOLDS_UNKNOWN;

	for (unsigned i = 0; i < RANGES_MAX && budget__step(budget, 0); i++) {
		offset = dwarf_ranges(die, offset, &base, &start, &end);
		if (offset <= 0)
			break;
		if (start <= address && address < end)
			return HOLDS;
		result = HOLDS_NOT;
	}
	return result;
}

static bool is_block(int tag)
{
	return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* True: something inlined was found below parent. Blocks that do not tell their addresses are looked into. */
static bool find_inlined(struct chain *chain, Dwarf_Die *parent, uint64_t address, unsigned depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || chain->n == SOURCE_FRAMES_MAX || chain->budget->is_spent ||
	    dwarf_child(parent, &die))
		return false;
	do {
		int tag = dwarf_tag(&die);
		enum holds in = tag == DW_TAG_inlined_subroutine || is_block(tag)
					? holds(chain->budget, &die, address)
					: HOLDS_NOT;

		if (in == HOLDS && tag == DW_TAG_inlined_subroutine) {
			chain->dies[chain->n++] = die;
			find_inlined(chain, &die, address, depth + 1);
			return true;
		}
		if (is_block(tag) && in != HOLDS_NOT && find_inlined(chain, &die, address, depth + 1))
			return true;
	} while (next(chain->budget, &die));
	return false;
}

/* With libdw following what the DIE is an instance or a definition of. */
static const char *name_of(Dwarf_Die *die)
{
	static const unsigned names[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name};
	Dwarf_Attribute attribute;
	const char *name = NULL;

	for (unsigned i = 0; i < 3 && !name; i++)
		name = dwarf_formstring(dwarf_attr_integrate(die, names[i], &attribute));
	return name && *name ? name : NULL;
}

static void set_call_position(struct unit *unit, Dwarf_Die *die, struct source_frame *frame)
{
	Dwarf_Attribute attribute;
	Dwarf_Word number;
	Dwarf_Files *files;
	size_t n;

	if (!dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &number) && number <= UINT_MAX)
		frame->line = number;
	if (unit->has_lines && !dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &number) &&
	    !dwarf_getsrcfiles(&unit->lines, &files, &n) && number < n)
		frame->file = dwarf_filesrc(files, number, NULL, NULL);
}

static void set_position(struct unit *unit, uint64_t address, struct source_frame *frame)
{
	Dwarf_Line *line = unit->has_lines ? dwarf_getsrc_die(&unit->lines, address) : NULL;
	int number;

	if (!line)
		return;
	frame->file = dwarf_linesrc(line, NULL, NULL);
	if (!dwarf_lineno(line, &number) && number > 0)
		frame->line = number;
}

static bool find_function(struct unit *unit, uint64_t address, Dwarf_Die *die)
{
	const struct range *range = range_table__find(&unit->functions, address);
	Dwarf *dwarf = dwarf_cu_getdwarf(unit->die.cu);

	return range && dwarf_offdie(dwarf, dwarf_dieoffset(&unit->die) + range->value, die);
}

static uint64_t entry_of(Dwarf_Die *die)
{
	Dwarf_Addr entry;

	return dwarf_entrypc(die, &entry) ? 0 : entry;
}

/* The unit at an address, with its index. NULL: none. */
static struct unit *find_unit(struct source_index *index, uint64_t address)
{
	const struct range *range;
	struct unit *unit;

	if (!index->is_indexed)
		index_units(index);
	range = range_table__find(&index->ranges, address);
	if (!range)
		return NULL;
	unit = &index->units[range->value];
	if (!unit->is_indexed)
		index_unit(&index->budget, unit);
	return unit;
}

static size_t find(struct source_index *index, uint64_t address, struct source_frame *frames)
{
	struct chain chain = {.n = 0, .budget = &index->budget};
	struct unit *unit = find_unit(index, address);

	if (!unit)
		return 0;
	memset(frames, 0, SOURCE_FRAMES_MAX * sizeof(*frames));
	set_position(unit, address, &frames[0]);
	if (!find_function(unit, address, &chain.dies[0]))
		return 1;
	chain.n = 1;
	find_inlined(&chain, &chain.dies[0], address, 0);
	for (size_t i = 0; i < chain.n; i++) {
		Dwarf_Die *die = &chain.dies[chain.n - 1 - i];

		frames[i].name = name_of(die);
		frames[i].inlined = i + 1 < chain.n;
		if (frames[i].inlined)
			set_call_position(unit, die, &frames[i + 1]);
		else
			frames[i].entry = entry_of(die);
	}
	return chain.n;
}

size_t source_index__find(struct source_index *index, uint64_t address,
			  struct source_frame frames[SOURCE_FRAMES_MAX])
{
	size_t n;

	if (!budget__start(&index->budget))
		return 0;
	n = find(index, address, frames);
	budget__stop(&index->budget);
	return n;
}
