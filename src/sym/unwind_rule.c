/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/unwind_rule.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "sym/arch.h"

#define OPS_MAX 1024 /* of one expression */

/* --- from libdw -------------------------------------------------------------------------------------------
 */

/* The ops of a frame die with it: keep them. */
static bool keep_ops(struct register_rule *rule, const Dwarf_Op *ops, size_t n)
{
	rule->kind = RULE_EXPRESSION;
	if (!n || n > OPS_MAX)
		return false;
	rule->ops = malloc(n * sizeof(*ops));
	if (!rule->ops)
		return false;
	memcpy(rule->ops, ops, n * sizeof(*ops));
	rule->n_ops = n;
	return true;
}

/* The forms that compilers use, of which nearly every rule is. */
static bool is_simple(struct register_rule *rule, const Dwarf_Op *ops, size_t n)
{
	bool has_offset = n > 1 && ops[1].atom == DW_OP_plus_uconst;

	if (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31 && n == 1) {
		rule->kind = RULE_REGISTER;
		rule->from = ops[0].atom - DW_OP_reg0;
		return true;
	}
	if (ops[0].atom != DW_OP_call_frame_cfa)
		return false;
	rule->offset = has_offset ? (int64_t)ops[1].number : 0;
	n -= 1 + has_offset;
	if (!n)
		rule->kind = RULE_AT_CFA;
	else if (n == 1 && ops[1 + has_offset].atom == DW_OP_stack_value)
		rule->kind = RULE_CFA;
	else
		return false;
	return true;
}

static bool read_register(struct unwind_rule *rule, Dwarf_Frame *frame, unsigned reg)
{
	struct register_rule *to = &rule->regs[rule->n];
	Dwarf_Op mem[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, reg, mem, &ops, &n))
		return false;
	if (!n) {
		if (ops)
			rule->undefined |= 1ull << reg;
		return true;
	}
	*to = (struct register_rule){.reg = reg};
	rule->n++;
	return is_simple(to, ops, n) || keep_ops(to, ops, n);
}

static bool read_cfa(struct register_rule *cfa, Dwarf_Frame *frame)
{
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n) || !n)
		return false;
	if (n == 1 && ops->atom >= DW_OP_breg0 && ops->atom <= DW_OP_breg31) {
		*cfa = (struct register_rule){
			.kind = RULE_REGISTER, .from = ops->atom - DW_OP_breg0, .offset = ops->number};
		return true;
	}
	if (n == 1 && ops->atom == DW_OP_bregx && ops->number < SYM_REGS) {
		*cfa = (struct register_rule){
			.kind = RULE_REGISTER, .from = ops->number, .offset = ops->number2};
		return true;
	}
	return keep_ops(cfa, ops, n);
}

static bool read_frame(struct unwind_rule *rule, Dwarf_Frame *frame)
{
	int ra = dwarf_frame_info(frame, NULL, NULL, &rule->is_signal);

	if (ra < 0 || ra >= ARCH_REGS || !read_cfa(&rule->cfa, frame))
		return false;
	rule->ra = ra;
	for (unsigned reg = 0; reg < ARCH_REGS; reg++)
		if (!read_register(rule, frame, reg))
			return false;
	return true;
}

static void free_ops(struct unwind_rule *rule)
{
	free(rule->cfa.ops);
	for (uint32_t i = 0; i < rule->n; i++)
		free(rule->regs[i].ops);
}

struct unwind_rule *unwind_rule__new(Dwarf_CFI *cfi, uint64_t address)
{
	struct unwind_rule *rule = calloc(1, sizeof(*rule) + ARCH_REGS * sizeof(*rule->regs)), *smaller;
	Dwarf_Frame *frame = NULL;

	if (!rule)
		return NULL;
	if (!cfi || dwarf_cfi_addrframe(cfi, address, &frame)) {
		rule->is_none = true;
	} else if (!read_frame(rule, frame)) {
		free_ops(rule);
		memset(rule, 0, sizeof(*rule));
		rule->is_none = true;
	}
	free(frame);
	smaller = realloc(rule, sizeof(*rule) + rule->n * sizeof(*rule->regs));
	return smaller ? smaller : rule;
}

void unwind_rule__free(struct unwind_rule *rule)
{
	if (!rule)
		return;
	free_ops(rule);
	free(rule);
}

/* --- to the caller ----------------------------------------------------------------------------------------
 */

