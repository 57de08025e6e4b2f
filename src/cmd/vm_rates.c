/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/vm_rates.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proc/memory_files.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct out_column rate_columns[] = {
	{.key = "name", .heading = "WHAT", .flags = OUT_LEFT},
	{.key = "per_s", .flags = OUT_JSON_ONLY},
	{.flags = OUT_TABLE_ONLY, .heading = "A SECOND"},
	{.key = "count", .flags = OUT_JSON_ONLY},
	{.key = "total", .heading = "IN ALL"},
	{.key = "words", .heading = "WHAT IT IS", .flags = OUT_LEFT | OUT_FILL},
};

static bool find_rate(const char *text, const char *name, uint64_t *value)
{
	size_t length = strlen(name);

	return name[length - 1] == '_' ? counter__sum(text, name, value) : counter__find(text, name, value);
}

static void put_rate(struct out *out, const char *name, const char *words, uint64_t then, uint64_t total,
		     double seconds)
{
	char shown[32], rate[32];
	uint64_t count = total > then ? total - then : 0;
	double per_s = seconds > 0 ? count / seconds : 0;

	snprintf(shown, sizeof(shown), "%.*s", (int)(strlen(name) - (name[strlen(name) - 1] == '_')), name);
	out__row(out);
	out__text(out, "name", shown);
	snprintf(rate, sizeof(rate), "%.*f", per_s > 0 && per_s < 10 ? 1 : 0, per_s);
	out__real(out, "per_s", per_s);
	out__text(out, NULL, rate);
	out__count(out, "count", count);
	out__count(out, "total", total);
	out__text(out, "words", words);
	out__row_end(out);
}

void vm_rates__print(struct out *out, const char *title, const struct vm_rate *rates, size_t n,
		     const char *before, const char *now, double seconds, bool changed_only)
{
	const struct out_table table = {"rate", title, rate_columns, COUNT(rate_columns)};
	uint64_t then, total;

	out__begin(out, &table);
	for (size_t i = 0; i < n; i++)
		if (find_rate(before, rates[i].name, &then) && find_rate(now, rates[i].name, &total) &&
		    (!changed_only || total != then || out__format(out) == OUT_JSON))
			put_rate(out, rates[i].name, rates[i].words, then, total, seconds);
	out__end(out, 0);
}
