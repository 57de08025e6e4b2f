/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DWARF numbers of the registers that unwinding has to know, and what else differs between architectures. */
#ifndef MEMTRACE_ARCH_H
#define MEMTRACE_ARCH_H

#include <elf.h>
#include <stdint.h>

#if defined(__x86_64__)
#define ARCH_REGS	 17
#define ARCH_SP		 7
#define ARCH_FP		 6
#define ARCH_IP		 16
#define ARCH_ELF_MACHINE EM_X86_64
#define ARCH_RA_ON_STACK 1
#define ARCH_CODE_MASK	 UINT64_MAX
#elif defined(__aarch64__)
#define ARCH_REGS	 33
#define ARCH_SP		 31
#define ARCH_FP		 29
#define ARCH_LR		 30
#define ARCH_IP		 32 /* no number of DWARF's: where the first frame's is given */
#define ARCH_ELF_MACHINE EM_AARCH64
#define ARCH_RA_ON_STACK 0
#define ARCH_CODE_MASK	 ((1ull << 48) - 1) /* a return address may be signed in the bits above */
#else
#error "no DWARF register numbers for this architecture"
#endif

#endif
