/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/plot.h"

#include <string.h>

void plot__line(const int64_t *values, size_t n, size_t columns, int64_t low, int64_t high, char *buf)
{
	static const char *const marks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

	if (columns > n)
		columns = n;
	for (size_t i = 0; i < columns; i++) {
		/* Of the values that share a column the highest: a peak must not be passed over. */
		size_t from = i * n / columns, to = (i + 1) * n / columns, mark = 0;
		int64_t v = values[from];

		for (size_t j = from; j < to; j++)
			v = values[j] > v ? values[j] : v;
		if (v > low && high > low)
			mark = v >= high ? 8 : 1 + (size_t)((double)(v - low) * 7 / (high - low));
		buf = stpcpy(buf, marks[mark]);
	}
	*buf = '\0';
}
