/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/unwind.h"

#include <stdlib.h>
#include <string.h>

#include "sym/arch.h"
#include "sym/unwind_rule.h"

/*
 * A rule takes about 200 bytes, so that the cache stays under 8 MiB. Two addresses that want the same slot
 * drive each other out, at a few microseconds each time.
 */
#define CACHE_SLOTS 32768

/* Farther away than this, what is in the register of the frame pointer is something else. */
#define FRAME_MAX (16u << 20)

struct slot {
	uint64_t offset;
	uint32_t file;
	struct unwind_rule *rule; /* NULL: empty */
};

struct unwinder {
	struct slot cache[CACHE_SLOTS];
	struct unwind_rule *none;
};

/* One stack, while it is unwound. */
struct walk {
	struct unwinder *unwinder;
	const struct unwind_ops *ops;
	void *context;
	struct machine machine;
	struct unwind_frame *frame; /* the one that is looked at */
	bool is_first;
};

/* Why there is no next frame; GO_ON if there is. */
enum { GO_ON = UNWIND_ENDS };

struct unwinder *unwinder__new(void)
{
	struct unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder)
		return NULL;
	unwinder->none = unwind_rule__new(NULL, 0);
	if (!unwinder->none) {
		free(unwinder);
		return NULL;
	}
	return unwinder;
}

void unwinder__free(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		unwind_rule__free(unwinder->cache[i].rule);
	unwind_rule__free(unwinder->none);
	free(unwinder);
}

static struct slot *slot_of(struct unwinder *unwinder, const struct unwind_code *code)
{
	uint64_t hash = (code->offset ^ (uint64_t)code->file << 40) * 0x9e3779b97f4a7c15ull;

	return &unwinder->cache[hash >> 32 & (CACHE_SLOTS - 1)];
}

/* NULL: *end says why. Valid until the next call. */
static const struct unwind_rule *find_rule(struct walk *walk, const struct unwind_code *code, int *end)
{
	struct slot *slot = slot_of(walk->unwinder, code);
	enum unwind_info info;
	uint64_t address = 0;
	Dwarf_CFI *cfi = NULL;
	struct unwind_rule *rule;

	if (!code->file)
		return walk->unwinder->none;
	if (slot->rule && slot->file == code->file && slot->offset == code->offset)
		return slot->rule;
	info = walk->ops->info(walk->context, code, &cfi, &address);
	if (info == UNWIND_INFO_NO_FILE) {
		*end = UNWIND_NO_FILE;
		return NULL;
	}
	rule = unwind_rule__new(info == UNWIND_INFO ? cfi : NULL, address);
	if (!rule) {
		*end = UNWIND_BAD;
		return NULL;
	}
	unwind_rule__free(slot->rule);
	*slot = (struct slot){code->offset, code->file, rule};
	return rule;
}

static bool is_code(struct walk *walk, uint64_t ip)
{
	struct unwind_code code;

	return walk->ops->find(walk->context, ip, &code);
}

/* The return address as a call leaves it, before the function has done anything. False: there is none. */
static bool return_address(const struct walk *walk, uint64_t *ip)
{
	const struct machine *machine = &walk->machine;

#if ARCH_RA_ON_STACK
	return machine__read(machine, machine->regs[ARCH_SP], sizeof(*ip), ip);
#else
	*ip = machine->regs[ARCH_LR] & ARCH_CODE_MASK;
	return true;
#endif
}

static void step_out(struct walk *walk)
{
	walk->machine.regs[ARCH_SP] += ARCH_RA_ON_STACK ? sizeof(uint64_t) : 0;
}

/* Somebody called through a pointer that leads nowhere: the return address is where the call has left it. */
static int step_from_nowhere(struct walk *walk, uint64_t *ip)
{
	if (!walk->is_first || !return_address(walk, ip) || !is_code(walk, *ip - 1))
		return UNWIND_NO_CODE;
	step_out(walk);
	return GO_ON;
}

/* A process begins with argc, argv and NULL on its stack, and without a frame. */
static bool is_process_entry(const struct machine *machine)
{
	uint64_t sp = machine->regs[ARCH_SP], argc, argv, null;

	return !machine->regs[ARCH_FP] && machine__read(machine, sp, sizeof(argc), &argc) && argc > 0 &&
	       argc < machine->stack_size && machine__read(machine, sp + 8, sizeof(argv), &argv) &&
	       argv > sp && machine__read(machine, sp + 8 + 8 * argc, sizeof(null), &null) && !null;
}

