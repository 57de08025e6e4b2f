/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/text.h"

/* The only state outside a context: libbpf's print callback has no argument to carry one. */
static bool be_verbose;
static bool status_shown;

void log__set_verbose(bool verbose)
{
	be_verbose = verbose;
}

bool log__is_verbose(void)
{
	return be_verbose;
}

/* One write() a line, so that lines of two processes on one terminal do not mix. */
static void say(const char *prefix, const char *format, va_list args)
{
	char text[2048], safe[2048], line[2112];
	int n;

	vsnprintf(text, sizeof(text), format, args);
	text__to_printable(text, safe, sizeof(safe));
	n = snprintf(line, sizeof(line), "%smemtrace: %s%s\n", status_shown ? "\r\033[K" : "", prefix, safe);
	status_shown = false;
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody listens */
}

#define SAY(prefix)                        \
	do {                               \
		va_list args;              \
		va_start(args, format);    \
		say(prefix, format, args); \
		va_end(args);              \
	} while (0)

void log__error(const char *format, ...)
{
	SAY("");
}

void log__warn(const char *format, ...)
{
	SAY("warning: ");
}

void log__info(const char *format, ...)
{
	SAY("");
}

void log__verbose(const char *format, ...)
{
	if (be_verbose)
		SAY("");
}

void log__status(const char *text)
{
	char line[256];
	int n;

	if (!text && !status_shown)
		return;
	n = snprintf(line, sizeof(line), "\r\033[K%s", text ? text : "");
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	status_shown = text != NULL;
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
