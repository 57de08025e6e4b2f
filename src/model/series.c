/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/series.h"

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void halve(struct series *s)
{
	for (size_t i = 0; i < SERIES_POINTS / 2; i++) {
		s->points[i] = s->points[2 * i + 1];
		s->points[i].least = lesser(s->points[2 * i].least, s->points[2 * i + 1].least);
	}
	s->count = SERIES_POINTS / 2;
	s->step_ns = s->step_ns ? s->step_ns * 2 : series__span_ns(s) / (s->count - 1);
}

void series__add(struct series *s, uint64_t ns, int64_t value)
{
	struct series_point *last = s->count ? &s->points[s->count - 1] : NULL;

	s->samples++;
	/* A quarter of a step is for samples that come a little late. */
	if (last && s->step_ns && ns < s->open_ns + s->step_ns - s->step_ns / 4) {
		last->ns = ns;
		last->value = value;
		last->least = lesser(last->least, value);
		return;
	}
	if (s->count == SERIES_POINTS)
		halve(s);
	s->open_ns = s->step_ns && ns - s->open_ns < s->step_ns * 2 ? s->open_ns + s->step_ns : ns;
	s->points[s->count++] = (struct series_point){ns, value, value};
}

uint64_t series__span_ns(const struct series *s)
{
	return s->count ? s->points[s->count - 1].ns - s->points[0].ns : 0;
}
