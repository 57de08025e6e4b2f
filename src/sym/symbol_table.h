/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that the symbol tables of a file name, by address. */
#ifndef MEMTRACE_SYMBOL_TABLE_H
#define MEMTRACE_SYMBOL_TABLE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol_table;

/* NULL: no memory. */
struct symbol_table *symbol_table__new(void);
void symbol_table__free(struct symbol_table *table);

/*
 * Add the symbols of the first section of type (SHT_SYMTAB, SHT_DYNSYM); bias is added to their addresses.
 * Names stay in the ELF, which has to outlive the table. False: it has no such section.
 */
bool symbol_table__add(struct symbol_table *table, Elf *elf, unsigned type, uint64_t bias);

/* After the last add, before the first find. */
void symbol_table__settle(struct symbol_table *table);

/*
 * The name of the function at an address, and where it starts. Of several the innermost; of aliases the one
 * that is called most plainly. The name is as in the file: not terminated at a version ("puts@@GLIBC_2.2.5"),
 * of which *length is free. NULL: none.
 */
const char *symbol_table__find(const struct symbol_table *table, uint64_t address, uint64_t *start,
			       size_t *length);

#endif
