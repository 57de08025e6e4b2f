/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that code is mapped from: each once, however many processes run it, and opened where it can still
 * be had. A file that is not what was mapped is never used.
 */
#ifndef MEMTRACE_CODE_FILE_H
#define MEMTRACE_CODE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/address_space.h"
#include "sym/module.h"
#include "sym/sym.h"
#include "util/intern.h"

struct code_file;
struct code_files;

/* strings outlives it. NULL: no memory. */
struct code_files *code_files__new(struct intern *strings);
void code_files__free(struct code_files *files);

/* The file of a mapping. NULL: no memory. It is the table's, and stays. */
struct code_file *code_files__get(struct code_files *files, const struct sym_mapping *mapping);

/*
 * The file at a path as some process has named it: the one that was mapped last, if any was. NULL: no memory.
 * It is the table's, and stays.
 */
struct code_file *code_files__by_path(struct code_files *files, const char *path);

/*
 * The process that has just mapped it may be gone by the time it is needed: take hold of the file, as long as
 * it is not known that it can be opened.
 */
void code_files__hold(struct code_files *files, struct code_file *file, const struct address_spaces *spaces,
		      uint32_t pid, uint64_t start, uint64_t end);

/*
 * Its content; opened if it is not open. It is looked for where the process `pid` has it mapped at `start`
 * (pid 0: the process that mapped it last), at its path in the root directory of that process, of those that
 * it descends from, and in ours. NULL: it cannot be had, or is no ELF file. Valid until the next call.
 */
struct module *code_files__module(struct code_files *files, struct code_file *file,
				  const struct address_spaces *spaces, uint32_t pid, uint64_t start,
				  uint64_t end);

/*
 * Files are told apart by what the kernel says of them, a build id or an inode, and one file may be known by
 * both. This is found out when it is opened: the one that counts.
 */
struct code_file *code_file__itself(struct code_file *file);

/* It was open before, or never will be: which one counts is known. */
bool code_file__is_settled(const struct code_file *file);

/* No file at all, or none in ELF: what runs there is found in memory only. */
bool code_file__is_anonymous(const struct code_file *file);

/* It is of this architecture: its registers are ours. */
bool code_file__is_native(const struct code_file *file);

/* Small, from 1 on. */
uint32_t code_file__number(const struct code_file *file);
struct code_file *code_files__by_number(const struct code_files *files, uint32_t number);
const char *code_file__path(const struct code_file *file);

/* Files that were not what was mapped. */
uint64_t code_files__replaced(const struct code_files *files);

#endif
