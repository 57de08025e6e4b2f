/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/expression.h"

#include <dwarf.h>
#include <string.h>

#define STACK_MAX 32
#define STEPS_MAX 256
#define PAGE	  4096

struct evaluation {
	const Dwarf_Op *ops;
	size_t n, at;
	const struct machine *machine;
	bool has_cfa;
	uint64_t stack[STACK_MAX];
	unsigned depth;
	enum expression_end end; /* what it comes to, unless something fails */
	bool is_failed;
};

static bool is_in_hole(const struct machine *machine, uint64_t address)
{
	uint64_t page = address / PAGE - machine->stack_start / PAGE;

	return page < 32 && machine->holes >> page & 1;
}

bool machine__read(const struct machine *machine, uint64_t address, unsigned size, uint64_t *value)
{
	uint64_t offset = address - machine->stack_start;

	if (address < machine->stack_start || offset >= machine->stack_size ||
	    machine->stack_size - offset < size || size > sizeof(*value) || is_in_hole(machine, address) ||
	    is_in_hole(machine, address + size - 1))
		return false;
	*value = 0;
	memcpy(value, machine->stack + offset, size); /* little-endian, as all that memtrace runs on */
	return true;
}

static void fail(struct evaluation *e, enum expression_end why)
{
	if (!e->is_failed)
		e->end = why;
	e->is_failed = true;
}

static void push(struct evaluation *e, uint64_t value)
{
	if (e->depth < STACK_MAX)
		e->stack[e->depth++] = value;
	else
		fail(e, EXPRESSION_BAD);
}

static uint64_t pop(struct evaluation *e)
{
	if (e->depth)
		return e->stack[--e->depth];
	fail(e, EXPRESSION_BAD);
	return 0;
}

/* The n-th from the top, which is 0. */
static void pick(struct evaluation *e, uint64_t n)
{
	if (n < e->depth)
		push(e, e->stack[e->depth - 1 - n]);
	else
		fail(e, EXPRESSION_BAD);
}

static void push_register(struct evaluation *e, uint64_t reg, uint64_t offset)
{
	if (reg < SYM_REGS && e->machine->known >> reg & 1)
		push(e, e->machine->regs[reg] + offset);
	else
		fail(e, EXPRESSION_BAD);
}

static void deref(struct evaluation *e, uint64_t size)
{
	uint64_t address = pop(e), value = 0;

	if (!size || size > sizeof(value))
		fail(e, EXPRESSION_BAD);
	else if (!machine__read(e->machine, address, size, &value))
		fail(e, EXPRESSION_COPY);
	push(e, value);
}

static void divide(struct evaluation *e, uint64_t a, uint64_t b, bool is_mod)
{
	if (!b)
		fail(e, EXPRESSION_BAD);
	else if (is_mod)
		push(e, a % b);
	else if (b == UINT64_MAX) /* INT64_MIN / -1 traps */
		push(e, -a);
	else
		push(e, (uint64_t)((int64_t)a / (int64_t)b));
}

static uint64_t shift_right(uint64_t value, uint64_t bits)
{
	return bits < 64 ? value >> bits : 0;
}

static bool binary(struct evaluation *e, uint8_t atom)
{
	uint64_t b = e->depth > 1 ? e->stack[e->depth - 1] : 0, a = e->depth > 1 ? e->stack[e->depth - 2] : 0;
	int64_t x = a, y = b;
	uint64_t result;

	switch (atom) {
	case DW_OP_and:
		result = a & b;
		break;
	case DW_OP_or:
		result = a | b;
		break;
	case DW_OP_xor:
		result = a ^ b;
		break;
	case DW_OP_plus:
		result = a + b;
		break;
	case DW_OP_minus:
		result = a - b;
		break;
	case DW_OP_mul:
		result = a * b;
		break;
	case DW_OP_shl:
		result = b < 64 ? a << b : 0;
		break;
	case DW_OP_shr:
		result = shift_right(a, b);
		break;
	case DW_OP_shra:
		result = x < 0 ? ~shift_right(~a, b) : shift_right(a, b);
		break;
	case DW_OP_eq:
		result = x == y;
		break;
	case DW_OP_ne:
		result = x != y;
		break;
	case DW_OP_lt:
		result = x < y;
		break;
	case DW_OP_le:
		result = x <= y;
		break;
	case DW_OP_gt:
		result = x > y;
		break;
	case DW_OP_ge:
		result = x >= y;
		break;
	case DW_OP_div:
	case DW_OP_mod:
		pop(e);
		pop(e);
		divide(e, a, b, atom == DW_OP_mod);
		return true;
	default:
		return false;
	}
	pop(e);
	pop(e);
	push(e, result);
	return true;
}