/*
 * The innermost frame, in code of a file that has no unwind information: in _init() for one, which faults as
 * it is entered, for its page was not there. It has just been called if what looks like a return address
 * leads to code that can be unwound.
 */
static int step_from_entry(struct walk *walk, uint64_t *ip)
{
	const struct unwind_rule *rule;
	struct unwind_code code;
	int end;

	if (is_process_entry(&walk->machine))
		return UNWIND_COMPLETE;
	if (!return_address(walk, ip) || !walk->ops->find(walk->context, *ip - 1, &code))
		return UNWIND_NO_CFI;
	rule = find_rule(walk, &code, &end);
	if (!rule || rule->is_none)
		return UNWIND_NO_CFI;
	step_out(walk);
	return GO_ON;
}

/*
 * The frame pointer points at that of the caller, and the return address is next to it. Where a file has code
 * without unwind information, as a start function has, 0 ends the chain; compiled code is never the
 * outermost, and may have any use for the register.
 */
static int step_by_frame_pointer(struct walk *walk, bool may_be_outermost, uint64_t *ip)
{
	struct machine *machine = &walk->machine;
	uint64_t fp = machine->regs[ARCH_FP], sp = machine->regs[ARCH_SP], caller_fp;

	if (!(machine->known >> ARCH_FP & 1))
		return UNWIND_NO_CFI;
	if (!fp && may_be_outermost)
		return UNWIND_COMPLETE;
	if (fp < sp || fp - sp > FRAME_MAX || fp % sizeof(fp))
		return UNWIND_NO_CFI;
	if (!machine__read(machine, fp, sizeof(fp), &caller_fp) ||
	    !machine__read(machine, fp + sizeof(fp), sizeof(fp), ip))
		return UNWIND_COPY;
	*ip &= ARCH_CODE_MASK;
	if (!*ip && may_be_outermost)
		return UNWIND_COMPLETE;
	if (!is_code(walk, *ip - 1))
		return UNWIND_NO_CFI;
	machine->regs[ARCH_FP] = caller_fp;
	machine->regs[ARCH_SP] = fp + 2 * sizeof(fp);
	machine->known = 1ull << ARCH_FP | 1ull << ARCH_SP; /* what else was saved is not known */
	return GO_ON;
}

static int step_by_rule(struct walk *walk, const struct unwind_rule *rule, uint64_t *ip)
{
	uint64_t sp = walk->machine.regs[ARCH_SP], caller_sp;

	switch (unwind_rule__apply(rule, &walk->machine, ip)) {
	case RULE_OK:
		break;
	case RULE_OUTERMOST:
		return UNWIND_COMPLETE;
	case RULE_COPY:
		return UNWIND_COPY;
	default:
		return UNWIND_BAD;
	}
	caller_sp = walk->machine.regs[ARCH_SP];
	if (!*ip)
		return UNWIND_COMPLETE;
	/*
	 * A signal may have come in on a stack of its own. Where the return address is in a register, a leaf
	 * may have no stack. All others grow, or this would not end.
	 */
	if (rule->is_signal || caller_sp > sp)
		return GO_ON;
	return caller_sp == sp && !ARCH_RA_ON_STACK && !walk->frame->is_return ? GO_ON : UNWIND_BAD;
}

static int step_without_rule(struct walk *walk, bool is_file, uint64_t *ip)
{
	int end = is_file && walk->is_first ? step_from_entry(walk, ip) : UNWIND_NO_CFI;

	return end == UNWIND_NO_CFI ? step_by_frame_pointer(walk, is_file && !walk->is_first, ip) : end;
}

