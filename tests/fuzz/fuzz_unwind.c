/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stack, registers and unwind information that anybody may have made: it ends, and nothing else happens. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sym/module.h"
#include "sym/unwind.h"

#define STACK_SIZE 512
#define FRAMES	   32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find(void *context, uint64_t ip, struct unwind_code *code)
{
	(void)context;
	*code = (struct unwind_code){.file = 1 + (ip >> 16 & 1), .offset = ip & 0xffff};
	return ip >> 17 != 5;
}

static enum unwind_info info(void *context, const struct unwind_code *code, Dwarf_CFI **cfi,
			     uint64_t *address)
{
	struct module *module = context;
	uint64_t bias;

	if (!module__address(module, code->offset, address))
		return UNWIND_INFO_NONE;
	*cfi = module__cfi(module, &bias);
	*address += bias;
	return *cfi ? UNWIND_INFO : UNWIND_INFO_NONE;
}

/* The end of the file is the stack, too: its words are as good as any. */
static void unwind(struct unwinder *unwinder, struct module *module, const uint8_t *stack, uint64_t ip)
{
	static const struct unwind_ops ops = {find, info};
	struct unwind_frame frames[FRAMES];
	uint64_t regs[SYM_REGS];
	struct sym_sample sample = {
		.regs = regs, .ip = ip, .sp = 0x7000, .stack = stack, .stack_size = STACK_SIZE};
	enum unwind_end end;
	size_t n;

	for (size_t i = 0; i < SYM_REGS; i++)
		regs[i] = 0x7000 + 8 * i;
	n = unwinder__run(unwinder, &ops, module, &sample, frames, FRAMES, &end);
	if (!n || n > FRAMES || end >= UNWIND_ENDS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intern *strings = intern__new();
	struct module *module = strings ? module__open_image(data, size, "fuzz", strings) : NULL;
	struct unwinder *unwinder = unwinder__new();

	for (uint64_t offset = 0; module && unwinder && size > STACK_SIZE && offset < 0x4000 && offset < size;
	     offset += 13)
		unwind(unwinder, module, data + size - STACK_SIZE, offset);
	unwinder__free(unwinder);
	module__free(module);
	intern__free(strings);
	return 0;
}