static enum rule_end evaluate(const struct register_rule *rule, const struct machine *machine, bool is_cfa,
			      uint64_t *value)
{
	uint64_t at;

	switch (rule->kind) {
	case RULE_CFA:
		*value = machine->cfa + rule->offset;
		return RULE_OK;
	case RULE_REGISTER:
		*value = machine->regs[rule->from] + rule->offset;
		return machine->known >> rule->from & 1 ? RULE_OK : RULE_BAD;
	case RULE_AT_CFA:
		at = machine->cfa + rule->offset;
		break;
	default:
		switch (expression__eval(rule->ops, rule->n_ops, machine, !is_cfa, &at)) {
		case EXPRESSION_VALUE:
			*value = at;
			return RULE_OK;
		case EXPRESSION_MEMORY:
			if (!is_cfa)
				break;
			*value = at; /* of the CFA, the address is the value */
			return RULE_OK;
		case EXPRESSION_COPY:
			return RULE_COPY;
		default:
			return RULE_BAD;
		}
	}
	return machine__read(machine, at, sizeof(*value), value) ? RULE_OK : RULE_COPY;
}

/* A register that cannot be had may not be needed: only the return address must be known. */
static enum rule_end restore(const struct unwind_rule *rule, const struct machine *now,
			     struct machine *caller)
{
	enum rule_end end, ra = RULE_OK;
	uint64_t value;

	for (uint32_t i = 0; i < rule->n; i++) {
		unsigned reg = rule->regs[i].reg;

		end = evaluate(&rule->regs[i], now, false, &value);
		if (reg == rule->ra)
			ra = end;
		caller->known &= ~(1ull << reg);
		if (end != RULE_OK)
			continue;
		caller->regs[reg] = value;
		caller->known |= 1ull << reg;
	}
	return ra;
}

enum rule_end unwind_rule__apply(const struct unwind_rule *rule, struct machine *machine, uint64_t *ip)
{
	struct machine caller = *machine;
	enum rule_end end = evaluate(&rule->cfa, machine, true, &machine->cfa);

	if (end != RULE_OK)
		return end;
	if (rule->undefined >> rule->ra & 1)
		return RULE_OUTERMOST;
	caller.regs[ARCH_SP] = machine->cfa;
	caller.known = (caller.known & ~rule->undefined) | 1ull << ARCH_SP;
	end = restore(rule, machine, &caller);
	if (end != RULE_OK)
		return end;
	if (!(caller.known >> rule->ra & 1) || !(caller.known >> ARCH_SP & 1))
		return RULE_BAD;
	*machine = caller;
	*ip = machine->regs[rule->ra] & ARCH_CODE_MASK;
	return RULE_OK;
}

/* --- in few words -----------------------------------------------------------------------------------------
 */

/* gcc keeps the CFA of a stack that it has realigned in memory, next to the frame pointer. */
static bool is_realigned(const struct register_rule *cfa)
{
	return cfa->kind == RULE_EXPRESSION && cfa->n_ops == 2 && cfa->ops[0].atom == DW_OP_breg0 + ARCH_FP &&
	       cfa->ops[1].atom == DW_OP_deref;
}

static bool step_to_cfa(const struct register_rule *cfa, struct unwind_step *step)
{
	int64_t offset = cfa->offset;

	if (is_realigned(cfa)) {
		step->kind = STEP_AT_FP;
		offset = cfa->ops[0].number;
	} else if (cfa->kind == RULE_REGISTER && (cfa->from == ARCH_SP || cfa->from == ARCH_FP)) {
		step->kind = cfa->from == ARCH_SP ? STEP_FROM_SP : STEP_FROM_FP;
	} else {
		return false;
	}
	step->cfa_offset = offset;
	return step->cfa_offset == offset;
}

/* Where a register of the caller is, from the CFA. */
static bool step_offset(const struct register_rule *r, __s16 *offset)
{
	*offset = r->offset;
	return r->kind == RULE_AT_CFA && *offset == r->offset && *offset;
}

static bool is_at_frame_pointer(const struct register_rule *r)
{
	return r->kind == RULE_EXPRESSION && r->n_ops == 1 && r->ops[0].atom == DW_OP_breg0 + ARCH_FP &&
	       !r->ops[0].number;
}

struct unwind_step unwind_rule__step(const struct unwind_rule *rule)
{
	const struct unwind_step cut = {.kind = STEP_CUT};
	struct unwind_step step = {};
	bool fp_found = false;

	if (rule->undefined >> rule->ra & 1)
		return (struct unwind_step){.kind = STEP_OUTERMOST};
	if (rule->is_signal || rule->undefined >> ARCH_FP & 1 || !step_to_cfa(&rule->cfa, &step))
		return cut;
	for (uint32_t i = 0; i < rule->n; i++) {
		const struct register_rule *r = &rule->regs[i];

		if (r->reg == rule->ra && !step_offset(r, &step.ra_offset))
			return cut;
		if (r->reg == ARCH_SP && (r->kind != RULE_CFA || r->offset))
			return cut;
		if (r->reg != ARCH_FP)
			continue;
		fp_found = true;
		if (step.kind == STEP_AT_FP ? !is_at_frame_pointer(r) : !step_offset(r, &step.fp_offset))
			return cut;
	}
	return step.ra_offset && (fp_found || step.kind != STEP_AT_FP) ? step : cut;
}
