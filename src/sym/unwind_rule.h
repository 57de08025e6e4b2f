/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How to get from one frame to its caller, at one address: what libdw says, in a form that is quickly
 * applied. */
#ifndef MEMTRACE_UNWIND_RULE_H
#define MEMTRACE_UNWIND_RULE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/expression.h"
#include "unwind_step.h"

enum rule_kind {
	RULE_AT_CFA,	 /* the value is in memory, at CFA + offset */
	RULE_CFA,	 /* the value is CFA + offset */
	RULE_REGISTER,	 /* the value is that of another register, + offset */
	RULE_EXPRESSION, /* it is what ops say */
};

struct register_rule {
	uint8_t reg, kind, from;
	uint32_t n_ops;
	int64_t offset;
	Dwarf_Op *ops;
};

struct unwind_rule {
	bool is_none;		  /* there is no unwind information for the address */
	bool is_signal;		  /* the caller was interrupted, and did not call */
	uint8_t ra;		  /* the register that stands for the return address */
	uint64_t undefined;	  /* a bit for each register that is lost */
	struct register_rule cfa; /* RULE_REGISTER or RULE_EXPRESSION */
	uint32_t n;
	struct register_rule regs[]; /* what is not here keeps its value */
};

/* cfi NULL: a rule that says that there is none. NULL: no memory. */
struct unwind_rule *unwind_rule__new(Dwarf_CFI *cfi, uint64_t address);
void unwind_rule__free(struct unwind_rule *rule);

enum rule_end {
	RULE_OK,
	RULE_OUTERMOST, /* there is no caller */
	RULE_COPY,	/* it needs memory that was not copied */
	RULE_BAD,
};

/*
 * Turn the registers of a frame into those of its caller, *ip being the caller's address. Unless it is
 * RULE_OK, *machine is undefined.
 */
enum rule_end unwind_rule__apply(const struct unwind_rule *rule, struct machine *machine, uint64_t *ip);

/* The same in few words, of a rule that says something. STEP_CUT: it takes more. */
struct unwind_step unwind_rule__step(const struct unwind_rule *rule);

#endif
