/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From registers and a copy of the stack to the addresses of the frames, by the unwind information of the
 * files (.eh_frame, .debug_frame). Code that has none, of a just-in-time compiler say, is passed by its frame
 * pointer.
 *
 * What libdw says of an address is kept in a cache of fixed size, for all processes that run the file.
 */
#ifndef MEMTRACE_UNWIND_H
#define MEMTRACE_UNWIND_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/sym.h"

/* Code, whichever process runs it. */
struct unwind_code {
	uint32_t file;	    /* a number; 0: anonymous memory, or what is no ELF file */
	uint64_t offset;    /* into the file */
	const void *handle; /* the caller's */
};

enum unwind_info {
	UNWIND_INFO,	     /* *cfi and *address, in its terms, are set */
	UNWIND_INFO_NONE,    /* the code has none */
	UNWIND_INFO_NO_FILE, /* its file cannot be had */
};

/* Where the unwinder finds code. */
struct unwind_ops {
	/* The code at an address of the process. False: no code is mapped there. Asked for each frame. */
	bool (*find)(void *context, uint64_t ip, struct unwind_code *code);
	/* Asked for what is not in the cache. */
	enum unwind_info (*info)(void *context, const struct unwind_code *code, Dwarf_CFI **cfi,
				 uint64_t *address);
};

struct unwind_frame {
	uint64_t ip;
	bool is_return; /* the call is before it. Not so for the innermost frame, a frame that a signal
			   interrupted, and the code that returns from a signal */
};

struct unwinder;

/* NULL: no memory. */
struct unwinder *unwinder__new(void);
void unwinder__free(struct unwinder *unwinder);

/* The frames, innermost first; how many. */
size_t unwinder__run(struct unwinder *unwinder, const struct unwind_ops *ops, void *context,
		     const struct sym_sample *sample, struct unwind_frame *frames, size_t max,
		     enum unwind_end *end);

/* What leads from the frame at a return address to its caller, where that can be said in few words. */
struct unwind_step unwinder__step(struct unwinder *unwinder, const struct unwind_ops *ops, void *context,
				  uint64_t ip);

#endif
