/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unwind information that libdw can be trusted with. It makes room for every register that an instruction
 * names, and a copy of all of them for every state that is remembered: up to 1 GB each in elfutils 0.188, and
 * without a bound in older ones. And it believes .eh_frame_hdr about where an entry starts.
 */
#ifndef MEMTRACE_CFI_CHECK_H
#define MEMTRACE_CFI_CHECK_H

#include <libelf.h>
#include <stdbool.h>

/* False: there is none, or it is not used. */
bool cfi_check__eh_frame(Elf *elf);
bool cfi_check__debug_frame(Elf *elf);

#endif
