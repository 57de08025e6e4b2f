// SPDX-License-Identifier: GPL-2.0
/*
 * execs - one process, one image after the other.
 *
 *	execs PAGES [NEXT...]
 *
 * Writes PAGES anonymous pages, says so, and executes NEXT with the arguments that remain: links to this
 *program under other names make a chain of images, each with its own comm and address space, in the same
 *process.
 */
#include "prog.h"

int main(int argc, char **argv)
{
	const char *synopsis = "PAGES [NEXT...]";
	char **rest, *next;
	size_t pages;
	char *at;

	if (argc < 2)
		usage_error(synopsis);
	pages = number(argv[1], synopsis);
	warm_up();
	at = map_anon_alone(pages);
	touch_write(at, pages);
	say_region(program_invocation_short_name, at, pages);
	if (argc == 2) {
		say_self();
		return 0;
	}
	/* { PAGES, NEXT, ... } becomes { NEXT, PAGES, ... }: name and arguments of the next image. */
	rest = argv + 1;
	next = rest[1];
	rest[1] = rest[0];
	rest[0] = next;
	execv(next, rest);
	die("%s", next);
}
