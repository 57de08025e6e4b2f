// SPDX-License-Identifier: GPL-2.0
/*
 * kernelmode - let the kernel take the faults on a program's memory.
 *
 *	kernelmode PAGES
 *
 * filled:  read(2) into a buffer never touched: the kernel writes it, one fault a page.
 * drained: write(2) from a buffer never touched: the kernel reads the zero page, one fault a page.
 */
#include "prog.h"

int main(int argc, char **argv)
{
	size_t pages, size;
	struct usage start, filled_spent, drained_spent;
	char *filled, *drained;
	int zero, sink;

	if (argc != 2)
		usage_error("PAGES");
	pages = number(argv[1], "PAGES");
	size = pages * page_size();
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	sink = memfd_create("sink", MFD_CLOEXEC);
	if (zero < 0 || sink < 0)
		die("open");
	warm_up();
	filled = map_anon_alone(pages);
	drained = map_anon_alone(pages);

	start = usage_now();
	if (read(zero, filled, size) != (ssize_t)size)
		die("read");
	filled_spent = usage_since(start);
	start = usage_now();
	if (write(sink, drained, size) != (ssize_t)size)
		die("write");
	drained_spent = usage_since(start);

	say_region("filled", filled, pages);
	say("filled.faults=%zu", pages);
	say("filled.kind=anon_write");
	say_measured("filled", filled_spent);
	say_region("drained", drained, pages);
	say("drained.faults=%zu", pages);
	say("drained.kind=anon_read");
	say_measured("drained", drained_spent);
	say_self();
	return 0;
}
