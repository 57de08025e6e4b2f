/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One ELF file with code: its symbols, source lines and unwind information, by libdw. */
#ifndef MEMTRACE_MODULE_H
#define MEMTRACE_MODULE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/frame.h"
#include "util/intern.h"

struct module;

/*
 * Open the file behind fd, which becomes the module's whatever is returned. path is what frames show;
 * strings of frames go into `strings`. debug_root: where to look for separate debug files beside "/" (the
 * root of a container, "/proc/PID/root"), or NULL. NULL: not an executable or library in ELF, too large (1
 * GB) a file that others can change, or no memory.
 */
struct module *module__open(int fd, const char *path, const char *debug_root, struct intern *strings);

/* The same for an image in memory (the vdso), which is copied. */
struct module *module__open_image(const void *image, size_t size, const char *path, struct intern *strings);
void module__free(struct module *module);

/* Hexadecimal; NULL: it has none. */
const char *module__build_id(const struct module *module);

/* The address, in the file's own terms, of an offset into the file. False: no executable segment has it. */
bool module__address(const struct module *module, uint64_t file_offset, uint64_t *address);

/* Unwind information; its addresses are the file's plus *bias. NULL: none. The module's. */
Dwarf_CFI *module__cfi(struct module *module, uint64_t *bias);

/*
 * The functions at an address (in the file's terms), innermost first; those inlined there come first. At most
 * max; at least one frame is written, if only with module and address. is_return: look one byte earlier.
 */
size_t module__frames(struct module *module, uint64_t address, bool is_return, struct frame *frames,
		      size_t max);

#endif
