/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with a unit, as tables show them. */
#include <inttypes.h>
#include <stdio.h>

#include "out/out.h"

static void format_scaled(double value, const char *unit, char *buf, size_t size)
{
	int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;

	snprintf(buf, size, "%.*f %s", decimals, value, unit);
}

void out__format_ns(uint64_t ns, char *buf, size_t size)
{
	if (ns < 1000)
		snprintf(buf, size, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		format_scaled(ns / 1e3, "us", buf, size);
	else if (ns < 1000000000)
		format_scaled(ns / 1e6, "ms", buf, size);
	else
		format_scaled(ns / 1e9, "s", buf, size);
}

void out__format_bytes(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = bytes;
	int i = -1;

	if (bytes < 1024) {
		snprintf(buf, size, "%" PRIu64 " B", bytes);
		return;
	}
	for (; value >= 1024 && i < 5; i++)
		value /= 1024;
	format_scaled(value, units[i], buf, size);
}

void out__format_change(int64_t bytes, char *buf, size_t size)
{
	char text[32];

	out__format_bytes(bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes, text, sizeof(text));
	snprintf(buf, size, "%s%s", bytes > 0 ? "+" : bytes < 0 ? "-" : "", text);
}
