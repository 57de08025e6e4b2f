/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/phrase.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "model/oom_kill.h"

#define NS_PER_SEC 1000000000ull

void phrase__add(struct phrase *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->used >= sizeof(t->buf))
		return;
	va_start(args, format);
	n = vsnprintf(t->buf + t->used, sizeof(t->buf) - t->used, format, args);
	va_end(args);
	t->used += n > 0 ? n : 0;
}

void phrase__bytes(struct phrase *t, uint64_t bytes)
{
	char buf[32];

	out__format_bytes(bytes, buf, sizeof(buf));
	phrase__add(t, "%s", bytes == OOM_UNKNOWN ? "?" : buf);
}

void phrase__ns(struct phrase *t, uint64_t ns)
{
	char buf[32];

	if (ns >= 600 * NS_PER_SEC) {
		uint64_t minutes = ns / NS_PER_SEC / 60;

		if (minutes >= 48 * 60)
			phrase__add(t, "%" PRIu64 " days", minutes / 60 / 24);
		else
			phrase__add(t, "%" PRIu64 " h %" PRIu64 " min", minutes / 60, minutes % 60);
		return;
	}
	out__format_ns(ns, buf, sizeof(buf));
	phrase__add(t, "%s", buf);
}

void phrase__put(const struct phrase *t, struct out *out)
{
	out__text(out, NULL, t->used ? t->buf : "");
}

/* A column for each part of the time, as high as the highest value in it. */
void phrase__bars(struct phrase *t, const uint64_t *values, size_t n)
{
	static const char *const bars[] = {"_", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	size_t columns = n < PHRASE_BARS ? n : PHRASE_BARS;
	uint64_t most = 1;

	for (size_t i = 0; i < n; i++)
		most = values[i] > most ? values[i] : most;
	phrase__add(t, "|");
	for (size_t i = 0; i < columns; i++) {
		uint64_t highest = 0;

		for (size_t j = i * n / columns; j < (i + 1) * n / columns; j++)
			highest = values[j] > highest ? values[j] : highest;
		phrase__add(t, "%s", bars[(unsigned)((double)highest / most * 8 + 0.999)]);
	}
	phrase__add(t, "|");
}
