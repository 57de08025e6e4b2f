/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of an allocator in an ELF file, whatever is in it; and code, whatever it is. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sym/allocator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC), place = allocator__probe_place(data, size);
	struct allocator a;

	allocator__has_usdt(data, size, "otel_memory", "alloc");
	if (place >= 0 && (size_t)place >= size)
		abort();
	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	if (allocator__find(fd, NULL, &a))
		return 0;
	for (size_t i = 0; i < a.count; i++)
		if (a.probes[i].offset >= size || a.probes[i].function >= HEAP_FUNCTIONS)
			abort();
	allocator__free(&a);
	return 0;
}
