/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with a unit, as tables show them. */
#include <stdio.h>
#include <string.h>

#include "out/out.h"
#include "util/number.h"

/* The number of that length at text, and its unit, into buf; cut if there is no room. */
static void put(const char *number, size_t length, const char *unit, char *buf, size_t size)
{
	size_t unit_length = strlen(unit);

	if (length + 1 + unit_length >= size) {
		snprintf(buf, size, "%s %s", number, unit);
		return;
	}
	memcpy(buf, number, length);
	buf[length] = ' ';
	memcpy(buf + length + 1, unit, unit_length + 1);
}

static void put_whole(uint64_t n, const char *unit, char *buf, size_t size)
{
	char number[NUMBER_SIZE];

	put(number, number__decimal(n, number), unit, buf, size);
}

/* n / scale with three significant digits, or as many as it has before the point. */
static void put_scaled(uint64_t n, uint64_t scale, const char *unit, char *buf, size_t size)
{
	unsigned decimals = 2;
	uint64_t parts = 100, rounded;
	char number[NUMBER_SIZE];

	while (n > UINT64_MAX / 128) { /* so that the product does not overflow */
		n >>= 1;
		scale >>= 1;
	}
	while ((rounded = (n * parts + scale / 2) / scale) >= 1000 && decimals) {
		decimals--;
		parts /= 10;
	}
	put(number, number__fixed(rounded, decimals, number), unit, buf, size);
}

void out__format_ns(uint64_t ns, char *buf, size_t size)
{
	if (ns < 1000)
		put_whole(ns, "ns", buf, size);
	else if (ns < 1000000)
		put_scaled(ns, 1000, "us", buf, size);
	else if (ns < 1000000000)
		put_scaled(ns, 1000000, "ms", buf, size);
	else
		put_scaled(ns, 1000000000, "s", buf, size);
}

void out__format_bytes(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	int i = 0;

	if (bytes < 1024) {
		put_whole(bytes, "B", buf, size);
		return;
	}
	while (i < 5 && bytes >> (10 * (i + 2)))
		i++;
	put_scaled(bytes, 1ull << (10 * (i + 1)), units[i], buf, size);
}

void out__format_change(int64_t bytes, char *buf, size_t size)
{
	char text[32];

	out__format_bytes(bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes, text, sizeof(text));
	snprintf(buf, size, "%s%s", bytes > 0 ? "+" : bytes < 0 ? "-" : "", text);
}
