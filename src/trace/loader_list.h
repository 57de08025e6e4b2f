/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files a program will consist of once it runs, as its own dynamic loader tells it. */
#ifndef MEMTRACE_LOADER_LIST_H
#define MEMTRACE_LOADER_LIST_H

/*
 * Call take() with the path of the program, found as execvp() finds it, of the interpreter if it is a script,
 * and of each library that it names or LD_PRELOAD does, as the loader finds it in this environment. A loader
 * that cannot list (those of glibc and musl can) tells none.
 */
void loader_list__of(const char *program, void (*take)(void *context, const char *path), void *context);

/* The path in a line of such a list: "\tlibc.so.6 => /lib/libc.so.6 (0x7f...)". Cuts the line; NULL: none. */
char *loader_list__path(char *line);

#endif
