/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One frame of a call stack, as it is shown. */
#ifndef MEMTRACE_FRAME_H
#define MEMTRACE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What is not known is NULL or 0. Strings belong to whoever made the frame (sym/ keeps them until
 * sym__free()) and are hostile text: they come from files that anybody may have written.
 */
struct frame {
	uint64_t ip;		/* as it was in the process; 0 where frames of several processes are one */
	const char *symbol;	/* demangled */
	uint64_t offset;	/* of the ip in the symbol, in bytes; 0 for inlined functions */
	const char *module;	/* path of the file, "[vdso]", "[kernel]", "[jit]", name of a kernel module */
	uint64_t module_offset; /* the address in terms of the ELF file: what addr2line takes */
	const char *build_id;	/* hexadecimal */
	const char *file;	/* of the source */
	unsigned line;		/* 0: not known */
	bool inlined;		/* into the next frame */
	bool kernel;
};

#endif
