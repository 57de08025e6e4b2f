/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/trend.h"

static void halve(struct trend *t)
{
	for (size_t i = 0; i < TREND_POINTS / 2; i++)
		t->points[i] = t->points[2 * i + 1];
	t->count = TREND_POINTS / 2;
	t->step_ns *= 2;
}

void trend__extend(struct trend *t, uint64_t ns)
{
	uint64_t step;

	if (!t->start_ns || ns < t->start_ns)
		return;
	while ((step = (ns - t->start_ns) / t->step_ns) >= TREND_POINTS) {
		while (t->count < TREND_POINTS) {
			t->points[t->count] = t->points[t->count - 1];
			t->count++;
		}
		halve(t);
	}
	while (t->count <= step) {
		t->points[t->count] = t->points[t->count - 1];
		t->count++;
	}
}

void trend__note(struct trend *t, uint64_t ns, const int64_t values[TREND_VALUES])
{
	if (!t->start_ns) {
		t->start_ns = ns ? ns : 1;
		t->step_ns = TREND_FIRST_STEP_NS;
		t->count = 1;
	}
	trend__extend(t, ns);
	for (int i = 0; i < TREND_VALUES; i++)
		t->points[t->count - 1].values[i] = values[i];
}
