/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands: one line each. main.c makes the table and the help from it. */
#ifndef MEMTRACE_COMMANDS_H
#define MEMTRACE_COMMANDS_H

/* Each takes argv with argv[0] == "memtrace COMMAND", and returns the exit status. */
#define COMMANDS(X)                                                                             \
	X(faults, "who faults, where and why; SIGSEGV and SIGBUS explained")                    \
	X(brk_vs_mmap, "what brk and mmap obtained and returned, and what was never touched")   \
	X(leaks, "what grows and never comes back, and where")                                  \
	X(oom, "who the OOM killer killed, at which limit, and what led there")                 \
	X(ps, "what memory processes have, each by itself and what they share")                 \
	X(maps, "the address space of a process, and what an address is")                       \
	X(system, "where the memory of the machine is, and how close it is to reclaim")         \
	X(reclaim, "who had to find free memory itself, for how long, and what it cost others") \
	X(doctor, "what this kernel offers, and what memtrace makes of it")

#define DECLARE_COMMAND(name, summary) int cmd_##name(int argc, char **argv);
COMMANDS(DECLARE_COMMAND)
#undef DECLARE_COMMAND

enum exit_status { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#endif
