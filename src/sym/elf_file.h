/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF files of anybody, opened so that they cannot do harm by being changed, or by being no files. */
#ifndef MEMTRACE_ELF_FILE_H
#define MEMTRACE_ELF_FILE_H

#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define BUILD_ID_TEXT_MAX 129 /* hexadecimal, terminated */

/*
 * The file behind fd, which is closed whatever is returned. NULL: not an executable or library in ELF, or no
 * memory. elf_end() frees it.
 */
Elf *elf_file__open(int fd);

/* The same for an image in memory, which is copied. */
Elf *elf_file__open_image(const void *image, size_t size);

/* A regular file, for reading: neither a FIFO nor a device does anything for being opened. -1: none. */
int elf_file__open_regular(const char *path);

/* Whether only root and this user can change a file. */
bool elf_file__is_trusted(const struct stat *st);

/* A regular file, and if somebody else can change it, not too large (1 GB) to be copied. */
bool elf_file__is_usable(int fd);

/* False: it has none. */
bool elf_file__build_id(Elf *elf, char text[BUILD_ID_TEXT_MAX]);

/* The first section of that name or (name NULL) type. NULL: none. */
Elf_Scn *elf_file__section(Elf *elf, const char *name, unsigned type, GElf_Shdr *header);

/* Where the first loaded segment is. Of a separate debug file that a prelinked file left behind, it differs.
 */
uint64_t elf_file__base(Elf *elf);

/* Whether its debug sections are of sensible size once uncompressed, which libdw does without a limit. */
bool elf_file__is_sane(Elf *elf);

#endif
