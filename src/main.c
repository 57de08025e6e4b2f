/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtrace: call site → VMA → page fault → resident memory → OOM kill, on a live machine.
 *
 * The map of the modules; an event goes from left to right, and no module calls one to its right's right:
 *
 *   bpf/<topic>.bpf.c  hooks, in the kernel      → ring buffer or per-CPU map
 *   trace/             session (life of a tracing command), target (whom), features (what the kernel offers),
 *                      kernel_types (BTF), perf_event, program (after --), run_as (whom it runs as),
 *                      privileges, loss (what was lost, what it cost), map_events (what processes map),
 *                      stacks (records of call stacks → stacks with names)
 *   cmd/<command>.c    one file a subcommand: its options, what it loads, what it reports
 *   model/             what is known: pure data, no I/O (fault_table, stack_table, histogram, vma_name,
 *                      bad_access, oom_kill, memory_recorder, growth)
 *   sym/               addresses → names: what was mapped where and when, unwinding, ELF and DWARF
 *   proc/              /proc, /sys and cgroup files and the kernel log, parsed from buffers
 *   out/               rows → table or JSON Lines; profiles → folded, pprof, flame graph
 *   util/              numbers, text, strings kept once, the log
 *
 * main() picks the command and hands over. Adding a command: CONTRIBUTING.md.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "util/log.h"

static const struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND_ENTRY(name, summary) {#name, summary, cmd_##name},
	COMMANDS(COMMAND_ENTRY)
#undef COMMAND_ENTRY
};

/* Names are C identifiers in the table: users write a dash where that has to be an underscore. */
static void command_name(const char *identifier, char *name, size_t size)
{
	snprintf(name, size, "%s", identifier);
	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
}

static int help(void)
{
	char name[64];

	printf("Usage: memtrace COMMAND [OPTIONS] [-- PROGRAM [ARGS]]\n\n"
	       "Watches, through eBPF, how processes obtain and touch memory.\n\nCommands:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		command_name(commands[i].name, name, sizeof(name));
		printf("  %-12s %s\n", name, commands[i].summary);
	}
	printf("\nmemtrace COMMAND --help lists the options of a command; memtrace --version tells the version.\n"
	       "The manual: man memtrace.\n");
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	char name[64], full[80];

	if (argc < 2) {
		log__error("which command? memtrace --help lists them");
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help();
	if (!strcmp(argv[1], "--version")) {
		printf("memtrace %s\n", MEMTRACE_VERSION);
		return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		command_name(commands[i].name, name, sizeof(name));
		if (strcmp(argv[1], name))
			continue;
		snprintf(full, sizeof(full), "memtrace %s", name);
		argv[1] = full;
		return commands[i].run(argc - 1, argv + 1);
	}
	log__error("%s '%s': memtrace --help lists the commands",
		   argv[1][0] == '-' ? "unknown option" : "no command", argv[1]);
	return EXIT_USAGE;
}