/* To the caller of walk->frame, at *ip. *was_called: it has called, and was not interrupted. */
static int step(struct walk *walk, uint64_t *ip, bool *was_called)
{
	const struct unwind_rule *rule;
	struct unwind_code code;
	int end = UNWIND_BAD;

	*was_called = true;
	if (!walk->ops->find(walk->context, walk->frame->ip - walk->frame->is_return, &code))
		return step_from_nowhere(walk, ip);
	rule = find_rule(walk, &code, &end);
	if (rule && rule->is_none && walk->frame->is_return && code.file) {
		/* A handler returns to the start of the code that ends a signal. */
		struct unwind_code after = code;

		after.offset++;
		rule = find_rule(walk, &after, &end);
		if (rule && !rule->is_signal)
			rule = walk->unwinder->none;
	}
	if (!rule)
		return end;
	if (rule->is_none)
		return step_without_rule(walk, code.file, ip);
	if (rule->is_signal)
		walk->frame->is_return = false;
	*was_called = !rule->is_signal;
	return step_by_rule(walk, rule, ip);
}

static void start(struct walk *walk, const struct sym_sample *sample)
{
	struct machine *machine = &walk->machine;

	memcpy(machine->regs, sample->regs, sizeof(machine->regs));
	machine->known = (1ull << ARCH_REGS) - 1;
	machine->regs[ARCH_SP] = sample->sp;
	machine->regs[ARCH_IP] = sample->ip;
	machine->stack = sample->stack;
	machine->stack_start = sample->sp;
	machine->holes = sample->holes;
	machine->stack_size = sample->stack_size;
	walk->is_first = true;
}

size_t unwinder__run(struct unwinder *unwinder, const struct unwind_ops *ops, void *context,
		     const struct sym_sample *sample, struct unwind_frame *frames, size_t max,
		     enum unwind_end *end)
{
	struct walk walk = {.unwinder = unwinder, .ops = ops, .context = context};
	uint64_t ip = sample->ip;
	bool is_return = false;
	int why = UNWIND_FRAMES;
	size_t n = 0;

	start(&walk, sample);
	while (n < max) {
		walk.frame = &frames[n++];
		*walk.frame = (struct unwind_frame){ip, is_return};
		why = step(&walk, &ip, &is_return);
		if (why != GO_ON)
			break;
		walk.is_first = false;
		why = UNWIND_FRAMES;
	}
	*end = why;
	return n;
}

struct unwind_step unwinder__step(struct unwinder *unwinder, const struct unwind_ops *ops, void *context,
				  uint64_t ip)
{
	struct walk walk = {.unwinder = unwinder, .ops = ops, .context = context};
	const struct unwind_step cut = {.kind = STEP_CUT};
	const struct unwind_rule *rule;
	struct unwind_code code;
	int end;

	if (!ops->find(context, ip - 1, &code))
		return cut;
	rule = find_rule(&walk, &code, &end);
	if (!rule)
		return cut;
	if (!rule->is_none)
		return unwind_rule__step(rule);
	/* As step_by_frame_pointer(): the caller's frame pointer and the return address are side by side. */
	return (struct unwind_step){.kind = STEP_FROM_FP,
				    .cfa_offset = 2 * sizeof(uint64_t),
				    .ra_offset = -(int)sizeof(uint64_t),
				    .fp_offset = -2 * (int)sizeof(uint64_t)};
}

const char *unwind_end__explain(enum unwind_end end)
{
	static const char *const texts[UNWIND_ENDS] = {
		[UNWIND_COMPLETE] = "the outermost frame",
		[UNWIND_FRAMES] = "more frames than are kept",
		[UNWIND_COPY] = "the copy of the stack ends here (--stack-size)",
		[UNWIND_NO_CODE] = "an address where no code is known to be mapped",
		[UNWIND_NO_FILE] = "the mapped file is gone, or was replaced",
		[UNWIND_NO_CFI] = "code without unwind information",
		[UNWIND_BAD] = "unwind information that leads nowhere",
		[UNWIND_STEP] = "code whose frames the kernel side cannot follow",
	};

	return end < UNWIND_ENDS ? texts[end] : "unknown";
}

const char *unwind_end__name(enum unwind_end end)
{
	static const char *const names[UNWIND_ENDS] = {
		[UNWIND_COMPLETE] = "complete",
		[UNWIND_FRAMES] = "too_many_frames",
		[UNWIND_COPY] = "copy_too_short",
		[UNWIND_NO_CODE] = "no_code",
		[UNWIND_NO_FILE] = "no_file",
		[UNWIND_NO_CFI] = "no_unwind_information",
		[UNWIND_BAD] = "bad_unwind_information",
		[UNWIND_STEP] = "not_followed",
	};

	return end < UNWIND_ENDS ? names[end] : "unknown";
}
