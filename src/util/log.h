/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memtrace says on stderr: one line a message, after "memtrace: ". stdout is for data. */
#ifndef MEMTRACE_LOG_H
#define MEMTRACE_LOG_H

#include <stdbool.h>

/* Say it only with -v. Off until log__set_verbose(true). */
void log__set_verbose(bool verbose);
bool log__is_verbose(void);

void log__error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log__warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log__info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log__verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The live line of a terminal: replaced by the next, erased before any message. NULL erases it. */
void log__status(const char *text);

#endif