static bool shuffle(struct evaluation *e, const Dwarf_Op *op)
{
	uint64_t a, b, c;

	switch (op->atom) {
	case DW_OP_dup:
		pick(e, 0);
		return true;
	case DW_OP_over:
		pick(e, 1);
		return true;
	case DW_OP_pick:
		pick(e, op->number);
		return true;
	case DW_OP_drop:
		pop(e);
		return true;
	case DW_OP_swap:
		a = pop(e);
		b = pop(e);
		push(e, a);
		push(e, b);
		return true;
	case DW_OP_rot:
		a = pop(e);
		b = pop(e);
		c = pop(e);
		push(e, a);
		push(e, c);
		push(e, b);
		return true;
	default:
		return false;
	}
}

static bool unary(struct evaluation *e, const Dwarf_Op *op)
{
	uint64_t a;

	switch (op->atom) {
	case DW_OP_deref:
		deref(e, sizeof(uint64_t));
		return true;
	case DW_OP_deref_size:
		deref(e, op->number);
		return true;
	case DW_OP_plus_uconst:
		push(e, pop(e) + op->number);
		return true;
	case DW_OP_neg:
		push(e, -pop(e));
		return true;
	case DW_OP_not:
		push(e, ~pop(e));
		return true;
	case DW_OP_abs:
		a = pop(e);
		push(e, (int64_t)a < 0 ? -a : a);
		return true;
	default:
		return false;
	}
}

static bool constant(struct evaluation *e, const Dwarf_Op *op)
{
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
		push(e, op->atom - DW_OP_lit0);
		return true;
	}
	switch (op->atom) {
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		push(e, op->number); /* libdw has extended its sign */
		return true;
	default:
		return false;
	}
}

/* DW_OP_regN says where a value is; it is known, so it is the value that comes out. */
static bool from_register(struct evaluation *e, const Dwarf_Op *op)
{
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		push_register(e, op->atom - DW_OP_breg0, op->number);
	} else if (op->atom == DW_OP_bregx) {
		push_register(e, op->number, op->number2);
	} else if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) {
		push_register(e, op->atom - DW_OP_reg0, 0);
		e->end = e->is_failed ? e->end : EXPRESSION_VALUE;
	} else if (op->atom == DW_OP_regx) {
		push_register(e, op->number, 0);
		e->end = e->is_failed ? e->end : EXPRESSION_VALUE;
	} else {
		return false;
	}
	return true;
}

/* Relative to the operation after the branch, which takes three bytes. */
static void jump(struct evaluation *e, const Dwarf_Op *op)
{
	uint64_t target = op->offset + 3 + (int16_t)op->number;

	for (size_t i = 0; i < e->n; i++) {
		if (e->ops[i].offset == target) {
			e->at = i;
			return;
		}
	}
	if (target > e->ops[e->n - 1].offset)
		e->at = e->n;
	else
		fail(e, EXPRESSION_BAD);
}

static bool control(struct evaluation *e, const Dwarf_Op *op)
{
	switch (op->atom) {
	case DW_OP_nop:
		return true;
	case DW_OP_skip:
		jump(e, op);
		return true;
	case DW_OP_bra:
		if (pop(e))
			jump(e, op);
		return true;
	case DW_OP_stack_value:
		e->end = e->is_failed ? e->end : EXPRESSION_VALUE;
		return true;
	case DW_OP_call_frame_cfa:
		if (e->has_cfa)
			push(e, e->machine->cfa);
		else
			fail(e, EXPRESSION_BAD);
		return true;
	default:
		return false;
	}
}

enum expression_end expression__eval(const Dwarf_Op *ops, size_t n, const struct machine *machine,
				     bool has_cfa, uint64_t *result)
{
	struct evaluation e = {
		.ops = ops, .n = n, .machine = machine, .has_cfa = has_cfa, .end = EXPRESSION_MEMORY};

	for (unsigned steps = 0; e.at < n && !e.is_failed; steps++) {
		const Dwarf_Op *op = &ops[e.at++];

		if (steps >= STEPS_MAX)
			fail(&e, EXPRESSION_BAD);
		else if (!from_register(&e, op) && !constant(&e, op) && !unary(&e, op) &&
			 !binary(&e, op->atom) && !shuffle(&e, op) && !control(&e, op))
			fail(&e, EXPRESSION_BAD);
	}
	*result = pop(&e);
	return e.end;
}
