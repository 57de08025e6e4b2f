/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ELF file, whatever is in it: its symbols, lines and unwind information at addresses throughout, and its
 * sections. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sym/module.h"
#include "sym/segments.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unwind(struct module *module, uint64_t address)
{
	uint64_t bias;
	Dwarf_CFI *cfi = module__cfi(module, &bias);
	Dwarf_Frame *frame = NULL;

	if (cfi && !dwarf_cfi_addrframe(cfi, address + bias, &frame))
		free(frame);
}

static void describe(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char text[512];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return;
	}
	segments__describe(fd, size / 4, size / 2, text, sizeof(text));
	if (strlen(text) >= sizeof(text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct intern *strings = intern__new();
	struct module *module = strings ? module__open_image(data, size, "fuzz", strings) : NULL;
	struct frame frames[8];
	uint64_t address = 0;

	/* Every few bytes of the code: the seeds are small. */
	for (uint64_t offset = 0; module && offset < 0x4000 && offset < size; offset += 37) {
		size_t n;

		if (!module__address(module, offset, &address))
			continue;
		n = module__frames(module, address, offset & 1, frames, 8);
		if (!n || n > 8)
			abort();
		unwind(module, address);
	}
	module__free(module);
	intern__free(strings);
	describe(data, size);
	return 0;
}
