/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From addresses to names: which code was mapped where in which process and when, the stack behind a set of
 * registers, and the function and source line behind an address.
 *
 * A process may be gone by the time it is asked about, so an address is turned into a place (a file, and an
 * address within it) as soon as it arrives; what the place is called is found out when it is shown, once for
 * all processes that run the file.
 *
 * All text is hostile: it comes from files that anybody may have written. A malformed file costs its symbols
 * and nothing else.
 */
#ifndef MEMTRACE_SYM_H
#define MEMTRACE_SYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/frame.h"
#include "unwind_step.h"

#define SYM_REGS	 33 /* DWARF numbers of the architecture: x86-64 uses 17, arm64 33 */
#define SYM_BUILD_ID_MAX 20

struct sym;

/* NULL: no memory. */
struct sym *sym__new(void);
void sym__free(struct sym *sym);

/* --- what happened to processes; times in ns of CLOCK_MONOTONIC, pids of the initial pid namespace -------
 */

struct sym_mapping {
	uint64_t start, end, pgoff; /* bytes; pgoff is the offset into the file */
	const char *name;	    /* as in /proc/PID/maps; copied */
	uint64_t device, inode;	    /* as makedev() has it, of what the kernel tells; 0: not known */
	uint8_t build_id[SYM_BUILD_ID_MAX];
	size_t build_id_size; /* 0: not known */
};

/* Executable memory was mapped. Takes the place of what was there. */
void sym__mapped(struct sym *sym, uint32_t pid, uint64_t time_ns, const struct sym_mapping *mapping);
void sym__forked(struct sym *sym, uint32_t pid, uint32_t parent, uint64_t time_ns);
void sym__execed(struct sym *sym, uint32_t pid, uint64_t time_ns);
void sym__exited(struct sym *sym, uint32_t pid, uint64_t time_ns);

/*
 * Learn the mappings of a process, or of all (0), that lived before its events were watched, from /proc. All
 * of them is bounded by time; whoever is left out is read when a sample of it arrives.
 */
void sym__read_maps(struct sym *sym, uint32_t pid);

/* --- stacks ----------------------------------------------------------------------------------------------
 */

/* Why a stack ends where it ends. */
enum unwind_end {
	UNWIND_COMPLETE, /* the outermost frame was reached */
	UNWIND_FRAMES,	 /* more frames than there is room for */
	UNWIND_COPY,	 /* the copy of the stack ends */
	UNWIND_NO_CODE,	 /* an address in no known mapping */
	UNWIND_NO_FILE,	 /* the mapped file cannot be had, or is another by now */
	UNWIND_NO_CFI,	 /* no unwind information for an address */
	UNWIND_BAD,	 /* unwind information that leads nowhere */
	UNWIND_STEP,	 /* the kernel side cannot follow it */
	UNWIND_ENDS,
};

/* "stack_copy": for JSON. */
const char *unwind_end__name(enum unwind_end end);

/* "the copy of the stack ends here (--stack-size)": for humans. */
const char *unwind_end__explain(enum unwind_end end);

#define SYM_STACK_MAX 256 /* frames */

/* What was in the registers and on the stack of a thread. */
struct sym_sample {
	uint32_t pid;
	uint64_t time_ns;
	const uint64_t *regs; /* SYM_REGS of them, by DWARF number */
	uint64_t ip, sp;
	const uint8_t *stack; /* a copy of the memory from sp on */
	uint32_t holes;	      /* pages of 4 KiB that were not there, from that of sp on: a bit each */
	size_t stack_size;
};

/* The addresses of the stack, innermost first: the first is the ip. At most SYM_STACK_MAX of them. */
size_t sym__unwind(struct sym *sym, const struct sym_sample *sample, uint64_t *ips, size_t max,
		   enum unwind_end *end);

/* --- places and names ------------------------------------------------------------------------------------
 */

/*
 * The place of an address: a small number, the same for the same address of the same file in whichever
 * process. is_return: it is a return address, and the call is before it.
 */
uint32_t sym__place(struct sym *sym, uint32_t pid, uint64_t time_ns, uint64_t ip, bool is_return);
uint32_t sym__kernel_place(struct sym *sym, uint64_t ip, bool is_return);

/*
 * What is at a place: one frame, or several if functions are inlined there, innermost first. The array and
 * its strings stay valid until sym__free(). Never NULL, *n at least 1: what is not known is left out of it.
 */
const struct frame *sym__frames(struct sym *sym, uint32_t place, size_t *n);

/*
 * The symbol at an offset (bytes) of a file, for a code address whose process may be gone: path is as the
 * process named it. Frames as those of sym__frames().
 */
uint32_t sym__file_place(struct sym *sym, uint32_t pid, const char *path, uint64_t file_offset,
			 bool is_return);

/*
 * sym__unwind() and sym__place() in one: the addresses and places of the stack, innermost first. It knows
 * which addresses are return addresses, which a frame that a signal interrupted is not.
 */
size_t sym__stack(struct sym *sym, const struct sym_sample *sample, uint64_t *ips, uint32_t *places,
		  size_t max, enum unwind_end *end);

/*
 * How the kernel side gets from the frame at a return address to its caller. STEP_CUT: by more than registers
 * that it follows, or it is not known.
 */
struct unwind_step sym__step(struct sym *sym, uint32_t pid, uint64_t time_ns, uint64_t ip);

/* What went wrong so far. */
struct sym_stats {
	uint64_t ends[UNWIND_ENDS]; /* stacks unwound, by how they ended */
	uint64_t replaced;	    /* files that are not what was mapped, and so were not used */
	uint64_t mapping_events_lost;
};
void sym__stats(const struct sym *sym, struct sym_stats *stats);
void sym__lost(struct sym *sym, uint64_t events);

#endif
